"""Refunds, disputes and warnings of fraud as the gateway reads them from the fake Stripe, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from fakes import TEST_KEY, FakeStripe

from activities.gateway import ProviderRefused, ProviderUnavailable
from activities.stripe_gateway import StripeGateway
from activities.stripe_reading import dispute_news
from billing.dispute import DisputeState
from billing.refund import RefundState


@pytest.fixture
async def gateway(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(api_key=TEST_KEY, api_base=fake_stripe.base)
    yield gateway
    await gateway.close()


def charged(fake: FakeStripe, card: str = "visa") -> str:
    """A charge of 58.80 EUR."""
    client = fake.client()
    customer = client.v1.customers.create({}).id
    method = client.v1.payment_methods.attach(f"pm_card_{card}", {"customer": customer}).id
    intent = client.v1.payment_intents.create(
        {
            "amount": 5880,
            "currency": "eur",
            "customer": customer,
            "payment_method": method,
            "off_session": True,
            "confirm": True,
        }
    )
    assert isinstance(intent.latest_charge, str)
    return intent.latest_charge


async def test_refunds_of_a_charge_whoever_made_them(gateway: StripeGateway, fake_stripe: FakeStripe) -> None:
    charge = charged(fake_stripe)
    by_hand = fake_stripe.post(f"charge/{charge}/refund", {"amount": 880})["id"]
    ours = fake_stripe.client().v1.refunds.create(
        {"charge": charge, "amount": 1000, "metadata": {"refund": "rf_1"}}
    )
    found = await gateway.refunds_of(charge)
    assert [(one.provider_id, one.refund_id, one.amount_minor, one.state) for one in found] == [
        (ours.id, "rf_1", 1000, RefundState.SUCCEEDED),
        (by_hand, None, 880, RefundState.SUCCEEDED),
    ]
    fake_stripe.post(f"refund/{by_hand}", {"status": "failed", "failure_reason": "lost_or_stolen_card"})
    failed = await gateway.look_at_refund(by_hand)
    assert (failed.state, failed.failure, failed.charge) == (
        RefundState.FAILED,
        "lost_or_stolen_card",
        charge,
    )
    assert failed.currency == "EUR"


async def test_a_dispute_from_its_beginning_to_its_end(
    gateway: StripeGateway, fake_stripe: FakeStripe
) -> None:
    charge = charged(fake_stripe)
    made = fake_stripe.post(f"charge/{charge}/dispute", {"reason": "product_not_received"})
    opened = await gateway.look_at_dispute(made["id"])
    assert (opened.state, opened.reason, opened.charge) == (
        DisputeState.OPEN,
        "product_not_received",
        charge,
    )
    assert (opened.amount_minor, opened.currency) == (5880, "EUR")
    assert [(move.amount_minor, move.fee_minor, move.currency) for move in opened.moves] == [
        (-5880, 2000, "EUR")
    ]
    assert (opened.was_withdrawn, opened.was_reinstated) == (True, False)
    assert opened.answer_by == datetime.fromtimestamp(made["evidence_details"]["due_by"], UTC)

    fake_stripe.post(f"dispute/{made['id']}", {"status": "under_review"})
    assert (await gateway.look_at_dispute(made["id"])).answer_by is None
    fake_stripe.post(f"dispute/{made['id']}", {"status": "won"})
    won = await gateway.look_at_dispute(made["id"])
    assert (won.state, won.was_reinstated) == (DisputeState.WON, True)


async def test_an_inquiry_has_moved_nothing(gateway: StripeGateway, fake_stripe: FakeStripe) -> None:
    made = fake_stripe.post(f"charge/{charged(fake_stripe)}/dispute", {"inquiry": True})
    inquiry = await gateway.look_at_dispute(made["id"])
    assert (inquiry.state, inquiry.moves) == (DisputeState.INQUIRY, ())
    fake_stripe.post(f"dispute/{made['id']}", {"status": "warning_closed"})
    assert (await gateway.look_at_dispute(made["id"])).state is DisputeState.CLOSED


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("appeal_under_review", DisputeState.LOST),
        ("prevented", DisputeState.CLOSED),
        ("a word of next year", DisputeState.OPEN),
    ],
)
def test_words_of_stripe_that_the_fake_does_not_say(status: str, state: DisputeState) -> None:
    said = {"id": "dp_1", "status": status, "amount": 5880, "currency": "eur", "charge": "ch_1"}
    assert dispute_news(said).state is state


async def test_a_warning_of_fraud(gateway: StripeGateway, fake_stripe: FakeStripe) -> None:
    charge = charged(fake_stripe)
    made = fake_stripe.post(f"charge/{charge}/fraud_warning")
    warning = await gateway.look_at_warning(made["id"])
    assert (warning.charge, warning.fraud_type, warning.actionable) == (
        charge,
        "made_with_stolen_card",
        True,
    )
    fake_stripe.post(f"charge/{charge}/refund")
    assert not (await gateway.look_at_warning(made["id"])).actionable


async def test_what_cannot_be_looked_at_is_a_fault(gateway: StripeGateway, fake_stripe: FakeStripe) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await gateway.look_at_dispute("dp_nobody")
    assert refused.value.reason == "resource_missing"
    fake_stripe.post("faults", {"match": {"path": "/v1/refunds"}, "times": 2, "status": 500})
    with pytest.raises(ProviderUnavailable):
        await gateway.refunds_of("ch_1")
    with pytest.raises(ProviderUnavailable):
        await gateway.look_at_refund("re_1")
    with pytest.raises(ProviderRefused):
        await gateway.look_at_warning("issfr_nobody")
