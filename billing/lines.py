"""What a period, a change or a cancel puts on a document, line by line, before tax is worked out.

Every line is a price for some days of a period, rounded once (rules 5 and 8). Lines carry the facts that a
reader needs, not sentences: those are written in the reader's language where the document is made.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from billing.calendar import Period, Schedule
from billing.errors import InvalidInput
from billing.money import round_half_up, to_exact_minor
from billing.terms import Price, Terms
from billing.values import Value


class LineKind(StrEnum):
    """Why a line is there; chooses the sentence that describes it."""

    SUBSCRIPTION = "subscription"
    """A period, or the part of one with which a subscription begins or resumes."""
    PRORATION_CREDIT = "proration_credit"
    """Days of the old terms that a change gives back."""
    PRORATION_CHARGE = "proration_charge"
    """The same days at the new terms."""
    CREDIT = "credit"
    """Days that a cancel or a pause leaves unused."""


class Line(Value):
    """One line of an invoice or credit note."""

    kind: LineKind
    price_id: str
    plan_name: str
    description: str = ""
    """Of the price; empty where the plan's name says it all."""
    quantity: int
    """Units billed: 1 for a flat price. Never negative; the sign is in the amount."""
    unit_amount: Decimal
    """Per whole period, in major units."""
    start: date
    end: date
    """Exclusive."""
    whole_days: int
    """Days of the whole period that prices the days of this line (rules 8)."""
    amount_minor: int
    """Signed, credits negative. Gross where the terms' prices contain the tax, else net (rules 6)."""

    @model_validator(mode="after")
    def _days_are_within_the_whole(self) -> Self:
        if not 1 <= self.days <= self.whole_days:
            raise ValueError("a line covers at least one day and at most its whole period")
        return self

    @property
    def days(self) -> int:
        """Days that this line bills or gives back."""
        return (self.end - self.start).days

    @property
    def is_part(self) -> bool:
        """Whether the amount is prorated."""
        return self.days != self.whole_days


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


def lines_for(terms: Terms, period: Period) -> tuple[Line, ...]:
    """The lines that bill `period` in advance; a part period by day over its whole period (rules 8)."""
    return tuple(_line(LineKind.SUBSCRIPTION, terms, price, period, period.start) for price in terms.prices)


def unused_credit(
    terms: Terms, period: Period, from_on: date, *, kind: LineKind = LineKind.CREDIT
) -> tuple[Line, ...]:
    """What the days from `from_on` to the end of a billed `period` cost, as negative lines (rules 8).

    Args:
        terms: those that billed the period.
        period: the period that was billed in advance.
        from_on: first day that is given back; the period's end gives back nothing.
        kind: why.

    Raises:
        OutsidePeriod: `from_on` is before the period or after its end; field `from_on`.
    """
    if not period.start <= from_on <= period.end:
        raise OutsidePeriod(from_on, period, field="from_on")
    if from_on == period.end:
        return ()
    return tuple(_line(kind, terms, price, period, from_on) for price in terms.prices)


def cancel_credit(terms: Terms, period: Period, cancel_on: date) -> tuple[Line, ...]:
    """What a cancel on `cancel_on` leaves unused of a billed `period`: the cancel day is used (rules 8).

    Raises:
        OutsidePeriod: `cancel_on` is not in the period; field `cancel_on`.
    """
    _check_in_period(cancel_on, period, field="cancel_on")
    return unused_credit(terms, period, cancel_on + timedelta(days=1))


def change_lines(old: Terms, new: Terms, period: Period, change_on: date) -> tuple[Line, ...]:
    """What a change inside a billed `period` costs: credits at the old terms, then charges (rules 8).

    The change day belongs to the new terms. While the rhythm stays, both sides cover the days from
    `change_on` to the period's end, and prices that are the same on both sides are left out. A new rhythm
    gives back all unused days and bills the first period of its own anchor, `period_after_change`.

    Raises:
        OutsidePeriod: `change_on` is not in the period; field `change_on`.
        TermsDoNotMix: the currencies differ (field `currency`), or only one side's prices contain the tax
            (field `tax_included`).
    """
    _check_in_period(change_on, period, field="change_on")
    _check_same_document(old, new)
    following = period_after_change(old, new, period, change_on)
    if not old.same_rhythm_as(new):
        return (
            *unused_credit(old, period, change_on, kind=LineKind.PRORATION_CREDIT),
            *lines_for(new, following),
        )
    kept = _same_prices(old, new)
    return tuple(
        _line(kind, terms, price, period, change_on)
        for kind, terms in ((LineKind.PRORATION_CREDIT, old), (LineKind.PRORATION_CHARGE, new))
        for price in terms.prices
        if price.id not in kept
    )


def period_after_change(old: Terms, new: Terms, period: Period, change_on: date) -> Period:
    """The period in which a subscription is once `new` applies from `change_on`.

    The same one while the rhythm stays. A new rhythm starts a new anchor on the change day (rules 8), so
    this is period 0 of the new schedule.
    """
    if old.same_rhythm_as(new):
        return period
    # Periods are local dates, the same in every zone.
    return Schedule(anchor=change_on, interval=new.interval, alignment=new.alignment, timezone="UTC").period(
        0
    )


_GIVES_BACK = frozenset({LineKind.PRORATION_CREDIT, LineKind.CREDIT})


def _line(kind: LineKind, terms: Terms, price: Price, period: Period, start: date) -> Line:
    days = (period.end - start).days
    whole = to_exact_minor(price.whole_amount(terms.quantity), terms.currency)
    amount = round_half_up(whole * days / period.whole_days)
    return Line(
        kind=kind,
        price_id=price.id,
        plan_name=terms.plan_name,
        description=price.description,
        quantity=price.billed_quantity(terms.quantity),
        unit_amount=price.unit_amount,
        start=start,
        end=period.end,
        whole_days=period.whole_days,
        amount_minor=-amount if kind in _GIVES_BACK else amount,
    )


def _same_prices(old: Terms, new: Terms) -> set[str]:
    """Ids of the prices that bill the same on both sides."""
    before = {price.id: (price, price.billed_quantity(old.quantity)) for price in old.prices}
    return {
        price.id
        for price in new.prices
        if before.get(price.id) == (price, price.billed_quantity(new.quantity))
    }


def _check_in_period(day: date, period: Period, *, field: str) -> None:
    if not period.start <= day < period.end:
        raise OutsidePeriod(day, period, field=field)


def _check_same_document(old: Terms, new: Terms) -> None:
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
