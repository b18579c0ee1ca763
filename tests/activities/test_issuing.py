from sqlmodel import col, select
from support import factories
from support.factories import NEW_YEAR
from support.processes import Crowd

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.journal import balances
from activities.books.rows import lock_subscription
from models.database import Database
from models.tables import Invoice, InvoiceLine, InvoiceStatus, Message, NumberSeries, OutgoingEvent


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
