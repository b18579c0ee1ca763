"""Giving back days that were billed, and billing them again at other terms: changes, cancels, pauses (rules 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from billing.calendar import Period, Schedule
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.fees import fees_due
from billing.lines import Line, LineKind, lines_for
from billing.money import round_half_up
from billing.terms import Terms


class OutsidePeriod(InvalidInput):
    """A change or cancel dated on a day that the current period does not cover.

    Attributes:
        day: what was given.
        period: the current period.
    """

    def __init__(self, day: date, period: Period, *, field: str) -> None:
        last = period.end - timedelta(days=1)
        super().__init__(
            f"{day} is not in the current period. Give a date from {period.start} to {last}.", field=field
        )
        self.day = day
        self.period = period


class TermsDoNotMix(InvalidInput):
    """Old and new terms whose amounts can't stand on one document."""


def give_back(billed: Line, from_on: date, *, kind: LineKind = LineKind.CREDIT) -> Line | None:
    """The days of a billed line from `from_on` on, as a negative line; None where it bills none of them.

    Without a cap this is the price of a whole period times days over whole days, rounded half up (rules 8).

    Args:
        billed: a line that billed days.
        from_on: first day that is given back.
        kind: why.
    """
    if not billed.kind.bills_days or from_on >= billed.end:
        return None
    start = max(from_on, billed.start)
    days = (billed.end - start).days
    amount = round_half_up(Fraction(billed.whole_minor) * days / billed.whole_days)
    listed = round_half_up(Fraction(billed.list_minor * days, billed.days)) if billed.discounts else amount
    return billed.model_copy(
        update={"kind": kind, "start": start, "amount_minor": -amount, "list_minor": -listed}
    )


def unused(billed: Iterable[Line], from_on: date, *, kind: LineKind = LineKind.CREDIT) -> tuple[Line, ...]:
    """What the billed lines give back from `from_on` on. A cancel on a day uses that day: give the next (rules 8)."""
    given = (give_back(line, from_on, kind=kind) for line in billed)
    return tuple(line for line in given if line is not None)


@dataclass(frozen=True)
class ChangeLines:
    """What a change inside a billed period costs.

    Attributes:
        credits: by position of the billed line that each gives days back of.
        charges: the rest of the period, or the first period of a new rhythm, at the new terms.
    """

    credits: Mapping[int, Line]
    charges: tuple[Line, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """As they stand on a document that carries both: credits first."""
        return (*self.credits.values(), *self.charges)


def change_lines(
    billed: Sequence[Line],
    old: Terms,
    new: Terms,
    period: Period,
    change_on: date,
    *,
    discounts: Sequence[Discount] = (),
    fees_left: Sequence[str] = (),
) -> ChangeLines:
    """What a change on a day costs: what was billed from it on goes back, the new terms are billed (rules 8).

    The change day belongs to the new terms. Lines that stay as they are are left out on both sides. Prices that are
    billed once are billed where neither the old terms nor those before them had them.

    Args:
        billed: the lines that bill the days from `change_on` on.
        old: the terms before it.
        new: the terms from `change_on` on.
        period: what the new terms bill, from `change_on` on; see `period_after_change`.
        change_on: local date of the change.
        discounts: those of the period.
        fees_left: ids of prices billed once that terms before the old ones had.
    """
    kind = LineKind.PRORATION_CHARGE if old.same_rhythm_as(new) else LineKind.SUBSCRIPTION
    charges = lines_for(new, period, discounts=discounts, once=fees_due(new, old, fees_left), kind=kind)
    given_back = {
        place: credit
        for place, line in enumerate(billed)
        if (credit := give_back(line, change_on, kind=LineKind.PRORATION_CREDIT)) is not None
    }
    for place, credit in tuple(given_back.items()):
        same = next((charge for charge in charges if _mirrors(credit, charge)), None)
        if same is not None:
            del given_back[place]
            charges = tuple(charge for charge in charges if charge is not same)
    return ChangeLines(given_back, charges)


def period_after_change(
    old: Terms, new: Terms, period: Period, change_on: date, *, schedule: Schedule
) -> Period:
    """What the new terms bill from `change_on` on.

    The rest of the same period while the rhythm stays. A new rhythm bills the period of its own schedule that holds
    the day, from that day on: with a new anchor there the whole of it, or the part up to its billing day (rules 8).

    Args:
        old: the terms before the change.
        new: the terms from then on.
        period: that was billed at the old ones.
        change_on: local date of the change.
        schedule: of the new terms: anchored on the change day, or on the old anchor where the caller keeps it.
    """
    if old.same_rhythm_as(new):
        return period.model_copy(update={"start": change_on})
    return schedule.part_from(change_on)


def check_same_document(old: Terms, new: Terms) -> None:
    """Refuses terms whose amounts can't be set off against each other.

    Raises:
        TermsDoNotMix: the currencies differ (field `currency`), or only one side's prices contain the tax (field
            `tax_included`).
    """
    if old.currency != new.currency:
        raise TermsDoNotMix(
            f"The new terms bill in {new.currency}, the current ones in {old.currency}. "
            "Start a new subscription to change currency.",
            field="currency",
        )
    if old.tax_included != new.tax_included:
        raise TermsDoNotMix(
            "Prices with and without tax can't stand on one document. "
            "Apply this change at the end of the period.",
            field="tax_included",
        )


def check_in_period(day: date, period: Period, *, field: str) -> None:
    """Refuses a day that the period does not cover.

    Raises:
        OutsidePeriod: with the days that it does.
    """
    if not period.start <= day < period.end:
        raise OutsidePeriod(day, period, field=field)


def _mirrors(credit: Line, charge: Line) -> bool:
    """Whether a charge bills again what a credit gives back, so that both can stay away."""
    same_price = (credit.price_id, credit.quantity, credit.whole_minor, credit.tax_class) == (
        charge.price_id,
        charge.quantity,
        charge.whole_minor,
        charge.tax_class,
    )
    same_days = (credit.start, credit.end, credit.whole_days) == (charge.start, charge.end, charge.whole_days)
    return same_price and same_days and credit.amount_minor == -charge.amount_minor
