"""Days on which the banks of a whole country rest. The rules are data, `public_holidays.json`, as they hold from 2027.

A date is `MM-DD`, `easter+39` counts from Easter Sunday, `mon>=05-01` is the first Monday from 1 May on. Regional days,
and those that a government moves, are not in it: it only spares a retry a day on which no money arrives.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

_RULES: Final = TypeAdapter(dict[str, str]).validate_json(
    Path(__file__).with_name("public_holidays.json").read_bytes()
)
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_public_holiday(on: date, country: str) -> bool:
    """Whether `on` is one in `country` (ISO 3166 alpha-2). A country that is not in the table has none."""
    return on in _holidays(country, on.year)


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(_day(rule, year) for rule in _RULES.get(country, "").split())


def _day(rule: str, year: int) -> date:
    if rule.startswith("easter"):
        return _easter(year) + timedelta(days=int(rule.removeprefix("easter") or 0))
    weekday, _, first = rule.rpartition(">=")
    day = date.fromisoformat(f"{year}-{first}")
    return day if not weekday else day + timedelta(days=(_WEEKDAYS.index(weekday) - day.weekday()) % 7)


def _easter(year: int) -> date:
    """Easter Sunday of the western churches: the Gregorian computus in the form of Meeus, Jones and Butcher."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    correction = (19 * golden + century - century // 4 - (8 * century + 13) // 25 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - correction - of_century % 4) % 7
    late = (golden + 11 * correction + 22 * weekday) // 451
    month, day = divmod(correction + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
