"""Starting the workflows of subscriptions, collections and clocks by their rows' ids, as often as asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.launching import TASK_TIMEOUT
from billing.errors import RelanceError
from billing.subscription import Subscription
from billing.values import Value
from models.attributes import chase_attributes, subscription_attributes
from models.boundary import ClockRun, CollectionRun, SubscriptionRun
from models.tables import Collection
from settings import Settings
from starter.connect import TemporalUnreachable

START_TIMEOUT: Final = timedelta(seconds=10)


class TemporalNotReady(RelanceError):
    """Temporal is there, and the namespace or its search attributes are not."""


async def start_subscription(
    client: Client,
    settings: Settings,
    subscription: Subscription,
    *,
    now: datetime | None,
    look_first: bool = False,
) -> bool:
    """Start the workflow of a subscription; one that runs or has ended is left alone.

    Args:
        client: connected.
        settings: for the task queues.
        subscription: as its row has it.
        now: its test clock's now; None lives by Temporal's time.
        look_first: read the rows before anything else, where time may have passed since they were written.

    Returns:
        Whether it was not over already.

    Raises:
        TemporalUnreachable: the start was not answered.
        TemporalNotReady: the namespace is not set up.
    """
    run = SubscriptionRun(
        subscription=subscription,
        now=now,
        look_first=look_first,
        payments_queue=settings.payments_task_queue,
    )
    return await _start(
        client,
        settings,
        "subscription",
        run,
        workflow_id=f"subscription/{subscription.id}",
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary=f"plan {subscription.terms.plan_name}, every {subscription.terms.interval.in_words}",
        attributes=subscription_attributes(subscription),
    )


async def start_collection(
    client: Client, settings: Settings, collection: Collection, *, now: datetime | None
) -> bool:
    """Start the chase of an invoice, under the id that its subscription would give it. Raises as above."""
    run = CollectionRun(
        invoice_id=collection.invoice_id,
        subscription_id=collection.subscription_id,
        now=now,
        clock_id=collection.clock_id,
        payments_queue=settings.payments_task_queue,
    )
    return await _start(
        client,
        settings,
        "collection",
        run,
        workflow_id=f"collection/{collection.invoice_id}",
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        summary=f"chase of one invoice of {collection.subscription_id}",
        attributes=chase_attributes(collection.role, None, collection.clock_id),
    )


async def start_clock(client: Client, settings: Settings, clock_id: str) -> None:
    """Start the workflow of a test clock. Raises as above."""
    await _start(
        client,
        settings,
        "clock",
        ClockRun(clock_id=clock_id),
        workflow_id=f"clock/{clock_id}",
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        summary="test clock",
    )


async def _start(
    client: Client,
    settings: Settings,
    workflow: str,
    run: Value,
    *,
    workflow_id: str,
    reuse: WorkflowIDReusePolicy,
    summary: str,
    attributes: TypedSearchAttributes | None = None,
) -> bool:
    try:
        await client.start_workflow(
            workflow,
            run,
            id=workflow_id,
            task_queue=settings.task_queue,
            id_reuse_policy=reuse,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
            static_summary=summary,
            search_attributes=attributes,
            rpc_timeout=START_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise _problem(error, settings) from error
    return True


def _problem(error: RPCError, settings: Settings) -> RelanceError:
    said = " ".join(error.message.split())
    if "search attribute" in said.lower():
        return TemporalNotReady(
            f"Temporal does not know our search attributes ({said}). Start a worker: it says which command "
            "registers them.",
            field="TEMPORAL_NAMESPACE",
        )
    if error.status is RPCStatusCode.NOT_FOUND:
        return TemporalNotReady(
            f"Temporal has no such namespace: {said}. Create it or set TEMPORAL_NAMESPACE.",
            field="TEMPORAL_NAMESPACE",
        )
    return TemporalUnreachable(
        f"Temporal at {settings.temporal_address} did not take the start: {said}. Ask again with the same id or "
        "reference; it is started once.",
        field="TEMPORAL_ADDRESS",
    )
