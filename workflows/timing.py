"""The one way in which a workflow waits: by Temporal's time, or by a test clock that stands still (engine 24)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.boundary import Tick, TickTo


class WorkflowClock:
    """What time it is, and waiting for what is due. Nothing else in a workflow reads time."""

    def __init__(self, now: datetime | None) -> None:
        """Start.

        Args:
            now: the test clock's now; None lives by Temporal's own time.
        """
        self._now = now
        self.due: datetime | None = None
        self.resting = False
        self.leaving = False
        self.version = 0
        self._woken: Callable[[], bool] = lambda: False

    @property
    def now(self) -> datetime:
        """The present instant, in UTC."""
        return workflow.now() if self._now is None else self._now

    @property
    def test_now(self) -> datetime | None:
        """What the next run has to carry on with."""
        return self._now

    def as_told(self, at: datetime | None) -> datetime:
        """The larger of the sender's now and ours; without a test clock ours."""
        return self.now if self._now is None or at is None else max(self._now, at)

    def hear(self, at: datetime | None) -> None:
        """Take the larger of the sender's now and ours; without a test clock there is nothing to hear."""
        if self._now is not None:
            self._now = self.as_told(at)

    async def until(self, due: datetime | None, *, or_woken: Callable[[], bool], why: str) -> bool:
        """Wait for an instant, or for news.

        Args:
            due: the instant; in the past it is due at once; None waits for news only.
            or_woken: whether there is news.
            why: the timer's summary in the UI.

        Returns:
            True when the instant came, False when news came first.
        """
        self.due, self._woken = due, or_woken
        self.version += 1
        self.resting = True
        try:
            return await self._wait(due, or_woken, why)
        finally:
            self.resting = False

    async def _wait(self, due: datetime | None, woken: Callable[[], bool], why: str) -> bool:
        if woken():
            return False
        if self._now is not None or due is None:
            await workflow.wait_condition(lambda: woken() or self._is_due(due))
            return not woken()
        delay = due - workflow.now()
        if delay <= timedelta(0):
            return True
        try:
            await workflow.wait_condition(woken, timeout=delay, timeout_summary=why)
        except TimeoutError:
            return True
        return False

    def _is_due(self, due: datetime | None) -> bool:
        return self._now is not None and due is not None and self._now >= due

    def _is_quiet(self) -> bool:
        has_nothing_due = self.due is None or self.due > self.now
        return self.leaving or (self.resting and has_nothing_due and not self._woken())

    async def tick(self, to: TickTo) -> Tick:
        """Move on, and answer once everything that became due is done. A repeated tick does nothing."""
        self.hear(to.now)
        await workflow.wait_condition(self._is_quiet)
        return Tick(due=self.due, version=self.version, leaving=self.leaving)
