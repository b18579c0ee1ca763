"""Orders of the sign-up page that a crash cut off half-way: found by the outbox's loop, and carried out (engine 21)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.errors import RelanceError
from models.tables import SignupSession
from starter.connections import Connections
from starter.customers import Customers
from starter.payment_methods import PaymentMethods
from starter.signup_sessions import is_past_carrying_out
from starter.signups import Signups
from starter.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

LEFT: Final = timedelta(minutes=1)
"""Real time after which nobody carries out an order any more who took it down."""
BETWEEN_LOOKS: Final = timedelta(seconds=15)
PAUSE_AFTER_FAILURE: Final = timedelta(minutes=5)
MOST_AT_ONCE: Final = 20
"""So that mails do not wait for long."""


class UnfinishedOrders:
    """Carries out what was ordered and not made. Several may do so at once: ids make it one subscription."""

    def __init__(self, to: Connections, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Nothing is looked for yet.

        Args:
            to: the books, Temporal and the provider.
            now: real time.
        """
        self._to = to
        self._now = now
        self._signups = Signups(to, Customers(to), PaymentMethods(to), Subscriptions(to))
        self._looks_at = now()
        self._rest: dict[str, datetime] = {}

    async def carry_out(self) -> int:
        """Look from time to time, and carry out what is found. What fails is named in the log, and rests.

        Returns:
            How many orders were carried out.
        """
        now = self._now()
        if now < self._looks_at:
            return 0
        self._looks_at = now + BETWEEN_LOOKS
        self._rest = {key: until for key, until in self._rest.items() if until > now}
        async with self._to.database.read() as session:
            found = [
                row.id
                for row in await unfinished(session, before=now - LEFT)
                if row.id not in self._rest and not await is_past_carrying_out(session, row, now)
            ]
        done = 0
        for key in found[:MOST_AT_ONCE]:
            if not await self._try(key, now):  # what holds one may hold all: the provider is down
                break
            done += 1
        return done

    async def _try(self, key: str, now: datetime) -> bool:
        """One order; whatever is wrong with it, it holds back nothing else."""
        try:
            said = await self.finish(key)
        except Exception as problem:
            said = f"could not be carried out: {problem}"
            if not isinstance(problem, RelanceError):
                logger.exception("The order %s failed.", key)
        if said is None:
            logger.info("The order %s, which was cut off, is carried out.", key)
            return True
        self._rest[key] = now + PAUSE_AFTER_FAILURE
        logger.warning("The order %s %s", key, said)
        return False

    async def finish(self, key: str) -> str | None:
        """Carry one out.

        Returns:
            Why it was not; None where it was.

        Raises:
            RelanceError: as `Signups.order`; it may be tried again.
        """
        async with self._to.database.read() as session:
            row = await session.get_one(SignupSession, key)
        if row.completed_at is not None:
            return None
        if (await self._signups.finish_alone(row)).is_as_shown:
            return None
        return "was not carried out: what it costs has changed since. Its page shows it anew"


async def unfinished(session: AsyncSession, *, before: datetime) -> Sequence[SignupSession]:
    """What was ordered before an instant of real time and is no subscription, oldest first."""
    query = (
        select(SignupSession)
        .where(
            col(SignupSession.completed_at).is_(None),
            col(SignupSession.ordered_at).is_not(None),
            col(SignupSession.ordered_at) <= before,
        )
        .order_by(col(SignupSession.ordered_at), col(SignupSession.id))
    )
    return (await session.exec(query)).all()
