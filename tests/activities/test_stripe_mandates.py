"""SEPA through the gateway, against the sandbox's fake Stripe: mandates made and found, debits that take days."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from fakes import TEST_KEY, FakeStripe

from activities.gateway import Charge, MandateFacts, ProviderRefused
from activities.stripe_gateway import StripeGateway
from billing.errors import InvalidInput
from billing.mandates import Consent
from billing.payment import DeclineClass, Declined, Outcome, Paid, Processing

BEGAN = datetime(2027, 1, 29, 8, tzinfo=UTC)
"""A Friday, on the customer's test clock."""
ACCEPTED = datetime(2027, 1, 15, 9, 30, tzinfo=UTC)
ONLINE = Consent(accepted_at=ACCEPTED, ip_address="203.0.113.7", user_agent="Firefox")


@pytest.fixture
async def gateway(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(api_key=TEST_KEY, api_base=fake_stripe.base, timeout_seconds=10)
    yield gateway
    await gateway.close()


class Payer:
    """Somebody with an account at the fake."""

    def __init__(self, fake: FakeStripe, gateway: StripeGateway, customer: str, account: str) -> None:
        self.fake, self.gateway, self.customer, self.account = fake, gateway, customer, account

    async def agrees(self, consent: Consent = ONLINE, key: str = "mandate-1") -> MandateFacts:
        made = await self.gateway.make_mandate(
            self.account, customer=self.customer, consent=consent, idempotency_key=key
        )
        assert isinstance(made, MandateFacts)
        return made

    async def is_debited(self, number: int = 1, payment_intent: str | None = None) -> Outcome:
        request = self.gateway.prepare(
            Charge(
                invoice_id="inv_1",
                generation=1,
                attempt_number=number,
                method_kind="sepa_debit",
                amount_minor=5880,
                currency="EUR",
                customer=self.customer,
                payment_method=self.account,
                payment_intent=payment_intent,
                on_session=False,
                description="Invoice F-1",
            )
        )
        return await self.gateway.send(request, as_of=BEGAN)

    def waits_until(self, day: str) -> None:
        self.fake.post("clock/anna", {"to": f"{day}T12:00:00+00:00"})


@pytest.fixture
async def anna(fake_stripe: FakeStripe, gateway: StripeGateway) -> Payer:
    clock = await gateway.create_test_clock(name="anna", now=BEGAN, idempotency_key="clock")
    customer = await gateway.create_customer(
        reference="anna", name="Anna", email="anna@example.org", test_clock=clock, idempotency_key="anna"
    )
    account = await gateway.attach("pm_sepaDebit_success_at", customer=customer, idempotency_key="attach")
    assert not isinstance(account, Declined)
    assert (account.kind, account.last4, account.brand) == ("sepa_debit", "3201", None)
    return Payer(fake_stripe, gateway, customer, account.id)


async def test_a_mandate_is_made_once_and_found_again(gateway: StripeGateway, anna: Payer) -> None:
    assert await gateway.find_mandate(anna.account) is None
    made = await anna.agrees()
    assert (made.is_active, made.accepted_at, made.ip_address, made.user_agent) == (
        True,
        ACCEPTED,
        "203.0.113.7",
        "Firefox",
    )
    assert made.reference
    assert (await anna.agrees()).id == made.id
    assert await gateway.find_mandate(anna.account) == made


async def test_one_on_paper_has_no_browser(anna: Payer) -> None:
    made = await anna.agrees(Consent(accepted_at=ACCEPTED))
    assert (made.is_active, made.accepted_at, made.ip_address, made.user_agent) == (True, ACCEPTED, "", "")


@pytest.mark.parametrize(
    ("ip_address", "user_agent", "field"),
    [
        ("203.0.113.7", "", "user_agent"),
        ("", "Firefox", "ip_address"),
        ("300.0.113.7", "Firefox", "ip_address"),
    ],
)
def test_half_a_proof_is_refused(ip_address: str, user_agent: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Consent(accepted_at=ACCEPTED, ip_address=ip_address, user_agent=user_agent)
    assert refusal.value.field == field


async def test_a_revoked_one_is_found_as_such_and_another_one_counts(
    gateway: StripeGateway, anna: Payer
) -> None:
    first = await anna.agrees()
    anna.fake.post(f"mandate/{first.id}/revoke")
    found = await gateway.find_mandate(anna.account)
    assert found is not None
    assert (found.id, found.is_active) == (first.id, False)
    with pytest.raises(ProviderRefused) as refusal:
        await anna.is_debited()
    assert refusal.value.reason == "payment_intent_mandate_invalid"
    second = await anna.agrees(key="mandate-2")
    assert await gateway.find_mandate(anna.account) == second
    assert second.id != first.id


async def test_a_debit_is_under_way_for_days_and_then_paid(gateway: StripeGateway, anna: Payer) -> None:
    await anna.agrees()
    under_way = await anna.is_debited()
    assert isinstance(under_way, Processing)
    assert under_way.expected_on == date(2027, 2, 1)
    anna.waits_until("2027-02-05")
    assert await gateway.look(under_way.payment_intent, since=BEGAN, as_of=BEGAN) == under_way
    anna.waits_until("2027-02-08")
    assert isinstance(await gateway.look(under_way.payment_intent, since=BEGAN, as_of=BEGAN), Paid)


@pytest.mark.parametrize(
    ("code", "decline_class"),
    [
        ("insufficient_funds", DeclineClass.RETRY_LATER),
        ("account_closed", DeclineClass.NEW_PAYMENT_METHOD),
        ("debit_not_authorized", DeclineClass.NEW_PAYMENT_METHOD),
        ("bank_account_restricted", DeclineClass.NEW_PAYMENT_METHOD),
        ("payment_intent_payment_attempt_failed", DeclineClass.RETRY_LATER),
    ],
)
async def test_a_refusal_comes_late_and_the_same_payment_can_be_tried_again(
    gateway: StripeGateway, anna: Payer, code: str, decline_class: DeclineClass
) -> None:
    await anna.agrees()
    anna.fake.post(f"script/{anna.account}", [code, "ok"])
    under_way = await anna.is_debited()
    assert isinstance(under_way, Processing)
    anna.waits_until("2027-02-03")
    refused = await gateway.look(under_way.payment_intent, since=BEGAN, as_of=BEGAN)
    assert isinstance(refused, Declined)
    # Stripe keeps 3.50 of each debit that fails.
    assert [(fee.amount_minor, fee.currency) for fee in refused.fees] == [(350, "EUR")]
    assert refused == Declined(
        payment_intent=under_way.payment_intent, code=code, decline_class=decline_class, fees=refused.fees
    )
    assert await gateway.look(under_way.payment_intent, since=BEGAN, as_of=BEGAN) == refused
    again = await anna.is_debited(2, under_way.payment_intent)
    assert isinstance(again, Processing)
    assert (again.payment_intent, again.expected_on) == (under_way.payment_intent, date(2027, 2, 4))
    assert len(anna.fake.get("attempts")) == 2


async def test_an_account_that_stripe_cannot_use_is_refused(gateway: StripeGateway, anna: Payer) -> None:
    with pytest.raises(ProviderRefused):
        await gateway.make_mandate("pm_none", customer=anna.customer, consent=ONLINE, idempotency_key="m")
