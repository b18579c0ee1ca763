"""Whether a command is taken, and what it does. One pure function for Update, Signal, row and preview alike."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from billing import lifecycle
from billing.calendar import add_months, local_date
from billing.change import accept_change, add_coupon, check_change, check_coupon, undo_change
from billing.commands import (
    AddCoupon,
    BaseCommand,
    Cancel,
    ChangePlan,
    ChangeQuantity,
    ChangeTerms,
    Command,
    CreditTo,
    KeepSubscription,
    MigratePlan,
    Pause,
    Resume,
    RetryNow,
    UndoChange,
    When,
    Withdraw,
)
from billing.effects import Emit, Notify, Transition
from billing.errors import InvalidInput
from billing.leaving import ends_on
from billing.plan_migration import announce
from billing.refusal import AlreadyEnded, Refused
from billing.subscription import Status, Subscription
from billing.withdrawal import withdraw

MOST_MONTHS_AHEAD: Final = 120
"""How far ahead a cancel may be: a slip of the year is found today, and not in a lifetime."""


def check(sub: Subscription, command: Command, at: datetime) -> None:
    """Refuses a command that cannot be carried out, before it enters history.

    Raises:
        Refused: with the reason and the remedy.
        InvalidInput: a value of the command itself is wrong.
    """
    if isinstance(command, MigratePlan) and command.new is None:
        if sub.is_over:
            raise AlreadyEnded(sub)
        return
    if isinstance(command, ChangePlan) and command.terms is None:
        if sub.is_over:
            raise AlreadyEnded(sub)
        check_change(sub, command, at)
        return
    if isinstance(command, AddCoupon) and command.discount is None and not sub.is_over:
        check_coupon(sub)
        return
    accept(sub, command, at)


def accept(sub: Subscription, command: Command, at: datetime) -> Transition:
    """What the command does to the subscription at this instant.

    Raises:
        Refused: it cannot be taken in the present state.
        InvalidInput: a value of the command itself is wrong.
    """
    if sub.is_over and not is_taken_after_the_end(sub, command):
        raise AlreadyEnded(sub)
    match command:
        case ChangePlan() | ChangeQuantity() | ChangeTerms():
            return accept_change(sub, command, at)
        case MigratePlan():
            return announce(sub, command, at)
        case AddCoupon():
            return add_coupon(sub, command)
        case UndoChange():
            return undo_change(sub)
        case Cancel() | Withdraw() | KeepSubscription():
            return _accept_end(sub, command, at)
        case Pause():
            return _pause(sub, command, at)
        case Resume():
            return _resume(sub, command, at)
        case RetryNow():
            return _retry_now(sub)


def is_taken_after_the_end(sub: Subscription, command: BaseCommand) -> bool:
    """Whether an ended subscription takes it: parked over its last invoice, it can be resumed (engine 11)."""
    return isinstance(command, Resume) and sub.parked is not None


def _accept_end(sub: Subscription, command: Cancel | Withdraw | KeepSubscription, at: datetime) -> Transition:
    match command:
        case Withdraw():
            return withdraw(sub, at)
        case KeepSubscription():
            return _keep(sub)
        case Cancel():
            return _cancel(sub, command, at)


def _cancel(sub: Subscription, command: Cancel, at: datetime) -> Transition:
    if command.on is not None:
        return _cancel_on(sub, command.on, command.when, at)
    in_paid_time = sub.status is Status.PAUSED and sub.access_ends_at is not None
    if command.when is When.NOW and not in_paid_time:
        return lifecycle.cancel_now(sub, at, credit_to=command.credit_to)
    return _cancel_at_end(sub, at)


def _cancel_at_end(sub: Subscription, at: datetime) -> Transition:
    if sub.ends_with_period:
        return Transition(sub)
    if sub.status in (Status.SCHEDULED, Status.UNPAID, Status.INCOMPLETE):
        return lifecycle.cancel_now(sub, at)
    if sub.status is Status.PAUSED and sub.access_ends_at is None:
        return lifecycle.cancel_now(sub, at)
    return _schedule_cancel(sub, sub.access_ends_at or sub.boundary_at)


def _schedule_cancel(sub: Subscription, ends_at: datetime | None) -> Transition:
    on = str(local_date(ends_at, sub.timezone)) if ends_at else ""
    after = sub.model_copy(
        update={
            "cancel_at_end": True,
            "cancel_on": None,
            "pause_at_end": False,
            "pending_terms": None,
            "pending_discounts": None,
        }
    )
    return _cancel_planned(after, on)


def _cancel_planned(after: Subscription, ends_on: str) -> Transition:
    told = Emit("subscription.cancel_scheduled", {"ends_on": ends_on})
    return Transition(after, (told, Notify("cancel_scheduled", ends_on)))


def _cancel_on(sub: Subscription, on: date, when: When, at: datetime) -> Transition:
    """With the period that runs where that reaches the date; else everything goes on until it is reached (U6)."""
    today = local_date(at, sub.timezone)
    if when is When.NOW:
        raise InvalidInput("A cancel now has no date. Leave on out, or give when: period_end.", field="on")
    if on < today:
        raise InvalidInput(f"{on} has passed: today is {today}. Give today or a later date.", field="on")
    if on > add_months(today, MOST_MONTHS_AHEAD):
        raise InvalidInput(f"{on} is more than ten years ahead. Give an earlier date.", field="on")
    if on <= _end_of_what_runs(sub, today):
        return _cancel_at_end(sub, at)
    after = sub.model_copy(update={"cancel_at_end": False, "cancel_on": on})
    before, ends = ends_on(sub), ends_on(after)
    if before == ends:
        return Transition(sub)
    if before is not None and ends is not None and ends > before:
        raise Refused(
            f"A cancel is pending: it ends on {before}. Take that back first, to let it end on {ends}.",
            field="on",
        )
    return _cancel_planned(after, str(ends))


def _end_of_what_runs(sub: Subscription, today: date) -> date:
    """Up to which date a cancel means the end of the period, the trial, the wait or the paid time that runs."""
    if sub.status is Status.PAUSED and sub.access_ends_at is not None:
        return local_date(sub.access_ends_at, sub.timezone)
    if sub.status in (Status.PAUSED, Status.UNPAID):
        return today
    return sub.boundary_on or today


def _keep(sub: Subscription) -> Transition:
    if not (sub.cancel_is_pending or sub.pause_at_end):
        raise Refused("There is no cancel or pause to take back.", field="status")
    after = sub.model_copy(update={"cancel_at_end": False, "cancel_on": None, "pause_at_end": False})
    return Transition(after, (Emit("subscription.kept"),))


def _pause(sub: Subscription, command: Pause, at: datetime) -> Transition:
    if sub.status in (Status.SCHEDULED, Status.INCOMPLETE, Status.UNPAID, Status.PAUSED):
        raise Refused(f"A subscription that is {sub.status.value} cannot be paused.", field="status")
    if sub.ends_with_period:
        raise Refused("A cancel at the period's end is pending. Take it back before pausing.", field="status")
    if command.credit and command.when is not When.NOW:
        raise InvalidInput("Unused days can be credited by a pause now only.", field="credit")
    if command.when is When.NOW and sub.status is not Status.TRIALING:
        credit_to = command.credit_to if command.credit else CreditTo.NONE
        return lifecycle.pause_now(sub, at, credit_to=credit_to)
    if sub.pause_at_end:
        return Transition(sub)
    return Transition(sub.model_copy(update={"pause_at_end": True}), (Emit("subscription.pause_scheduled"),))


def _resume(sub: Subscription, command: Resume, at: datetime) -> Transition:
    if sub.parked is not None:
        _check_starts(sub, command.issue or ())
        return lifecycle.unpark(sub, command.issue)
    if sub.status is Status.UNPAID and sub.owed:
        raise Refused(
            "Something is still owed: the subscription comes back by itself once it is paid.", field="status"
        )
    if sub.status is Status.PAUSED and sub.suspended:
        raise Refused(
            "Something is in arrears: it has to be paid before the service resumes.", field="status"
        )
    if sub.status not in (Status.PAUSED, Status.UNPAID):
        if sub.pause_at_end:
            after = sub.model_copy(update={"pause_at_end": False})
            return Transition(after, (Emit("subscription.kept"),))
        raise Refused(f"A subscription that is {sub.status.value} has nothing to resume.", field="status")
    resumed = lifecycle.resume(sub, at)
    if resumed.after.is_over:
        return resumed
    return resumed.then(Notify("resumed", str(local_date(at, sub.timezone))))


def _check_starts(sub: Subscription, starts: tuple[date, ...]) -> None:
    """Refuses a date on which no period began: a slip would drop the draft that was meant (rules 4)."""
    for start in starts:
        if not _has_begun_on(sub, start):
            raise InvalidInput(
                f"No period that has begun starts on {start}. Name the first days of the drafts to issue.",
                field="issue",
            )


def _has_begun_on(sub: Subscription, day: date) -> bool:
    if sub.period is None or sub.anchor is None or not sub.anchor <= day <= sub.period.start:
        return False
    return sub.schedule.period_on(day).start == day


def _retry_now(sub: Subscription) -> Transition:
    if not sub.open_invoices and sub.gated_invoice is None:
        raise Refused("Nothing is open: there is nothing to retry.", field="status")
    return Transition(sub)
