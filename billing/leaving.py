"""What whoever leaves gets back and pays: unused days, the price of leaving early, what is not billed any more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.calendar import local_date
from billing.commands import CreditTo
from billing.effects import BillEarlyExit, CreditUnused, DropWaitingDrafts, Effect
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


def cost_of_pending_end(sub: Subscription) -> tuple[date | None, tuple[Effect, ...]]:
    """When a pending cancel takes effect, and what leaving early is billed then, if nothing happens before."""
    if not sub.cancel_at_end or sub.is_over:
        return None, ()
    if sub.status is Status.PAUSED and sub.access_ends_at is not None:
        on = local_date(sub.access_ends_at, sub.timezone)
        return on, early_exit(sub, not_paid_from(sub, sub.access_ends_at))
    on_boundary = sub.boundary_on if sub.status.bills else None
    return on_boundary, () if on_boundary is None else early_exit(sub, on_boundary)


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
