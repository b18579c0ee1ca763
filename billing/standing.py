"""What the state of the invoices, and the end of their chase, mean for a subscription's status (rules 20, 24)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.calendar import local_date
from billing.dunning import EndForSubscription
from billing.effects import DropGatedDraft, Emit, Notify, Transition
from billing.leaving import what_waits_is_dropped
from billing.lifecycle import end_for_good, resume, usage_ends, without_conditional
from billing.subscription import Status, Subscription


@dataclass(frozen=True)
class Standing:
    """What the books say about a subscription's invoices.

    Attributes:
        open_invoices: ids of invoices that are issued and open, oldest first.
        in_arrears: those among them that are in arrears (rules 20).
        owed: number of open or uncollectible invoices (U11).
        covered_until: first day that no invoice covers which is paid or still to be paid.
        gated_paid: whether the gated draft was paid or is processing.
        policy_ends_at: when the driving collection will take the service away, if it does.
        new_method: whether a payment method was given since the service was cut.
    """

    open_invoices: tuple[str, ...]
    in_arrears: tuple[str, ...]
    owed: int
    covered_until: date | None
    gated_paid: bool
    policy_ends_at: datetime | None
    new_method: bool = False


def settle(sub: Subscription, standing: Standing, at: datetime) -> Transition:
    """What the state of the invoices means for the status; asked after every change of one."""
    was_owed = sub.owed
    sub = sub.model_copy(
        update={
            "open_invoices": standing.open_invoices,
            "in_arrears": standing.in_arrears,
            "owed": standing.owed,
            "covered_until": _later(standing.covered_until, sub.paid_elsewhere_until),
        }
    )
    match sub.status:
        case Status.INCOMPLETE if standing.gated_paid:
            after = sub.model_copy(update={"status": Status.ACTIVE, "gated_invoice": None})
            return Transition(after, (Emit("subscription.started"),))
        case Status.ACTIVE if standing.in_arrears:
            update = {
                "status": Status.PAST_DUE,
                "past_due_since": at,
                "policy_ends_at": standing.policy_ends_at,
            }
            return Transition(sub.model_copy(update=update), (Emit("subscription.past_due"),))
        case Status.PAST_DUE if not standing.in_arrears:
            update = {"status": Status.ACTIVE, "past_due_since": None, "policy_ends_at": None}
            return Transition(sub.model_copy(update=update), (Emit("subscription.recovered"),))
        case Status.PAST_DUE:
            return Transition(sub.model_copy(update={"policy_ends_at": standing.policy_ends_at}))
        case Status.UNPAID if not standing.owed and (was_owed or standing.new_method):
            transition = resume(sub, at)
            return transition.then(Emit("subscription.recovered"))
        case Status.PAUSED if sub.suspended and not standing.in_arrears:
            return Transition(sub.model_copy(update={"suspended": False}))
        case _:
            return Transition(sub)


def _later(one: date | None, other: date | None) -> date | None:
    return max((day for day in (one, other) if day is not None), default=None)


def end_of_policy(sub: Subscription, end: EndForSubscription, at: datetime) -> Transition:
    """The dunning policy ends for the subscription (rules 24, U7, U8).

    Where it has ended for the invoice by a credit, `owed` is 0 by now, and what is suspended comes back by a new
    method or `resume` only (U11).
    """
    if sub.is_over or end is EndForSubscription.KEEP or sub.status is Status.UNPAID:
        return Transition(sub)
    if sub.ends_with_period and sub.status is not Status.PAUSED:
        return Transition(sub)
    if end is EndForSubscription.CANCEL:
        return end_for_good(sub, at, "the dunning policy ended").then(*what_waits_is_dropped(sub))
    if sub.status is Status.PAUSED:
        return Transition(sub.model_copy(update={"suspended": True}))
    after = sub.model_copy(
        update={
            "status": Status.UNPAID,
            "unpaid_since": at,
            "past_due_since": None,
            "policy_ends_at": None,
            "pause_at_end": False,
        }
    )
    on = local_date(at, sub.timezone)
    effects = (Emit("subscription.unpaid"), Notify("subscription_suspended", str(on)))
    return Transition(without_conditional(after), (*usage_ends(sub, at, on), *effects))


def gate_expired(sub: Subscription, at: datetime) -> Transition:
    """The payment never came: the draft is dropped and no number is used (rules 13, U3).

    A subscription whose first payment it was is over; a change that waited for it is not made.
    """
    if sub.conditional_change is not None:
        data = {"invoice": sub.gated_invoice or ""}
        dropped = Emit("subscription.change_dropped", data)
        notify = Notify("change_not_made", sub.conditional_change)
        return Transition(without_conditional(sub), (DropGatedDraft(), dropped, notify))
    if sub.status is not Status.INCOMPLETE:
        return Transition(sub)
    after = sub.model_copy(
        update={
            "status": Status.INCOMPLETE_EXPIRED,
            "gated_invoice": None,
            "ended_at": at,
            "end_reason": "the first payment never came",
        }
    )
    return Transition(after, (DropGatedDraft(), Emit("subscription.incomplete_expired")))
