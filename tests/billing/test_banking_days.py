"""TARGET's closing days, as the European Central Bank names them."""

from __future__ import annotations

from datetime import date

import pytest

from billing.banking_days import add_banking_days, first_banking_day, is_banking_day


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("on", "name"),
    [
        ("2027-01-01", "New Year"),
        ("2027-03-26", "Good Friday"),
        ("2027-03-29", "Easter Monday"),
        ("2028-05-01", "Labour Day, a Monday"),
        ("2028-12-25", "Christmas, a Monday"),
        ("2028-12-26", "26 December, a Tuesday"),
        ("2027-07-10", "a Saturday"),
        ("2027-07-11", "a Sunday"),
    ],
)
def test_on_these_days_no_euro_moves(on: str, name: str) -> None:
    assert not is_banking_day(day(on)), name


@pytest.mark.parametrize("on", ["2027-07-14", "2027-05-06", "2027-05-17", "2027-11-11", "2028-08-15"])
def test_french_holidays_are_banking_days(on: str) -> None:
    assert is_banking_day(day(on))


@pytest.mark.parametrize(
    ("not_before", "first"),
    [
        ("2027-03-25", "2027-03-25"),
        ("2027-03-26", "2027-03-30"),
        ("2026-12-25", "2026-12-28"),
        ("2027-12-31", "2027-12-31"),
        ("2028-01-01", "2028-01-03"),
    ],
)
def test_the_first_banking_day_from_a_date_on(not_before: str, first: str) -> None:
    assert first_banking_day(day(not_before)) == day(first)


@pytest.mark.parametrize(
    ("on", "days", "then"),
    [
        ("2027-03-30", 6, "2027-04-07"),  # K4
        ("2027-03-24", 5, "2027-04-02"),  # over Easter: 25 and 30 March, 31, 1, 2
        ("2027-03-27", 1, "2027-03-30"),  # from a Saturday
        ("2027-03-30", 0, "2027-03-30"),
    ],
)
def test_banking_days_are_counted_from_the_day_after(on: str, days: int, then: str) -> None:
    assert add_banking_days(day(on), days) == day(then)
