"""The activities as workflows see them: by name, typed, each with the settings that were measured (engine 25, 26).

Workflow modules import no activity, so that nothing of the outside world is loaded into their sandbox. A test
compares the names and types here with the activities themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from billing.payment import Trigger
    from billing.values import Value
    from models.boundary import (
        AdvanceOrder,
        CaseReport,
        CaseStepOrder,
        ChargeOrder,
        ChargeReport,
        ClockRun,
        CollectionRun,
        CommandOrder,
        LookOrder,
        ParkOrder,
        SteerOrder,
        SteerReport,
        StepOrder,
        SubscriptionReport,
        WishOrder,
    )

Answer = TypeVar("Answer")
Failure = ActivityError | ApplicationError
"""What a failed activity raises: a local one raises its own error, or an ActivityError when time is up."""

SQL_PATIENCE = timedelta(seconds=2)
"""How long a SQL step may take as a local activity; a failing one grows history (engine 17)."""
CHARGE_TIMEOUT = timedelta(seconds=30)
HEARTBEAT_TIMEOUT = timedelta(seconds=2)
QUEUE_PATIENCE = timedelta(minutes=15, seconds=90)
"""For a place in the payments queue and the inline try (engine 5)."""
ADVANCE_TIMEOUT = timedelta(hours=2)
ADVANCE_HEARTBEAT_TIMEOUT = timedelta(seconds=5)
"""So that another worker takes a clock or the outbox over within seconds (engine 25)."""
DRAIN_TIMEOUT = timedelta(minutes=5)
DRAIN_HEARTBEAT_TIMEOUT = timedelta(seconds=5)
RECONCILE_TIMEOUT = timedelta(minutes=10)

PRIORITY_OF = {
    Trigger.CUSTOMER: 1,
    Trigger.SUPPORT: 1,
    Trigger.METHOD_REPLACED: 1,
    Trigger.FIRST: 3,
}
SETTLE_PRIORITY = 2
RETRY_PRIORITY = 4


def root_of(failure: Failure) -> FailureError:
    """The failure that the activity itself raised, or the timeout that it met."""
    if isinstance(failure, ActivityError) and isinstance(failure.cause, FailureError):
        return failure.cause
    return failure


def is_fault_for_a_person(failure: Failure) -> bool:
    """Whether asking again cannot help."""
    root = root_of(failure)
    return isinstance(root, ApplicationError) and root.non_retryable


def problem(failure: Failure) -> str:
    """What went wrong, on one line."""
    return " ".join(root_of(failure).message.split())


async def sql_step(name: str, order: Value, answer: type[Answer], *, summary: str = "") -> Answer:
    """One transaction: as a local activity, or, when the database is slow or away, as an ordinary one.

    Raises:
        ActivityError, ApplicationError: a fault that asking again cannot mend.
    """
    try:
        result: Answer = await workflow.execute_local_activity(
            name,
            order,
            result_type=answer,
            schedule_to_close_timeout=SQL_PATIENCE,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3),
            summary=summary or None,
        )
    except (ActivityError, ApplicationError) as failure:
        if is_fault_for_a_person(failure):
            raise
        result = await workflow.execute_activity(
            name,
            order,
            result_type=answer,
            start_to_close_timeout=CHARGE_TIMEOUT,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)
            ),
            summary=summary or None,
        )
    return result


async def look(subscription_id: str, at: datetime) -> SubscriptionReport:
    """The subscription as its rows have it."""
    return await sql_step("look_at_subscription", LookOrder(id=subscription_id, as_of=at), SubscriptionReport)


async def take_step(order: StepOrder, *, summary: str) -> SubscriptionReport:
    """Take a step of the subscription."""
    return await sql_step("take_subscription_step", order, SubscriptionReport, summary=summary)


async def apply_command(order: CommandOrder) -> SubscriptionReport:
    """Carry out an accepted command."""
    return await sql_step("apply_command", order, SubscriptionReport, summary=order.command.kind)


async def stop_collecting(subscription_id: str, at: datetime) -> None:
    """Close the gate to automatic attempts."""
    await sql_step("stop_collecting", LookOrder(id=subscription_id, as_of=at), type(None))


async def park(order: ParkOrder) -> SubscriptionReport:
    """Write down that a person is needed."""
    return await sql_step("park_subscription", order, SubscriptionReport)


async def hand_over(invoice_id: str, at: datetime) -> SubscriptionReport:
    """Give an invoice to its collection."""
    return await sql_step("hand_over", LookOrder(id=invoice_id, as_of=at), SubscriptionReport)


async def open_case(invoice_id: str, at: datetime) -> CaseReport:
    """Take an invoice over."""
    return await sql_step("open_case", LookOrder(id=invoice_id, as_of=at), CaseReport)


async def look_at_case(invoice_id: str, at: datetime) -> CaseReport:
    """The chase as its rows have it."""
    return await sql_step("look_at_case", LookOrder(id=invoice_id, as_of=at), CaseReport)


async def steer_chase(order: SteerOrder) -> SteerReport:
    """What a person decided about a chase."""
    return await sql_step("steer_chase", order, SteerReport, summary=order.directive.kind)


async def take_case_step(order: CaseStepOrder, *, summary: str) -> CaseReport:
    """A notice, or the end."""
    return await sql_step("take_case_step", order, CaseReport, summary=summary)


async def ask(order: WishOrder) -> CaseReport:
    """Take down that a person wants the invoice charged now."""
    return await sql_step("ask", order, CaseReport, summary=order.wish.trigger.value)


async def start_collection(run: CollectionRun) -> CaseReport:
    """Start the chase of an invoice. Retried without end: the invoice has no other owner (engine 5)."""
    case: CaseReport = await workflow.execute_activity(
        "start_collection",
        run,
        result_type=CaseReport,
        start_to_close_timeout=CHARGE_TIMEOUT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)
        ),
        summary=f"collect {run.invoice_id}",
    )
    return case


async def charge(order: ChargeOrder, *, queue: str, summary: str) -> ChargeReport:
    """One attempt on the payments queue. A charge in flight is never cancelled (engine 4).

    Raises:
        ActivityError: no answer in time, or a fault of ours.
    """
    return await _payment("charge", order, queue, PRIORITY_OF.get(order.trigger, RETRY_PRIORITY), summary)


async def settle_attempt(order: ChargeOrder, *, queue: str) -> ChargeReport:
    """Find out what became of a live attempt."""
    return await _payment(
        "settle_attempt", order, queue, SETTLE_PRIORITY, "ask the provider what became of it"
    )


async def close_payment(order: ChargeOrder, *, queue: str) -> ChargeReport:
    """Make sure that nothing more is paid."""
    return await _payment("close_payment", order, queue, SETTLE_PRIORITY, "cancel the payment")


async def _payment(name: str, order: ChargeOrder, queue: str, priority: int, summary: str) -> ChargeReport:
    options: dict[str, Any] = {
        "task_queue": queue,
        "start_to_close_timeout": CHARGE_TIMEOUT,
        "heartbeat_timeout": HEARTBEAT_TIMEOUT,
        "schedule_to_close_timeout": QUEUE_PATIENCE,
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)
        ),
        "priority": Priority(priority_key=priority),
        "summary": summary,
    }
    result: ChargeReport = await workflow.execute_activity(name, order, result_type=ChargeReport, **options)
    return result


async def aim_clock(order: AdvanceOrder) -> None:
    """Write down where a test clock is to go."""
    await sql_step("aim_clock", order, type(None))


async def advance_clock(run: ClockRun) -> None:
    """Move a test clock to where it was told to go."""
    await workflow.execute_activity(
        "advance_clock",
        run,
        result_type=type(None),
        start_to_close_timeout=ADVANCE_TIMEOUT,
        heartbeat_timeout=ADVANCE_HEARTBEAT_TIMEOUT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)
        ),
        summary="visit every due instant up to the target",
    )


async def reconcile_events() -> int:
    """Read the provider's events back; the next reading of the schedule goes on where one failed.

    Raises:
        ActivityError: the provider did not answer for long.
    """
    missed: int = await workflow.execute_activity(
        "reconcile_events",
        result_type=int,
        start_to_close_timeout=RECONCILE_TIMEOUT,
        heartbeat_timeout=DRAIN_HEARTBEAT_TIMEOUT,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=5), maximum_attempts=5),
        summary="read Stripe's events back",
    )
    return missed


async def drain_outbox() -> None:
    """Send what is queued, hand on what came in; what it counts is for the logs.

    Raises:
        ActivityError: it stopped in a way that no repetition mends.
    """
    await workflow.execute_activity(
        "drain_outbox",
        start_to_close_timeout=DRAIN_TIMEOUT,
        heartbeat_timeout=DRAIN_HEARTBEAT_TIMEOUT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)
        ),
        summary="send what is queued",
    )
