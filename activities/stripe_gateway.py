"""Charging through Stripe, on the official SDK. The one real `PaymentGateway`.

The SDK's own retries are off: whoever calls repeats, with the key that was stored before the first try.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from uuid import uuid4

import stripe
from typing_extensions import override

from activities import (
    stripe_disputes,
    stripe_fees,
    stripe_mandates,
    stripe_methods,
    stripe_refunds,
    stripe_subscriptions,
)
from activities import stripe_reading as reading
from activities.gateway import (
    Charge,
    IntentFacts,
    MandateFacts,
    MethodFacts,
    NeverRan,
    PreparedRequest,
    ProviderMisconfigured,
    SetupFacts,
    require_key,
)
from activities.provider_money import DisputeNews, FraudWarning, RefundNews, RefundRefused, RefundRequest
from activities.provider_subscription import ProviderSubscription
from activities.stripe_amounts import from_stripe
from activities.stripe_faults import fault_of, is_replayed_failure
from activities.stripe_hosted_setups import StripeHostedSetups
from activities.stripe_http import HttpxTransport
from activities.stripe_reading import Json
from activities.stripe_requests import prepare
from billing.declines import classify, read_decline
from billing.mandates import Consent
from billing.payment import Canceled, Declined, Outcome, Unknown

if TYPE_CHECKING:
    from stripe.params import (
        CustomerCreateParams,
        PaymentIntentConfirmParams,
        PaymentIntentCreateParams,
        SetupIntentCreateParams,
    )

    from activities.throttle import Throttle

TIMEOUT_SECONDS = 25.0
"""For an answer: less than the 30 seconds that a charge's activity has (engine 25)."""

METHOD_TYPES: tuple[Literal["card"], ...] = ("card",)
"""The kinds of methods that a payer may save on our page."""

_UNEXPECTED_STATE = "payment_intent_unexpected_state"
_FIND_MARGIN = timedelta(hours=1)
"""Metadata decides what is found; the margin only makes sure that differing clocks hide nothing."""

_Answer = TypeVar("_Answer", bound=stripe.StripeObject)

logger = logging.getLogger(__name__)


class StripeGateway(StripeHostedSetups):
    """`PaymentGateway` over Stripe's API. One per event loop; close it when done."""

    def __init__(
        self,
        *,
        api_key: str | None,
        api_base: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        throttle: Throttle | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            api_key: Stripe's secret key.
            api_base: where Stripe's API is, without a slash at the end.
            timeout_seconds: for an answer.
            throttle: asked before each call, in processes whose calls no task queue caps (engine 26).

        Raises:
            ProviderMisconfigured: there is no key.
        """
        if not api_key:
            raise ProviderMisconfigured(
                "There is no Stripe key. Set STRIPE_API_KEY to a secret key of your account (sk_test_... to try).",
                field="STRIPE_API_KEY",
            )
        stripe.enable_telemetry = False
        self._http = HttpxTransport(timeout_seconds=timeout_seconds)
        self._stripe = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")},
            max_network_retries=0,
            http_client=self._http,
        )
        self._throttle = throttle

    def prepare(self, charge: Charge) -> PreparedRequest:
        """The request of an attempt; see `prepare`."""
        return prepare(charge)

    async def send(self, prepared: PreparedRequest, *, as_of: datetime) -> Outcome:
        """Charge; see `PaymentGateway.send`.

        A confirm that Stripe refuses because the PaymentIntent is past it answers what the PaymentIntent says.
        A server error that Stripe replays for the key is `Unknown`, and so is its refusal because the key went with
        other parameters before: that request may have charged, and only a look can tell.
        """
        try:
            return reading.settled(await self._submit(prepared))
        except stripe.CardError as error:
            return await self._declined(error, prepared, as_of=as_of)
        except stripe.InvalidRequestError as error:
            if error.code == _UNEXPECTED_STATE and prepared.payment_intent:
                return reading.settled(await self._intent(prepared.payment_intent))
            raise fault_of(error) from error
        except stripe.StripeError as error:
            if is_replayed_failure(error) or isinstance(error, stripe.IdempotencyError):
                logger.warning("only a look can tell what became of %s: %s", prepared.idempotency_key, error)
                return Unknown(payment_intent=prepared.payment_intent)
            raise fault_of(error) from error

    async def look(self, payment_intent: str, *, since: datetime, as_of: datetime) -> Outcome | NeverRan:
        """What became of the newest try; see `PaymentGateway.look`."""
        intent = await self._intent(payment_intent)
        outcome = reading.newest_try(intent, since=since, as_of=as_of)
        if not isinstance(outcome, Declined):
            return outcome
        charge = reading.expanded(intent.get("latest_charge"))
        fees = await stripe_fees.fees_of_failure(self._stripe, charge, self._turn)
        return outcome.model_copy(update={"fees": fees})

    async def find(
        self, *, customer: str, invoice_id: str, generation: int, created_after: datetime
    ) -> str | None:
        """The PaymentIntent of a generation, by its metadata; see `PaymentGateway.find`.

        Listed, not searched: Stripe's search lags behind. Of several the one that is not cancelled is meant.
        """
        wanted = {"invoice": invoice_id, "generation": str(generation)}
        since = int((created_after - _FIND_MARGIN).timestamp())
        found: list[Json] = []
        try:
            await self._turn()
            page = await self._stripe.v1.payment_intents.list_async(
                {"customer": customer, "created": {"gte": since}, "limit": 100}
            )
            async for intent in page.auto_paging_iter():
                facts: Json = intent.to_dict()
                if wanted.items() <= dict(facts.get("metadata") or {}).items():
                    found.append(facts)
        except stripe.StripeError as error:
            raise fault_of(error) from error
        found.sort(key=lambda facts: facts["status"] == "canceled")
        return str(found[0]["id"]) if found else None

    async def intent_facts(self, payment_intent: str) -> IntentFacts:
        """Whose a PaymentIntent is, and over how much."""
        facts = await self._intent(payment_intent)
        currency = str(facts["currency"]).upper()
        return IntentFacts(
            id=str(facts["id"]),
            customer=str(facts.get("customer") or ""),
            amount_minor=from_stripe(int(facts["amount"]), currency),
            currency=currency,
        )

    async def where_to_confirm(self, payment_intent: str) -> str | None:
        """The bank's page; see `PaymentGateway.where_to_confirm`."""
        return reading.page_of_the_bank(await self._intent(payment_intent))

    async def events_since(self, since: datetime, kinds: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """Events that Stripe still has; see `PaymentGateway.events_since`."""
        try:
            await self._turn()
            page = await self._stripe.v1.events.list_async(
                {"created": {"gte": int(since.timestamp())}, "types": list(kinds), "limit": 100}
            )
            async for event in page.auto_paging_iter():
                yield dict(event.to_dict())
        except stripe.StripeError as error:
            raise fault_of(error) from error

    async def cancel(self, payment_intent: str) -> Outcome:
        """Make sure that no money will move any more; see `PaymentGateway.cancel`."""
        # A key of its own for each try: Stripe would replay "too late" under an old one, and to cancel twice is
        # to cancel once.
        key = f"{payment_intent}:cancel:{uuid4().hex}"
        try:
            await self._turn()
            answer = await self._stripe.v1.payment_intents.cancel_async(
                payment_intent, options={"idempotency_key": key}
            )
        except stripe.InvalidRequestError as error:
            if error.code == _UNEXPECTED_STATE:
                return reading.settled(await self._intent(payment_intent))
            raise fault_of(error) from error
        except stripe.StripeError as error:
            raise fault_of(error) from error
        return Canceled(payment_intent=answer.id)

    async def refund(self, request: RefundRequest) -> RefundNews | RefundRefused:
        """Send money back; see `PaymentGateway.refund`."""
        await self._turn()
        return await stripe_refunds.send(self._stripe, request)

    async def find_refund(self, request: RefundRequest) -> RefundNews | None:
        """The refund whose making was never answered; see `PaymentGateway.find_refund`."""
        await self._turn()
        return await stripe_refunds.find(self._stripe, request)

    async def look_at_refund(self, provider_id: str) -> RefundNews:
        """A refund as Stripe has it now."""
        await self._turn()
        return await stripe_refunds.look(self._stripe, provider_id)

    async def refunds_of(self, charge: str) -> tuple[RefundNews, ...]:
        """All refunds of a charge, newest first."""
        await self._turn()
        return await stripe_refunds.of_charge(self._stripe, charge)

    async def look_at_dispute(self, provider_id: str) -> DisputeNews:
        """A dispute as Stripe has it now."""
        await self._turn()
        return await stripe_disputes.look(self._stripe, provider_id)

    async def look_at_warning(self, provider_id: str) -> FraudWarning:
        """An early fraud warning as Stripe has it now."""
        await self._turn()
        return await stripe_disputes.look_at_warning(self._stripe, provider_id)

    async def create_customer(
        self,
        *,
        reference: str,
        name: str | None,
        email: str | None,
        test_clock: str | None,
        idempotency_key: str,
    ) -> str:
        """Make Stripe's customer for ours and answer its id."""
        params: CustomerCreateParams = {"metadata": {"reference": reference}}
        if name:
            params["name"] = name
        if email:
            params["email"] = email
        if test_clock:
            params["test_clock"] = test_clock
        key = require_key(idempotency_key)
        customer = await self._ask(
            lambda: self._stripe.v1.customers.create_async(params, {"idempotency_key": key})
        )
        return str(customer["id"])

    async def create_test_clock(self, *, name: str, now: datetime, idempotency_key: str) -> str:
        """Make one of Stripe's test clocks, named after ours, and answer its id."""
        key = require_key(idempotency_key)
        clock = await self._ask(
            lambda: self._stripe.v1.test_helpers.test_clocks.create_async(
                {"name": name, "frozen_time": int(now.timestamp())}, {"idempotency_key": key}
            )
        )
        return str(clock["id"])

    async def attach(
        self, payment_method: str, *, customer: str, idempotency_key: str
    ) -> MethodFacts | Declined:
        """Save a payment method with a customer; see `PaymentGateway.attach`."""
        key = require_key(idempotency_key)
        try:
            method = await self._ask(
                lambda: self._stripe.v1.payment_methods.attach_async(
                    payment_method, {"customer": customer}, {"idempotency_key": key}
                )
            )
        except stripe.CardError as error:
            refusal = read_decline(reading.evidence_of(_error_of(error)))
            return Declined(code=refusal.code, decline_class=refusal.decline_class)
        return reading.method_facts(method)

    async def look_at_method(self, payment_method: str) -> MethodFacts:
        """The payment method as Stripe has it now."""
        return reading.method_facts(
            await self._ask(lambda: self._stripe.v1.payment_methods.retrieve_async(payment_method))
        )

    async def look_at_subscription(self, provider_id: str) -> ProviderSubscription:
        """A subscription of Stripe Billing as it stands now."""
        await self._turn()
        return await stripe_subscriptions.look(self._stripe, provider_id)

    async def detach(self, payment_method: str, *, idempotency_key: str) -> None:
        """Let a payment method never be charged again; see `PaymentGateway.detach`."""
        await self._turn()
        await stripe_methods.detach(self._stripe, payment_method, idempotency_key=idempotency_key)

    async def find_mandate(self, payment_method: str) -> MandateFacts | None:
        """The newest mandate of a saved account; see `PaymentGateway.find_mandate`."""
        await self._turn()
        return await stripe_mandates.find(self._stripe, payment_method)

    async def look_at_mandate(
        self, method: MethodFacts, *, mandate: str | None = None
    ) -> MandateFacts | None:
        """The mandate under which an account has been debited; see `PaymentGateway.look_at_mandate`."""
        await self._turn()
        return await stripe_mandates.look(self._stripe, method, mandate)

    async def make_mandate(
        self, payment_method: str, *, customer: str, consent: Consent, idempotency_key: str
    ) -> MandateFacts | Declined:
        """Pass on a payer's consent; see `PaymentGateway.make_mandate`."""
        await self._turn()
        return await stripe_mandates.make(
            self._stripe, payment_method, customer=customer, consent=consent, idempotency_key=idempotency_key
        )

    async def create_setup_intent(
        self, *, customer: str, payment_method: str | None, idempotency_key: str
    ) -> SetupFacts:
        """Begin saving a card for charges without the payer; see `PaymentGateway.create_setup_intent`."""
        params: SetupIntentCreateParams = {
            "customer": customer,
            "usage": "off_session",
            "allowed_payment_method_types": list(METHOD_TYPES),
        }
        if payment_method:
            params["payment_method"] = payment_method
        key = require_key(idempotency_key)
        return reading.setup_facts(
            await self._ask(
                lambda: self._stripe.v1.setup_intents.create_async(params, {"idempotency_key": key})
            )
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.close_async()

    async def _submit(self, prepared: PreparedRequest) -> Json:
        await self._turn()
        key = require_key(prepared.idempotency_key)
        intents = self._stripe.v1.payment_intents
        if prepared.payment_intent is None:
            answer = await intents.create_async(
                cast("PaymentIntentCreateParams", prepared.params), {"idempotency_key": key}
            )
        else:
            answer = await intents.confirm_async(
                prepared.payment_intent,
                cast("PaymentIntentConfirmParams", prepared.params),
                {"idempotency_key": key},
            )
        return answer.to_dict()

    async def _declined(
        self, error: stripe.CardError, prepared: PreparedRequest, *, as_of: datetime
    ) -> Outcome:
        body = _error_of(error)
        intent = reading.id_of(body.get("payment_intent")) or prepared.payment_intent
        return reading.declined(
            body, payment_intent=intent, charge=await self._failed_charge(body), as_of=as_of
        )

    async def _failed_charge(self, error: Json) -> Json | None:
        """The charge behind a decline, fetched only where it could forbid what the error alone would allow."""
        may_repeat = classify(reading.evidence_of(error)).allows_automatic_retry
        charge = error.get("charge")
        if not charge or not may_repeat or reading.asks_for_the_payer(error):
            return None
        try:
            await self._turn()
            return (await self._stripe.v1.charges.retrieve_async(charge)).to_dict()
        except (stripe.PermissionError, stripe.InvalidRequestError):
            # The decline is certain: it must not be lost because the key may not read charges.
            logger.warning("charge %s can't be read; whether Stripe blocked it stays unknown", charge)
            return None
        except stripe.StripeError as fault:
            raise fault_of(fault) from fault

    async def _intent(self, payment_intent: str) -> Json:
        return await self._ask(
            lambda: self._stripe.v1.payment_intents.retrieve_async(
                payment_intent, {"expand": ["latest_charge"]}
            )
        )

    async def _ask(self, call: Callable[[], Awaitable[_Answer]]) -> Json:
        """One call; every exception but a decline becomes a fault of ours."""
        try:
            await self._turn()
            return (await call()).to_dict()
        except stripe.CardError:
            raise
        except stripe.StripeError as error:
            raise fault_of(error) from error

    @override
    async def _turn(self) -> None:
        if self._throttle is not None:
            await self._throttle.turn()


def _error_of(error: stripe.StripeError) -> Json:
    body = error.json_body
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {"code": error.code}
