"""What whoever leaves gets back and pays: unused days, the price of leaving early; and the day on which it ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.calendar import Schedule, local_date
from billing.commands import CreditTo
from billing.effects import BillEarlyExit, CreditUnused, DropWaitingDrafts, Effect
from billing.steps import renewal_notice_window
from billing.subscription import CustomerKind, Status, Subscription


def credit_unused(sub: Subscription, at: datetime, reason: str, credit_to: CreditTo) -> tuple[Effect, ...]:
    """Gives back the days that were billed and are not used; the day itself counts as used (rules 8)."""
    if credit_to is CreditTo.NONE:
        return ()
    return (CreditUnused(local_date(at, sub.timezone) + timedelta(days=1), reason, credit_to),)


def early_exit(sub: Subscription, from_day: date) -> tuple[Effect, ...]:
    """What leaving within the commitment costs; by default nothing for those whom the law protects.

    Whoever was not told of a renewal in time leaves freely (rules 30).
    """
    if sub.free_exit or sub.committed_until is None or from_day >= sub.committed_until:
        return ()
    protected = sub.customer_kind in (CustomerKind.CONSUMER, CustomerKind.NON_PROFESSIONAL)
    percent = sub.terms.early_exit_percent
    share = percent if percent is not None else Decimal(0 if protected else 100)
    return (BillEarlyExit(from_day, sub.committed_until, share),) if share else ()


def not_paid_from(sub: Subscription, at: datetime, *, is_given_back: bool = False) -> date:
    """The first day that whoever leaves now has neither used nor paid: what leaving early costs is counted from it.

    Args:
        sub: before it ends. While it is paused, the first day of the pause that nothing paid, however long ago: a
            commitment is a number of billed periods.
        at: the end.
        is_given_back: whether the days that were paid and are not used go back; else they count as paid.
    """
    if sub.status is Status.PAUSED and sub.covered_until is not None:
        return sub.covered_until
    unused_from = local_date(at, sub.timezone) + timedelta(days=1)
    paid_until = sub.paid_elsewhere_until if is_given_back else sub.covered_until
    return max(unused_from, paid_until or unused_from)


def what_waits_is_dropped(sub: Subscription) -> tuple[Effect, ...]:
    """The period that had begun is not billed to whoever lost the service for a debt; what was used is."""
    return () if sub.usage_closes_at is None else (DropWaitingDrafts(),)


def leaves_freely_from(sub: Subscription, boundary: date) -> bool:
    """Whether a renewal was not announced in time; within a term it stays as it was (rules 30)."""
    window = renewal_notice_window(sub)
    if window is None or window.renews_on != boundary:
        return sub.free_exit
    return f"renewal_notice:{boundary}" not in sub.notified


def ends_on(sub: Subscription) -> date | None:
    """The first day without service, if a pending cancel takes effect as things stand; None where none is pending.

    A cancel for a date ends it with the first period, or the trial, that ends on or after it: what was paid is served
    to its end, and nothing is billed from there (rules 20). Where no period runs, it ends on that very date.
    """
    if sub.cancel_at_end:
        return sub.boundary_on if sub.access_ends_at is None else local_date(sub.access_ends_at, sub.timezone)
    if sub.cancel_on is None or sub.status in (Status.PAUSED, Status.UNPAID):
        return sub.cancel_on
    pauses_first = sub.pause_at_end and not sub.ends_with_period
    return sub.cancel_on if pauses_first else _first_boundary(sub, sub.cancel_on)


def _first_boundary(sub: Subscription, on: date) -> date:
    """The first end of a period, or of the trial, on or after a date."""
    terms, anchor, boundary = sub.terms, sub.anchor, sub.boundary_on
    if sub.status is Status.SCHEDULED:
        anchor = sub.starts_on + timedelta(days=terms.trial_days)
        boundary = anchor if terms.trial_days else None
    elif sub.status is Status.TRIALING:
        anchor = sub.trial_end_on
    elif sub.pending_terms is not None and not sub.pending_terms.same_rhythm_as(terms):
        terms, anchor = sub.pending_terms, boundary
    if boundary is not None and on <= boundary:
        return boundary
    schedule = Schedule(
        anchor=anchor or sub.starts_on,
        interval=terms.interval,
        timezone=sub.timezone,
        alignment=terms.alignment,
        billing_day=terms.billing_day,
    )
    return schedule.period_on(on - timedelta(days=1)).end
