"""Keeps the outbox moving: mails leave, incoming events are handed on, whatever worker dies (engine 19, 21)."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

ROUNDS_PER_RUN = 200
"""Rounds before a run of its own begins, so that histories stay short."""
ROUND_TIMEOUT = timedelta(minutes=5)
HEARTBEAT_TIMEOUT = timedelta(seconds=15)
PAUSE = timedelta(seconds=5)


@workflow.defn(name="outbox")
class OutboxWorkflow:
    """One small, long-lived workflow that always has one draining activity running."""

    @workflow.run
    async def run(self) -> None:
        """Drain, and drain again."""
        workflow.set_current_details(
            "Sends mails and hands on incoming events. Always running; never needs input."
        )
        for _ in range(ROUNDS_PER_RUN):
            try:
                await workflow.execute_activity(
                    "drain_outbox",
                    start_to_close_timeout=ROUND_TIMEOUT,
                    heartbeat_timeout=HEARTBEAT_TIMEOUT,
                    retry_policy=RetryPolicy(
                        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)
                    ),
                    summary="send what is queued",
                )
            except ActivityError as failure:
                workflow.logger.warning("The outbox paused: %s", failure.cause)
                await workflow.sleep(PAUSE)
        workflow.continue_as_new()
