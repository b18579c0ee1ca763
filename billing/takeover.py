"""Taking over a subscription that ran in another billing system: what was paid there is never billed here.

Periods go on from the anchor that it had there. The first invoice of ours is for the period after the one that runs
and was paid there; a trial is given its rest, a coupon the periods that it has left.
"""

from __future__ import annotations

from datetime import date, datetime

from billing.calendar import Period, Schedule, starts_at
from billing.discounts import Discount
from billing.effects import Effect, Emit, Notify, Transition, TurnMeters
from billing.errors import InvalidInput
from billing.lifecycle import end_for_good
from billing.steps import renewal_notice_window
from billing.subscription import Status, Subscription
from billing.values import Value


class Elsewhere(Value):
    """What another billing system says of a subscription that runs there. Dates are local to the customer."""

    started_on: date
    """First day of service, as the customer knows it."""
    anchor: date | None = None
    """First day of its first paid period; None in a trial."""
    renews_on: date | None = None
    """First day that was not paid there, on which the next period begins; None in a trial."""
    trial_ends_on: date | None = None
    """First day after the trial that runs."""
    cancel_at_end: bool = False
    """The customer asked there that it ends with the period, or the trial, that runs."""
    committed_until: date | None = None
    """First day after the periods that the customer agreed to."""
    renewal_notice_sent: bool = False
    """The law's notice before the coming renewal was sent there (rules 30)."""


class NotTakenOver(InvalidInput):
    """A date that does not fit the calendar of the subscription; `field` names it."""


def take_over(sub: Subscription, elsewhere: Elsewhere, today: date) -> Subscription:
    """The subscription as it goes on here.

    Args:
        sub: with its terms and discounts, not started.
        elsewhere: how it stands there.
        today: the customer's date.

    Raises:
        NotTakenOver: a date is missing, past, or does not fit the others.
    """
    sub = sub.model_copy(
        update={
            "starts_on": elsewhere.started_on,
            "signed_up_at": starts_at(elsewhere.started_on, sub.timezone),
            "cancel_at_end": elsewhere.cancel_at_end,
        }
    )
    if elsewhere.started_on > today:
        raise NotTakenOver(
            f"It starts on {elsewhere.started_on}, later than today. Start it here: relance subscription start",
            field="started_on",
        )
    return _in_trial(sub, elsewhere, today) if elsewhere.trial_ends_on else _in_period(sub, elsewhere, today)


def _in_trial(sub: Subscription, elsewhere: Elsewhere, today: date) -> Subscription:
    """The rest of a trial: its end is the anchor of what is billed here (rules 3)."""
    end = elsewhere.trial_ends_on
    for name, given in (("anchor", elsewhere.anchor), ("renews_on", elsewhere.renews_on)):
        if given is not None:
            raise NotTakenOver(
                f"A subscription in trial has no {name} yet: its first period begins when the trial ends. Leave "
                f"{name} or trial_ends_on out.",
                field=name,
            )
    if end is None or end <= today:
        raise NotTakenOver(
            f"The trial was over on {end}. Export again: by now it is paid, or has ended.",
            field="trial_ends_on",
        )
    return sub.model_copy(update={"status": Status.TRIALING, "trial_end_on": end})


def _in_period(sub: Subscription, elsewhere: Elsewhere, today: date) -> Subscription:
    anchor, renews_on = elsewhere.anchor, elsewhere.renews_on
    if anchor is None:
        raise NotTakenOver(
            "Give the anchor: the first day of the first paid period, from which all others are counted.",
            field="anchor",
        )
    if renews_on is None:
        raise NotTakenOver(
            "Give renews_on: the first day that was not paid elsewhere. Our first invoice begins there.",
            field="renews_on",
        )
    if anchor > today:
        raise NotTakenOver(
            f"The anchor {anchor} is later than today. Give the first day of the period that runs, if the next ones "
            "can be counted from it.",
            field="anchor",
        )
    if renews_on <= today:
        raise NotTakenOver(
            f"It was to renew on {renews_on}, which is not later than today, {today}. Export again once the "
            "other system has renewed it, or once it is stopped there give the day from which it is to be billed.",
            field="renews_on",
        )
    active = sub.model_copy(
        update={
            "status": Status.ACTIVE,
            "anchor": anchor,
            "paid_elsewhere_until": renews_on,
            "covered_until": renews_on,
            "committed_until": elsewhere.committed_until,
        }
    )
    taken_over = active.model_copy(update={"period": _running(active.schedule, renews_on, today)})
    return _noticed(taken_over) if elsewhere.renewal_notice_sent else taken_over


def _running(schedule: Schedule, renews_on: date, today: date) -> Period:
    """The period that runs, which was paid elsewhere."""
    period = schedule.period_on(today)
    if period.end != renews_on:
        raise NotTakenOver(
            f"Counted every {schedule.interval.in_words} from the anchor {schedule.anchor}, the period that runs "
            f"today began on {period.start} and renews on {period.end}, not on {renews_on}. Mend anchor or renews_on; "
            "what was paid further ahead is a balance.",
            field="renews_on",
        )
    return period


def _noticed(sub: Subscription) -> Subscription:
    window = renewal_notice_window(sub)
    notified = () if window is None else (f"renewal_notice:{window.renews_on}",)
    return sub.model_copy(update={"notified": notified})


def go_live(sub: Subscription, at: datetime, on: date) -> Transition:
    """It lives here from this instant on: what it uses is counted from now, what it used before was billed there."""
    meters: tuple[Effect, ...] = (TurnMeters(None, sub.terms, at, on),) if sub.terms.metered_prices else ()
    return Transition(sub, (Emit("subscription.imported", _facts(sub)), *meters))


def _facts(sub: Subscription) -> dict[str, str]:
    """What a backend needs to know of it."""
    paid_until = sub.paid_elsewhere_until or sub.trial_end_on
    return {"plan": sub.terms.plan_id, "paid_elsewhere_until": str(paid_until)}


def take_back(sub: Subscription, at: datetime) -> Transition:
    """The import is undone: it is over here without a word to the customer, who is served elsewhere."""
    ended = end_for_good(sub, at, "the import was undone")
    after = ended.after.model_copy(update={"usage_closes_at": None})
    return Transition(after, tuple(effect for effect in ended.effects if not isinstance(effect, Notify)))


def rest_of(discount: Discount, periods_left: int | None) -> Discount:
    """A coupon with as many billed periods as it has left.

    Raises:
        InvalidInput: it is not said how many, or more than it has, or of one that has no end; field
            `coupon_periods_left`.
    """
    if discount.periods is None and periods_left is None:
        return discount
    if discount.periods is None:
        raise InvalidInput(
            f"The coupon {discount.coupon_id} has no end. Leave coupon_periods_left empty.",
            field="coupon_periods_left",
        )
    if periods_left is None or not 1 <= periods_left <= discount.periods:
        raise InvalidInput(
            f"Say how many of the {discount.periods} periods of the coupon {discount.coupon_id} are left, or leave "
            "a coupon out that is used up.",
            field="coupon_periods_left",
        )
    return discount.model_copy(update={"used": discount.periods - periods_left})


def why_no_invoice(sub: Subscription) -> str:
    """Of a subscription that will not be invoiced by itself: what happens in place of it."""
    if sub.status is Status.TRIALING and not sub.cancel_at_end:
        return f"the trial ends on {sub.trial_end_on} without a payment method: nothing is billed"
    return f"it ends before {sub.boundary_on}: nothing is billed"
