"""Disputes in the books: frozen while open, won or lost once, in whatever order it is heard (U17, rules 16)."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlmodel import col, select
from support import factories
from support.disputed import CLOSED, INQUIRY, LOST, OPENED, TAKEN, WON, Preparing, hear, paid, pays
from support.factories import NEW_YEAR, Someone
from support.ledgers import assert_accounts_agree

from activities.books.config import BookRules
from activities.books.correcting import NotNow, begin_correction
from activities.books.gate import GateRefused, Refusal, begin_attempt
from activities.books.issuing import write_invoice
from activities.books.journal import balances
from activities.books.rectifying import rectify
from activities.books.rows import customer_of, method_on_file, usable_method
from activities.provider_money import DisputeMove, DisputeNews
from billing.corrections import Credit, NewBuyer, PayBackAs, Rectify
from billing.dispute import DisputeState
from billing.payment import AttemptState, Trigger
from billing.refund import RefundState
from billing.subscription import Status
from models.database import Database
from models.tables import (
    Collection,
    Dispute,
    Invoice,
    InvoiceStatus,
    JournalLine,
    Message,
    OutgoingEvent,
    PaymentAttempt,
    PaymentMethod,
    Refund,
    SubscriptionRow,
)

MARCH = datetime(2027, 3, 10, 9, 0, tzinfo=UTC)


async def _invoice(database: Database, invoice: Invoice) -> Invoice:
    async with database.read() as session:
        return await session.get_one(Invoice, invoice.id)


async def _status(database: Database, anna: Someone) -> Status:
    async with database.read() as session:
        return (await session.get_one(SubscriptionRow, anna.subscription.id)).state.status


async def _booked(database: Database, anna: Someone) -> dict[str, int]:
    """What each account of the customer holds, in minor units of EUR; those with nothing in them are left out."""
    async with database.read() as session:
        found = await balances(session, anna.customer.id)
    await assert_accounts_agree(database)
    return {account: amount for (account, _), amount in found.items() if amount}


async def _events(database: Database) -> list[str]:
    async with database.read() as session:
        names = (await session.exec(select(OutgoingEvent.name).order_by(col(OutgoingEvent.sequence)))).all()
    return [name for name in names if name.startswith(("dispute.", "invoice.reopened"))]


async def _correct(database: Database, asked: Credit) -> Any:  # noqa: ANN401 - what it became
    async with database.write() as session:
        return await begin_correction(session, Preparing(), BookRules(), asked, at=NEW_YEAR)


def _credit(invoice: Invoice, then: PayBackAs = PayBackAs.BALANCE, amount: int | None = None) -> Credit:
    return Credit(
        command_id=f"credit-{then}",
        invoice_id=invoice.id,
        reason="asked for",
        then=then,
        amount_minor=amount,
    )


async def test_an_open_dispute_freezes_the_invoice_and_its_card_and_changes_no_status(
    database: Database,
) -> None:
    anna, invoice, attempt = await paid(database)
    dispute = await hear(database, attempt, OPENED)
    assert (dispute.state, dispute.amount_minor, dispute.reason) == (DisputeState.OPEN, 3480, "fraudulent")
    frozen = await _invoice(database, invoice)
    assert (frozen.frozen, frozen.status, frozen.open_minor) == (True, InvoiceStatus.PAID, 0)
    assert await _status(database, anna) is Status.ACTIVE
    assert await _booked(database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": -2000,
        "disputed": 3480,
        "provider_fees": 2000,
    }
    async with database.read() as session:
        customer = await customer_of(session, invoice)
        assert await usable_method(session, customer) is None
        assert (await method_on_file(session, customer)) is not None
        assert (await session.get_one(SubscriptionRow, anna.subscription.id)).state.has_method
    with pytest.raises(NotNow, match="dispute"):
        await _correct(database, _credit(invoice))
    with pytest.raises(NotNow, match="dispute"):
        await _correct(database, _credit(invoice, PayBackAs.REFUND))


async def test_the_same_card_saved_twice_is_one_card_and_another_card_is_free(
    sqlite_database: Database,
) -> None:
    anna, invoice, attempt = await paid(sqlite_database)
    await hear(sqlite_database, attempt, OPENED)
    async with sqlite_database.write() as session:
        again = factories.method(anna.customer.id)
        other = factories.method(anna.customer.id, fingerprint="fingerprint-5555")
        session.add_all([again, other])
        customer = await customer_of(session, invoice)
        customer.default_method_id = again.id
        assert await usable_method(session, customer) is None
        customer.default_method_id = other.id
        found = await usable_method(session, customer)
        assert found is not None
        assert found.id == other.id


@pytest.mark.parametrize("queued", [True, False], ids=["queued before the bank spoke", "asked for after it"])
async def test_the_gate_lets_nobody_charge_a_disputed_card(
    sqlite_database: Database, *, queued: bool
) -> None:
    anna, _, attempt = await paid(sqlite_database)
    async with sqlite_database.write() as session:
        row = await session.get_one(SubscriptionRow, anna.subscription.id)
        order = factories.issue(factories.FEBRUARY)
        february = await write_invoice(session, row, order, NEW_YEAR, BookRules())
        if queued:
            session.add(factories.attempt(anna, february, state=AttemptState.QUEUED))
    await hear(sqlite_database, attempt, OPENED)
    async with sqlite_database.write() as session:
        answer = await begin_attempt(
            session,
            Preparing(),
            BookRules(),
            invoice_id=february.id,
            number=1,
            trigger=Trigger.FIRST if queued else Trigger.CUSTOMER,
            at=NEW_YEAR,
        )
    assert answer == GateRefused(Refusal.NO_METHOD)


async def test_a_won_dispute_leaves_everything_as_it_was_but_the_fee(database: Database) -> None:
    anna, invoice, attempt = await paid(database)
    dispute = await hear(database, attempt, OPENED, WON, at=MARCH)
    assert (dispute.state, dispute.closed_at, dispute.reinstated_at) == (DisputeState.WON, MARCH, MARCH)
    thawed = await _invoice(database, invoice)
    assert (thawed.frozen, thawed.status, thawed.chase) == (False, InvoiceStatus.PAID, 1)
    assert await _booked(database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": 1480,
        "provider_fees": 2000,
    }
    async with database.read() as session:
        assert await usable_method(session, await customer_of(session, invoice)) is not None
    assert (await _correct(database, _credit(invoice, PayBackAs.REFUND))).refund_minor == 3480


async def test_a_lost_dispute_opens_the_invoice_again_on_its_own_day_without_that_card(
    database: Database,
) -> None:
    anna, invoice, attempt = await paid(database)
    await hear(database, attempt, OPENED)
    await hear(database, attempt, LOST, at=MARCH)
    opened = await _invoice(database, invoice)
    assert (opened.status, opened.open_minor, opened.paid_minor) == (InvoiceStatus.OPEN, 3480, 0)
    assert (opened.frozen, opened.chase, opened.in_arrears, opened.paid_at) == (False, 2, True, None)
    # The PaymentIntent that succeeded is never confirmed again, and cannot be cancelled.
    assert (opened.generation, opened.payment_intent, opened.superseded_intent) == (2, None, None)
    assert await _status(database, anna) is Status.PAST_DUE
    async with database.read() as session:
        returned = await session.get_one(PaymentAttempt, attempt.id)
        method = await session.get_one(PaymentMethod, attempt.method_id)
        collection = (await session.exec(select(Collection).where(Collection.chase == 2))).one()
        mails = (await session.exec(select(Message).where(Message.kind == "invoice_reopened"))).all()
        lines = (
            await session.exec(select(JournalLine).where(JournalLine.kind == "payment_taken_back"))
        ).all()
    assert (returned.state, returned.returned_at) == (AttemptState.RETURNED, MARCH)
    assert returned.settled_at == NEW_YEAR
    assert method.stopped
    assert (collection.day0, collection.role, collection.ended) == (date(2027, 3, 10), "driving", False)
    assert (collection.done_through_day, collection.noticed_through_day) == (0, 0)
    assert [(mail.context["taken_back_by"], mail.context["next_try_on"]) for mail in mails] == [
        ("dispute", None)
    ]
    # A new fact in its own month: VAT on receipts is taken back there (rules 16).
    assert {(line.account, line.amount_minor, line.on) for line in lines} == {
        ("receivable", 3480, date(2027, 3, 10)),
        ("disputed", -3480, date(2027, 3, 10)),
    }
    assert await _booked(database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": -2000,
        "provider_fees": 2000,
        "receivable": 3480,
    }
    assert await _events(database) == ["dispute.opened", "invoice.reopened", "dispute.lost"]


async def test_another_card_on_file_is_charged_on_the_new_day_0(sqlite_database: Database) -> None:
    anna, invoice, attempt = await paid(sqlite_database)
    await hear(sqlite_database, attempt, OPENED)
    async with sqlite_database.write() as session:
        other = factories.method(anna.customer.id, fingerprint="fingerprint-5555")
        session.add(other)
        (await customer_of(session, invoice)).default_method_id = other.id
    await hear(sqlite_database, attempt, LOST, at=MARCH)
    async with sqlite_database.read() as session:
        collection = (await session.exec(select(Collection).where(Collection.chase == 2))).one()
        mail = (await session.exec(select(Message).where(Message.kind == "invoice_reopened"))).one()
    assert (collection.done_through_day, collection.noticed_through_day) == (-1, -1)
    assert mail.context["next_try_on"] == "2027-03-10"


HEARD = (INQUIRY, OPENED, LOST)


@pytest.mark.parametrize(
    "order",
    [*permutations(HEARD), (LOST, LOST), (OPENED, LOST, OPENED, LOST)],
    ids=lambda order: " ".join(news.state for news in order),
)
async def test_a_loss_is_one_loss_in_whatever_order_it_is_heard(
    sqlite_database: Database, order: tuple[DisputeNews, ...]
) -> None:
    anna, invoice, attempt = await paid(sqlite_database)
    await hear(sqlite_database, attempt, *order)
    assert await _booked(sqlite_database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": -2000,
        "provider_fees": 2000,
        "receivable": 3480,
    }
    opened = await _invoice(sqlite_database, invoice)
    assert (opened.chase, opened.open_minor, opened.frozen) == (2, 3480, False)
    async with sqlite_database.read() as session:
        assert len((await session.exec(select(Dispute))).all()) == 1


async def test_the_decision_that_comes_before_the_money_waits_for_it(sqlite_database: Database) -> None:
    """A lost dispute whose withdrawal is not seen yet takes nothing back twice, nor before it is gone."""
    _, invoice, attempt = await paid(sqlite_database)
    early = LOST.model_copy(update={"moves": ()})
    assert (await hear(sqlite_database, attempt, early)).state is DisputeState.OPEN
    assert (await _invoice(sqlite_database, invoice)).frozen
    assert (await hear(sqlite_database, attempt, LOST)).state is DisputeState.LOST
    assert (await _invoice(sqlite_database, invoice)).open_minor == 3480


async def test_an_inquiry_freezes_nothing_and_may_end_in_nothing(sqlite_database: Database) -> None:
    anna, invoice, attempt = await paid(sqlite_database)
    assert (await hear(sqlite_database, attempt, INQUIRY)).state is DisputeState.INQUIRY
    assert not (await _invoice(sqlite_database, invoice)).frozen
    assert (await hear(sqlite_database, attempt, CLOSED)).state is DisputeState.CLOSED
    assert await _booked(sqlite_database, anna) == {"revenue": -2900, "vat": -580, "cash": 3480}
    assert await _events(sqlite_database) == ["dispute.inquiry", "dispute.closed"]


async def test_an_appeal_that_is_won_brings_money_that_no_invoice_claims(sqlite_database: Database) -> None:
    anna, invoice, attempt = await paid(sqlite_database)
    dispute = await hear(sqlite_database, attempt, OPENED, LOST, WON)
    assert dispute.state is DisputeState.WON
    assert (await _invoice(sqlite_database, invoice)).open_minor == 3480
    assert await _booked(sqlite_database, anna) == {
        "revenue": -2900,
        "vat": -580,
        "cash": 1480,
        "provider_fees": 2000,
        "receivable": 3480,
        "unapplied_cash": -3480,
    }


async def test_what_was_refunded_before_is_not_owed_again(sqlite_database: Database) -> None:
    """12.00 were credited and sent back; the bank takes the other 22.80."""
    anna, invoice, attempt = await paid(sqlite_database)
    await _correct(sqlite_database, _credit(invoice, PayBackAs.REFUND, 1200))
    part = {"amount_minor": 2280, "moves": (TAKEN.model_copy(update={"amount_minor": -2280}),)}
    await hear(sqlite_database, attempt, OPENED.model_copy(update=part), LOST.model_copy(update=part))
    opened = await _invoice(sqlite_database, invoice)
    assert (opened.status, opened.open_minor) == (InvoiceStatus.OPEN, 2280)
    assert (await _booked(sqlite_database, anna)).get("unapplied_cash", 0) == 0


async def test_what_was_credited_to_the_balance_before_goes_out_of_the_balance(
    sqlite_database: Database,
) -> None:
    anna, invoice, attempt = await paid(sqlite_database)
    await _correct(sqlite_database, _credit(invoice))
    assert (await _booked(sqlite_database, anna))["balance"] == -3480
    await hear(sqlite_database, attempt, OPENED, LOST)
    closed = await _invoice(sqlite_database, invoice)
    assert (closed.status, closed.open_minor, closed.chase) == (InvoiceStatus.PAID, 0, 1)
    assert await _booked(sqlite_database, anna) == {"cash": -2000, "provider_fees": 2000}


async def test_an_invoice_that_took_the_place_of_another_is_the_one_that_opens(
    sqlite_database: Database,
) -> None:
    _, invoice, attempt = await paid(sqlite_database)
    asked = Rectify(command_id="fix", invoice_id=invoice.id, buyer=NewBuyer(name="Anna Marie Martin"))
    async with sqlite_database.write() as session:
        done = await rectify(session, Preparing(), BookRules(), asked, at=NEW_YEAR)
    await hear(sqlite_database, attempt, OPENED)
    async with sqlite_database.read() as session:
        both = (await session.exec(select(Invoice))).all()
    assert {one.frozen for one in both} == {True}
    await hear(sqlite_database, attempt, LOST)
    async with sqlite_database.read() as session:
        new = await session.get_one(Invoice, done.new_invoice_id)
        old = await session.get_one(Invoice, invoice.id)
    assert (new.status, new.open_minor, new.chase, new.frozen) == (InvoiceStatus.OPEN, 3480, 2, False)
    assert (old.status, old.open_minor, old.frozen) == (InvoiceStatus.PAID, 0, False)


async def test_a_payment_of_two_invoices_opens_both_again(sqlite_database: Database) -> None:
    """0.40 were too little to be charged alone, and went along with January (rules 10)."""
    anna, _, _ = await paid(sqlite_database)
    async with sqlite_database.write() as session:
        small = factories.invoice(
            anna,
            reason="usage",
            total_minor=40,
            net_minor=33,
            vat_minor=7,
            totals=factories.invoice(anna).totals,
        )
        february = factories.invoice(anna, period_start=date(2027, 2, 1), period_end=date(2027, 3, 1))
        session.add_all([small, february])
        await session.flush()
        attempt = factories.attempt(
            anna,
            february,
            amount_minor=3520,
            also=[{"invoice": small.id, "amount_minor": 40}],
            state=AttemptState.STARTED,
        )
        session.add(attempt)
    await pays(sqlite_database, attempt, "ch_2")
    both = {"provider_id": "dp_2", "amount_minor": 3520}
    taken = DisputeMove(id="txn_2", amount_minor=-3520, fee_minor=2000, currency="EUR")
    await hear(sqlite_database, attempt, OPENED.model_copy(update={**both, "moves": (taken,)}))
    assert (await _invoice(sqlite_database, small)).frozen
    await hear(sqlite_database, attempt, LOST.model_copy(update={**both, "moves": (taken,)}))
    big, little = await _invoice(sqlite_database, february), await _invoice(sqlite_database, small)
    assert (big.open_minor, big.in_arrears, little.open_minor, little.in_arrears) == (3480, True, 40, False)


async def test_on_an_ended_subscription_it_is_left_to_a_person(sqlite_database: Database) -> None:
    """One mail, no automatic charge, a chase of its own that rests (U13)."""
    anna, invoice, attempt = await paid(
        sqlite_database, status=Status.CANCELED, ended_at=NEW_YEAR, end_reason="canceled now"
    )
    await hear(sqlite_database, attempt, OPENED, LOST, at=MARCH)
    opened = await _invoice(sqlite_database, invoice)
    assert (opened.status, opened.automatic_collecting) == (InvoiceStatus.OPEN, False)
    assert await _status(sqlite_database, anna) is Status.CANCELED
    async with sqlite_database.read() as session:
        collection = (await session.exec(select(Collection).where(Collection.chase == 2))).one()
        kinds = (await session.exec(select(Message.kind).where(Message.at == MARCH))).all()
    assert collection.ended
    assert list(kinds) == ["invoice_reopened"]


async def test_a_fee_in_another_currency_is_booked_in_that_one(sqlite_database: Database) -> None:
    """Our account at the provider need not be in the currency of the payment."""
    anna, _, attempt = await paid(sqlite_database)
    dollars = DisputeMove(id="txn_usd", amount_minor=-4000, fee_minor=1500, currency="USD")
    await hear(sqlite_database, attempt, OPENED.model_copy(update={"moves": (dollars,)}))
    async with sqlite_database.read() as session:
        found = await balances(session, anna.customer.id)
    assert found["provider_fees", "USD"] == 1500
    assert found["disputed", "EUR"] == 3480


async def test_a_refund_that_was_made_waits_in_the_queue_and_no_other_is_written(
    sqlite_database: Database,
) -> None:
    """A cancel in the meantime credits unused days to the balance: the money itself is the bank's to decide."""
    _, invoice, attempt = await paid(sqlite_database)
    await _correct(sqlite_database, _credit(invoice, PayBackAs.REFUND, 1000))
    await hear(sqlite_database, attempt, OPENED)
    async with sqlite_database.read() as session:
        refunds = (await session.exec(select(Refund))).all()
    assert [(refund.amount_minor, refund.state) for refund in refunds] == [(1000, RefundState.QUEUED)]


async def test_two_that_hear_it_at_once_book_it_once(database: Database) -> None:
    anna, invoice, attempt = await paid(database)
    await asyncio.gather(*(hear(database, attempt, news) for news in (OPENED, LOST, OPENED, LOST)))
    await hear(database, attempt, LOST)
    assert (await _booked(database, anna))["receivable"] == 3480
    opened = await _invoice(database, invoice)
    assert (opened.chase, opened.open_minor) == (2, 3480)
