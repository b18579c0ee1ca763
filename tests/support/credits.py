"""Days that are given back, through the same transaction as a cancel's."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.changing import draw_up_credit, write_notes
from activities.books.config import BookRules
from activities.books.work import Work
from activities.gateway import Charge, PreparedRequest
from activities.stripe_requests import prepare
from billing.effects import CreditUnused
from models.tables import CreditNote, SubscriptionRow


class _Prepares:
    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


async def credit_unused(
    session: AsyncSession,
    row: SubscriptionRow,
    *,
    from_on: date,
    command_id: str,
    reason: str,
    at: datetime,
    rules: BookRules,
) -> CreditNote:
    """Give back what was billed from a day on; answers the one credit note of it."""
    work = Work(session, _Prepares(), rules, row, at, command_id)
    bill = await draw_up_credit(work, CreditUnused(from_on, reason))
    await write_notes(work, bill, reason=reason)
    found = await session.exec(select(CreditNote).where(CreditNote.command_id == command_id))
    return found.one()
