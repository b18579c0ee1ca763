"""What is written down when an attempt and a credit, a drop or a fault of ours cross each other (rules 12, U16, I1)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlmodel import select
from support import factories
from support.credits import credit_unused
from support.factories import NEW_YEAR, Someone

from activities.books.config import BookRules
from activities.books.gate import GateRefused, attempts_of, begin_attempt
from activities.books.journal import balances
from activities.books.outcomes import record_never_ran, record_outcome
from activities.gateway import Charge, PreparedRequest
from activities.stripe_requests import prepare
from billing.payment import (
    AttemptState,
    Canceled,
    DeclineClass,
    Declined,
    Outcome,
    Paid,
    Trigger,
    Unknown,
)
from models.database import Database
from models.tables import Collection, Invoice, InvoiceStatus, Message, OutgoingEvent, PaymentAttempt

NO = Declined(payment_intent="pi_1", code="insufficient_funds", decline_class=DeclineClass.RETRY_LATER)
YES = Paid(payment_intent="pi_1", charge="ch_1")


class Preparing:
    """The part of the gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


async def _owing(
    database: Database, state: AttemptState = AttemptState.UNKNOWN, **changes: object
) -> tuple[Someone, Invoice, PaymentAttempt]:
    """34.80 for January, and its first attempt, of which nothing was heard yet."""
    async with database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna, **changes)
        attempt = factories.attempt(anna, invoice, state=state)
        session.add(invoice)
        await session.flush()
        session.add(factories.invoice_line(invoice))
        session.add(attempt)
    return anna, invoice, attempt


async def _credit_half_of_it(database: Database, anna: Someone) -> None:
    """From 17 January on: 15 of 31 days of 29.00 are 14.03, and 2.81 of VAT; 17.96 of 34.80 are left."""
    async with database.write() as session:
        row = await session.get_one(type(anna.subscription), anna.subscription.id)
        note = await credit_unused(
            session,
            row,
            from_on=date(2027, 1, 17),
            command_id="cancel",
            reason="canceled now",
            at=NEW_YEAR,
            rules=BookRules(),
        )
        assert note.total_minor == 1684


async def _hear(database: Database, attempt: PaymentAttempt, outcome: Outcome) -> None:
    async with database.write() as session:
        await record_outcome(
            session, Preparing(), BookRules(), attempt_id=attempt.id, outcome=outcome, at=NEW_YEAR
        )


async def _begin(database: Database, invoice: Invoice, number: int, trigger: Trigger) -> PaymentAttempt:
    async with database.write() as session:
        answer = await begin_attempt(
            session,
            Preparing(),
            BookRules(),
            invoice_id=invoice.id,
            number=number,
            trigger=trigger,
            at=NEW_YEAR,
        )
    assert not isinstance(answer, GateRefused)
    return answer


async def _invoice(database: Database, invoice: Invoice) -> Invoice:
    async with database.read() as session:
        return await session.get_one(Invoice, invoice.id)


async def _written(database: Database) -> tuple[list[str], list[str]]:
    async with database.read() as session:
        events = (await session.exec(select(OutgoingEvent.name))).all()
        mails = (await session.exec(select(Message.kind))).all()
    return [name for name in events if name.startswith(("invoice.", "payment."))], list(mails)


@pytest.mark.parametrize("known", [None, "pi_1"])
async def test_what_was_credited_meanwhile_is_not_charged_by_the_next_attempt(
    sqlite_database: Database, known: str | None
) -> None:
    """A PaymentIntent keeps its amount: confirmed again it would take 34.80 where 17.96 are owed (I1)."""
    anna, invoice, attempt = await _owing(sqlite_database, payment_intent=known)
    await _credit_half_of_it(sqlite_database, anna)
    await _hear(sqlite_database, attempt, NO)
    second = await _begin(sqlite_database, invoice, 2, Trigger.CUSTOMER)
    assert second.amount_minor == second.request["params"]["amount"] == 1796
    assert second.request["operation"] == "create_and_confirm"
    assert second.idempotency_key == f"{invoice.id}:pi:2"
    assert (await _invoice(sqlite_database, invoice)).superseded_intent == "pi_1"


async def test_what_a_credit_leaves_below_the_minimum_is_not_in_arrears(sqlite_database: Database) -> None:
    """0.36 EUR can't be charged: a subscription must not stay past due for them (rules 10, 20)."""
    anna, invoice, _ = await _owing(
        sqlite_database, AttemptState.DECLINED, paid_minor=1760, in_arrears=True, payment_intent="pi_1"
    )
    await _credit_half_of_it(sqlite_database, anna)
    row = await _invoice(sqlite_database, invoice)
    assert (row.status, row.open_minor, row.in_arrears) == (InvoiceStatus.OPEN, 36, False)


async def test_an_attempt_that_was_queued_before_a_credit_charges_what_is_left(
    sqlite_database: Database,
) -> None:
    anna, invoice, _ = await _owing(sqlite_database, AttemptState.QUEUED)
    await _credit_half_of_it(sqlite_database, anna)
    begun = await _begin(sqlite_database, invoice, 1, Trigger.FIRST)
    assert (begun.state, begun.number) == (AttemptState.STARTED, 1)
    assert begun.amount_minor == begun.request["params"]["amount"] == 1796
    assert begun.idempotency_key == begun.request["idempotency_key"] == f"{invoice.id}:pi:2"
    assert begun.generation == 2


async def test_what_was_paid_beyond_a_credit_is_unapplied_cash(sqlite_database: Database) -> None:
    anna, invoice, attempt = await _owing(sqlite_database)
    await _credit_half_of_it(sqlite_database, anna)
    await _hear(sqlite_database, attempt, YES)
    row = await _invoice(sqlite_database, invoice)
    assert (row.status, row.paid_minor, row.open_minor) == (InvoiceStatus.PAID, 1796, 0)
    assert row.superseded_intent is None
    async with sqlite_database.read() as session:
        booked = await balances(session, anna.customer.id)
    assert booked["cash", "EUR"] == 3480
    assert booked["unapplied_cash", "EUR"] == -1684


@pytest.mark.parametrize("closed", ["dropped", "credited"])
async def test_money_for_an_invoice_that_asks_for_none_is_unapplied_and_pays_nothing(
    sqlite_database: Database, closed: str
) -> None:
    """The customer hears that the money came; nobody hears that an invoice was paid."""
    cases: dict[str, dict[str, Any]] = {
        "dropped": {"status": InvoiceStatus.VOID, "number": None, "gated": True},
        "credited": {"status": InvoiceStatus.PAID, "credited_minor": 3480, "closed_by": "credited: canceled"},
    }
    how = cases[closed]
    anna, invoice, attempt = await _owing(sqlite_database, **how)
    await _hear(sqlite_database, attempt, YES)
    row = await _invoice(sqlite_database, invoice)
    assert (row.status, row.paid_minor, row.paid_at) == (how["status"], 0, None)
    async with sqlite_database.read() as session:
        booked = await balances(session, anna.customer.id)
    assert booked == {("cash", "EUR"): 3480, ("unapplied_cash", "EUR"): -3480}
    assert await _written(sqlite_database) == (["payment.unapplied"], ["receipt"])


async def test_an_invoice_whose_first_charge_never_ran_gets_a_collection(sqlite_database: Database) -> None:
    """The provider refused the request as wrong: the invoice must not be left without an owner (engine 5)."""
    _, invoice, attempt = await _owing(sqlite_database, AttemptState.STARTED)
    async with sqlite_database.write() as session:
        await record_never_ran(session, Preparing(), BookRules(), attempt_id=attempt.id, at=NEW_YEAR)
    async with sqlite_database.read() as session:
        (collection,) = (await session.exec(select(Collection))).all()
        (attempt,) = await attempts_of(session, invoice.id)
    assert (collection.invoice_id, collection.role, collection.started_at) == (invoice.id, "driving", None)
    assert (await _invoice(sqlite_database, invoice)).owner == "collection"
    assert attempt.state is AttemptState.ABANDONED


@pytest.mark.parametrize("state", [AttemptState.SUCCEEDED, AttemptState.DECLINED, AttemptState.ABANDONED])
@pytest.mark.parametrize("late", [NO, Unknown(payment_intent="pi_1"), Canceled(payment_intent="pi_1")])
async def test_a_late_answer_changes_nothing_that_is_settled(
    sqlite_database: Database, state: AttemptState, late: Outcome
) -> None:
    """Of an activity that timed out, whose attempt was settled by another meanwhile (engine 2)."""
    status = InvoiceStatus.PAID if state is AttemptState.SUCCEEDED else InvoiceStatus.OPEN
    _, invoice, attempt = await _owing(sqlite_database, state, status=status, owner="collection")
    await _hear(sqlite_database, attempt, late)
    async with sqlite_database.read() as session:
        (after,) = await attempts_of(session, invoice.id)
    assert (after.state, after.decline_code, after.payment_intent) == (state, None, None)
    assert (await _invoice(sqlite_database, invoice)).status is status
    assert await _written(sqlite_database) == ([], [])


@pytest.mark.parametrize("state", [AttemptState.DECLINED, AttemptState.ABANDONED])
async def test_money_that_came_is_booked_once_however_late_it_is_heard_of(
    sqlite_database: Database, state: AttemptState
) -> None:
    anna, invoice, attempt = await _owing(sqlite_database, state, in_arrears=True)
    await _hear(sqlite_database, attempt, YES)
    await _hear(sqlite_database, attempt, YES)
    row = await _invoice(sqlite_database, invoice)
    assert (row.status, row.paid_minor, row.in_arrears) == (InvoiceStatus.PAID, 3480, False)
    async with sqlite_database.read() as session:
        booked = await balances(session, anna.customer.id)
    assert booked == {("cash", "EUR"): 3480, ("receivable", "EUR"): -3480}
    assert await _written(sqlite_database) == (["invoice.paid"], ["receipt"])


async def test_a_payment_under_way_is_not_made_unknown_by_a_look_that_failed(
    sqlite_database: Database,
) -> None:
    _, invoice, attempt = await _owing(sqlite_database, AttemptState.PROCESSING, owner="collection")
    await _hear(sqlite_database, attempt, Unknown())
    async with sqlite_database.read() as session:
        (after,) = await attempts_of(session, invoice.id)
    assert after.state is AttemptState.PROCESSING


async def test_a_written_off_invoice_is_paid_by_money_that_comes_after_all(sqlite_database: Database) -> None:
    """The debt remained (rules 11)."""
    _, invoice, attempt = await _owing(sqlite_database, status=InvoiceStatus.UNCOLLECTIBLE)
    await _hear(sqlite_database, attempt, YES)
    row = await _invoice(sqlite_database, invoice)
    assert (row.status, row.paid_minor, row.paid_at) == (InvoiceStatus.PAID, 3480, NEW_YEAR)
