"""Advancing a test clock: every due instant in order, across all executions on it (engine 24)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx
from sqlmodel import col, select
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from activities.bookkeeping import faults_for_a_person
from activities.books.rows import goes_on, lock
from activities.heartbeats import beating
from activities.tls import trusted
from activities.worker_shutdown import raise_if_cancelled, while_the_worker_lives
from billing.errors import InvalidInput
from models.boundary import AdvanceOrder, ClockRun, Tick, TickTo
from models.database import Database
from models.tables import Collection, IncomingEvent, SubscriptionRow, TestClock

SETTLE_SECONDS: Final = 60
"""Real seconds after which a settle that is not quiet says who and why."""
TICK_SECONDS: Final = 5
"""How long one tick may hang: one that came while a run was closing can be left without any answer."""
PEER_SECONDS: Final = 60
BEAT_SECONDS: Final = 1.0


@dataclass(frozen=True, order=True)
class Member:
    """An execution on a clock. Collections come before subscriptions, then by id."""

    rank: int
    workflow_id: str
    family: str = field(compare=False)
    """The subscription that it belongs to: who else may move when it does."""


@dataclass
class _Round:
    """What is known of the members while a clock advances."""

    ticks: dict[Member, Tick] = field(default_factory=dict)

    def earliest(self) -> datetime | None:
        """The first instant at which any member has something due."""
        return min((tick.due for tick in self.ticks.values() if tick.due is not None), default=None)

    def due_by(self, now: datetime) -> set[Member]:
        """The members that have something due."""
        return {member for member, tick in self.ticks.items() if tick.due is not None and tick.due <= now}


class TestClocks:
    """The activities of test clocks. Moves the members by their `tick` Update, and the peers along with them."""

    def __init__(
        self,
        database: Database,
        client: Client,
        *,
        peers: Sequence[str] = (),
        drain: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        """Nothing is connected yet.

        Args:
            database: the books.
            client: sends the ticks; a workflow can't send Updates.
            peers: addresses that keep time along with the clocks, such as the fake Stripe.
            drain: sends what is queued in the outbox and answers how many rows it moved.
        """
        self._database = database
        self._client = client
        self._peers = peers
        self._drain = drain

    @activity.defn(name="aim_clock")
    @faults_for_a_person
    async def aim_clock(self, order: AdvanceOrder) -> None:
        """Write down where the clock is to go; time only grows."""
        async with self._database.write() as session:
            clock = await lock(session, TestClock, order.clock_id, field="clock")
            if order.to < clock.now:
                raise InvalidInput(
                    f"The clock stands at {clock.now.isoformat()}; time only grows. Give a later instant.",
                    field="to",
                )
            clock.advancing_to = max(order.to, clock.advancing_to or order.to)
            clock.problem = ""

    @activity.defn(name="advance_clock")
    async def advance_clock(self, order: ClockRun) -> None:
        """Visit every due instant up to the target; a problem is written on the clock's row, which then stays."""
        try:
            async with beating(every=BEAT_SECONDS):
                await while_the_worker_lives(self._advance(order.clock_id))
        except _NotQuiet as problem:
            async with self._database.write() as session:
                clock = await lock(session, TestClock, order.clock_id, field="clock")
                clock.problem, clock.advancing_to = str(problem), None

    async def _advance(self, clock_id: str) -> None:
        async with httpx.AsyncClient(timeout=PEER_SECONDS, verify=trusted()) as http:
            round_ = _Round()
            now, target = await self._read(clock_id)
            await self._settle(clock_id, now, round_, await self._members(clock_id))
            while target is not None:
                due = [d for d in (round_.earliest(), await self._peers_due(http, clock_id)) if d is not None]
                now = max(now, min([*due, target]))
                await self._set_now(clock_id, now)
                await self._move_peers(http, clock_id, now)
                await self._settle(clock_id, now, round_, round_.due_by(now))
                if now >= target:
                    target = await self._arrive(clock_id, now)

    async def _read(self, clock_id: str) -> tuple[datetime, datetime | None]:
        async with self._database.read() as session:
            clock = await session.get_one(TestClock, clock_id)
            return clock.now, clock.advancing_to

    async def _set_now(self, clock_id: str, now: datetime) -> None:
        async with self._database.write() as session:
            clock = await lock(session, TestClock, clock_id, field="clock")
            clock.now = max(clock.now, now)

    async def _arrive(self, clock_id: str, now: datetime) -> datetime | None:
        """The target is reached: the row says so, unless a later one was given meanwhile."""
        async with self._database.write() as session:
            clock = await lock(session, TestClock, clock_id, field="clock")
            if clock.advancing_to is None or clock.advancing_to <= now:
                clock.advancing_to = None
            return clock.advancing_to

    async def _members(self, clock_id: str) -> set[Member]:
        async with self._database.read() as session:
            subscriptions = select(SubscriptionRow.id).where(SubscriptionRow.clock_id == clock_id, goes_on())
            collections = select(Collection.invoice_id, Collection.subscription_id).where(
                Collection.clock_id == clock_id, col(Collection.closed_at).is_(None)
            )
            members = {
                Member(1, f"subscription/{id_}", id_) for id_ in (await session.exec(subscriptions)).all()
            }
            for invoice_id, subscription_id in (await session.exec(collections)).all():
                members.add(Member(0, f"collection/{invoice_id}", subscription_id))
            return members

    async def _settle(self, clock_id: str, now: datetime, round_: _Round, first: set[Member]) -> None:
        """Tick whoever has something to do, one after the other, until a pass changes nothing."""
        started, pending = time.monotonic(), first
        while True:
            moved = {member for member in sorted(pending) if await self._has_moved(member, now, round_)}
            members = await self._members(clock_id)
            families = {member.family for member in moved}
            for gone in set(round_.ticks) - members:
                del round_.ticks[gone]
            pending = {m for m in members if m.family in families or m not in round_.ticks}
            drained = await self._drain() if self._drain is not None else 0
            if not pending and not drained and not await self._inbox():
                return
            if time.monotonic() - started > SETTLE_SECONDS:
                who = ", ".join(sorted(member.workflow_id for member in pending)) or "the outbox or the inbox"
                raise _NotQuiet(
                    f"At {now.isoformat()} this did not come to rest in {SETTLE_SECONDS} s: {who}"
                )

    async def _has_moved(self, member: Member, now: datetime, round_: _Round) -> bool:
        """Tick one member; whether it did anything since it was last seen."""
        before = round_.ticks.get(member)
        tick = await self._tick(member, now)
        if tick is None:
            round_.ticks.pop(member, None)
            return True
        round_.ticks[member] = tick
        return tick.leaving or before is None or before.version != tick.version or before.due != tick.due

    async def _tick(self, member: Member, now: datetime) -> Tick | None:
        """Where the member stands once it rests; None while it is between two runs, or not started yet."""
        handle = self._client.get_workflow_handle(member.workflow_id)
        try:
            tick: Tick = await handle.execute_update(
                "tick", TickTo(now=now), result_type=Tick, rpc_timeout=timedelta(seconds=TICK_SECONDS)
            )
        except WorkflowUpdateFailedError:
            return None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise_if_cancelled()
            return None
        except RPCError as error:
            raise_if_cancelled()
            if error.status in _PASSING:
                await asyncio.sleep(0.02)
                return None
            raise
        return tick

    async def _inbox(self) -> bool:
        async with self._database.read() as session:
            waiting = select(IncomingEvent.id).where(col(IncomingEvent.handed_on_at).is_(None)).limit(1)
            return (await session.exec(waiting)).first() is not None

    async def _peers_due(self, http: httpx.AsyncClient, clock_id: str) -> datetime | None:
        dues: list[datetime] = []
        for peer in self._peers:
            answer = await http.get(f"{peer}/{clock_id}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                continue
            next_due = answer.raise_for_status().json()["next_due"]
            if next_due is not None:
                dues.append(datetime.fromisoformat(next_due))
        return min(dues, default=None)

    async def _move_peers(self, http: httpx.AsyncClient, clock_id: str, now: datetime) -> None:
        for peer in self._peers:
            answer = await http.post(f"{peer}/{clock_id}", json={"to": now.isoformat()})
            if answer.status_code != httpx.codes.NOT_FOUND:
                answer.raise_for_status()


_PASSING: Final = frozenset(
    {
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.ABORTED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)
"""What the server says while an execution is between two runs, not started yet, or just gone."""


class _NotQuiet(Exception):
    """Something on the clock does not come to rest; the message names it."""
