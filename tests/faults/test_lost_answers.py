"""Stripe's answers get lost, or Stripe is away for long: charged once whatever happens, and nobody is told a lie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count

import pytest
from fakes import FakeStripe
from support.ledgers import answers, assert_books_agree, charged
from support.life import ClockedLife, Person, clocked
from support.mailroom import Mailbox

from activities import payments
from activities.gateway import PreparedRequest
from activities.stripe_gateway import StripeGateway
from billing.commands import Cancel, RetryNow, When
from models.database import Database
from starter.problems import CommandRefused

ANSWER_IS_LOST = {"match": {"method": "POST", "path": "^/v1/payment_intents"}, "drop_response": True}
"""The charge goes through, and its answer never arrives. Once."""
IS_AWAY = {"match": {"path": "^/v1/payment_intents"}, "status": 503, "times": None}

UNDER_WAY = "A payment is under way. Wait for its outcome before you try again."


@pytest.fixture
async def world(
    sqlite_database: Database, temporal_server: str, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with clocked(
        temporal_server, sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31"
    ) as life:
        yield life


def receipts(mailbox: Mailbox) -> int:
    return sum(letter["kind"] == "receipt" for letter in mailbox.letters())


TRIAL = [
    "2041-01-31 status trialing",
    "2041-01-31 access begins",
    "2041-02-11 mail trial_ending",
]


async def test_answer_of_the_first_charge_is_lost(
    world: ClockedLife, fake_stripe: FakeStripe, mailbox: Mailbox
) -> None:
    anna = await world.signs_up(plan="trial", card=["ok"])
    fake_stripe.post("faults", ANSWER_IS_LOST)
    await world.until("2041-02-20")
    assert await anna.diary() == [
        *TRIAL,
        "2041-02-14 invoice 58.80 issued",
        "2041-02-14 charge paid 58.80",
        "2041-02-14 status active",
        "2041-02-14 mail invoice_issued",
        "2041-02-14 mail receipt",
    ]
    assert charged(fake_stripe) == [5880]
    assert receipts(mailbox) == 1
    await assert_books_agree(world.database, fake_stripe)


async def test_answer_of_a_retry_is_lost(
    world: ClockedLife, fake_stripe: FakeStripe, mailbox: Mailbox
) -> None:
    anna = await world.signs_up(plan="trial", card=["insufficient_funds", "ok"])
    await world.until("2041-02-14")
    fake_stripe.post("faults", ANSWER_IS_LOST)
    await world.until("2041-02-20")
    assert await anna.diary() == [
        *TRIAL,
        "2041-02-14 invoice 58.80 issued",
        "2041-02-14 charge declined: insufficient_funds",
        "2041-02-14 status active",
        "2041-02-14 status past_due",
        "2041-02-14 mail invoice_issued",
        "2041-02-14 mail payment_failed",
        "2041-02-15 charge paid 58.80",
        "2041-02-15 status active",
        "2041-02-15 mail receipt",
    ]
    assert charged(fake_stripe) == [5880]
    assert answers(fake_stripe) == ["insufficient_funds", "ok"]
    assert receipts(mailbox) == 1
    await assert_books_agree(world.database, fake_stripe)


@pytest.mark.parametrize("first", ["charged, the answer lost", "never reached"])
async def test_stripe_is_away_for_long(
    first: str,
    world: ClockedLife,
    fake_stripe: FakeStripe,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(payments, "INLINE_TRY", timedelta(seconds=1))  # 90 seconds, for real
    anna = await world.signs_up(plan="trial", card=["ok"])
    await world.until("2041-02-13")
    fake_stripe.post("faults", [ANSWER_IS_LOST, IS_AWAY] if first.startswith("charged") else IS_AWAY)
    await world.until("2041-02-14")
    assert await anna.diary() == [
        *TRIAL,
        "2041-02-14 invoice 58.80 issued",
        "2041-02-14 charge unanswered",
        "2041-02-14 status active",
        "2041-02-14 mail invoice_issued",
    ]
    await assert_nobody_can_charge_it_again(anna)
    fake_stripe.faults_are_over()
    await world.until("2041-02-20")
    assert await anna.diary() == [
        *TRIAL,
        "2041-02-14 invoice 58.80 issued",
        "2041-02-14 status active",
        "2041-02-14 mail invoice_issued",
        "2041-02-14 charge paid 58.80",  # at 17:04: asked again after 1, 2, 4 ... 512 and 1024 minutes
        "2041-02-14 mail receipt",
    ]
    assert charged(fake_stripe) == [5880]
    assert receipts(mailbox) == 1
    await assert_books_agree(world.database, fake_stripe)


RENEWAL = "2041-02-28"
RETRIES = ["2041-03-01", "2041-03-03", "2041-03-07", "2041-03-14"]


@pytest.mark.parametrize("retry", [1, 2, 3, 4])
async def test_stripe_is_away_for_long_at_a_retry_that_went_through(
    retry: int,
    world: ClockedLife,
    fake_stripe: FakeStripe,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(payments, "INLINE_TRY", timedelta(seconds=1))  # 90 seconds, for real
    anna = await world.signs_up(card=["ok", *["insufficient_funds"] * retry, "ok"])
    before, day = [RENEWAL, *RETRIES][retry - 1 : retry + 1]
    await world.until(before)
    fake_stripe.post("faults", [ANSWER_IS_LOST, IS_AWAY])
    await world.until(day)
    await assert_nobody_can_charge_it_again(anna)
    fake_stripe.faults_are_over()
    await world.until("2041-03-27")
    assert [line for line in await anna.diary() if " charge " in line] == [
        "2041-01-31 charge paid 58.80",
        *(f"{failed} charge declined: insufficient_funds" for failed in [RENEWAL, *RETRIES][:retry]),
        f"{day} charge paid 58.80",
    ]
    assert charged(fake_stripe) == [5880, 5880]
    assert receipts(mailbox) == 2
    await assert_books_agree(world.database, fake_stripe)


async def test_a_request_that_was_rebuilt_is_looked_up_and_not_charged_again(
    world: ClockedLife, fake_stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule broken on purpose: what is sent again is not what was stored, under the same key."""
    submit, sendings = StripeGateway._submit, count(1)  # noqa: SLF001 - the very place that the rule is about

    async def rebuilt(self: StripeGateway, prepared: PreparedRequest) -> object:
        changed = {**prepared.params, "description": f"sending {next(sendings)}"}
        return await submit(self, prepared.model_copy(update={"params": changed}))

    anna = await world.signs_up(plan="trial", card=["ok"])
    monkeypatch.setattr(StripeGateway, "_submit", rebuilt)
    fake_stripe.post("faults", ANSWER_IS_LOST)
    await world.until("2041-02-20")
    assert [line for line in await anna.diary() if "charge" in line] == ["2041-02-14 charge paid 58.80"]
    assert charged(fake_stripe) == [5880]
    await assert_books_agree(world.database, fake_stripe)


async def assert_nobody_can_charge_it_again(anna: Person) -> None:
    """Neither the customer on the pay page nor support, until it is known what became of the charge (U15)."""
    (invoice_id,) = (await anna.state()).subscription.open_invoices
    with pytest.raises(CommandRefused, match=UNDER_WAY):
        await anna.life.subscriptions.pay_now(invoice_id)
    await anna.tells(RetryNow(command_id="support"))
    await anna.life.settle()
    assert (await anna.state()).last_refusal == UNDER_WAY
    with pytest.raises(CommandRefused, match=UNDER_WAY):  # asked again, it is answered from the books
        await anna.tells(RetryNow(command_id="support"))


async def test_a_sign_up_that_is_cancelled_while_stripe_is_away_is_never_charged(
    world: ClockedLife, fake_stripe: FakeStripe, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its charge never reached Stripe, and is not sent once nobody wants it any more."""
    monkeypatch.setattr(payments, "INLINE_TRY", timedelta(seconds=1))  # 90 seconds, for real
    fake_stripe.post("faults", {**IS_AWAY, "match": {"path": "^/v1/payment_intents$"}})
    anna = await world.signs_up(card=["ok"])
    await anna.tells(Cancel(command_id="changed my mind", when=When.NOW))
    await world.settle()
    fake_stripe.faults_are_over()
    await world.until("2041-02-05")
    assert await anna.diary() == [
        "2041-01-31 status canceled: canceled now",
        "2041-01-31 mail subscription_canceled",
        "2041-01-31 charge abandoned",
    ]
    assert charged(fake_stripe) == []
    assert receipts(mailbox) == 0
    await assert_books_agree(world.database, fake_stripe)
