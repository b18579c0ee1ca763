"""Moving the subscribers of one plan to the prices of another: whom it concerns, and from when.

A plan's prices never change for those who have it already, unless they are told: with notice, at a renewal, and never
within a commitment.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from billing.announced import Announced, running_prices
from billing.calendar import Schedule, local_date
from billing.commands import MigratePlan
from billing.effects import Emit, Notify, Transition
from billing.errors import InvalidInput
from billing.features import Feature, overridden
from billing.leaving import ends_on
from billing.refusal import Refused
from billing.subscription import CustomerKind, Status, Subscription
from billing.terms import Terms
from billing.values import Value

MAX_STATE_BYTES: Final = 8_000
"""A subscription's state stays below (engine 14)."""


class NoticeDays(Value):
    """How long before its new price a customer hears of it."""

    business: int = 30
    consumer: int = 60
    """Non-professionals too."""

    def for_kind(self, kind: CustomerKind) -> int:
        """Days for this kind of buyer."""
        protected = kind in (CustomerKind.CONSUMER, CustomerKind.NON_PROFESSIONAL)
        return self.consumer if protected else self.business


DEFAULT_NOTICE: Final = NoticeDays()


def check_plans(old: Terms, new: Terms) -> None:
    """Refuses two plans between which prices can't simply be exchanged.

    Raises:
        InvalidInput: they are the same, or differ in rhythm, currency or tax; field `to`.
    """
    if old.plan_id == new.plan_id:
        raise InvalidInput("Both plans are the same. Name the one with the new prices.", field="to")
    for what, same in (
        ("rhythm", old.same_rhythm_as(new)),
        ("currency", old.currency == new.currency),
        ("prices with or without tax", old.tax_included == new.tax_included),
    ):
        if not same:
            raise InvalidInput(
                f"The plans differ in more than their prices: {what}. Offer a plan that only has other prices.",
                field="to",
            )


def left_out(sub: Subscription, old: Terms, new: Terms) -> str | None:
    """Why a subscription keeps its price, in words; None where the new one is announced.

    Args:
        sub: a subscription.
        old: the plan as it is offered, or was.
        new: the plan with the new prices.
    """
    if sub.is_over:
        return "it has ended"
    if sub.terms.plan_id != old.plan_id:
        return f"it has the plan {sub.terms.plan_name}"
    if sub.announced is not None:
        return f"another price is announced already, from {sub.announced.from_on}"
    if running_prices(sub.terms.prices) != running_prices(old.prices):
        return "its price was agreed with this customer"
    if sub.status is Status.INCOMPLETE:
        return "its first payment is open"
    if sub.ends_with_period:
        return f"it ends on {ends_on(sub)}"
    pending = sub.pending_terms
    if pending is not None and (pending.plan_id != old.plan_id or pending.prices != sub.terms.prices):
        return f"it changes to {pending.plan_name} by itself"
    return _does_not_fit(sub, new)


def _does_not_fit(sub: Subscription, new: Terms) -> str | None:
    size = len(sub.model_dump_json(exclude_defaults=True)) + len(new.model_dump_json(exclude_defaults=True))
    return "its state would grow too large" if size > MAX_STATE_BYTES else None


def first_renewal(sub: Subscription, not_before: date) -> date:
    """The first day of the first renewal on or after a date, and not within the commitment."""
    earliest = max(not_before, sub.committed_until or not_before)
    anchor = sub.anchor or sub.trial_end_on or sub.starts_on + timedelta(days=sub.terms.trial_days)
    schedule = Schedule(
        anchor=anchor,
        interval=sub.terms.interval,
        timezone=sub.timezone,
        alignment=sub.terms.alignment,
        billing_day=sub.terms.billing_day,
    )
    if earliest <= anchor:
        return schedule.period(1).start
    period = schedule.period_on(earliest)
    return period.start if period.start == earliest else period.end


def announce(sub: Subscription, command: MigratePlan, at: datetime) -> Transition:
    """Tell the customer of the new price, and remember from when it applies.

    Raises:
        Refused: this subscription keeps its price; field `subscription`.
        InvalidInput: the plans do not fit, or were not looked up; field `to`.
    """
    old, new = command.old, command.new
    if old is None or new is None:
        raise InvalidInput("The plans' terms were not looked up.", field="to")
    check_plans(old, new)
    why_not = left_out(sub, old, new)
    if why_not is not None:
        raise Refused(f"The price stays: {why_not}.", field="subscription")
    announced = announced_for(
        sub, old, new, on=local_date(at, sub.timezone), notice_days=command.notice_days
    ).model_copy(update={"command_id": command.command_id})
    ends = ends_on(sub)
    if ends is not None and ends <= announced.from_on:
        raise Refused(f"The price stays: it ends on {ends}.", field="subscription")
    facts = {"to": announced.plan_name, "from_on": str(announced.from_on)}
    return Transition(
        sub.model_copy(update={"announced": announced}),
        (
            Emit("subscription.price_change_announced", facts),
            Notify("price_change", f"{announced.from_on}:{command.command_id}"),
        ),
    )


def announced_for(sub: Subscription, old: Terms, new: Terms, *, on: date, notice_days: int) -> Announced:
    """What is announced to a subscription on a day."""
    return Announced(
        command_id="",
        from_plan_id=old.plan_id,
        plan_id=new.plan_id,
        plan_name=new.plan_name,
        prices=running_prices(new.prices),
        features=overridden(new.features, _own_features(sub, old)),
        from_on=first_renewal(sub, on + timedelta(days=notice_days)),
    )


def _own_features(sub: Subscription, old: Terms) -> tuple[Feature, ...]:
    """What was agreed with this customer stays."""
    return tuple(feature for feature in sub.terms.features if feature not in old.features)
