"""The end of a chase waits for the money that is under way for an invoice that joined it (U15, U16, engine 8)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from support import factories
from support.disputed import Preparing, pays
from support.factories import NEW_YEAR, Someone
from support.transfers import accounts, fresh

from activities.books.chase_steps import look_at_case, take_case_step
from activities.books.chasing import collection_key, open_collection
from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.outcomes import record_outcome
from billing.chase import StepKind
from billing.dunning import EndForInvoice, EndForSubscription
from billing.payment import AttemptState, DeclineClass, Declined
from models.boundary import CaseReport, CaseStepOrder, LookOrder
from models.database import Database
from models.tables import (
    Collection,
    DunningPolicyVersion,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    SubscriptionRow,
)

END = datetime(2027, 2, 5, 8, 0, tzinfo=UTC)
"""9:00 in Paris on the last day of January's chase."""
DAY = timedelta(days=1)


async def _owing(database: Database, end: EndForInvoice) -> tuple[Someone, Invoice, Invoice, PaymentAttempt]:
    """January was declined and ends on 5 February; the payment of February, which joined it, is under way."""
    async with database.write() as session:
        anna = await factories.someone(session)
    february = NEW_YEAR + 31 * DAY
    async with database.write() as session:
        session.add(anna.subscription)
        older = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        driver = await open_collection(session, anna.subscription, older, NEW_YEAR)
        version = await session.get_one(DunningPolicyVersion, driver.policy_version_id)
        ends = {"end_for_invoice": end, "end_for_subscription": EndForSubscription.CANCEL}
        version.policy = version.policy.model_copy(update=ends)
        driver.noticed_through_day, driver.last_notice_on = 14, date(2027, 1, 29)
        driver.end_on = date(2027, 2, 5)
        session.add(
            factories.attempt(
                anna,
                older,
                state=AttemptState.DECLINED,
                decline_class=DeclineClass.NEW_PAYMENT_METHOD,
                decline_code="expired_card",
                settled_at=NEW_YEAR,
            )
        )
        older.in_arrears = True
        younger = await write_invoice(
            session, anna.subscription, factories.issue(factories.FEBRUARY), february, BookRules()
        )
        joined = await open_collection(session, anna.subscription, younger, february)
        assert joined.role == "joined"
        payment = factories.attempt(
            anna, younger, state=AttemptState.PROCESSING, payment_intent="pi_2", begun_at=february
        )
        session.add(payment)
    return anna, older, younger, payment


async def _end(database: Database, invoice: Invoice, at: datetime) -> CaseReport:
    async with database.write() as session:
        report = await look_at_case(session, Preparing(), BookRules(), LookOrder(id=invoice.id, as_of=at))
        assert (report.step.kind, report.step.due) == (StepKind.END, at)
    order = CaseStepOrder(invoice_id=invoice.id, kind="end", key="", as_of=at)
    async with database.write() as session:
        return await take_case_step(session, Preparing(), BookRules(), order)


async def _status(database: Database, anna: Someone) -> str:
    async with database.read() as session:
        return (await session.get_one(SubscriptionRow, anna.subscription.id)).status


@pytest.mark.parametrize("end", [EndForInvoice.CREDIT, EndForInvoice.UNCOLLECTIBLE, EndForInvoice.LEAVE_OPEN])
async def test_the_end_comes_the_morning_after_what_is_under_way_for_a_joined_invoice(
    sqlite_database: Database, end: EndForInvoice
) -> None:
    """Credited or written off while it is paid, the money of February would belong to nothing."""
    anna, older, younger, payment = await _owing(sqlite_database, end)
    report = await _end(sqlite_database, older, END)
    assert (report.step.kind, report.step.due) == (StepKind.END, END + DAY)
    assert [(await fresh(sqlite_database, one)).status.value for one in (older, younger)] == ["open", "open"]
    assert await _status(sqlite_database, anna) == "past_due"

    await pays(sqlite_database, payment, "ch_2")
    async with sqlite_database.write() as session:  # what January is charged for now is declined as before
        (await session.get_one(Collection, collection_key(older))).asked = []
    await _end(sqlite_database, older, END + DAY)
    assert await _status(sqlite_database, anna) == "canceled"
    assert (await fresh(sqlite_database, younger)).status is InvoiceStatus.PAID
    assert (await accounts(sqlite_database, anna.customer.id)).get("unapplied_cash", 0) == 0


async def test_what_is_declined_in_the_end_ends_with_the_driver(sqlite_database: Database) -> None:
    anna, older, younger, payment = await _owing(sqlite_database, EndForInvoice.UNCOLLECTIBLE)
    await _end(sqlite_database, older, END)
    no = Declined(payment_intent="pi_2", code="insufficient_funds", decline_class=DeclineClass.RETRY_LATER)
    async with sqlite_database.write() as session:
        await record_outcome(
            session, Preparing(), BookRules(), attempt_id=payment.id, outcome=no, at=END + DAY / 2
        )
    await _end(sqlite_database, older, END + DAY)
    states = [(await fresh(sqlite_database, one)).status.value for one in (older, younger)]
    assert states == ["uncollectible", "uncollectible"]
    assert await _status(sqlite_database, anna) == "canceled"
