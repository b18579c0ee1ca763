"""The fake Stripe's bank days: those of TARGET, reckoned apart from the engine, which must agree."""

from datetime import date, timedelta

import pytest

from billing.banking_days import is_banking_day
from sandbox.stripe.bank_days import add_bank_days, is_bank_day


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        pytest.param(date(2027, 1, 29), 1, date(2027, 2, 1), id="over a weekend"),
        # Good Friday is 26 March and Easter Monday 29 March in 2027.
        pytest.param(date(2027, 3, 25), 1, date(2027, 3, 30), id="over Easter"),
        pytest.param(date(2027, 12, 23), 2, date(2027, 12, 27), id="Christmas on a weekend"),
        pytest.param(date(2028, 12, 22), 1, date(2028, 12, 27), id="over Christmas"),
        pytest.param(date(2029, 4, 30), 1, date(2029, 5, 2), id="over the first of May"),
        pytest.param(date(2027, 7, 13), 1, date(2027, 7, 14), id="a holiday of one country only"),
    ],
)
def test_days_on_which_no_euro_moves_are_passed_over(start: date, days: int, end: date) -> None:
    assert add_bank_days(start, days) == end


def test_the_engine_sees_the_same_days() -> None:
    first = date(2027, 1, 1)
    days = (first + timedelta(days=n) for n in range(40 * 366))
    assert [day for day in days if is_bank_day(day) != is_banking_day(day)] == []
