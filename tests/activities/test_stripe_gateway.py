"""The gateway against the sandbox's fake Stripe, over HTTP: what a charging engine must never get wrong."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes import FakeStripe

from activities.gateway import (
    Charge,
    MethodFacts,
    NeverRan,
    PreparedRequest,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from activities.stripe_gateway import StripeGateway
from activities.throttle import TokenBucket
from billing.payment import (
    ActionRequired,
    Canceled,
    DeclineClass,
    Declined,
    Outcome,
    Paid,
    Processing,
    Unknown,
)

KEY = "sk_test_sandbox"
LATER = DeclineClass.RETRY_LATER


class Payer:
    """A customer at the fake, whose invoices are charged through the gateway."""

    def __init__(self, fake: FakeStripe, gateway: StripeGateway, customer: str) -> None:
        self.fake = fake
        self.gateway = gateway
        self.customer = customer
        self.began = datetime.now(UTC)

    async def card(self, kind: str = "visa", *, script: Any = None) -> str:  # noqa: ANN401 - JSON
        saved = await self.gateway.attach(
            f"pm_card_{kind}",
            customer=self.customer,
            idempotency_key=f"{self.customer}:{kind}:{script}",
        )
        assert isinstance(saved, MethodFacts)
        if script is not None:
            self.fake.post(f"script/{saved.id}", script)
        return saved.id

    def request(
        self,
        card: str,
        *,
        number: int = 1,
        payment_intent: str | None = None,
        on_session: bool = False,
        invoice: str = "inv_1",
    ) -> PreparedRequest:
        return self.gateway.prepare(
            Charge(
                invoice_id=invoice,
                generation=1,
                attempt_number=number,
                amount_minor=5880,
                currency="EUR",
                customer=self.customer,
                payment_method=card,
                payment_intent=payment_intent,
                on_session=on_session,
                description="Invoice F-1",
                metadata={"attempt": f"att_{number}"},
            )
        )

    async def send(self, request: PreparedRequest) -> Outcome:
        return await self.gateway.send(request, as_of=self.began)

    async def look(self, payment_intent: str) -> Outcome | NeverRan:
        return await self.gateway.look(payment_intent, since=self.began, as_of=self.began)

    async def find(self, invoice: str = "inv_1", generation: int = 1) -> str | None:
        return await self.gateway.find(
            customer=self.customer, invoice_id=invoice, generation=generation, created_after=self.began
        )

    @property
    def taken(self) -> list[int]:
        """The amounts that the fake's ledger says were collected."""
        return [entry["amount"] for entry in self.fake.get("ledger")["charges"]]

    @property
    def authorisations(self) -> int:
        """How often a bank was asked."""
        return len(self.fake.get("attempts"))


@pytest.fixture
async def gateway(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(api_key=KEY, api_base=fake_stripe.base, timeout_seconds=10)
    yield gateway
    await gateway.close()


@pytest.fixture
async def hasty(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    """A gateway that waits half a second for an answer."""
    gateway = StripeGateway(api_key=KEY, api_base=fake_stripe.base, timeout_seconds=0.5)
    yield gateway
    await gateway.close()


@pytest.fixture
async def anna(fake_stripe: FakeStripe, gateway: StripeGateway) -> Payer:
    customer = await gateway.create_customer(
        reference="anna", name="Anna", email="anna@example.org", test_clock=None, idempotency_key="anna"
    )
    return Payer(fake_stripe, gateway, customer)


@pytest.fixture
async def ben(fake_stripe: FakeStripe, gateway: StripeGateway) -> Payer:
    """A customer on a test clock that stands at 31 January 2027, 08:00 UTC."""
    began = datetime(2027, 1, 31, 8, tzinfo=UTC)
    clock = fake_stripe.client().v1.test_helpers.test_clocks.create(
        {"frozen_time": int(began.timestamp()), "name": "clock-ben"}
    )
    customer = await gateway.create_customer(
        reference="ben", name=None, email=None, test_clock=clock.id, idempotency_key="ben"
    )
    ben = Payer(fake_stripe, gateway, customer)
    ben.began = began
    return ben


# One key, one charge


async def test_the_same_request_twice_is_one_charge(anna: Payer) -> None:
    request = anna.request(await anna.card())
    first, second = await anna.send(request), await anna.send(request)
    assert isinstance(first, Paid)
    assert first.charge is not None
    assert second == first
    assert anna.taken == [5880]


async def test_other_parameters_under_the_same_key_charge_nothing_and_tell_nothing(anna: Payer) -> None:
    request = anna.request(await anna.card())
    await anna.send(request)
    changed = request.model_copy(update={"params": {**request.params, "description": "Invoice F-2"}})
    assert await anna.send(changed) == Unknown(payment_intent=None)
    assert anna.taken == [5880]


async def test_two_senders_at_once_are_one_charge(anna: Payer) -> None:
    request = anna.request(await anna.card())
    anna.fake.post("faults", {"match": {"method": "POST", "path": "payment_intents$"}, "delay_seconds": 0.3})
    outcomes = await asyncio.gather(anna.send(request), anna.send(request), return_exceptions=True)
    (paid,) = [outcome for outcome in outcomes if isinstance(outcome, Paid)]
    (conflict,) = [outcome for outcome in outcomes if isinstance(outcome, ProviderUnavailable)]
    assert conflict.kind == "conflict"
    assert await anna.send(request) == paid
    assert anna.taken == [5880]


async def test_an_answer_lost_after_the_charge_is_asked_for_again_with_the_same_key(anna: Payer) -> None:
    request = anna.request(await anna.card())
    anna.fake.post("faults", {"match": {"path": "payment_intents$"}, "drop_response": True})
    with pytest.raises(ProviderUnavailable) as caught:
        await anna.send(request)
    assert caught.value.may_have_run
    assert isinstance(await anna.send(request), Paid)
    assert anna.taken == [5880]
    assert anna.authorisations == 1


async def test_no_answer_in_time_is_asked_for_again_with_the_same_key(
    anna: Payer, hasty: StripeGateway
) -> None:
    request = anna.request(await anna.card())
    slow = {"match": {"path": "payment_intents$"}, "delay_seconds": 1, "after_work": True}
    anna.fake.post("faults", slow)
    with pytest.raises(ProviderUnavailable) as caught:
        await hasty.send(request, as_of=anna.began)
    assert caught.value.kind == "timeout"
    assert isinstance(await anna.send(request), Paid)
    assert anna.taken == [5880]


async def test_too_many_requests_is_no_attempt(anna: Payer) -> None:
    request = anna.request(await anna.card())
    anna.fake.post("faults", {"match": {"path": "payment_intents$"}, "status": 429})
    with pytest.raises(ProviderUnavailable) as caught:
        await anna.send(request)
    assert caught.value.kind == "rate_limited"
    assert anna.authorisations == 0
    assert isinstance(await anna.send(request), Paid)


# Declines, and the next try on the same PaymentIntent


async def test_declined_then_another_card_is_one_success_on_one_payment_intent(anna: Payer) -> None:
    bad, good = await anna.card("chargeCustomerFail"), await anna.card()
    declined = await anna.send(anna.request(bad))
    assert isinstance(declined, Declined)
    assert (declined.code, declined.decline_class) == ("generic_decline", LATER)
    paid = await anna.send(anna.request(good, number=2, payment_intent=declined.payment_intent))
    assert isinstance(paid, Paid)
    assert paid.payment_intent == declined.payment_intent
    assert anna.taken == [5880]


async def test_a_decline_sent_again_with_its_key_does_not_reach_the_bank(anna: Payer) -> None:
    request = anna.request(await anna.card(script=["insufficient_funds", "ok"]))
    first, again = await anna.send(request), await anna.send(request)
    assert isinstance(first, Declined)
    assert again == first
    assert anna.authorisations == 1


@pytest.mark.parametrize(
    ("step", "code", "decline_class"),
    [
        ("insufficient_funds", "insufficient_funds", LATER),
        ("processing_error", "processing_error", DeclineClass.RETRY),
        ("expired_card", "expired_card", DeclineClass.NEW_PAYMENT_METHOD),
        ("incorrect_cvc", "incorrect_cvc", DeclineClass.NEEDS_CUSTOMER),
        ("stolen_card", "stolen_card", DeclineClass.FRAUD_STOP),
        (
            {"decline_code": "insufficient_funds", "advice_code": "do_not_try_again"},
            "insufficient_funds",
            DeclineClass.NEW_PAYMENT_METHOD,
        ),
        (
            {"decline_code": "generic_decline", "blocked": True},
            "highest_risk_level",
            DeclineClass.FRAUD_STOP,
        ),
    ],
    ids=str,
)
async def test_a_decline_has_its_code_and_class(
    anna: Payer, step: object, code: str, decline_class: DeclineClass
) -> None:
    outcome = await anna.send(anna.request(await anna.card(script=[step])))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.decline_class) == (code, decline_class)
    assert outcome.payment_intent is not None
    assert anna.taken == []


async def test_mastercard_names_the_earliest_next_try(anna: Payer) -> None:
    step = {"decline_code": "insufficient_funds", "network_advice_code": "26"}
    outcome = await anna.send(anna.request(await anna.card("mastercard", script=[step])))
    assert isinstance(outcome, Declined)
    assert outcome.not_before == anna.began + timedelta(days=2)


async def test_a_confirm_after_success_answers_that_it_is_paid(anna: Payer) -> None:
    card = await anna.card()
    paid = await anna.send(anna.request(card))
    assert isinstance(paid, Paid)
    again = await anna.send(anna.request(card, number=2, payment_intent=paid.payment_intent))
    assert again == paid
    assert anna.taken == [5880]


# The payer must authenticate


async def test_off_session_the_bank_wants_the_payer_who_then_authenticates(anna: Payer) -> None:
    card = await anna.card("authenticationRequired")
    asked = await anna.send(anna.request(card))
    assert isinstance(asked, ActionRequired)
    intent = asked.payment_intent
    assert await anna.look(intent) == asked

    waiting = await anna.send(anna.request(card, number=2, payment_intent=intent, on_session=True))
    assert waiting == ActionRequired(payment_intent=intent)
    assert await anna.look(intent) == waiting

    anna.fake.post(f"3ds/{intent}", {"result": "succeeded"})
    assert isinstance(await anna.look(intent), Paid)
    assert anna.taken == [5880]


async def test_the_payer_fails_to_authenticate(anna: Payer) -> None:
    waiting = await anna.send(anna.request(await anna.card("authenticationRequired"), on_session=True))
    assert isinstance(waiting, ActionRequired)
    anna.fake.post(f"3ds/{waiting.payment_intent}", {"result": "failed"})
    assert await anna.look(waiting.payment_intent) == Declined(
        payment_intent=waiting.payment_intent,
        code="payment_intent_authentication_failure",
        decline_class=DeclineClass.NEEDS_CUSTOMER,
    )


# What nobody answered


async def test_a_look_tells_a_declined_try_from_one_that_never_ran(anna: Payer) -> None:
    declined = await anna.send(anna.request(await anna.card(script=["insufficient_funds"])))
    assert isinstance(declined, Declined)
    assert declined.payment_intent is not None
    assert await anna.look(declined.payment_intent) == declined
    later = anna.began + timedelta(days=3)
    assert await anna.gateway.look(declined.payment_intent, since=later, as_of=later) == NeverRan(
        payment_intent=declined.payment_intent
    )


async def test_a_server_error_kept_under_the_key_is_unknown_until_looked_at(
    ben: Payer, fake_stripe: FakeStripe
) -> None:
    card = await ben.card(script=["insufficient_funds", "ok"])
    declined = await ben.send(ben.request(card))
    assert isinstance(declined, Declined)
    intent = declined.payment_intent
    assert intent is not None

    fake_stripe.post("clock/clock-ben", {"to": "2027-02-01T08:00:00+00:00"})
    ben.began = datetime(2027, 2, 1, 8, tzinfo=UTC)
    retry = ben.request(card, number=2, payment_intent=intent)
    fake_stripe.post("faults", {"match": {"path": "confirm"}, "status": 500, "kept": True})
    with pytest.raises(ProviderUnavailable) as caught:
        await ben.send(retry)
    assert caught.value.kind == "server_error"
    assert await ben.send(retry) == Unknown(payment_intent=intent)

    assert await ben.look(intent) == NeverRan(payment_intent=intent)
    assert isinstance(await ben.send(ben.request(card, number=3, payment_intent=intent)), Paid)
    assert ben.taken == [5880]
    assert ben.authorisations == 2


async def test_a_creation_nobody_answered_is_found_after_its_key_is_gone(anna: Payer) -> None:
    request = anna.request(await anna.card())
    anna.fake.post("faults", {"match": {"path": "payment_intents$"}, "drop_response": True})
    with pytest.raises(ProviderUnavailable):
        await anna.send(request)
    anna.fake.post("clock", {"seconds": 25 * 3600})

    intent = await anna.find()
    assert intent is not None
    assert isinstance(await anna.look(intent), Paid)
    assert anna.taken == [5880]


async def test_without_looking_a_key_that_is_gone_would_charge_twice(anna: Payer) -> None:
    """Why `KEY_LIFETIME` exists: the fake forgets keys after a day, as Stripe does."""
    request = anna.request(await anna.card())
    await anna.send(request)
    anna.fake.post("clock", {"seconds": 25 * 3600})
    await anna.send(request)
    assert anna.taken == [5880, 5880]


async def test_only_the_payment_intent_of_this_generation_is_found(anna: Payer) -> None:
    card = await anna.card()
    paid = await anna.send(anna.request(card, invoice="inv_2"))
    assert isinstance(paid, Paid)
    assert await anna.find("inv_2") == paid.payment_intent
    assert await anna.find("inv_1") is None
    assert await anna.find("inv_2", generation=2) is None


# Cancelling


async def test_cancelled_is_cancelled_and_can_be_asked_twice(anna: Payer) -> None:
    declined = await anna.send(anna.request(await anna.card(script=["insufficient_funds"])))
    assert isinstance(declined, Declined)
    intent = declined.payment_intent
    assert intent is not None
    assert await anna.gateway.cancel(intent) == Canceled(payment_intent=intent)
    assert await anna.gateway.cancel(intent) == Canceled(payment_intent=intent)
    assert await anna.look(intent) == Canceled(payment_intent=intent)


async def test_too_late_to_cancel_what_is_paid_or_under_way(anna: Payer) -> None:
    paid = await anna.send(anna.request(await anna.card()))
    assert isinstance(paid, Paid)
    assert await anna.gateway.cancel(paid.payment_intent) == paid

    under_way = await anna.send(anna.request(await anna.card(script=["processing"]), invoice="inv_2"))
    assert isinstance(under_way, Processing)
    assert await anna.gateway.cancel(under_way.payment_intent) == under_way
    assert await anna.look(under_way.payment_intent) == under_way


# Customers and methods


async def test_a_customer_is_made_once_and_carries_our_reference(
    anna: Payer, fake_stripe: FakeStripe
) -> None:
    again = await anna.gateway.create_customer(
        reference="anna", name="Anna", email="anna@example.org", test_clock=None, idempotency_key="anna"
    )
    assert again == anna.customer
    known = fake_stripe.client().v1.customers.retrieve(anna.customer).to_dict()
    assert (known["metadata"], known["name"], known["email"]) == (
        {"reference": "anna"},
        "Anna",
        "anna@example.org",
    )


async def test_a_customer_can_live_on_a_test_clock(ben: Payer) -> None:
    declined = await ben.send(ben.request(await ben.card(script=["insufficient_funds"])))
    assert isinstance(declined, Declined)
    assert declined.payment_intent is not None
    assert await ben.look(declined.payment_intent) == declined
    assert await ben.find() == declined.payment_intent


async def test_saving_a_card_answers_what_may_be_shown(anna: Payer) -> None:
    saved = await anna.gateway.attach("pm_card_visa", customer=anna.customer, idempotency_key="save-1")
    assert isinstance(saved, MethodFacts)
    assert (saved.kind, saved.brand, saved.last4) == ("card", "visa", "4242")
    assert saved.exp_month == 12
    assert saved.fingerprint
    assert await anna.gateway.look_at_method(saved.id) == saved
    again = await anna.gateway.attach("pm_card_visa", customer=anna.customer, idempotency_key="save-1")
    assert again == saved


async def test_a_bank_may_refuse_to_have_its_card_saved(anna: Payer) -> None:
    outcome = await anna.gateway.attach(
        "pm_card_chargeDeclinedExpiredCard", customer=anna.customer, idempotency_key="save-2"
    )
    assert outcome == Declined(code="expired_card", decline_class=DeclineClass.NEW_PAYMENT_METHOD)


async def test_a_method_that_stripe_does_not_know(gateway: StripeGateway) -> None:
    with pytest.raises(ProviderRefused) as caught:
        await gateway.look_at_method("pm_nowhere")
    assert caught.value.reason == "resource_missing"


async def test_a_setup_intent_saves_a_card_for_later(anna: Payer) -> None:
    card = await anna.card()
    setup = await anna.gateway.create_setup_intent(
        customer=anna.customer, payment_method=card, idempotency_key="setup-1"
    )
    assert setup.status == "requires_confirmation"
    assert setup.payment_method == card
    assert setup.client_secret.startswith(setup.id)


# Access


async def test_a_key_that_stripe_does_not_know_is_named(fake_stripe: FakeStripe) -> None:
    stranger = StripeGateway(api_key="not_a_key", api_base=fake_stripe.base)
    with pytest.raises(ProviderMisconfigured, match="Set STRIPE_API_KEY"):
        await stranger.look_at_method("pm_1")
    await stranger.close()


async def test_other_processes_keep_a_small_bucket(fake_stripe: FakeStripe) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    bucket = TokenBucket(2, now=lambda: 0.0, sleep=sleep)
    gateway = StripeGateway(api_key=KEY, api_base=fake_stripe.base, throttle=bucket)
    for number in range(3):
        await gateway.create_customer(
            reference=f"c{number}", name=None, email=None, test_clock=None, idempotency_key=f"c{number}"
        )
    await gateway.close()
    assert waits == [0.5, 1.0]
