"""A payment without an answer, settled by a person: the provider is asked, and nothing is believed against it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import FakeStripe
from support.ledgers import assert_books_agree, charged
from support.life import ClockedLife, Person

from activities import payments
from activities.books.correcting import CommandIdTaken
from billing.errors import InvalidInput
from billing.refusal import Refused
from billing.subscription import Status
from models.tables import PaymentState
from starter.client import RelanceClient

ANSWER_IS_LOST = {"match": {"method": "POST", "path": "^/v1/payment_intents"}, "drop_response": True}
"""The charge goes through, and its answer never arrives."""
IS_AWAY = {"match": {"path": "^/v1/payment_intents"}, "status": 503, "times": None}


@pytest.fixture(autouse=True)
def short_inline_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait of 90 seconds for an answer is real time."""
    monkeypatch.setattr(payments, "INLINE_TRY", timedelta(seconds=1))


async def without_an_answer(
    world: ClockedLife, fake: FakeStripe, *, charged_first: bool
) -> tuple[Person, str]:
    """The renewal of 28 February has no answer, and Stripe could not be asked since. It can be now."""
    anna = await world.signs_up()
    fake.post("faults", [ANSWER_IS_LOST, IS_AWAY] if charged_first else IS_AWAY)
    await world.until("2041-02-28")
    (invoice,) = [i for i in await anna.invoices() if i.status == "open"]
    assert invoice.payment_state is PaymentState.UNKNOWN
    fake.faults_are_over()
    return anna, invoice.id


def the_payment(fake: FakeStripe, amount: int = 5880) -> str:
    """The newest PaymentIntent at Stripe of this amount."""
    listed = fake.client().v1.payment_intents.list({"limit": 20}).data
    return next(intent.id for intent in listed if intent.amount == amount)


async def test_what_was_charged_is_booked_once(
    world: ClockedLife, client: RelanceClient, fake_stripe: FakeStripe
) -> None:
    anna, invoice = await without_an_answer(world, fake_stripe, charged_first=True)
    with pytest.raises(Refused, match="The provider has pi_") as refused:
        await client.settle_payment(invoice, by="zoe")
    assert refused.value.field == "payment_intent"
    paid = the_payment(fake_stripe)
    done = await client.settle_payment(
        invoice, payment_intent=paid, command_id="settle-1", by="zoe", reason="seen in the dashboard"
    )
    again = await client.settle_payment(invoice, payment_intent=paid, command_id="settle-1", by="zoe")
    assert (done.outcome, again) == ("paid", done)
    await world.settle()
    assert [line for line in await anna.diary() if "charge" in line] == [
        "2041-01-31 charge paid 58.80",
        "2041-02-28 charge paid 58.80",
    ]
    assert (await anna.state()).subscription.status is Status.ACTIVE
    assert charged(fake_stripe) == [5880, 5880]
    await assert_books_agree(world.database, fake_stripe)
    with pytest.raises(Refused, match="is without an answer"):
        await client.settle_payment(invoice, payment_intent=paid)
    (first, _) = await anna.invoices()
    with pytest.raises(CommandIdTaken):
        await client.settle_payment(first.id, command_id="settle-1")


async def test_nothing_was_charged_and_the_chase_goes_on(
    world: ClockedLife, client: RelanceClient, fake_stripe: FakeStripe
) -> None:
    anna, invoice = await without_an_answer(world, fake_stripe, charged_first=False)
    done = await client.settle_payment(invoice, by="zoe")
    assert done.outcome == "never_ran"
    await world.until("2041-03-10")
    assert [line for line in await anna.diary() if "charge" in line] == [
        "2041-01-31 charge paid 58.80",
        "2041-02-28 charge abandoned",
        # Nothing was declined, so it is made again two hours later.
        "2041-02-28 charge paid 58.80",
    ]
    assert charged(fake_stripe) == [5880, 5880]


async def test_a_payment_of_somebody_or_something_else_is_refused(
    world: ClockedLife, client: RelanceClient, fake_stripe: FakeStripe
) -> None:
    otto = await world.signs_up("otto", plan="max")
    anna, invoice = await without_an_answer(world, fake_stripe, charged_first=False)
    with pytest.raises(InvalidInput, match="another customer") as refused:
        await client.settle_payment(invoice, payment_intent=the_payment(fake_stripe, 11880))
    assert refused.value.field == "payment_intent"
    first = next(i for i in await anna.invoices() if i.status == "paid")
    assert first.payment_intent is not None
    with pytest.raises(InvalidInput, match="pays the invoice"):
        await client.settle_payment(invoice, payment_intent=first.payment_intent)
    (mine,) = [i for i in await anna.invoices() if i.status == "open"]
    assert mine.payment_state is PaymentState.UNKNOWN
    (his,) = [i for i in await otto.invoices() if i.period_start.month == 1]
    with pytest.raises(Refused, match="is without an answer"):
        await client.settle_payment(his.id)
