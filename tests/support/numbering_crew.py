"""Processes that issue documents at once, die in the middle of it, and are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.crediting import credit_in_full
from activities.books.issuing import write_invoice
from activities.books.rows import lock_subscription
from billing.calendar import Interval, Schedule
from models.database import Database
from models.tables import Invoice, SubscriptionRow
from support import factories

WEEKS = Schedule(
    anchor=factories.JANUARY.start, interval=Interval.parse("1week"), timezone=factories.entity().timezone
)
TOGETHER = 5
"""Invoices that one transaction issues, as after a standstill of several periods."""
CREDITED_EVERY = 32
"""Turns after which each subscription has a credit note, in the transaction of its invoices."""
LOST_EVERY = 25
"""Turns after which a transaction fails although it has its numbers."""
GATED_EVERY = 25
"""Turns after which a draft is written beside, that waits for its payment and has no number."""


class Lost(Exception):
    """A transaction fails at its end."""


@dataclass(frozen=True)
class Share:
    """What one process has to issue.

    Attributes:
        member: counts the processes, from 0.
        url: of the books.
        subscriptions: those that it bills in turn.
        turns: how many transactions, of five invoices each.
        dies_at: the turn at which it is killed between taking numbers and committing them.
    """

    member: int
    url: str
    subscriptions: tuple[str, ...]
    turns: int
    dies_at: int | None = None

    def for_a_successor(self) -> Share:
        """The same work, for somebody who lives."""
        return replace(self, dies_at=None)


async def issue(session: AsyncSession, row: SubscriptionRow, week: int, at: datetime) -> Invoice:
    """The invoice of a week, the way the product issues it."""
    return await write_invoice(session, row, factories.issue(WEEKS.period(week)), at, BookRules())


async def issue_gated(session: AsyncSession, row: SubscriptionRow, week: int, at: datetime) -> Invoice:
    """A draft that waits for its payment."""
    period = WEEKS.period(week)
    return await write_invoice(session, row, factories.issue(period, gated=True), at, BookRules())


async def credit(session: AsyncSession, row: SubscriptionRow, invoice: Invoice, at: datetime) -> None:
    """All of an invoice, the way the product credits it."""
    command = f"credit-{invoice.id}"
    await credit_in_full(session, row, invoice, command_id=command, reason="asked", at=at, rules=BookRules())


def work(share: Share) -> None:
    """Issue a share, from where a predecessor was killed."""
    asyncio.run(_work(share))


async def _work(share: Share) -> None:
    database = Database(share.url, pool_size=1)
    try:
        done = await _issued_before(database, share) // TOGETHER
        for turn in range(max(0, done - 1), share.turns):  # the last one again: it has no effect
            if turn % LOST_EVERY == share.member:
                with suppress(Lost):
                    await _take_turn(database, share, turn, fails=True)
            await _take_turn(database, share, turn)
    finally:
        await database.close()


async def _issued_before(database: Database, share: Share) -> int:
    query = select(func.count()).where(
        Invoice.subscription_id.in_(share.subscriptions),  # type: ignore[attr-defined]
        Invoice.number.is_not(None),  # type: ignore[union-attr]
    )
    async with database.read() as session:
        return (await session.exec(query)).one()


async def _take_turn(database: Database, share: Share, turn: int, *, fails: bool = False) -> None:
    round_, place = divmod(turn, len(share.subscriptions))
    weeks = range(round_ * TOGETHER, (round_ + 1) * TOGETHER)
    at = factories.NEW_YEAR + timedelta(hours=(turn * 7 + share.member * 11) % 50 + turn)
    async with database.write() as session:
        row = await lock_subscription(session, share.subscriptions[place])
        corrects = turn % CREDITED_EVERY < len(share.subscriptions) and round_ > 0
        if corrects and share.member % 2:
            await credit(session, row, await issue(session, row, weeks[0] - 1, at), at)
        for week in weeks:
            invoice = await issue(session, row, week, at)
            if turn == share.dies_at and week == weeks[2]:
                os.kill(os.getpid(), signal.SIGKILL)
        if corrects and not share.member % 2:
            await credit(session, row, invoice, at)
        if turn % GATED_EVERY == 0:
            await issue_gated(session, row, share.turns * TOGETHER + turn, at)
        if fails:
            raise Lost
