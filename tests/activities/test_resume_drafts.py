"""Steps of a subscription as transactions: what the pure decision cannot see, the books refuse."""

from datetime import date

import pytest
from support import factories
from support.factories import FEBRUARY, NEW_YEAR

from activities import stripe_requests
from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.steps import apply_command
from billing.commands import Resume
from billing.subscription import Parked
from models.boundary import CommandOrder
from models.database import Database
from models.tables import Invoice, InvoiceStatus


@pytest.mark.parametrize(
    ("starts", "refused", "left"),
    [
        ((date(2027, 1, 1),), "No draft waits for the period from 2027-01-01. Waiting: 2027-02-01.", "draft"),
        ((date(2027, 2, 1),), "", "open"),
        ((), "", "void"),
    ],
)
async def test_a_resume_names_drafts_that_wait(
    sqlite_database: Database, starts: tuple[date, ...], refused: str, left: str
) -> None:
    parked = Parked(reason="2 periods fell due at once.", since=NEW_YEAR, remedy="Look at the drafts.")
    async with sqlite_database.write() as session:
        anna = await factories.someone(session, parked=parked, period=FEBRUARY)
        session.add(factories.invoice(anna, status=InvoiceStatus.PAID, paid_minor=3480))
        draft = await write_invoice(
            session, anna.subscription, factories.issue(FEBRUARY, draft=True), NEW_YEAR, BookRules()
        )
        command = Resume(command_id="cmd_1", issue=starts)
        order = CommandOrder(subscription_id=anna.subscription.id, command=command, as_of=NEW_YEAR)
        answer = await apply_command(session, stripe_requests, BookRules(), order)
    assert answer.refused == refused
    async with sqlite_database.read() as session:
        assert (await session.get_one(Invoice, draft.id)).status.value == left
