"""Statutory interest on late payment between businesses (commercial code L441-10, rules 31).

Actual days of a year of 365, on the gross that is unpaid, from the day after the due date to the day of payment, each
half-year at its own rate, rounded once, outside VAT. The rates are data, each with its source: `interest_rates.csv`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, field_validator

from billing.errors import InvalidInput
from billing.money import round_half_up
from billing.rate_tables import RateFile
from billing.values import Value

DAYS_OF_A_YEAR: Final = 365
RECOVERY_COSTS_MINOR: Final = 4000
"""Fixed compensation for recovery costs, once per invoice, in EUR cents (commercial code D441-5)."""
_COLUMNS: Final = ("from_on", "percent")
_DAY: Final = timedelta(days=1)
_JULY: Final = 7


class UnusableInterestRates(InvalidInput):
    """A table of interest rates can't be read; the message names the line."""


class InterestRateMissing(InvalidInput):
    """The table has no rate for a half-year: none is made up."""

    def __init__(self, from_on: date) -> None:
        super().__init__(
            f"The table of interest rates has no rate for the half-year from {from_on}. Add it, ten points above the "
            "refinancing rate of the European Central Bank on that day: RELANCE_INTEREST_RATES names your own table.",
            field="interest_rates",
        )
        self.from_on = from_on


class InterestRate(Value):
    """The rate of one half-year."""

    from_on: date
    """1 January or 1 July."""
    percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)]
    """A year."""
    source: str = ""

    @field_validator("from_on")
    @classmethod
    def _begins_a_half_year(cls, given: date) -> date:
        if half_year_of(given) != given:
            raise ValueError(f"{given} does not begin a half-year: rates count from 1 January and 1 July")
        return given


class InterestRates(Value):
    """A table of rates, one for each half-year that it knows."""

    rates: tuple[InterestRate, ...] = ()

    @field_validator("rates")
    @classmethod
    def _one_each(cls, given: tuple[InterestRate, ...]) -> tuple[InterestRate, ...]:
        if len({rate.from_on for rate in given}) < len(given):
            raise ValueError("a half-year has two rates; leave one")
        return given

    def percent_from(self, half_year: date) -> Decimal:
        """The rate of the half-year that begins on this day.

        Raises:
            InterestRateMissing: the table does not know it.
        """
        for rate in self.rates:
            if rate.from_on == half_year:
                return rate.percent
        raise InterestRateMissing(half_year)


class Reduction(Value):
    """What took something off an invoice: a payment or a credit; negative where one was taken back."""

    on: date
    amount_minor: int


class Stretch(Value):
    """Days on which the same was unpaid, at one rate."""

    from_on: date
    until_on: date
    """Last day, inclusive."""
    unpaid_minor: int
    percent: Decimal

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.until_on - self.from_on).days + 1


def half_year_of(day: date) -> date:
    """The first day of the half-year in which a day lies."""
    return date(day.year, _JULY if day.month >= _JULY else 1, 1)


def unpaid_stretches(
    gross_minor: int, due_on: date, reductions: Sequence[Reduction], until_on: date
) -> list[tuple[date, date, int]]:
    """First day, last day and unpaid amount of each stretch after the due date, cut at half-years.

    The day on which something is paid counts with what was unpaid before.

    Args:
        gross_minor: of the invoice, tax included.
        due_on: the last day on which a payment is in time.
        reductions: all that took something off it, in any order.
        until_on: the last day that is looked at.
    """
    cuts = {due_on + _DAY, until_on + _DAY, *(one.on + _DAY for one in reductions)}
    cuts |= {date(year, month, 1) for year in range(due_on.year, until_on.year + 1) for month in (1, _JULY)}
    days = sorted(day for day in cuts if due_on < day <= until_on + _DAY)
    found = []
    for first, after in pairwise(days):
        unpaid = gross_minor - sum(one.amount_minor for one in reductions if one.on < first)
        if unpaid > 0:
            found.append((first, after - _DAY, unpaid))
    return found


def late_stretches(
    gross_minor: int, due_on: date, reductions: Sequence[Reduction], until_on: date, rates: InterestRates
) -> tuple[Stretch, ...]:
    """The stretches of `unpaid_stretches` with their rates.

    Raises:
        InterestRateMissing: the table does not know a half-year.
    """
    return tuple(
        Stretch(
            from_on=first,
            until_on=last,
            unpaid_minor=unpaid,
            percent=rates.percent_from(half_year_of(first)),
        )
        for first, last, unpaid in unpaid_stretches(gross_minor, due_on, reductions, until_on)
    )


def interest_on(stretches: Iterable[Stretch]) -> int:
    """The interest in minor units, rounded once."""
    exact = (
        Fraction(stretch.percent) * stretch.unpaid_minor * stretch.days / (100 * DAYS_OF_A_YEAR)
        for stretch in stretches
    )
    return round_half_up(sum(exact, Fraction()))


def read_interest_rates(lines: Iterable[str]) -> InterestRates:
    """A table from the lines of a CSV file with the columns `from_on`, `percent` and `source`.

    Raises:
        UnusableInterestRates: a column is missing, a row is wrong, or a half-year has two rates.
    """
    return _FILE.read(lines)


_FILE: Final = RateFile(
    "interest rates", "interest_rates", _COLUMNS, InterestRate, InterestRates, UnusableInterestRates
)


@lru_cache(maxsize=1)
def default_interest_rates() -> InterestRates:
    """The table that comes with Relance."""
    text = Path(__file__).with_name("interest_rates.csv").read_text(encoding="utf-8")
    return read_interest_rates(text.splitlines())
