"""Days on which euro payments move between banks: the TARGET calendar of the European Central Bank (rules 28).

Its six closing days are the same in every country and differ from every country's holidays: Good Friday and 26 December
are no holidays in France, and 14 July is an ordinary banking day.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from billing.public_holidays import is_public_holiday

TARGET: Final = "XECB"
"""The calendar's name in `public_holidays.json`: its market identifier code."""
_SATURDAY: Final = 6


def is_banking_day(on: date) -> bool:
    """Whether payments are settled on `on`."""
    return on.isoweekday() < _SATURDAY and not is_public_holiday(on, TARGET)


def first_banking_day(not_before: date) -> date:
    """The first banking day on or after a date."""
    day = not_before
    while not is_banking_day(day):
        day += timedelta(days=1)
    return day


def add_banking_days(on: date, days: int) -> date:
    """The day that lies this many banking days after `on`, which need not be one itself."""
    day = on
    for _ in range(days):
        day = first_banking_day(day + timedelta(days=1))
    return day
