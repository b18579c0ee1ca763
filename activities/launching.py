"""Handing an invoice to the workflow that chases it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.bookkeeping import faults_for_a_person
from activities.books import chase_steps
from activities.books.config import BookRules
from activities.books.gate import Prepares
from billing.errors import InvalidInput
from models.attributes import collection_attributes
from models.boundary import CaseReport, CollectionRun, LookOrder, TickTo
from models.database import Database

TASK_TIMEOUT: Final = timedelta(seconds=3)
"""So that a killed worker's tasks are taken over quickly (engine 25)."""


class Launcher:
    """Starts collections by id. They are nobody's child: a parent that continues as new leaves no trace on them."""

    def __init__(
        self, database: Database, gateway: Prepares, rules: BookRules, client: Client, *, task_queue: str
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._rules = rules
        self._client = client
        self._task_queue = task_queue

    @activity.defn(name="start_collection")
    @faults_for_a_person
    async def start_collection(self, run: CollectionRun) -> CaseReport:
        """Start `collection/<invoice id>` with what the books have, then note there that it runs.

        In this order: a start that got lost is still among the subscription's duties, and is made again.
        """
        if run.as_of is None:
            raise InvalidInput("A hand-over says when it is made.", field="as_of")
        order = LookOrder(id=run.invoice_id, as_of=run.as_of)
        async with self._database.write() as session:
            case = await chase_steps.look_at_case(session, self._gateway, self._rules, order)
        await self._launch(run, case, run.as_of)
        async with self._database.write() as session:
            await chase_steps.note_started(session, self._gateway, self._rules, order)
        return case

    async def _launch(self, run: CollectionRun, case: CaseReport, at: datetime) -> None:
        """Start the workflow; a closed one is begun anew (rules 16).

        One that runs already counts as started, and is told to look: it may have come before the invoice.
        """
        workflow_id = f"collection/{run.invoice_id}"
        try:
            await self._client.start_workflow(
                "collection",
                run.model_copy(update={"case": case}),
                id=workflow_id,
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                task_timeout=TASK_TIMEOUT,
                search_attributes=collection_attributes(case, run.clock_id),
                static_summary=f"chase of one invoice of {run.subscription_id}",
            )
        except WorkflowAlreadyStartedError:
            await self._client.get_workflow_handle(workflow_id).signal("look", TickTo(now=at))
