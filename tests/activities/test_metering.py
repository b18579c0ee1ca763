"""Drafts that wait for usage: none stays behind (I3), and a cancel does not lose them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError
from sqlmodel import col, select
from support import factories
from support.bookkeeping import signs_up
from support.metered import BASE, CALLS
from support.priced import plan

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.metering import UsageReport, close_usage
from activities.books.steps import apply_command
from activities.books.transitions import collect_invoice
from activities.books.work import Work
from activities.stripe_gateway import StripeGateway
from billing.commands import Cancel, When
from billing.errors import InvalidInput
from models.boundary import CommandOrder
from models.database import Database
from models.tables import (
    Collection,
    Invoice,
    InvoiceStatus,
    JournalLine,
    Message,
    NumberSeries,
    PaymentAttempt,
)

CLOSES = datetime(2027, 2, 2, 8, tzinfo=UTC)


async def test_every_draft_that_waits_is_issued(database: Database) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        for delay, period in enumerate((factories.JANUARY, factories.FEBRUARY)):
            issue = factories.issue(period, waits_for_usage=True, delay_days=delay)
            await write_invoice(session, anna.subscription, issue, CLOSES, BookRules())
        drafts = (await session.exec(select(Invoice))).all()
        assert [draft.status for draft in drafts] == [InvoiceStatus.DRAFT, InvoiceStatus.DRAFT]
        gateway = StripeGateway(api_key="sk_test_none", api_base="http://127.0.0.1:9")
        work = Work(session, gateway, BookRules(), anna.subscription, CLOSES)
        issued = await close_usage(work)
        assert [(invoice.number, invoice.period_start, invoice.delay_days) for invoice in issued] == [
            ("F-000001", factories.JANUARY.start, 0),
            ("F-000002", factories.FEBRUARY.start, 1),
        ]
        assert await close_usage(work) == []


async def test_a_cancel_drops_what_nobody_decided_on_and_keeps_what_waits_for_usage(
    database: Database,
) -> None:
    async with database.write() as session:
        anna = await factories.someone(session, period=factories.FEBRUARY)
        missed = factories.issue(factories.JANUARY, draft=True)
        begun = factories.issue(factories.FEBRUARY, waits_for_usage=True)
        for issue in (missed, begun):
            await write_invoice(session, anna.subscription, issue, CLOSES, BookRules())
        command = Cancel(command_id="cmd_1", when=When.NOW)
        order = CommandOrder(subscription_id=anna.subscription.id, command=command, as_of=CLOSES)
        gateway = StripeGateway(api_key="sk_test_none", api_base="http://127.0.0.1:9")
        assert not (await apply_command(session, gateway, BookRules(), order)).refused
    async with database.read() as session:
        query = select(Invoice).order_by(col(Invoice.period_start))
        dropped, kept = (await session.exec(query)).all()
    assert (dropped.status, dropped.closed_by) == (InvoiceStatus.VOID, "the subscription ended")
    # 2 February is used: 26 of 28 days of 29.00 are 26.93. 2.07, VAT 0.41
    assert (kept.status, kept.covers_until) == (InvoiceStatus.DRAFT, date(2027, 2, 3))
    assert (kept.net_minor, kept.vat_minor, kept.total_minor) == (207, 41, 248)


async def test_a_period_that_bills_nothing_takes_no_number_and_is_not_collected(database: Database) -> None:
    gateway = StripeGateway(api_key="sk_test_none", api_base="http://127.0.0.1:9")
    async with database.write() as session:
        anna = await factories.someone(session)
        only_usage = anna.subscription.state.terms.model_copy(update={"prices": (CALLS,)})
        first = factories.issue(factories.JANUARY, terms=only_usage)
        later = factories.issue(factories.FEBRUARY, terms=only_usage, waits_for_usage=True)
        written = await write_invoice(session, anna.subscription, first, CLOSES, BookRules())
        again = await write_invoice(session, anna.subscription, first, CLOSES, BookRules())
        assert written.id == again.id
        await write_invoice(session, anna.subscription, later, CLOSES, BookRules())
        work = Work(session, gateway, BookRules(), anna.subscription, CLOSES)
        for invoice in (written, *await close_usage(work)):
            await collect_invoice(work, invoice)
    async with database.read() as session:
        invoices = (await session.exec(select(Invoice).order_by(col(Invoice.period_start)))).all()
        assert [(i.period_start, i.status, i.number, i.closed_by) for i in invoices] == [
            (factories.JANUARY.start, InvoiceStatus.VOID, None, "nothing to bill"),
            (factories.FEBRUARY.start, InvoiceStatus.VOID, None, "nothing to bill"),
        ]
        for table in (JournalLine, Message, Collection, PaymentAttempt, NumberSeries):
            assert (await session.exec(select(table))).all() == []


async def test_a_period_that_costs_zero_is_still_an_invoice(database: Database) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        free = BASE.model_copy(update={"unit_amount": Decimal(0)})
        terms = anna.subscription.state.terms.model_copy(update={"prices": (free,)})
        issue = factories.issue(factories.JANUARY, terms=terms)
        invoice = await write_invoice(session, anna.subscription, issue, CLOSES, BookRules())
        assert (invoice.number, invoice.status) == ("F-000001", InvoiceStatus.PAID)


DEAR = CALLS.model_copy(update={"unit_amount": Decimal(999_999_999)})


async def test_usage_that_no_invoice_could_bill_is_refused_when_it_is_reported(
    sqlite_database: Database,
) -> None:
    """10,000 at 999,999,999.00 each are 9,999,999,990,000.00; with one more, above 10,000,000,000,000.00."""
    books = await signs_up(sqlite_database, plan(DEAR))
    await books.uses("10000", event_id="a")
    with pytest.raises(InvalidInput, match="more than an invoice can bill") as refused:
        await books.uses("1", event_id="b")
    assert refused.value.field == "quantity"
    await books.uses("-1", event_id="c")
    await books.uses("1", event_id="d")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 101}, "event_id"),
        ({"at": datetime(2027, 1, 4)}, "at"),  # noqa: DTZ001 - one without a zone is what is refused
    ],
    ids=["no id", "long id", "no zone"],
)
def test_a_report_that_cannot_be_names_its_field(wrong: dict[str, object], field: str) -> None:
    given = {"event_id": "a", "meter": "calls", "quantity": "1"}
    with pytest.raises(ValidationError) as refused:
        UsageReport.model_validate(given | wrong)
    assert refused.value.errors()[0]["loc"] == (field,)
