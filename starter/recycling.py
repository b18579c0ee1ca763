"""Moving sleeping workflows to new code, a few at a time (engine 29)."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError

from billing.values import Value
from starter.hints import tell

PER_SECOND: Final = 20.0
"""Signals a second by default: each one is a workflow task and a new run."""
_KINDS: Final = ("subscription", "collection")


class Recycled(Value):
    """What a round of recycling did."""

    asked: int
    """Executions that were told to begin a new run."""
    up_to_date: int
    """Executions whose last work was done by the build already."""


async def recycle_older_than(client: Client, build_id: str, *, per_second: float = PER_SECOND) -> Recycled:
    """Tell every running execution that another build worked on last to begin a new run, with the same state.

    Args:
        client: connected.
        build_id: the build that is rolled out; what it worked on last is left alone.
        per_second: the rate at which signals are sent.
    """
    asked = up_to_date = 0
    for kind in _KINDS:
        query = f'WorkflowType = "{kind}" AND ExecutionStatus = "Running"'
        async for execution in client.list_workflows(query):
            try:
                description = await client.get_workflow_handle(execution.id).describe()
            except RPCError:
                continue  # it ended meanwhile
            if build_of(description) == build_id:
                up_to_date += 1
                continue
            asked += await tell_to_recycle(client, execution.id)
            await asyncio.sleep(1 / per_second)
    return Recycled(asked=asked, up_to_date=up_to_date)


async def tell_to_recycle(client: Client, workflow_id: str) -> bool:
    """Ask one execution to begin a new run at its next quiet moment; whether it was there."""
    return await tell(client, workflow_id, "recycle")


def build_of(description: WorkflowExecutionDescription) -> str:
    """The build that completed the last workflow task; empty where none has yet."""
    info = description.raw_description.workflow_execution_info
    return info.most_recent_worker_version_stamp.build_id
