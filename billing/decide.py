"""Whether a command is taken, and what it does. One pure function for Update, Signal, row and preview alike."""

from __future__ import annotations

from datetime import date, datetime

from billing import lifecycle
from billing.calendar import local_date
from billing.commands import (
    Cancel,
    ChangePlan,
    ChangeQuantity,
    Command,
    KeepSubscription,
    Pause,
    Resume,
    RetryNow,
    When,
)
from billing.effects import Emit, Notify, Transition
from billing.errors import InvalidInput, RelanceError
from billing.subscription import Status, Subscription
from billing.terms import Terms


class Refused(RelanceError):
    """The subscription cannot take this command in its present state."""


class AlreadyEnded(Refused):
    """The subscription is over; a return is a new subscription that names the old one (U6)."""

    def __init__(self, sub: Subscription) -> None:
        ended = f" on {local_date(sub.ended_at, sub.timezone)}" if sub.ended_at else ""
        super().__init__(
            f"Subscription {sub.id} ended{ended} ({sub.end_reason}). Start a new subscription instead.",
            field="subscription",
        )


class PlanCurrencyMismatch(Refused):
    """A plan in another currency (design 4.1)."""

    def __init__(self, sub: Subscription, requested: Terms) -> None:
        super().__init__(
            f"The plan {requested.plan_id} bills in {requested.currency}, this subscription in "
            f"{sub.terms.currency}. Start a new subscription to change currency.",
            field="plan",
        )
        self.subscription = sub.id
        self.current = sub.terms.currency
        self.requested = requested.currency


class SeatsNotPriced(Refused):
    """A quantity for a plan that has no price per unit."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(
            f"The plan {terms.plan_id} has no price per unit, so a quantity changes nothing. Leave it at 1.",
            field="quantity",
        )


def check(sub: Subscription, command: Command, at: datetime) -> None:
    """Refuses a command that cannot be carried out, before it enters history.

    Raises:
        Refused: with the reason and the remedy.
        InvalidInput: a value of the command itself is wrong.
    """
    if isinstance(command, ChangePlan) and command.terms is None:
        _check_change(sub)
        return
    accept(sub, command, at)


def accept(sub: Subscription, command: Command, at: datetime) -> Transition:
    """What the command does to the subscription at this instant.

    Raises:
        Refused: it cannot be taken in the present state.
        InvalidInput: a value of the command itself is wrong.
    """
    if sub.is_over:
        raise AlreadyEnded(sub)
    match command:
        case ChangePlan():
            return _change_terms(sub, _other_plan(sub, command), command, at)
        case ChangeQuantity(quantity=quantity):
            return _change_terms(sub, with_quantity(sub.pending_terms or sub.terms, quantity), command, at)
        case Cancel(when=When.NOW):
            return _cancel_now(sub, at)
        case Cancel():
            return _cancel_at_end(sub, at)
        case KeepSubscription():
            return _keep(sub)
        case Pause():
            return _pause(sub, command, at)
        case Resume():
            return _resume(sub, command, at)
        case RetryNow():
            return _retry_now(sub)


def with_quantity(terms: Terms, quantity: int) -> Terms:
    """The same terms for another number of seats.

    Raises:
        SeatsNotPriced: no price depends on the quantity.
        InvalidInput: the quantity is out of range.
    """
    if quantity != 1 and not terms.has_unit_price:
        raise SeatsNotPriced(terms)
    return Terms.model_validate({**terms.model_dump(), "quantity": quantity})


def _check_change(sub: Subscription) -> None:
    if sub.is_over:
        raise AlreadyEnded(sub)
    if sub.status is Status.INCOMPLETE:
        raise Refused(
            "The first payment is still open: pay it or cancel before changing the plan.", field="status"
        )
    if sub.cancel_at_end:
        raise Refused(
            "A cancel at the period's end is pending. Take it back before changing the plan.", field="status"
        )


def _other_plan(sub: Subscription, command: ChangePlan) -> Terms:
    if command.terms is None:
        raise InvalidInput("The plan's terms were not looked up.", field="plan")
    is_undone = sub.pending_terms is not None and command.plan_id == sub.terms.plan_id
    terms = sub.terms if is_undone else command.terms
    quantity = command.quantity if command.quantity is not None else _kept_quantity(sub, terms)
    return with_quantity(terms, quantity)


def _kept_quantity(sub: Subscription, terms: Terms) -> int:
    """The seats that were asked for last; a plan without seats in between does not forget them."""
    if not terms.has_unit_price:
        return 1
    pending = sub.pending_terms
    return pending.quantity if pending is not None and pending.has_unit_price else sub.terms.quantity


def _change_terms(
    sub: Subscription, terms: Terms, command: ChangePlan | ChangeQuantity, at: datetime
) -> Transition:
    _check_change(sub)
    if terms.currency != sub.terms.currency:
        raise PlanCurrencyMismatch(sub, terms)
    if sub.status in (Status.SCHEDULED, Status.TRIALING):
        return _begin_with(sub, terms, command, at)
    pending = None if terms == sub.terms else terms
    return Transition(
        sub.model_copy(update={"pending_terms": pending}),
        (Emit("subscription.change_scheduled", {"to": terms.plan_name}),),
    )


def _begin_with(
    sub: Subscription, terms: Terms, command: ChangePlan | ChangeQuantity, at: datetime
) -> Transition:
    """Nothing is billed yet: it simply starts with other terms, and a trial keeps its end (rules 3, U1)."""
    after = sub.model_copy(update={"terms": terms.model_copy(update={"trial_days": sub.terms.trial_days})})
    data = {"from": sub.terms.plan_name, "to": terms.plan_name, "quantity": str(terms.quantity)}
    effective_on = max(sub.starts_on, local_date(at, sub.timezone))
    notify = Notify("plan_changed", f"{effective_on}:{command.command_id}", data)
    return Transition(after, (notify, Emit("subscription.plan_changed", data)))


def _cancel_now(sub: Subscription, at: datetime) -> Transition:
    if sub.status is Status.PAUSED and sub.access_ends_at is not None:
        return _cancel_at_end(sub, at)
    return lifecycle.cancel_now(sub, at)


def _cancel_at_end(sub: Subscription, at: datetime) -> Transition:
    if sub.cancel_at_end:
        return Transition(sub)
    if sub.status in (Status.SCHEDULED, Status.UNPAID, Status.INCOMPLETE):
        return lifecycle.cancel_now(sub, at)
    if sub.status is Status.PAUSED and sub.access_ends_at is None:
        return lifecycle.cancel_now(sub, at)
    return _schedule_cancel(sub, sub.access_ends_at or sub.boundary_at)


def _schedule_cancel(sub: Subscription, ends_at: datetime | None) -> Transition:
    on = str(local_date(ends_at, sub.timezone)) if ends_at else ""
    after = sub.model_copy(update={"cancel_at_end": True, "pause_at_end": False, "pending_terms": None})
    return Transition(
        after, (Emit("subscription.cancel_scheduled", {"ends_on": on}), Notify("cancel_scheduled", on))
    )


def _keep(sub: Subscription) -> Transition:
    if not (sub.cancel_at_end or sub.pause_at_end):
        raise Refused("There is no cancel or pause to take back.", field="status")
    after = sub.model_copy(update={"cancel_at_end": False, "pause_at_end": False})
    return Transition(after, (Emit("subscription.kept"),))


def _pause(sub: Subscription, command: Pause, at: datetime) -> Transition:
    if sub.status in (Status.SCHEDULED, Status.INCOMPLETE, Status.UNPAID, Status.PAUSED):
        raise Refused(f"A subscription that is {sub.status.value} cannot be paused.", field="status")
    if sub.cancel_at_end:
        raise Refused("A cancel at the period's end is pending. Take it back before pausing.", field="status")
    if command.credit and command.when is not When.NOW:
        raise InvalidInput("Unused days can be credited by a pause now only.", field="credit")
    if command.when is When.NOW and sub.status is not Status.TRIALING:
        return lifecycle.pause_now(sub, at, credit=command.credit)
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
            return _keep(sub)
        raise Refused(f"A subscription that is {sub.status.value} has nothing to resume.", field="status")
    return lifecycle.resume(sub, at).then(Notify("resumed", str(local_date(at, sub.timezone))))


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
