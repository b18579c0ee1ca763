"""How a subscription's status moves, by itself and by what happens to its invoices.

Every function takes the subscription as it is and answers a `Transition`: what it becomes, and what else is to
be done in the same transaction. The table and its corners (U1 to U18) are in the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.calendar import local_date, starts_at
from billing.dunning import EndForSubscription
from billing.effects import (
    CreditUnused,
    DecideDrafts,
    DropGatedDraft,
    Effect,
    Emit,
    InvoiceReason,
    Issue,
    Notify,
    SettleDebtOnCancel,
    Transition,
)
from billing.errors import InvalidInput
from billing.steps import Step, renewal_notice_window
from billing.subscription import Parked, Status, Subscription


def start(sub: Subscription, *, gate: bool) -> Transition:
    """The first step of a subscription: into its trial or its first paid period.

    Args:
        sub: `scheduled`.
        gate: whether the first invoice waits for its payment (rules 13). Never that of a scheduled start, which
            is charged without the customer and follows the policy for first payments (U1).
    """
    if sub.terms.trial_days:
        return _begin_trial(sub)
    return _first_period(sub, sub.starts_on, gate=gate, first_payment=not sub.starts_at_signup)


def _begin_trial(sub: Subscription) -> Transition:
    end = sub.starts_on + timedelta(days=sub.terms.trial_days)
    after = sub.model_copy(update={"status": Status.TRIALING, "trial_end_on": end})
    return Transition(after, (Emit("subscription.trial_started", {"trial_end_on": str(end)}),))


def _first_period(sub: Subscription, anchor: date, *, gate: bool, first_payment: bool) -> Transition:
    sub = sub.model_copy(update={"anchor": anchor})
    period = sub.schedule.period(0)
    status = Status.INCOMPLETE if gate else Status.ACTIVE
    after = sub.model_copy(update={"status": status, "period": period, "notified": ()})
    issue = Issue(period, sub.terms, InvoiceReason.SIGNUP, gated=gate, first_payment=first_payment)
    return Transition(after, (issue,) if gate else (Emit("subscription.started"), issue))


def end_trial(sub: Subscription, at: datetime) -> Transition:
    """The trial is over: cancel, pause, or the first paid period (rules 3, U2).

    Raises:
        InvalidInput: there was no trial; field `trial_end_on`.
    """
    if sub.cancel_at_end:
        return _end(sub, at, "canceled at the end of the trial")
    if sub.pause_at_end:
        return _pause(sub, at, access_ends_at=None)
    chargeable = sub.has_method or sub.terms.collection_method != "charge"
    if not chargeable and sub.terms.without_method_at_trial_end == "cancel":
        return _end(sub, at, "no payment method at the end of the trial")
    if not chargeable and sub.terms.without_method_at_trial_end == "pause":
        return _pause(sub, at, access_ends_at=None)
    if sub.trial_end_on is None:
        raise InvalidInput("This subscription has no trial that could end.", field="trial_end_on")
    return _first_period(sub, sub.trial_end_on, gate=False, first_payment=True)


def cross_boundary(sub: Subscription, at: datetime, *, catch_up_limit: int) -> Transition:
    """The end of a period: cancel, then pause, then the pending change, then renew (rules 20).

    Every period that has begun by `at` is issued, oldest first, each with its first charge a day later than the
    one before; more than `catch_up_limit` of them become drafts and the subscription parks (rules 4).

    Raises:
        InvalidInput: there is no period; field `period`.
    """
    end = sub.boundary_on
    if end is None:
        raise InvalidInput("This subscription has no period that could end.", field="period")
    if sub.cancel_at_end:
        return _end(sub, at, "canceled at the end of the period")
    if sub.pause_at_end:
        return _pause(sub, at, access_ends_at=None)
    after, effects = _apply_pending(sub, anchor_on=end)
    after = after.model_copy(update={"free_exit": _missed_renewal_notice(sub)})
    issues: list[Effect] = []
    day = end
    while starts_at(day, after.timezone) + after.spread <= at or not issues:
        period = after.schedule.period_on(day)
        issues.append(Issue(period, after.terms, InvoiceReason.PERIOD, delay_days=len(issues)))
        after = after.model_copy(update={"period": period})
        day = period.end
    kept = tuple(key for key in after.notified if key.startswith("card_expiring"))
    after = after.model_copy(update={"notified": kept})
    if len(issues) > catch_up_limit:
        return _park_for_catch_up(after, at, effects, issues)
    return Transition(after, (*effects, *issues))


def _park_for_catch_up(
    sub: Subscription, at: datetime, effects: tuple[Effect, ...], issues: list[Effect]
) -> Transition:
    drafts = [
        Issue(issue.period, issue.terms, issue.reason, draft=True, delay_days=issue.delay_days)
        for issue in issues
        if isinstance(issue, Issue)
    ]
    parked = Parked(
        reason=f"{len(drafts)} periods fell due at once.",
        since=at,
        remedy="Look at the drafts and resume, naming the period starts to issue; the others are dropped.",
    )
    return Transition(
        sub.model_copy(update={"parked": parked}), (*effects, *drafts, Emit("subscription.parked"))
    )


def _missed_renewal_notice(sub: Subscription) -> bool:
    due = renewal_notice_window(sub) is not None
    return due and f"renewal_notice:{sub.boundary_on}" not in sub.notified


def _apply_pending(sub: Subscription, *, anchor_on: date) -> tuple[Subscription, tuple[Effect, ...]]:
    """The pending change takes effect; another rhythm starts from an anchor of its own (rules 8)."""
    new = sub.pending_terms
    if new is None:
        return sub, ()
    anchor = sub.anchor if new.same_rhythm_as(sub.terms) else anchor_on
    update = {"terms": new, "pending_terms": None, "anchor": anchor}
    data = {"from": sub.terms.plan_name, "to": new.plan_name, "quantity": str(new.quantity)}
    notify = Notify("plan_changed", str(anchor_on), data)
    return sub.model_copy(update=update), (notify, Emit("subscription.plan_changed", data))


def _pause(sub: Subscription, at: datetime, *, access_ends_at: datetime | None) -> Transition:
    after = sub.model_copy(
        update={
            "status": Status.PAUSED,
            "pause_at_end": False,
            "access_ends_at": access_ends_at,
            "past_due_since": None,
            "notified": (),
        }
    )
    on = str(local_date(at, sub.timezone))
    return Transition(after, (Emit("subscription.paused"), Notify("paused", on)))


def _end(sub: Subscription, at: datetime, reason: str) -> Transition:
    after = sub.model_copy(
        update={
            "status": Status.CANCELED,
            "cancel_at_end": False,
            "pause_at_end": False,
            "pending_terms": None,
            "access_ends_at": None,
            "past_due_since": None,
            "unpaid_since": None,
            "policy_ends_at": None,
            "parked": None,
            "ended_at": at,
            "end_reason": reason,
        }
    )
    on = str(local_date(at, sub.timezone))
    return Transition(
        after, (Emit("subscription.canceled", {"reason": reason}), Notify("subscription_canceled", on))
    )


def end_access(sub: Subscription, at: datetime) -> Transition:
    """A pause reached the end of the paid time; a pending cancel takes effect there (U12)."""
    if sub.cancel_at_end:
        return _end(sub, at, "canceled while paused")
    return Transition(sub.model_copy(update={"access_ends_at": None}), (Emit("subscription.access_ended"),))


def give_up(sub: Subscription, at: datetime) -> Transition:
    """Unpaid for too long (U10)."""
    return _end(sub, at, "unpaid for too long").then(SettleDebtOnCancel())


def mark_notified(sub: Subscription, step: Step) -> Transition:
    """One of the timed notices is written."""
    notice = Notify(step.notice, step.occurrence)
    return Transition(sub.model_copy(update={"notified": (*sub.notified, step.key)}), (notice,))


def cancel_now(sub: Subscription, at: datetime) -> Transition:
    """The end at once: unused days are credited first, then the debt is settled by policy (rules 21)."""
    ended = _end(sub, at, "canceled now")
    if sub.status is Status.INCOMPLETE:
        return Transition(ended.after, (DropGatedDraft(), *ended.effects))
    was_billed = sub.status.bills or sub.status is Status.UNPAID
    credit = _credit_unused(sub, at, "canceled now") if was_billed else ()
    return Transition(ended.after, (*credit, *ended.effects, SettleDebtOnCancel()))


def _credit_unused(sub: Subscription, at: datetime, reason: str) -> tuple[Effect, ...]:
    """The day itself counts as used (rules 8)."""
    return (CreditUnused(local_date(at, sub.timezone) + timedelta(days=1), reason),)


def pause_now(sub: Subscription, at: datetime, *, credit: bool) -> Transition:
    """A pause at once: with credit access ends now, without it runs to the end of the paid time (U12)."""
    paused = _pause(sub, at, access_ends_at=None if credit else sub.boundary_at)
    if not credit:
        return paused
    return Transition(paused.after, (*_credit_unused(sub, at, "paused"), *paused.effects))


def resume(sub: Subscription, at: datetime) -> Transition:
    """Back from a pause or from unpaid: a part period only for time that no invoice covers already."""
    today = local_date(at, sub.timezone)
    after, effects = _apply_pending(sub, anchor_on=today) if not _covers(sub, today) else (sub, ())
    if after.anchor is None:
        transition = _first_period(after, today, gate=False, first_payment=True)
        return Transition(_as_active(transition.after), (*effects, *transition.effects))
    after = _as_active(after)
    effects = (*effects, Emit("subscription.resumed"))
    covering = after.schedule.period_on(today)
    not_covered_from = max(today, after.covered_until or today)
    if not_covered_from >= covering.end:
        return Transition(after.model_copy(update={"period": covering}), effects)
    part = after.schedule.part_from(not_covered_from)
    issue = Issue(part, after.terms, InvoiceReason.RESUME)
    return Transition(after.model_copy(update={"period": part}), (*effects, issue))


def _covers(sub: Subscription, day: date) -> bool:
    return sub.covered_until is not None and sub.covered_until > day


def _as_active(sub: Subscription) -> Subscription:
    return sub.model_copy(
        update={
            "status": Status.ACTIVE,
            "access_ends_at": None,
            "suspended": False,
            "unpaid_since": None,
            "past_due_since": None,
            "policy_ends_at": None,
            "notified": (),
        }
    )


def unpark(sub: Subscription, starts: tuple[date, ...] | None) -> Transition:
    """A person resumes a parked subscription; drafts of missed periods are issued or dropped (rules 4)."""
    after = sub.model_copy(update={"parked": None})
    return Transition(after, (DecideDrafts(starts), Emit("subscription.unparked")))


def park(sub: Subscription, at: datetime, *, reason: str, remedy: str) -> Transition:
    """The workflow cannot go on without a person; what had parked it before stays the reason."""
    if sub.parked is not None or sub.is_over:
        return Transition(sub)
    parked = Parked(reason=reason, since=at, remedy=remedy)
    return Transition(sub.model_copy(update={"parked": parked}), (Emit("subscription.parked"),))


@dataclass(frozen=True)
class Standing:
    """What the books say about a subscription's invoices.

    Attributes:
        open_invoices: ids of invoices that are issued and open, oldest first.
        in_arrears: those among them that are in arrears (rules 20).
        owed: number of open or uncollectible invoices (U11).
        covered_until: first day that no invoice covers which is paid, or open and still to be paid.
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
            "covered_until": standing.covered_until,
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


def end_of_policy(sub: Subscription, end: EndForSubscription, at: datetime) -> Transition:
    """The dunning policy ends for the subscription (rules 24, U7, U8).

    Where it has ended for the invoice by a credit, `owed` is 0 by now, and what is suspended comes back by a new
    method or `resume` only (U11).
    """
    if sub.is_over or end is EndForSubscription.KEEP or sub.status is Status.UNPAID:
        return Transition(sub)
    if sub.cancel_at_end and sub.status is not Status.PAUSED:
        return Transition(sub)
    if end is EndForSubscription.CANCEL:
        return _end(sub, at, "the dunning policy ended")
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
    on = str(local_date(at, sub.timezone))
    return Transition(after, (Emit("subscription.unpaid"), Notify("subscription_suspended", on)))


def gate_expired(sub: Subscription, at: datetime) -> Transition:
    """The first payment never came: the draft is dropped and no number is used (rules 13, U3)."""
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
