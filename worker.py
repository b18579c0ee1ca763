"""The process that runs workflows and activities: `python worker.py`, or `relance worker`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.common import WorkerDeploymentVersion, WorkflowIDConflictPolicy
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.bookkeeping import Books
from activities.books.config import BookRules
from activities.clocks import TestClocks
from activities.deliveries import Deliveries, DeliveryRules
from activities.gateway import PaymentGateway
from activities.launching import Launcher
from activities.mailer import Mailer
from activities.messages import Messages, OutboxRules
from activities.money_news import MoneyNews
from activities.payments import Payments
from activities.reconciling import Reconciler
from activities.refunds import Refunds
from activities.rendering import Renderings
from activities.sendgrid_mailer import SendGridMailer
from activities.stripe_gateway import StripeGateway
from billing.errors import RelanceError
from models.attributes import ALL_ATTRIBUTES
from models.database import Database
from models.schema import check_schema
from settings import Settings, load_settings
from starter.connect import connect
from starter.connections import Connections
from starter.unfinished_orders import UnfinishedOrders
from workflows.clock import ClockWorkflow
from workflows.collection import CollectionWorkflow
from workflows.outbox import OutboxWorkflow
from workflows.reconciler import ReconcilerWorkflow
from workflows.subscription import SubscriptionWorkflow

WORKFLOWS: Final = (
    SubscriptionWorkflow,
    CollectionWorkflow,
    OutboxWorkflow,
    ClockWorkflow,
    ReconcilerWorkflow,
)
RECONCILER: Final = "reconciler"
"""Id of the schedule that reads the provider's events back, and of its workflow."""
STICKY_TIMEOUT: Final = timedelta(seconds=1)
"""How long a killed worker's tasks wait for it before another takes them (engine 25)."""
GRACE: Final = timedelta(seconds=35)
"""For work in flight at a shutdown: longer than the longest charge."""
YIELD_SECONDS: Final = 0.2
"""Before the interpreter ends: a process that held a Temporal client may otherwise crash after its work is done."""
PASSED_THROUGH: Final = ("billing", "models", "pydantic", "pydantic_core", "whenever", "annotated_types")
"""Modules that workflows share with the process: pure, or values only (temporal 3.10)."""

logger = logging.getLogger("relance.worker")


class SearchAttributesMissing(RelanceError):
    """The namespace lacks search attributes that the workflows set."""


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox that workflows run in: the same for workers and for the replay of recorded histories."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    )


def build_workers(
    client: Client, settings: Settings, database: Database, gateway: PaymentGateway, mailer: Mailer
) -> tuple[Worker, Worker]:
    """The two workers of a process: workflows and books, and the capped payments queue (engine 26)."""
    rules = BookRules.of(settings)
    books = Books(database, gateway, rules)
    launcher = Launcher(database, gateway, rules, client, task_queue=settings.task_queue)
    sending = OutboxRules.of(settings)
    payments = Payments(database, gateway, rules, launcher, sending.links)
    renderings = Renderings(database, folder=settings.documents_folder)
    refunds = Refunds(database, gateway, rules)
    money = MoneyNews(database, gateway, rules, launcher, payments_queue=settings.payments_task_queue)
    deliveries = Deliveries(database, mailer, DeliveryRules.of(settings))
    orders = UnfinishedOrders(Connections(database, settings, temporal=client, gateway=gateway))
    messages = Messages(
        database,
        mailer,
        sending,
        renderings=renderings,
        refunds=refunds,
        money=money,
        deliveries=deliveries,
        finish_orders=orders.carry_out,
    )

    async def settle() -> int:
        """What a clock waits for: mails leave and events can be read; whether a backend takes them is its affair."""
        return await messages.drain() + await deliveries.publish()

    clocks = TestClocks(database, client, peers=settings.clock_peers, drain=settle)
    main = Worker(
        client,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=[
            *activities_of(books),
            *activities_of(messages),
            *activities_of(launcher),
            *activities_of(clocks),
            *activities_of(Reconciler(database, gateway)),
        ],
        workflow_runner=workflow_runner(),
        deployment_config=_build(settings),
        max_cached_workflows=settings.workflow_cache,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=GRACE,
    )
    charges = Worker(
        client,
        task_queue=settings.payments_task_queue,
        activities=activities_of(payments),
        max_task_queue_activities_per_second=settings.payments_per_second,
        graceful_shutdown_timeout=GRACE,
    )
    return main, charges


def _build(settings: Settings) -> WorkerDeploymentConfig:
    """Stamps what the worker does with the build's name, by which `relance ops recycle` tells old runs."""
    version = WorkerDeploymentVersion(deployment_name="relance", build_id=settings.build_id)
    return WorkerDeploymentConfig(version=version, use_worker_versioning=False)


def activities_of(party: object) -> Sequence[Callable[..., Any]]:
    """The methods of an object that are activities."""
    methods = (getattr(party, name) for name in dir(party) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


async def check_search_attributes(client: Client) -> None:
    """Refuse to start where a search attribute is not registered, and say which command does it (engine 27).

    Raises:
        SearchAttributesMissing: with the command to run.
    """
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [key for key in ALL_ATTRIBUTES if key.name not in answer.custom_attributes]
    if missing:
        options = " ".join(
            f"--name {key.name} --type {_type_name(key.indexed_value_type.name)}" for key in missing
        )
        raise SearchAttributesMissing(
            f"Search attributes are not registered in namespace {client.namespace}. Run: "
            f"temporal operator search-attribute create --namespace {client.namespace} {options}"
        )


def _type_name(indexed: str) -> str:
    return {"KEYWORD": "Keyword", "DATETIME": "Datetime", "INT": "Int"}[indexed]


async def start_outbox(client: Client, settings: Settings) -> None:
    """Make sure that the outbox is being drained; one execution, whoever starts it."""
    await client.start_workflow(
        OutboxWorkflow.run,
        id="outbox",
        task_queue=settings.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="sends mails and events, hands on what comes in",
    )


async def schedule_reconciler(client: Client, settings: Settings) -> None:
    """Make sure that the provider's events are read back, as often as the settings say."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            ReconcilerWorkflow.run, id=RECONCILER, task_queue=settings.task_queue
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=timedelta(minutes=settings.reconcile_minutes))]
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
    try:
        await client.create_schedule(RECONCILER, schedule, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(RECONCILER)
        await handle.update(lambda _: ScheduleUpdate(schedule=schedule))


async def serve(settings: Settings) -> None:
    """Run until a signal says to stop; work in flight is finished first.

    Raises:
        RelanceError: a setting is missing, the database is behind, or Temporal is not ready.
    """
    settings.need("stripe_api_key", "sendgrid_api_key", "mail_from", "secret_key", to="run the worker")
    database = Database(settings.database_url)
    gateway = StripeGateway(
        api_key=settings.reveal("stripe_api_key", to="charge"), api_base=settings.stripe_api_base
    )
    mailer = SendGridMailer(
        api_key=settings.reveal("sendgrid_api_key", to="send mails"), api_base=settings.sendgrid_api_base
    )
    try:
        await check_schema(database)
        client = await connect(settings)
        await check_search_attributes(client)
        main, charges = build_workers(client, settings, database, gateway, mailer)
        async with main, charges:
            await start_outbox(client, settings)
            await schedule_reconciler(client, settings)
            logger.info("working on %s and %s", settings.task_queue, settings.payments_task_queue)
            await _until_told_to_stop()
    finally:
        await gateway.close()
        await database.close()
        await asyncio.sleep(YIELD_SECONDS)


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def main() -> int:
    """Run the worker; problems that a person can mend are one sentence, not a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(load_settings()))
    except RelanceError as problem:
        sys.stderr.write(f"Error: {problem.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
