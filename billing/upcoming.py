"""What the next invoice of a subscription will be, if nothing happens before it: for mails and for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing import lifecycle
from billing.calendar import Schedule
from billing.effects import BillEarlyExit, Effect, Issue
from billing.lines import Line, lines_for
from billing.subscription import Status, Subscription
from billing.tax import Totals, totals_by_rate
from billing.taxation import TaxTreatment
from billing.terms import Terms
from billing.values import Value


class Upcoming(Value):
    """The next invoice as it stands now."""

    on: date
    """Local date on which it is issued: the first of its period."""
    until: date
    """End of its period, exclusive."""
    currency: str
    vat_minor: int
    total_minor: int
    """With tax."""


def next_issue(sub: Subscription) -> Issue | None:
    """The invoice that the next boundary issues; None for none."""
    return next((effect for effect in _at_the_boundary(sub) if isinstance(effect, Issue)), None)


def early_exit_to_come(sub: Subscription) -> BillEarlyExit | None:
    """What the next boundary bills for leaving within a commitment, where it is the end; None for nothing."""
    return next((effect for effect in _at_the_boundary(sub) if isinstance(effect, BillEarlyExit)), None)


def _at_the_boundary(sub: Subscription) -> tuple[Effect, ...]:
    """What the next boundary does, found by asking what crossing it would do."""
    at = sub.boundary_at
    if at is None:
        return ()
    match sub.status:
        case Status.SCHEDULED:
            return lifecycle.start(sub, gate=False).effects
        case Status.TRIALING:
            return lifecycle.end_trial(sub, at).effects
        case Status.PAUSED if sub.access_ends_at is not None:
            return lifecycle.end_access(sub, sub.access_ends_at).effects
        case Status.ACTIVE | Status.PAST_DUE:
            return lifecycle.cross_boundary(sub, at, catch_up_limit=1).effects
        case _:
            return ()


def upcoming(sub: Subscription, treatment: TaxTreatment) -> Upcoming | None:
    """The next invoice with its amount.

    Args:
        sub: as it is; a pending change is taken into account, a pending cancel or pause leaves nothing to come.
        treatment: how it is taxed. Usage is not known yet and not in it.
    """
    issue = next_issue(sub)
    if issue is None:
        return None
    lines = lines_for(issue.terms, issue.period, discounts=issue.discounts, once=issue.once)
    taxed = _taxed(lines, issue.terms, treatment)
    return Upcoming(
        on=issue.period.start,
        until=issue.period.end,
        currency=issue.terms.currency,
        vat_minor=taxed.vat_minor,
        total_minor=taxed.total_minor,
    )


def price_of_a_period(terms: Terms, on: date, timezone: str, treatment: TaxTreatment) -> Totals:
    """What a whole period costs from a day on, before discounts and without usage."""
    period = Schedule(anchor=on, interval=terms.interval, timezone=timezone).period(0)
    return _taxed(lines_for(terms, period), terms, treatment)


def _taxed(lines: Sequence[Line], terms: Terms, treatment: TaxTreatment) -> Totals:
    amounts = [(line.amount_minor, treatment.rate_for(line.tax_class)) for line in lines]
    return totals_by_rate(amounts, tax_included=terms.tax_included).totals
