"""Days on which banks move euros: Monday to Friday, but for the six closing days of TARGET.

Reckoned here on its own, as a bank would: the fake knows nothing of the engine that it is met by.
"""

from datetime import date, timedelta

_SATURDAY = 5
_FIXED = frozenset({(1, 1), (5, 1), (12, 25), (12, 26)})
_GOOD_FRIDAY, _EASTER_MONDAY = timedelta(days=-2), timedelta(days=1)


def add_bank_days(start: date, days: int) -> date:
    """The day that lies `days` bank days after `start`."""
    day = start
    while days:
        day += timedelta(days=1)
        days -= is_bank_day(day)
    return day


def is_bank_day(day: date) -> bool:
    """Whether TARGET is open."""
    easter = _easter(day.year)
    closed = (day.month, day.day) in _FIXED or day in {easter + _GOOD_FRIDAY, easter + _EASTER_MONDAY}
    return day.weekday() < _SATURDAY and not closed


def _easter(year: int) -> date:
    """Easter Sunday in the Gregorian calendar, by the rule that J.-M. Oudin published in 1940."""
    century = year // 100
    golden = year % 19
    skipped = (century - 17) // 25
    moon = (century - century // 4 - (century - skipped) // 3 + 19 * golden + 15) % 30
    moon -= (moon // 28) * (1 - (moon // 28) * (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    march = moon - weekday
    month = 3 + (march + 40) // 44
    return date(year, month, march + 28 - 31 * (month // 4))
