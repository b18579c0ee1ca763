"""The rates of VAT in force, by place and date. They are data: `vat_rates.csv`, each row with its source.

Columns: country (ISO 3166-1), territory (as `billing.tax_places` names it, or empty), tax_class, percent,
valid_from and valid_until (ISO 8601, the end exclusive, empty while in force), source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from billing.errors import InvalidInput
from billing.rate_tables import RateFile
from billing.tax import Percent
from billing.tax_places import OUTSIDE_THE_VAT_AREA, OVERSEAS_WITHOUT_VAT, TaxPlace
from billing.taxation import EXEMPT, TAX_CLASSES
from billing.values import Value

_NEEDED: Final = ("country", "tax_class", "percent", "valid_from")
_WITHOUT_THE_STATES_RATES: Final = OUTSIDE_THE_VAT_AREA | OVERSEAS_WITHOUT_VAT


class UnusableRates(InvalidInput):
    """A table of rates can't be read; the message names the row."""


class VatRate(Value):
    """One rate, for as long as it is in force."""

    country: str = Field(pattern="^[A-Z]{2}$")
    territory: str = ""
    """Empty: the whole state but its territories that have rows of their own."""
    tax_class: str
    percent: Percent
    valid_from: date
    valid_until: date | None = None
    """First day on which it is not in force any more."""
    source: str = ""

    @field_validator("valid_until", mode="before")
    @classmethod
    def _empty_is_open(cls, given: object) -> object:
        return given or None

    @field_validator("tax_class")
    @classmethod
    def _is_a_class(cls, given: str) -> str:
        if given not in TAX_CLASSES or given == EXEMPT:
            raise ValueError(f"{given} is no tax class with a rate")
        return given

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError("it ends before it begins")
        return self

    def is_in_force(self, on: date) -> bool:
        """Whether it applies on this date."""
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


class DatedRates(Value):
    """A table of rates. At any date a place and class have at most one."""

    rates: tuple[VatRate, ...]

    @model_validator(mode="after")
    def _do_not_overlap(self) -> Self:
        latest: dict[tuple[str, str, str], VatRate] = {}
        for rate in sorted(self.rates, key=lambda r: (r.country, r.territory, r.tax_class, r.valid_from)):
            key = rate.country, rate.territory, rate.tax_class
            before = latest.get(key)
            if before is not None and (before.valid_until is None or rate.valid_from < before.valid_until):
                named = " ".join(filter(None, key))
                raise ValueError(f"{named} has two rates on {rate.valid_from}; end the earlier one there")
            latest[key] = rate
        return self

    def percents(self, place: TaxPlace, on: date) -> Mapping[str, Decimal]:
        """Percent by tax class in force on a date; empty where the place is not in the table.

        A territory without rows of its own has those of its state, unless the state's VAT does not reach it.
        """
        own = self._of(place.country, place.territory or "", on)
        if own or place.territory in _WITHOUT_THE_STATES_RATES:
            return own
        return self._of(place.country, "", on)

    def _of(self, country: str, territory: str, on: date) -> dict[str, Decimal]:
        return {
            rate.tax_class: rate.percent
            for rate in self.rates
            if (rate.country, rate.territory) == (country, territory) and rate.is_in_force(on)
        }

    @property
    def countries(self) -> frozenset[str]:
        """The states that have rows."""
        return frozenset(rate.country for rate in self.rates)


def read_rates(lines: Iterable[str]) -> DatedRates:
    """A table from the lines of a CSV file with the columns above.

    Raises:
        UnusableRates: a column is missing, a row is wrong, or two rows contradict each other.
    """
    return _FILE.read(lines)


_FILE: Final = RateFile("VAT rates", "vat_rates", _NEEDED, VatRate, DatedRates, UnusableRates)


@lru_cache(maxsize=1)
def default_rates() -> DatedRates:
    """The table that comes with Relance."""
    text = Path(__file__).with_name("vat_rates.csv").read_text(encoding="utf-8")
    return read_rates(text.splitlines())
