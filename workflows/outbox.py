"""Keeps the outbox moving: mails and events leave, what comes in is handed on, whichever worker dies (engine 19-21)."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import calls

ROUNDS_PER_RUN = 200
"""Rounds before a run of its own begins, so that histories stay short."""
PAUSE = timedelta(seconds=5)


@workflow.defn(name="outbox")
class OutboxWorkflow:
    """One small, long-lived workflow that always has one draining activity running."""

    @workflow.run
    async def run(self) -> None:
        """Drain, and drain again."""
        workflow.set_current_details(
            "Sends mails and events, hands on what comes in. Always running; never needs input."
        )
        for _ in range(ROUNDS_PER_RUN):
            try:
                await calls.drain_outbox()
            except ActivityError as failure:
                workflow.logger.warning("The outbox paused: %s", failure.cause)
                await workflow.sleep(PAUSE)
        workflow.continue_as_new()
