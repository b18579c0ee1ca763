"""Exchange rates against the euro, as the European Central Bank publishes them.

The VAT of a document in another currency is stated in the seller's own too, by the last rate published (directive
2006/112/EC art. 91(2) and 230).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from pydantic import Field

from billing.errors import InvalidInput
from billing.money import exponent, round_half_up
from billing.values import Value

EURO_STATES: Final = frozenset(
    {
        "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR",
        "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT", "SI", "SK",
    }
)  # fmt: skip
"""Whose currency is the euro, in 2026."""

EUR: Final = "EUR"
_CENTS: Final = 100
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_CUBE: Final = re.compile(
    r"<Cube\s+(?:time=['\"](?P<on>[0-9-]+)['\"]|currency=['\"](?P<currency>[A-Z]{3})['\"]\s+rate=['\"](?P<rate>[0-9.]+)['\"])"
)
"""What matters of its XML: a day, and then the rates of that day."""
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""As in the bank's daily CSV file: `20 November 2026`."""


class UnreadableRates(InvalidInput):
    """A file of exchange rates is in no form that is known."""


class DayRate(Value):
    """What one euro was worth on a day."""

    currency: str
    on: date
    per_eur: Decimal = Field(gt=0, allow_inf_nan=False)


def to_eur_minor(amount_minor: int, currency: str, per_eur: Decimal) -> int:
    """An amount in EUR cents, rounded half up by magnitude (rules 5).

    Args:
        amount_minor: in minor units of `currency`.
        currency: ISO 4217.
        per_eur: units of it for one euro.
    """
    major = Fraction(amount_minor, 10 ** exponent(currency))
    return round_half_up(major / Fraction(per_eur) * _CENTS)


def read_ecb(text: str) -> tuple[DayRate, ...]:
    """The rates of a file of the European Central Bank.

    Args:
        text: `eurofxref-hist.csv`, `eurofxref.csv`, `eurofxref-daily.xml` or `eurofxref-hist.xml`.

    Raises:
        UnreadableRates: it is none of these, or has no rate.
    """
    found = tuple(_of_xml(text) if text.lstrip().startswith("<") else _of_csv(text.splitlines()))
    if not found:
        raise UnreadableRates(
            "The file has no exchange rates. Take eurofxref-hist.csv or eurofxref-daily.xml from the European "
            "Central Bank.",
            field="file",
        )
    return found


def _of_xml(text: str) -> Iterator[DayRate]:
    on = ""
    for cube in _CUBE.finditer(text):
        if cube["on"]:
            on = cube["on"]
        else:
            yield _rate(cube["currency"], on, cube["rate"])


def _of_csv(lines: Iterable[str]) -> Iterator[DayRate]:
    rows = csv.reader(lines)
    header = [name.strip() for name in next(rows, [])]
    if not header or header[0] != "Date":
        return
    for row in rows:
        for currency, per_eur in zip(header[1:], (cell.strip() for cell in row[1:]), strict=False):
            if _CURRENCY.fullmatch(currency) and per_eur not in ("", "N/A"):
                yield _rate(currency, row[0].strip(), per_eur)


def _rate(currency: str, day: str, per_eur: str) -> DayRate:
    try:
        return DayRate(currency=currency, on=_date(day), per_eur=Decimal(per_eur))
    except (InvalidOperation, ValueError):  # of which a ValidationError is one
        raise UnreadableRates(
            f"{day} {currency} {per_eur!r} is no exchange rate. Take the file as the bank publishes it.",
            field="file",
        ) from None


def _date(day: str) -> date:
    words = day.split()
    if len(words) == len(("20", "November", "2026")):
        return date(int(words[2]), _MONTHS.index(words[1].capitalize()) + 1, int(words[0]))
    return date.fromisoformat(day)
