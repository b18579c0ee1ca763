"""Handing incoming events on: to the collection, else to the subscription, else only noted (engine 21)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.books.inbox import Errand, errand_of, mark_handed_on, waiting_events
from activities.money_news import MoneyNews
from models.database import Database

logger = logging.getLogger(__name__)

LEFT_FOR_OTHERS: Final = timedelta(seconds=3)
"""Real time in which the process that took an event hands it on itself."""
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=30)
"""Real time before the next try, also where an event waits for the answer of the payment that it is about."""
PATIENCE: Final = timedelta(seconds=5)
"""For Temporal's answer to a signal."""


class Signals(Protocol):
    """Tells workflows of a fact."""

    async def tell(self, workflow_id: str, signal: str, fact: dict[str, str]) -> bool:
        """Whether such a workflow runs and was told."""
        ...


class TemporalSignals:
    """`Signals` over a Temporal client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tell(self, workflow_id: str, signal: str, fact: dict[str, str]) -> bool:
        """Signal a workflow by its id; a missing one is normal."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal(signal, fact, rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True


class Incoming:
    """Hands stored events on, one by one. Handing one on twice does no harm: it only makes somebody look."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        *,
        money: MoneyNews | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is read yet.

        Args:
            database: the books.
            signals: how workflows are told.
            money: looks at the provider for what began there; None where somebody else does: it stays in the inbox.
            now: real time.
        """
        self._database = database
        self._signals = signals
        self._money = money
        self._now = now
        self._rests_until: dict[str, datetime] = {}

    async def hand_on(self, event_id: str) -> str | None:
        """Do what a stored event asks for, and write that down.

        Returns:
            What was done; None when it stays in the inbox for a while.

        Raises:
            RPCError: Temporal is not there; the event stays in the inbox.
        """
        async with self._database.write() as session:
            errand = await errand_of(session, event_id, now=self._now())
        if errand.later:
            return None
        note = await self._look(event_id, errand) if errand.about else await self._tell(event_id, errand)
        if note is None:
            return None
        await self._wake(errand.wakes, errand.at)
        async with self._database.write() as session:
            await mark_handed_on(session, event_id, note, now=self._now())
        return note

    async def _look(self, event_id: str, errand: Errand) -> str | None:
        """What began at the provider is looked at there and booked; whoever has to act on it is told to look."""
        if errand.about is None or self._money is None:
            return None
        taken = await self._money.take(errand.about)
        if taken is None:
            self._rests_until[event_id] = self._now() + PAUSE_AFTER_FAILURE
            return None
        await self._wake(taken.wakes, taken.at)
        return taken.note

    async def _wake(self, workflow_ids: Iterable[str], at: datetime | None) -> None:
        for workflow_id in workflow_ids:
            await self._signals.tell(workflow_id, "look", {"now": (at or self._now()).isoformat()})

    async def _tell(self, event_id: str, errand: Errand) -> str:
        note = errand.note
        told = [("collection", errand.invoice_id), ("subscription", errand.subscription_id)]
        wanted = [f"{kind}/{key}" for kind, key in told if key is not None]
        fact = {"event_id": event_id}
        if errand.at is not None:
            fact["now"] = errand.at.isoformat()
        for workflow_id in wanted:
            if await self._signals.tell(workflow_id, "payment_settled", fact):
                note = f"handed on to {workflow_id}"
                break
        else:
            note = f"{note}; nobody runs: {', '.join(wanted)}" if wanted else note
        return note

    async def hand_on_waiting(self, *, limit: int = 50) -> int:
        """Hand on what was left in the inbox; an event that fails rests and holds back no other.

        Returns:
            How many events are dealt with.
        """
        now = self._now()
        self._rests_until = {key: until for key, until in self._rests_until.items() if until > now}
        async with self._database.read() as session:
            waiting = await waiting_events(session, before=now - LEFT_FOR_OTHERS, limit=limit)
        done = 0
        for event_id in waiting:
            if event_id in self._rests_until:
                continue
            try:
                done += await self.hand_on(event_id) is not None
            except Exception:
                logger.exception("Event %s could not be handed on; it stays in the inbox.", event_id)
                self._rests_until[event_id] = now + PAUSE_AFTER_FAILURE
        return done
