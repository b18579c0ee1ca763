from datetime import date, timedelta

from sqlmodel import col, select
from support import factories
from support.factories import NEW_YEAR
from support.processes import Crowd

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.journal import balances
from activities.books.rows import lock_subscription
from models.database import Database
from models.tables import (
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    JournalLine,
    Message,
    NumberSeries,
    OutgoingEvent,
)


async def _issue_january(_: int, url: str, subscription_id: str) -> str:
    database = Database(url, pool_size=1)
    try:
        async with database.write() as session:
            row = await lock_subscription(session, subscription_id)
            return (await write_invoice(session, row, factories.issue(), NEW_YEAR, BookRules())).id
    finally:
        await database.close()


async def test_five_processes_that_issue_one_period_issue_one_invoice(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)

    assert len(set(await crowd.run(_issue_january, database_url, anna.subscription.id))) == 1

    async with database.read() as session:
        (invoice,) = (await session.exec(select(Invoice))).all()
        (line,) = (await session.exec(select(InvoiceLine))).all()
        (counter,) = (await session.exec(select(NumberSeries))).all()
        events = (await session.exec(select(OutgoingEvent.sequence, OutgoingEvent.name))).all()
        mails = (await session.exec(select(Message.step).order_by(col(Message.step)))).all()
        sums = await balances(session, anna.customer.id)
    assert (invoice.number, invoice.status) == ("F-000001", InvoiceStatus.OPEN)
    assert (invoice.net_minor, invoice.vat_minor, invoice.total_minor) == (2900, 580, 3480)
    assert (line.document_id, line.net_minor) == (invoice.id, 2900)
    assert counter.last_number == 1
    assert [tuple(event) for event in events] == [(1, "invoice.issued")]
    assert list(mails) == ["invoice_issued"]
    assert sums == {("receivable", "EUR"): 3480, ("revenue", "EUR"): -2900, ("vat", "EUR"): -580}


async def test_the_books_have_a_document_on_the_date_that_is_printed_on_it(sqlite_database: Database) -> None:
    """A step that is written down late gets its number after one of the next month: date and VAT month follow."""
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        ben = await factories.someone(session, seller=anna.entity)
        first_of_february = NEW_YEAR + timedelta(days=31)
        await write_invoice(session, anna.subscription, factories.issue(), first_of_february, BookRules())
        late = await write_invoice(session, ben.subscription, factories.issue(), NEW_YEAR, BookRules())
    async with sqlite_database.read() as session:
        query = select(JournalLine).where(JournalLine.invoice_id == late.id)
        booked = (await session.exec(query)).all()
    assert (late.number, late.issued_on) == ("F-000002", date(2027, 2, 1))
    assert [(line.on, line.at) for line in booked] == [(date(2027, 2, 1), NEW_YEAR)] * 3


async def test_a_period_whose_draft_was_dropped_can_be_issued_again(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        draft = await write_invoice(
            session, anna.subscription, factories.issue(gated=True), NEW_YEAR, BookRules()
        )
        draft.status = InvoiceStatus.VOID
        again = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        repeated = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
    assert (again.status, again.number) == (InvoiceStatus.OPEN, "F-000001")
    assert again.id == repeated.id != draft.id
