"""The small interface through which everything of ours meets the payment provider, and its values.

Business outcomes are values (`billing.payment`); only faults are exceptions. Nothing here imports an SDK.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pydantic import Field, TypeAdapter

from activities.hosted_setups import HostedSetups
from activities.provider_money import DisputeNews, FraudWarning, RefundNews, RefundRefused, RefundRequest
from activities.provider_subscription import ProviderSubscription
from billing.errors import InvalidInput, RelanceError
from billing.mandates import Consent
from billing.payment import Declined, Outcome
from billing.values import Value

KEY_LIFETIME = timedelta(hours=23)
"""Wall-clock age past which a request is never sent again under its key: the provider forgets keys after 24
hours, and then the same request is a second charge. Look at the PaymentIntent, or find it, instead."""

LONGEST_KEY = 255
"""Characters that the provider takes as an idempotency key."""


MethodKind = Literal["card", "sepa_debit"]
METHOD_KIND: TypeAdapter[MethodKind] = TypeAdapter(MethodKind)
"""Reads the kind that a row has."""


class Charge(Value):
    """One payment attempt, in our own terms. What does not change between two tries of the same attempt."""

    invoice_id: str
    generation: int = Field(ge=1)
    """Counts the PaymentIntents of the invoice, from 1."""
    attempt_number: int = Field(ge=1)
    method_kind: MethodKind = "card"
    amount_minor: int = Field(gt=0)
    """ISO 4217 minor units."""
    currency: str
    """ISO 4217 code, in capitals."""
    customer: str
    """The provider's id, like those of the method and the PaymentIntent."""
    payment_method: str
    payment_intent: str | None = None
    """The generation's PaymentIntent; None for its first attempt, which creates it."""
    on_session: bool
    """Whether the payer is there to authenticate."""
    return_url: str | None = None
    """Where the payer's bank sends them back to; only where they are there."""
    description: str
    metadata: Mapping[str, str] = Field(default_factory=dict)
    """Our ids, for whoever looks at the provider's dashboard. Invoice and generation are added by themselves."""


class PreparedRequest(Value):
    """The exact request of an attempt, stored with it before it is sent, and sent as it was stored."""

    operation: Literal["create_and_confirm", "confirm"]
    idempotency_key: str = Field(min_length=1, max_length=LONGEST_KEY)
    payment_intent: str | None = None
    """The PaymentIntent to confirm; None where the request creates it."""
    params: dict[str, Any]
    """The provider's parameters, ready for JSON."""
    too_fine_minor: int = 0
    """The part of the amount that is not asked for, since the provider has no unit small enough."""


class NeverRan(Value):
    """The PaymentIntent was looked at and holds no trace of the attempt: a new one, with a new key, is safe."""

    outcome: Literal["never_ran"] = "never_ran"
    payment_intent: str


class MethodFacts(Value):
    """What we may know of a payment method. Enough to show it and to count declines per card, not to charge it."""

    id: str
    kind: MethodKind
    brand: str | None = None
    """`visa`, `mastercard`; None for a debit."""
    last4: str
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str | None = None
    """The same for one card number or IBAN, whoever saved it."""
    customer: str | None = None
    """The provider's customer who has it."""


class MandateFacts(Value):
    """What the provider knows of a payer's consent to direct debits."""

    id: str
    reference: str
    """Unique mandate reference, as on the payer's bank statement."""
    is_active: bool
    accepted_at: datetime | None = None
    ip_address: str = ""
    """Of whoever accepted it online, with the browser."""
    user_agent: str = ""
    document_url: str = ""
    """Where the payer can read it."""
    last_debit_at: datetime | None = None
    """When the account was debited last under it, whatever became of that; None where nobody asked, or never."""


class IntentFacts(Value):
    """Whose a PaymentIntent is and over how much, whatever became of it."""

    id: str
    customer: str
    """The provider's id; empty where it has none."""
    amount_minor: int
    """ISO 4217 minor units."""
    currency: str
    """ISO 4217 code, in capitals."""


class SetupFacts(Value):
    """A SetupIntent: the payer saves a method without paying."""

    id: str
    status: str
    client_secret: str
    """For the payer's browser only; neither stored nor logged."""
    payment_method: str | None = None


class ProviderUnavailable(RelanceError):
    """A transport fault: send the same request again, later, with the same key. Never an outcome.

    Attributes:
        kind: which fault; `rate_limited` is no attempt at all (engine 26).
        may_have_run: whether the provider may have done what was asked.
    """

    Kind = Literal["connection", "timeout", "server_error", "conflict", "rate_limited"]

    def __init__(self, message: str, *, kind: Kind, may_have_run: bool) -> None:
        super().__init__(message)
        self.kind: ProviderUnavailable.Kind = kind
        self.may_have_run = may_have_run


class ProviderMisconfigured(RelanceError):
    """The provider does not know us, or does not let us do this. Nothing was done; a person must act."""


class ProviderRefused(RelanceError):
    """The provider calls the request itself wrong. Nothing was charged, and sending it again will not help.

    Attributes:
        reason: the provider's error code, e.g. `parameter_unknown`, `resource_missing`, `idempotency_error`.
    """

    def __init__(self, message: str, *, reason: str | None = None, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.reason = reason


class PaymentGateway(HostedSetups, Protocol):
    """Charges saved payment methods. One real implementation: `activities.stripe_gateway`.

    Every method but `prepare` may raise `ProviderUnavailable`, `ProviderMisconfigured` or `ProviderRefused`.
    """

    def prepare(self, charge: Charge) -> PreparedRequest:
        """The request of an attempt: key and parameters, from stored facts alone."""
        ...

    async def send(self, prepared: PreparedRequest, *, as_of: datetime) -> Outcome:
        """Charge. Sent again unchanged it answers the same and charges once, within `KEY_LIFETIME`.

        Args:
            prepared: as stored with the attempt.
            as_of: the business instant, from which waits that the network named are counted.
        """
        ...

    async def look(self, payment_intent: str, *, since: datetime, as_of: datetime) -> Outcome | NeverRan:
        """What became of the newest try, without side effects.

        Args:
            payment_intent: where to look.
            since: when the attempt in question began. A charge that failed before it belongs to another one.
            as_of: the business instant, as for `send`.
        """
        ...

    async def find(
        self, *, customer: str, invoice_id: str, generation: int, created_after: datetime
    ) -> str | None:
        """The PaymentIntent of a generation whose creation was never answered, if there is one."""
        ...

    async def intent_facts(self, payment_intent: str) -> IntentFacts:
        """Whose a PaymentIntent is, and over how much; without side effects."""
        ...

    async def where_to_confirm(self, payment_intent: str) -> str | None:
        """The page of the bank on which the payer confirms a payment that waits for them; None where it waits no more.

        For their browser only; neither stored nor logged.
        """
        ...

    async def cancel(self, payment_intent: str) -> Outcome:
        """Make sure that no money will move any more: `Canceled`, or what came first (paid, processing)."""
        ...

    async def refund(self, request: RefundRequest) -> RefundNews | RefundRefused:
        """Send money back. Sent again unchanged it answers the same and refunds once, within `KEY_LIFETIME`."""
        ...

    async def find_refund(self, request: RefundRequest) -> RefundNews | None:
        """The refund whose making was never answered, if there is one; without side effects."""
        ...

    def events_since(self, since: datetime, kinds: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """Everything that happened at the provider, as its webhooks tell it.

        Args:
            since: by the provider's clock; 30 days back at most.
            kinds: of event, 20 at most.
        """

    async def look_at_refund(self, provider_id: str) -> RefundNews:
        """A refund as the provider has it now, whoever asked for it."""
        ...

    async def refunds_of(self, charge: str) -> tuple[RefundNews, ...]:
        """All refunds of a charge as the provider has them now, newest first."""
        ...

    async def look_at_dispute(self, provider_id: str) -> DisputeNews:
        """A dispute as the provider has it now."""
        ...

    async def look_at_warning(self, provider_id: str) -> FraudWarning:
        """An early fraud warning as the provider has it now."""
        ...

    async def create_customer(
        self,
        *,
        reference: str,
        name: str | None,
        email: str | None,
        test_clock: str | None,
        idempotency_key: str,
    ) -> str:
        """Make the provider's customer for ours and answer its id.

        `test_clock` is the provider's id of one, from `create_test_clock`.
        """
        ...

    async def create_test_clock(self, *, name: str, now: datetime, idempotency_key: str) -> str:
        """Make a test clock at the provider, named after ours, and answer its id. Sandboxes only."""
        ...

    async def attach(
        self, payment_method: str, *, customer: str, idempotency_key: str
    ) -> MethodFacts | Declined:
        """Save a payment method with a customer, or the bank's refusal to have it saved.

        The id in the answer is the one to charge.
        """
        ...

    async def look_at_method(self, payment_method: str) -> MethodFacts:
        """The payment method as the provider has it now."""
        ...

    async def look_at_subscription(self, provider_id: str) -> ProviderSubscription:
        """A subscription that the provider bills by itself, as it stands now."""
        ...

    async def detach(self, payment_method: str, *, idempotency_key: str) -> None:
        """Let a payment method never be charged again; one that was detached before, or is unknown, is no fault."""
        ...

    async def find_mandate(self, payment_method: str) -> MandateFacts | None:
        """The consent under which a saved account may be debited, if the payer gave one at the provider."""
        ...

    async def look_at_mandate(
        self, method: MethodFacts, *, mandate: str | None = None
    ) -> MandateFacts | None:
        """The consent under which an account has been debited so far, with its last use; without side effects.

        Also one that no SetupIntent names: given with a payment, or brought to the provider from another one.

        Args:
            method: the account, of the customer who has it.
            mandate: the provider's id of the mandate, where it is known.
        """
        ...

    async def make_mandate(
        self, payment_method: str, *, customer: str, consent: Consent, idempotency_key: str
    ) -> MandateFacts | Declined:
        """Pass on a payer's consent to debits of an account, or the provider's refusal of that account."""
        ...

    async def create_setup_intent(
        self, *, customer: str, payment_method: str | None, idempotency_key: str
    ) -> SetupFacts:
        """Begin saving a card for charges without the payer, who confirms it in the browser."""
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...


def require_key(idempotency_key: str) -> str:
    """The key itself. Without one of ours the SDK invents a new one for each try: a double charge in waiting.

    Raises:
        InvalidInput: it is empty or longer than the provider takes.
    """
    if not idempotency_key.strip() or len(idempotency_key) > LONGEST_KEY:
        raise InvalidInput(
            f"A request that changes something needs an idempotency key of 1 to {LONGEST_KEY} characters, "
            "derived from stored facts.",
            field="idempotency_key",
        )
    return idempotency_key
