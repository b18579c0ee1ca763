"""Handing an invoice to the workflow that chases it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import select
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.bookkeeping import faults_for_a_person
from activities.books import chase_steps
from activities.books.config import BookRules
from activities.books.gate import Prepares
from billing.errors import InvalidInput
from models.attributes import collection_attributes
from models.boundary import CaseReport, CollectionRun, LookOrder, TickTo
from models.database import Database
from models.tables import SubscriptionRow

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

        In this order: a start that got lost is still among the subscription's duties, and is made again. What the first
        look at the chase changes of the subscription, such as that it is past due without a method, it is told: it
        hands over and does not look.
        """
        if run.as_of is None:
            raise InvalidInput("A hand-over says when it is made.", field="as_of")
        order = LookOrder(id=run.invoice_id, as_of=run.as_of)
        async with self._database.write() as session:
            version = select(SubscriptionRow.version).where(SubscriptionRow.id == run.subscription_id)
            before = (await session.exec(version)).one()
            case = await chase_steps.look_at_case(session, self._gateway, self._rules, order)
        await self._launch(run, case, run.as_of)
        async with self._database.write() as session:
            await chase_steps.note_started(session, self._gateway, self._rules, order)
        if case.subscription_version > before:
            await self._hint(f"subscription/{run.subscription_id}", run.as_of)
        return case

    async def _hint(self, workflow_id: str, at: datetime) -> None:
        """One that is gone needs none (engine 7)."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal("look", TickTo(now=at))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

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
