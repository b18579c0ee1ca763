"""Closing usage after downtime: no draft that waits for it stays behind (I3)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import select
from support import factories

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.metering import close_usage
from activities.books.work import Work
from activities.stripe_gateway import StripeGateway
from models.database import Database
from models.tables import Invoice, InvoiceStatus

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
