"""How a subscription's status moves, by itself and by what happens to its invoices.

Every function takes the subscription as it is and answers a `Transition`: what it becomes, and what else is to
be done in the same transaction. The table and its corners (U1 to U18) are in the rules.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from billing.calendar import local_date, starts_at
from billing.commands import CreditTo
from billing.commitment import committed
from billing.discounts import for_next_period
from billing.effects import (
    CloseUsage,
    DecideDrafts,
    DropGatedDraft,
    Effect,
    Emit,
    InvoiceReason,
    Issue,
    Notify,
    SettleDebtOnCancel,
    TermsChange,
    Transition,
)
from billing.errors import InvalidInput
from billing.fees import fees_due, fees_left_by
from billing.leaving import (
    credit_unused,
    early_exit,
    leaves_freely_from,
    not_paid_from,
    what_waits_is_dropped,
)
from billing.metering import (
    meters_that_go_on,
    turn_meters,
    turn_meters_at,
    waits_for_last_usage,
    waits_for_usage,
)
from billing.steps import Step
from billing.subscription import Parked, Status, Subscription
from billing.terms import Terms


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
    sub = committed(sub.model_copy(update={"anchor": anchor}), from_period=0)
    period = sub.schedule.period(0)
    status = Status.INCOMPLETE if gate else Status.ACTIVE
    discounts = for_next_period(sub.discounts)
    update = {"status": status, "period": period, "notified": (), "discounts": discounts}
    issue = Issue(
        period,
        sub.terms,
        InvoiceReason.SIGNUP,
        gated=gate,
        first_payment=first_payment,
        discounts=discounts,
        once=fees_due(sub.terms, None, sub.fees_left),
    )
    meters = turn_meters(None, sub.terms, period.start, sub.timezone)
    told = Emit("subscription.incomplete" if gate else "subscription.started")
    return Transition(sub.model_copy(update=update), (told, issue, *meters))


def end_trial(sub: Subscription, at: datetime) -> Transition:
    """The trial is over: cancel, pause, or the first paid period (rules 3, U2).

    Raises:
        InvalidInput: there was no trial; field `trial_end_on`.
    """
    if sub.ends_with_period:
        return end_for_good(sub, at, "canceled at the end of the trial")
    if sub.pause_at_end:
        return _pause(sub, at, access_ends_at=None)
    chargeable = sub.has_method or sub.terms.collection_method != "charge"
    if not chargeable and sub.terms.without_method_at_trial_end == "cancel":
        return end_for_good(sub, at, "no payment method at the end of the trial")
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
    if sub.ends_with_period:
        ended = end_for_good(sub, at, "canceled at the end of the period")
        return ended.then(*early_exit(sub, end))
    if sub.pause_at_end:
        return _pause(sub, at, access_ends_at=None)
    after, effects = _apply_pending(sub, anchor_on=end)
    if sub.conditional_change is not None:
        after, effects = without_conditional(after), (DropGatedDraft(), *effects)
    after = after.model_copy(
        update={
            "free_exit": leaves_freely_from(sub, end),
            "notified": tuple(key for key in after.notified if _outlasts(key, end)),
            **waits_for_usage(sub, sub.boundary_at or at),
        }
    )
    after, issues, others = _periods_begun(after, sub.terms, end, at)
    if len(issues) > catch_up_limit:
        return _park_for_catch_up(after, at, (*effects, *others), issues)
    return Transition(after, (*effects, *issues, *others))


def _periods_begun(
    sub: Subscription, ended: Terms, day: date, at: datetime
) -> tuple[Subscription, list[Issue], list[Effect]]:
    """Every period that has begun by now, one at least, with its invoice, its price and where its usage begins."""
    issues: list[Issue] = []
    others: list[Effect] = []
    fees = fees_due(sub.terms, ended, sub.fees_left)
    while not issues or _goes_on_by(sub, day, at):
        sub, told = _apply_announced(sub, day)
        period, discounts = sub.schedule.period_on(day), for_next_period(sub.discounts)
        issues.append(
            Issue(
                period,
                sub.terms,
                InvoiceReason.PERIOD,
                delay_days=len(issues),
                discounts=discounts,
                once=frozenset() if issues else fees,
                waits_for_usage=bool(ended.metered_prices),
            )
        )
        others += (*told, *turn_meters(ended, sub.terms, period.start, sub.timezone))
        sub = sub.model_copy(update={"period": period, "discounts": discounts})
        day, ended = period.end, sub.terms
    return sub, issues, others


def _goes_on_by(sub: Subscription, day: date, at: datetime) -> bool:
    """Whether another period has begun by now: after a downtime several have, but none past a wished end."""
    return starts_at(day, sub.timezone) + sub.spread <= at and not sub.ends_with_period


def _park_for_catch_up(
    sub: Subscription, at: datetime, effects: tuple[Effect, ...], issues: list[Issue]
) -> Transition:
    # A person decides on them, and not the end of the wait for usage, which gets an invoice of its own.
    drafts = [replace(issue, draft=True, waits_for_usage=False) for issue in issues]
    parked = Parked(
        reason=f"{len(drafts)} periods fell due at once.",
        since=at,
        remedy="Look at the drafts and resume, naming the period starts to issue; the others are dropped.",
    )
    return Transition(
        sub.model_copy(update={"parked": parked}), (*effects, *drafts, Emit("subscription.parked"))
    )


def _outlasts(key: str, boundary: date) -> bool:
    """Whether a notice is remembered beyond a period's end: of the card, and of a commitment that ends later."""
    notice, _, occurrence = key.partition(":")
    return notice == "card_expiring" or (notice == "renewal_notice" and occurrence > str(boundary))


def _apply_pending(sub: Subscription, *, anchor_on: date) -> tuple[Subscription, tuple[Effect, ...]]:
    """The pending change takes effect; another rhythm starts from an anchor of its own (rules 8)."""
    if sub.pending_discounts is not None:
        sub = sub.model_copy(update={"discounts": sub.pending_discounts, "pending_discounts": None})
    new = sub.pending_terms
    if new is None:
        return sub, ()
    anchor = sub.anchor if new.same_rhythm_as(sub.terms) else anchor_on
    after = with_terms(sub, new).model_copy(update={"pending_terms": None, "anchor": anchor})
    if after.anchor is not None and new.commitment_periods != sub.terms.commitment_periods:
        after = committed(after, from_period=after.schedule.period_on(anchor_on).index)
    data = _change_facts(sub.terms, new)
    notify = Notify("plan_changed", str(anchor_on), data)
    return after, (notify, Emit("subscription.plan_changed", data))


def with_terms(sub: Subscription, terms: Terms) -> Subscription:
    """The same subscription at other terms; prices that were announced for its plan are forgotten with the plan."""
    announced = sub.announced
    holds = announced is not None and announced.still_holds_for(sub.terms, terms)
    update = {"terms": terms, "announced": announced if holds else None, "fees_left": fees_left_by(sub)}
    return sub.model_copy(update=update)


def _apply_announced(sub: Subscription, on: date) -> tuple[Subscription, tuple[Effect, ...]]:
    """Prices that were announced for this renewal apply from it on, and never within a commitment."""
    announced = sub.announced
    if announced is None or on < max(announced.from_on, sub.committed_until or on):
        return sub, ()
    new = announced.applied_to(sub.terms)
    facts = _change_facts(sub.terms, new)
    after = sub.model_copy(update={"terms": new, "announced": None, "fees_left": fees_left_by(sub)})
    return after, (Emit("subscription.plan_changed", facts),)


def _apply_what_waits(sub: Subscription, on: date) -> tuple[Subscription, tuple[Effect, ...]]:
    """On the way back: the change that was asked for meanwhile, then announced prices whose date has come."""
    after, asked = _apply_pending(sub, anchor_on=on)
    after, announced = _apply_announced(after, on)
    return after, (*asked, *announced)


def _change_facts(old: Terms, new: Terms) -> dict[str, str]:
    return {"from": old.plan_name, "to": new.plan_name, "quantity": str(new.quantity)}


def apply_change(sub: Subscription, change: TermsChange, at: datetime) -> Transition:
    """A change now takes effect: at once, or when what it bills was paid (engine 16)."""
    same_rhythm = change.terms.same_rhythm_as(sub.terms)
    after = with_terms(without_conditional(sub), change.terms).model_copy(
        update={
            "discounts": change.discounts,
            "anchor": change.anchor,
            "period": change.period,
            **(waits_for_last_usage(sub, change.terms, at) if same_rhythm else waits_for_usage(sub, at)),
        }
    )
    if change.terms.commitment_periods != sub.terms.commitment_periods:
        after = committed(after, from_period=change.period.index)
    data = _change_facts(sub.terms, change.terms)
    notify = Notify("plan_changed", f"{change.change_on}:{change.command_id}", data)
    goes_on = meters_that_go_on(sub.terms, change.terms)
    meters = turn_meters_at(sub.terms, change.terms, at, change.change_on, goes_on=goes_on)
    return Transition(after, (*meters, notify, Emit("subscription.plan_changed", data)))


def without_conditional(sub: Subscription) -> Subscription:
    """The draft of a change that waits for its payment is dropped or issued: nothing is gated any more."""
    if sub.conditional_change is None:
        return sub
    return sub.model_copy(update={"conditional_change": None, "gated_invoice": None})


def _pause(sub: Subscription, at: datetime, *, access_ends_at: datetime | None) -> Transition:
    after = without_conditional(sub).model_copy(
        update={
            "status": Status.PAUSED,
            "pause_at_end": False,
            "access_ends_at": access_ends_at,
            "past_due_since": None,
            "notified": (),
            **(waits_for_usage(sub, at) if sub.status.bills else {}),
        }
    )
    on = local_date(at, sub.timezone)
    effects = (Emit("subscription.paused"), Notify("paused", str(on)))
    return Transition(after, (*usage_ends(sub, at, on), *effects))


def usage_ends(sub: Subscription, at: datetime, on: date) -> tuple[Effect, ...]:
    """Nothing more is counted, and a change that waits for its payment is dropped."""
    dropped: tuple[Effect, ...] = (DropGatedDraft(),) if sub.conditional_change is not None else ()
    return (*dropped, *(turn_meters_at(sub.terms, None, at, on) if sub.status.bills else ()))


def end_for_good(
    sub: Subscription, at: datetime, reason: str, *, notice: str = "subscription_canceled"
) -> Transition:
    """It is over for good: nothing is billed any more but what was used. `notice` is the mail that says so."""
    after = without_conditional(sub).model_copy(
        update={
            "status": Status.CANCELED,
            "cancel_at_end": False,
            "cancel_on": None,
            "pause_at_end": False,
            "pending_terms": None,
            "pending_discounts": None,
            **(waits_for_usage(sub, at) if _was_served(sub) else {}),
            "access_ends_at": None,
            "past_due_since": None,
            "unpaid_since": None,
            "policy_ends_at": None,
            "parked": None,
            "ended_at": at,
            "end_reason": reason,
        }
    )
    on = local_date(at, sub.timezone)
    effects = (Emit("subscription.canceled", {"reason": reason}), Notify(notice, str(on)))
    return Transition(after, (*usage_ends(sub, at, on), *effects))


def _was_served(sub: Subscription) -> bool:
    """Whether it ends after something was billed: late usage of that time is still billed."""
    return sub.status.bills or sub.status in (Status.UNPAID, Status.PAUSED)


def end_access(sub: Subscription, at: datetime) -> Transition:
    """A pause reached the end of the paid time, or the date of a cancel; a pending one takes effect there (U12)."""
    if sub.cancel_at_end or _is_past_wish(sub, at):
        ended = end_for_good(sub, at, "canceled while paused")
        return ended.then(*early_exit(sub, not_paid_from(sub, at)))
    return Transition(sub.model_copy(update={"access_ends_at": None}))


def give_up(sub: Subscription, at: datetime) -> Transition:
    """Unpaid for too long, or to the date of a cancel (U10)."""
    reason = "canceled while unpaid" if _is_past_wish(sub, at) else "unpaid for too long"
    ended = end_for_good(sub, at, reason)
    return ended.then(*what_waits_is_dropped(sub), SettleDebtOnCancel())


def _is_past_wish(sub: Subscription, at: datetime) -> bool:
    return sub.cancel_on is not None and sub.cancel_on <= local_date(at, sub.timezone)


def mark_notified(sub: Subscription, step: Step) -> Transition:
    """One of the timed notices is written."""
    notice = Notify(step.notice, step.occurrence)
    name, field = _NOTICED[step.notice]
    told = Emit(name, {field: step.occurrence.partition(":")[0]})
    return Transition(sub.model_copy(update={"notified": (*sub.notified, step.key)}), (told, notice))


_NOTICED: Final = {
    "trial_ending": ("subscription.trial_ending", "trial_end_on"),
    "renewal_notice": ("subscription.renewal_upcoming", "renews_on"),
    "card_expiring": ("payment_method.expiring", "expires_on"),
}
"""The event of each notice, and what its date is called there."""


def cancel_now(sub: Subscription, at: datetime, *, credit_to: CreditTo = CreditTo.BALANCE) -> Transition:
    """The end at once: unused days are credited first, then the debt is settled by policy (rules 21).

    Whoever was not told of a renewal in time leaves freely: the days come back as money, whatever was asked for
    (rules 30).
    """
    ended = end_for_good(sub, at, "canceled now")
    if sub.status is Status.INCOMPLETE:
        return Transition(ended.after, (DropGatedDraft(), *ended.effects))
    was_billed = sub.status.bills or sub.status is Status.UNPAID
    credit_to = CreditTo.REFUND if sub.free_exit else credit_to
    credit = credit_unused(sub, at, "canceled now", credit_to) if was_billed else ()
    fee = early_exit(sub, not_paid_from(sub, at, is_given_back=bool(credit)))
    return Transition(ended.after, (*credit, *ended.effects, *fee, SettleDebtOnCancel()))


def pause_now(sub: Subscription, at: datetime, *, credit_to: CreditTo) -> Transition:
    """A pause at once: with credit access ends now, without it runs to the end of the paid time (U12)."""
    if credit_to is CreditTo.NONE:
        return _pause(sub, at, access_ends_at=sub.boundary_at)
    paused = _pause(sub, at, access_ends_at=None)
    return Transition(paused.after, (*credit_unused(sub, at, "paused", credit_to), *paused.effects))


def resume(sub: Subscription, at: datetime) -> Transition:
    """Back from a pause or from unpaid: a part period only for time that no invoice covers already."""
    today = local_date(at, sub.timezone)
    if _is_past_wish(sub, at):
        ended = end_for_good(sub, at, "canceled before it came back")
        return ended.then(*(early_exit(sub, not_paid_from(sub, at)) if sub.status is Status.PAUSED else ()))
    after, effects = _apply_what_waits(sub, today) if not _covers(sub, today) else (sub, ())
    if after.anchor is None:
        transition = _first_period(after, today, gate=False, first_payment=True)
        return Transition(_as_active(transition.after), (*effects, *transition.effects))
    after = _as_active(after).model_copy(update=waits_for_last_usage(sub, after.terms, at))
    meters = turn_meters_at(None, after.terms, at, today)
    effects = (*effects, Emit("subscription.resumed"), *meters)
    covering = after.schedule.period_on(today)
    not_covered_from = max(today, after.covered_until or today)
    if not_covered_from >= covering.end:
        return Transition(after.model_copy(update={"period": covering}), effects)
    part, discounts = after.schedule.part_from(not_covered_from), for_next_period(after.discounts)
    once = fees_due(after.terms, sub.terms, after.fees_left)
    issue = Issue(part, after.terms, InvoiceReason.RESUME, discounts=discounts, once=once)
    return Transition(after.model_copy(update={"period": part, "discounts": discounts}), (*effects, issue))


def close_usage(sub: Subscription) -> Transition:
    """The wait for late usage is over: it is billed."""
    return Transition(sub.model_copy(update={"usage_closes_at": None}), (CloseUsage(),))


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
    told = sub.parked.access_until if sub.parked is not None else None
    after = sub.model_copy(update={"parked": None, "access_told_until": told})
    return Transition(after, (DecideDrafts(starts), Emit("subscription.unparked")))


def park(sub: Subscription, at: datetime, *, reason: str, remedy: str) -> Transition:
    """The workflow cannot go on without a person; what had parked it before stays the reason."""
    if sub.parked is not None or sub.is_done:
        return Transition(sub)
    parked = Parked(reason=reason, since=at, remedy=remedy)
    return Transition(sub.model_copy(update={"parked": parked}), (Emit("subscription.parked"),))
