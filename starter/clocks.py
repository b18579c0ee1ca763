"""Test clocks from outside: making one, moving it on, and waiting until everything on it has caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select

from activities.books.rows import get
from billing.errors import InvalidInput
from models.boundary import AdvanceTo
from models.ids import check_id, new_id
from models.tables import TestClock
from starter.connections import Connections
from starter.executions import start_clock
from starter.problems import AlreadyExists, ClockStuck, NoWorker
from starter.sending import send_command

LOOK_EVERY_SECONDS: Final = 0.1
STANDSTILL_SECONDS: Final = 180.0
"""A clock that has not moved for this long, and says no reason, has nobody who works on it."""

Progress = Callable[[datetime], None]
"""Told the clock's now whenever it has moved."""


class Clocks:
    """Test clocks, by their rows and by the `advance` Update of their workflows."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def create(self, name: str, now: datetime, *, clock_id: str | None = None) -> TestClock:
        """Make a clock that stands at `now`.

        Raises:
            InvalidInput: `now` has no offset, or the id is none or is taken.
        """
        _check_aware(now, field="now")
        key = check_id(clock_id, "clk", field="id") if clock_id is not None else new_id("clk")
        async with self._to.database.write() as session:
            existing = await session.get(TestClock, key)
            if existing is None:
                existing = TestClock(id=key, name=name, now=now, created_at=await self._to.now(session, None))
                session.add(existing)
            elif existing.name != name:
                raise AlreadyExists(f"There is another clock {key}. Take another id.", field="id")
            return existing

    async def find(self, clock_id: str) -> TestClock:
        """A clock as its row is now.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            return await get(session, TestClock, clock_id, field="clock")

    async def list(self) -> Sequence[TestClock]:
        """Every clock, oldest first."""
        async with self._to.database.read() as session:
            return (
                await session.exec(select(TestClock).order_by(col(TestClock.created_at), col(TestClock.id)))
            ).all()

    async def advance(self, clock_id: str, to: datetime, *, progress: Progress | None = None) -> datetime:
        """Move a clock on and wait until everything due up to then is done, in order (engine 24).

        Args:
            clock_id: which.
            to: the instant to arrive at.
            progress: told where the clock is on its way.

        Returns:
            The clock's now: `to`, or later where somebody else moved it further.

        Raises:
            InvalidInput: `to` lies before the clock's now, or has no offset.
            NotFound: there is no such clock.
            ClockStuck: something on it does not come to rest; says what.
            NoWorker, TemporalUnreachable: nobody moves it; ask again.
        """
        await self.set_off(clock_id, to)
        return await self._arrival(clock_id, to, progress)

    async def set_off(self, clock_id: str, to: datetime) -> None:
        """Let a clock move on, and wait for nothing.

        Raises:
            InvalidInput: `to` lies before the clock's now, or has no offset.
            NotFound: there is no such clock.
            NoWorker, TemporalUnreachable: nobody moves it; ask again.
        """
        _check_aware(to, field="to")
        clock = await self.find(clock_id)
        if to < clock.now:
            raise InvalidInput(
                f"The clock stands at {clock.now.isoformat()}; time only grows. Give a later instant.",
                field="to",
            )
        temporal = await self._to.temporal()
        await start_clock(temporal, self._to.settings, clock_id)
        await send_command(
            temporal,
            f"clock/{clock_id}",
            "advance",
            AdvanceTo(to=to),
            command_id=new_id("adv"),
            answer=type(None),
        )

    async def _arrival(self, clock_id: str, to: datetime, progress: Progress | None) -> datetime:
        loop = asyncio.get_running_loop()
        seen, moved_at = None, loop.time()
        while True:
            clock = await self.find(clock_id)
            if clock.now != seen:
                seen, moved_at = clock.now, loop.time()
                if progress is not None:
                    progress(clock.now)
            if clock.problem:
                raise ClockStuck(
                    f"The clock stays at {clock.now.isoformat()}: {clock.problem}. Mend it and advance again.",
                    field="clock",
                )
            if clock.now >= to and clock.advancing_to is None:
                return clock.now
            if loop.time() - moved_at > STANDSTILL_SECONDS:
                raise NoWorker(
                    f"The clock has stood at {clock.now.isoformat()} for {STANDSTILL_SECONDS:g} s. See that a "
                    "worker runs (relance worker), then advance it again."
                )
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _check_aware(at: datetime, *, field: str) -> None:
    if at.tzinfo is None:
        raise InvalidInput("An instant needs an offset, as in 2027-01-31T09:00:00Z.", field=field)
