"""What a change or a cancel inside a billed period costs, from nothing but two prices and a date (rules 8)."""

from __future__ import annotations

from datetime import date, timedelta

from billing.calendar import BeforeAnchor, Period, Schedule
from billing.changing import change_lines, period_after_change, unused
from billing.lines import Line, LineKind, lines_for
from billing.tax import TaxRate, totals
from billing.terms import Terms
from billing.values import Value


class QuoteLine(Value):
    """One line of the answer, in whole minor units."""

    kind: str
    """`credit` or `charge`."""
    amount: int
    """Net; credits are negative or zero."""
    days: int
    period_days: int
    """Days of the whole period that prices the line."""
    start: date
    end: date
    """Exclusive."""


class Quote(Value):
    """Lines, credits first, with their sums in whole minor units."""

    lines: tuple[QuoteLine, ...]
    subtotal: int
    tax: int
    total: int


def quote_change(old: Terms, new: Terms, schedule: Schedule, change_on: date, rate: TaxRate) -> Quote:
    """What a change now costs, where the old terms were billed in advance for the period that holds the day.

    A new rhythm starts a new anchor on the change day (rules 8). Lines that cost the same on both sides are shown.

    Args:
        old: the terms before; their one price has another id than that of the new ones.
        new: the terms from `change_on` on.
        schedule: of the old terms.
        change_on: local date; it belongs to the new terms.
        rate: of the tax, added to the net.

    Raises:
        BeforeAnchor: nothing was billed for that day yet; field `change_on`.
        OutsideCalendar: the new period ends after the year 9999.
    """
    period = _period_on(schedule, change_on, field="change_on")
    following = Schedule(
        anchor=change_on, interval=new.interval, timezone=schedule.timezone, alignment=new.alignment
    )
    change = change_lines(
        lines_for(old, period),
        old,
        new,
        period_after_change(old, new, period, change_on, schedule=following),
        change_on,
    )
    return _quote(change.lines, rate)


def quote_cancel(old: Terms, schedule: Schedule, cancel_on: date, rate: TaxRate) -> Quote:
    """What a cancel now gives back; the day itself is used.

    Raises:
        BeforeAnchor: nothing was billed for that day yet; field `cancel_on`.
    """
    period = _period_on(schedule, cancel_on, field="cancel_on")
    return _quote(unused(lines_for(old, period), cancel_on + timedelta(days=1)), rate)


def _period_on(schedule: Schedule, day: date, *, field: str) -> Period:
    try:
        return schedule.period_on(day)
    except BeforeAnchor as refused:
        raise BeforeAnchor(refused.message, field=field) from None


def _quote(lines: tuple[Line, ...], rate: TaxRate) -> Quote:
    sums = totals(lines, rate, tax_included=False).totals
    return Quote(
        lines=tuple(_line(line) for line in lines),
        subtotal=sums.net_minor,
        tax=sums.vat_minor,
        total=sums.total_minor,
    )


def _line(line: Line) -> QuoteLine:
    gives_back = line.kind in (LineKind.PRORATION_CREDIT, LineKind.CREDIT)
    return QuoteLine(
        kind="credit" if gives_back else "charge",
        amount=line.amount_minor,
        days=line.days,
        period_days=line.whole_days,
        start=line.start,
        end=line.end,
    )
