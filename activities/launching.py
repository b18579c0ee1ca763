"""Starting the workflow that chases an invoice."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from models.boundary import CollectionRun

TASK_TIMEOUT: Final = timedelta(seconds=3)
"""So that a killed worker's tasks are taken over quickly (engine 25)."""
CLOCK_ID: Final = SearchAttributeKey.for_keyword("ClockId")


class Launcher:
    """Starts collections by id. They are nobody's child: a parent that continues as new leaves no trace on them."""

    def __init__(self, client: Client, *, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    @activity.defn(name="start_collection")
    async def start_collection(self, run: CollectionRun) -> None:
        """Start `collection/<invoice id>`; one that runs already counts as started, a closed one is begun anew."""
        clock = [] if run.clock_id is None else [SearchAttributePair(CLOCK_ID, run.clock_id)]
        await self._client.start_workflow(
            "collection",
            run,
            id=f"collection/{run.invoice_id}",
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
            search_attributes=TypedSearchAttributes(clock),
            static_summary=f"chase of one invoice of {run.subscription_id}",
        )
