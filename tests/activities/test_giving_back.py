"""Money that we hold goes back once and never more than there is: on payments, or paid out by hand (rules 11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from fakes import TEST_KEY, FakeStripe
from sqlmodel import col, select
from support.disputed import LOST, OPENED, Preparing, hear, paid
from support.factories import NEW_YEAR, Someone
from support.ledgers import assert_accounts_agree

from activities.books.config import BookRules
from activities.books.correcting import CommandIdTaken, begin_correction
from activities.books.giving_back import GivenBack, give_back
from activities.books.journal import balances
from activities.refunds import NotStuck, Refunds
from activities.stripe_gateway import StripeGateway
from billing.corrections import Credit
from billing.errors import InvalidInput
from billing.money_back import MoneyBack, NotHeld, PayOut, SendBack
from billing.refund import MoneySource, RefundExceedsPayments, RefundState
from models.database import Database
from models.tables import CommandRow, Invoice, OutgoingEvent, Refund


def send_back(anna: Someone, amount: int | None = None, **changes: object) -> SendBack:
    given: dict[str, object] = {
        "command_id": "ticket-1",
        "customer_id": anna.customer.id,
        "amount_minor": amount,
        "by": "lea",
        "reason": "paid twice",
    }
    return SendBack.model_validate(given | changes)


def pay_out(anna: Someone, amount: int | None = None, **changes: object) -> PayOut:
    given: dict[str, object] = {
        "command_id": "ticket-2",
        "customer_id": anna.customer.id,
        "amount_minor": amount,
        "by": "lea",
        "reason": "by transfer on their wish",
    }
    return PayOut.model_validate(given | changes)


async def give(database: Database, order: MoneyBack) -> GivenBack:
    async with database.write() as session:
        return await give_back(session, BookRules(), order, at=NEW_YEAR)


async def booked(database: Database, anna: Someone) -> dict[str, int]:
    async with database.read() as session:
        found = await balances(session, anna.customer.id)
    await assert_accounts_agree(database)
    return {account: amount for (account, _), amount in found.items() if amount}


async def refunds_of(database: Database) -> list[Refund]:
    async with database.read() as session:
        return list((await session.exec(select(Refund).order_by(col(Refund.amount_minor)))).all())


async def credit_to_balance(database: Database, invoice: Invoice, amount: int) -> None:
    asked = Credit(command_id="credit", invoice_id=invoice.id, reason="a gift", amount_minor=amount)
    async with database.write() as session:
        await begin_correction(session, Preparing(), BookRules(), asked, at=NEW_YEAR)


async def test_money_that_no_invoice_claimed_goes_back_without_a_credit_note(database: Database) -> None:
    """50.00 were paid where 34.80 were owed."""
    anna, _, attempt = await paid(database, amount_minor=5000)
    done = await give(database, send_back(anna, 1000))
    again = await give(database, send_back(anna, 1000))
    assert done == again
    assert (done.amount_minor, done.currency, done.held_minor) == (1000, "EUR", 520)
    (refund,) = await refunds_of(database)
    assert (refund.attempt_id, refund.credit_note_id, refund.state) == (
        attempt.id,
        None,
        RefundState.QUEUED,
    )
    assert (refund.source, refund.by, refund.reason) == (MoneySource.UNAPPLIED, "lea", "paid twice")
    assert await booked(database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": 5000,
        "unapplied_cash": -520,
        "refunds_due": -1000,
    }
    async with database.read() as session:
        command = await session.get_one(CommandRow, "ticket-1")
        events = (await session.exec(select(OutgoingEvent.name))).all()
    assert (command.kind, command.by, command.reason, command.outcome) == (
        "send_back",
        "lea",
        "paid twice",
        "applied",
    )
    assert "refund.requested" in events


async def test_without_an_amount_all_that_is_held_goes_back(sqlite_database: Database) -> None:
    anna, _, _ = await paid(sqlite_database, amount_minor=5000)
    assert (await give(sqlite_database, send_back(anna))).amount_minor == 1520
    with pytest.raises(NotHeld) as refused:
        await give(sqlite_database, send_back(anna, command_id="ticket-9"))
    assert (refused.value.held_minor, refused.value.field) == (0, "amount")


@pytest.mark.parametrize("order", [send_back, pay_out], ids=["send back", "pay out"])
async def test_above_what_is_held_is_refused_with_what_there_is(
    sqlite_database: Database, order: Callable[..., MoneyBack]
) -> None:
    anna, _, _ = await paid(sqlite_database, amount_minor=5000)
    with pytest.raises(NotHeld, match="Ask for 1520 at most") as refused:
        await give(sqlite_database, order(anna, 1521, source="unapplied_cash"))
    assert (refused.value.requested_minor, refused.value.held_minor) == (1521, 1520)
    assert await refunds_of(sqlite_database) == []


async def test_a_balance_goes_back_on_the_payments_as_far_as_they_go(sqlite_database: Database) -> None:
    anna, invoice, _ = await paid(sqlite_database)
    await credit_to_balance(sqlite_database, invoice, 1200)
    done = await give(sqlite_database, send_back(anna, source="balance"))
    assert (done.amount_minor, done.held_minor) == (1200, 0)
    assert (await booked(sqlite_database, anna))["refunds_due"] == -1200


async def test_a_balance_is_paid_out_by_hand_once_with_who_and_why(database: Database) -> None:
    anna, invoice, _ = await paid(database)
    await credit_to_balance(database, invoice, 1200)
    done = await give(database, pay_out(anna, 700))
    assert await give(database, pay_out(anna, 700)) == done
    assert (done.amount_minor, done.held_minor) == (700, 500)
    (refund,) = await refunds_of(database)
    assert (refund.attempt_id, refund.invoice_id, refund.state) == (
        None,
        invoice.id,
        RefundState.SUCCEEDED,
    )
    assert (refund.by, refund.reason) == ("lea", "by transfer on their wish")
    # It left our bank, not the payment provider.
    assert await booked(database, anna) == {
        "revenue": -1900,
        "vat": -380,
        "cash": 3480,
        "balance": -500,
        "bank": -700,
    }
    with pytest.raises(CommandIdTaken):
        await give(database, pay_out(anna, 500))


async def test_two_at_once_never_give_more_than_there_is(database: Database) -> None:
    """15.20 are held: 10.00 fit once, by whichever door."""
    anna, _, _ = await paid(database, amount_minor=5000)
    orders = (
        send_back(anna, 1000, command_id="one"),
        send_back(anna, 1000, command_id="two"),
        pay_out(anna, 1000, command_id="three", source="unapplied_cash"),
    )
    answers = await asyncio.gather(*(give(database, order) for order in orders), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [type(one) for one in refused] == [NotHeld, NotHeld]
    assert (await booked(database, anna))["unapplied_cash"] == -520


async def test_the_same_order_twice_at_once_is_one(database: Database) -> None:
    anna, _, _ = await paid(database, amount_minor=5000)
    first, second = await asyncio.gather(*(give(database, send_back(anna, 1000)) for _ in range(2)))
    assert first.refunds == second.refunds
    assert len(await refunds_of(database)) == 1


async def test_while_a_dispute_is_open_nothing_goes_back_on_that_payment(sqlite_database: Database) -> None:
    """By hand it can be paid out: that is another way (U17)."""
    anna, _, attempt = await paid(sqlite_database, amount_minor=5000)
    await hear(sqlite_database, attempt, OPENED)
    with pytest.raises(RefundExceedsPayments) as refused:
        await give(sqlite_database, send_back(anna, 1000))
    assert refused.value.left_minor == 0
    assert (await give(sqlite_database, pay_out(anna, 100, source="unapplied_cash"))).held_minor == 1420


async def test_of_a_lost_payment_what_no_invoice_claimed_is_gone_too(sqlite_database: Database) -> None:
    anna, _, attempt = await paid(sqlite_database, amount_minor=5000)
    whole = {
        "amount_minor": 5000,
        "moves": (OPENED.moves[0].model_copy(update={"amount_minor": -5000}),),
    }
    await hear(sqlite_database, attempt, LOST.model_copy(update=whole))
    assert await booked(sqlite_database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": -2000,
        "provider_fees": 2000,
        "receivable": 3480,
    }


async def test_nothing_held_asks_for_the_currency(sqlite_database: Database) -> None:
    anna, _, _ = await paid(sqlite_database)
    with pytest.raises(InvalidInput) as refused:
        await give(sqlite_database, send_back(anna))
    assert refused.value.field == "currency"
    with pytest.raises(NotHeld):
        await give(sqlite_database, send_back(anna, currency="EUR"))


# Refunds that never left


@pytest.fixture
async def gateway(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(api_key=TEST_KEY, api_base=fake_stripe.base)
    yield gateway
    await gateway.close()


def charge_at(fake: FakeStripe) -> str:
    """A charge of 50.00 at the fake."""
    client = fake.client()
    customer = client.v1.customers.create({}).id
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    intent = client.v1.payment_intents.create(
        {
            "amount": 5000,
            "currency": "eur",
            "customer": customer,
            "payment_method": card,
            "off_session": True,
            "confirm": True,
        }
    )
    return str(intent.latest_charge)


async def stuck(
    database: Database, gateway: StripeGateway, fake: FakeStripe, *, drops: bool
) -> tuple[Someone, str, Refunds]:
    """A refund of 10.00 whose first try was a day ago: it never arrived, or with `drops` only its answer was lost."""
    anna, _, attempt = await paid(database, amount_minor=5000)
    async with database.write() as session:
        row = await session.get_one(type(attempt), attempt.id)
        row.charge, row.payment_intent = charge_at(fake), None
    (refund_id,) = (await give(database, send_back(anna, 1000))).refunds
    fault = {"drop_response": True} if drops else {"status": 503}
    fake.post("faults", {"match": {"method": "POST", "path": "/v1/refunds"}, **fault})
    yesterday = Refunds(database, gateway, BookRules(), now=lambda: datetime.now(UTC) - timedelta(hours=24))
    assert await yesterday.send_waiting() == 0
    return anna, refund_id, Refunds(database, gateway, BookRules())


async def test_a_refund_that_never_left_is_sent_anew_by_a_person(
    sqlite_database: Database, gateway: StripeGateway, fake_stripe: FakeStripe
) -> None:
    _, refund_id, refunds = await stuck(sqlite_database, gateway, fake_stripe, drops=False)
    assert (await refunds.send_again(refund_id)).state is RefundState.QUEUED
    assert await refunds.send_waiting() == 1
    (sent,) = await refunds_of(sqlite_database)
    assert (sent.state, sent.last_error) == (RefundState.SUCCEEDED, "")
    assert [entry["amount"] for entry in fake_stripe.get("ledger")["refunds"]] == [1000]
    with pytest.raises(NotStuck, match="it has left"):
        await refunds.send_again(refund_id)


async def test_a_refund_that_never_left_is_dropped_and_its_money_held_again(
    sqlite_database: Database, gateway: StripeGateway, fake_stripe: FakeStripe
) -> None:
    anna, refund_id, refunds = await stuck(sqlite_database, gateway, fake_stripe, drops=False)
    dropped = await refunds.drop(refund_id, by="lea", reason="they want to keep it")
    assert (dropped.state, dropped.failure) == (
        RefundState.CANCELED,
        "dropped by lea: they want to keep it",
    )
    assert (await booked(sqlite_database, anna))["unapplied_cash"] == -1520
    assert await refunds.send_waiting() == 0
    assert fake_stripe.get("ledger")["refunds"] == []


@pytest.mark.parametrize("does", ["send", "drop"])
async def test_one_that_left_after_all_is_found_and_not_made_twice(
    sqlite_database: Database, gateway: StripeGateway, fake_stripe: FakeStripe, does: str
) -> None:
    _, refund_id, refunds = await stuck(sqlite_database, gateway, fake_stripe, drops=True)
    if does == "send":
        found = await refunds.send_again(refund_id)
    else:
        found = await refunds.drop(refund_id, by="lea", reason="no")
    assert found.state is RefundState.SUCCEEDED
    assert len(fake_stripe.get("ledger")["refunds"]) == 1


async def test_one_that_is_still_tried_by_itself_is_left_alone(
    sqlite_database: Database, gateway: StripeGateway, fake_stripe: FakeStripe
) -> None:
    anna, _, attempt = await paid(sqlite_database, amount_minor=5000)
    (refund_id,) = (await give(sqlite_database, send_back(anna, 1000))).refunds
    refunds = Refunds(sqlite_database, gateway, BookRules())
    fake_stripe.post("faults", {"match": {"path": "/v1/refunds"}, "status": 503})
    assert await refunds.send_waiting() == 0
    for ask in (refunds.send_again(refund_id), refunds.drop(refund_id, by="lea", reason="no")):
        with pytest.raises(NotStuck, match="tried again by itself"):
            await ask
    assert attempt.charge == "ch_1"
