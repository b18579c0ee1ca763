"""What a subscription and a collection share: their time, hints to each other, and that nothing stops them midway."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from workflows.signals import SignalDesk
from workflows.timing import WorkflowClock

with workflow.unsafe.imports_passed_through():
    from models.boundary import Tick, TickTo, Wish

FIRST_RELEASE = "2026-11"
"""The marker that every history carries from its beginning (engine 29)."""


class Execution:
    """A long life that sleeps until something is due, or until there is news."""

    def __init__(self, *, now: datetime | None, desk: SignalDesk) -> None:
        """Begin a run.

        Args:
            now: the test clock's now; None lives by Temporal's own time.
            desk: takes in the signals.
        """
        self.clock = WorkflowClock(now)
        self.desk = desk
        self.has_news = False
        self.is_asked_to_recycle = False
        self.cancel_was_pressed = False

    @workflow.update(name="tick", description="Test clocks only: move this execution's time on.")
    async def tick(self, to: TickTo) -> Tick:
        """Move on and answer when everything due is done."""
        return await self.clock.tick(to)

    @workflow.signal(name="look", description="Something changed in the books: read them again.")
    def look(self, raw: RawValue) -> None:
        """A hint that the rows have changed; it brings the sender's time along."""
        hint = self.desk.decode(raw, TickTo, signal="look")
        if hint is not None:
            self.clock.hear(hint.now)
            self.has_news = True

    @workflow.signal(name="recycle", description="Begin a new run with the same state, to take up new code.")
    def recycle(self) -> None:
        """Continue as new at the next quiet moment (engine 29)."""
        self.is_asked_to_recycle = True

    async def _shielded_from_cancel(self, life: Coroutine[None, None, None]) -> None:
        """A Cancel in the UI reaches the flag, never a charge in flight (engine 4)."""
        living = asyncio.create_task(life)
        while not living.done():
            try:
                await asyncio.shield(living)
            except asyncio.CancelledError:
                self.cancel_was_pressed = True
        living.result()

    async def _wake(self, workflow_id: str) -> None:
        """Let another execution look at its rows again."""
        await self._tell(workflow_id, "look", TickTo(now=self.clock.now))

    async def _tell(self, workflow_id: str, signal: str, content: Wish | TickTo) -> None:
        """A hint: the books have it already, and an execution that is gone has nothing left to do (engine 7)."""
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(signal, content)
        except ApplicationError as gone:
            workflow.logger.info("%s did not hear: %s", workflow_id, gone.message)
