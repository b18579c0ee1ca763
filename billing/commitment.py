"""How long a commitment lasts, and what leaving within it costs: a share of what the rest would have cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from billing.calendar import Period
from billing.discounts import in_this_period
from billing.lines import Line, LineKind, lines_for
from billing.money import round_half_up
from billing.subscription import Subscription


def committed(sub: Subscription, *, from_period: int) -> Subscription:
    """The commitment of its terms, counted in billed periods from one of its schedule; never shorter than before."""
    if not sub.terms.commitment_periods:
        return sub
    end = sub.schedule.period(from_period + sub.terms.commitment_periods - 1).end
    return sub.model_copy(update={"committed_until": max(end, sub.committed_until or end)})


def early_exit_lines(sub: Subscription, from_day: date, until: date, percent: Decimal) -> tuple[Line, ...]:
    """One line per recurring price, for all days from `from_day` to the end of the commitment.

    The days are priced as they would have been billed: whole periods at their price, the rest of the present one by
    day, each period rounded once, then the share of the sum.

    Args:
        sub: with its terms and period.
        from_day: first day that is not used any more.
        until: end of the commitment, exclusive.
        percent: the share, above 0.
    """
    by_price: dict[str, list[Line]] = {}
    for period in _periods_left(sub, from_day, until):
        for line in lines_for(sub.terms, period, discounts=in_this_period(sub.discounts)):
            by_price.setdefault(line.price_id, []).append(line)
    return tuple(_share(lines, from_day, until, percent) for lines in by_price.values())


def _periods_left(sub: Subscription, from_day: date, until: date) -> Iterator[Period]:
    day = from_day
    while day < until:
        period = sub.schedule.part_from(day)
        yield period
        day = period.end


def _share(lines: list[Line], from_day: date, until: date, percent: Decimal) -> Line:
    exact = Fraction(percent) / 100 * sum(line.amount_minor for line in lines)
    amount = round_half_up(exact)
    return lines[0].model_copy(
        update={
            "kind": LineKind.EARLY_EXIT,
            "start": from_day,
            "end": until,
            "whole_days": (until - from_day).days,
            "whole_minor": Decimal(amount),
            "list_minor": amount,
            "amount_minor": amount,
            "discounts": (),
        }
    )
