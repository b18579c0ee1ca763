from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.interest import (
    InterestRate,
    InterestRateMissing,
    InterestRates,
    Reduction,
    UnusableInterestRates,
    default_interest_rates,
    half_year_of,
    interest_on,
    late_stretches,
    read_interest_rates,
)

I1_RATES = InterestRates(rates=(InterestRate(from_on=date(2027, 1, 1), percent=Decimal("12.15")),))


def test_i1_from_the_day_after_the_due_date_to_the_payment_day() -> None:
    paid = [Reduction(on=date(2027, 4, 16), amount_minor=120000)]
    (stretch,) = late_stretches(120000, date(2027, 3, 2), paid, date(2027, 12, 31), I1_RATES)
    assert (stretch.from_on, stretch.until_on, stretch.days) == (date(2027, 3, 3), date(2027, 4, 16), 45)
    assert interest_on([stretch]) == 1798


def test_each_half_year_has_its_rate_and_all_of_it_is_rounded_once() -> None:
    # 10 days of June 2025 at 13.15 and 10 of July at 12.15: 1000.00 * 2.53 / 365 = 6.9315
    paid = [Reduction(on=date(2025, 7, 10), amount_minor=100000)]
    stretches = late_stretches(100000, date(2025, 6, 20), paid, date(2025, 12, 31), default_interest_rates())
    assert [(one.days, str(one.percent)) for one in stretches] == [(10, "13.15"), (10, "12.15")]
    assert interest_on(stretches) == 693


def test_what_was_paid_in_part_bears_interest_no_longer() -> None:
    # 1200.00 for 5 days, then 700.00 for 10: (6000 + 7000) * 0.1215 / 365 = 4.3274
    paid = [Reduction(on=date(2027, 3, 7), amount_minor=50000)]
    stretches = late_stretches(120000, date(2027, 3, 2), paid, date(2027, 3, 17), I1_RATES)
    assert [(one.days, one.unpaid_minor) for one in stretches] == [(5, 120000), (10, 70000)]
    assert interest_on(stretches) == 433


def test_a_payment_that_is_taken_back_bears_interest_again() -> None:
    moved = [
        Reduction(on=date(2027, 3, 7), amount_minor=120000),
        Reduction(on=date(2027, 3, 12), amount_minor=-120000),
    ]
    stretches = late_stretches(120000, date(2027, 3, 2), moved, date(2027, 3, 14), I1_RATES)
    assert [(str(one.from_on), one.days) for one in stretches] == [("2027-03-03", 5), ("2027-03-13", 2)]


@pytest.mark.parametrize(
    ("paid_on", "until_on"),
    [(date(2027, 3, 2), date(2027, 6, 1)), (date(2027, 2, 1), date(2027, 6, 1)), (None, date(2027, 3, 2))],
    ids=["on the due date", "before it", "not yet late"],
)
def test_who_is_not_late_owes_none(paid_on: date | None, until_on: date) -> None:
    paid = [Reduction(on=paid_on, amount_minor=120000)] if paid_on else []
    assert late_stretches(120000, date(2027, 3, 2), paid, until_on, I1_RATES) == ()


def test_a_leap_year_has_its_own_days_and_the_year_stays_365() -> None:
    rates = InterestRates(rates=(InterestRate(from_on=date(2028, 1, 1), percent=Decimal(10)),))
    stretches = late_stretches(36500, date(2028, 2, 28), [], date(2028, 3, 1), rates)
    assert [one.days for one in stretches] == [2]
    assert interest_on(stretches) == 20


def test_no_rate_is_made_up() -> None:
    with pytest.raises(
        InterestRateMissing, match=r"half-year from 2027-07-01.*RELANCE_INTEREST_RATES"
    ) as missing:
        late_stretches(120000, date(2027, 6, 1), [], date(2027, 7, 2), I1_RATES)
    assert missing.value.from_on == date(2027, 7, 1)
    assert missing.value.field == "interest_rates"


def test_half_years_begin_in_january_and_july() -> None:
    days = [date(2027, 1, 1), date(2027, 6, 30), date(2027, 7, 1), date(2027, 12, 31)]
    assert [half_year_of(day) for day in days] == [
        date(2027, 1, 1),
        date(2027, 1, 1),
        date(2027, 7, 1),
        date(2027, 7, 1),
    ]


def test_our_table_has_a_source_for_each_rate_and_no_hole() -> None:
    rates = default_interest_rates().rates
    assert all(rate.source for rate in rates)
    firsts = [rate.from_on for rate in rates]
    assert firsts == [date(2021 + n // 2, 1 if n % 2 == 0 else 7, 1) for n in range(len(firsts))]
    assert default_interest_rates().percent_from(date(2024, 1, 1)) == Decimal("14.50")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["from_on,source", "2027-01-01,x"], r"has no column percent"),
        (["from_on,percent", "2027-02-01,12"], r"Line 2 .*does not begin a half-year"),
        (["from_on,percent", "2027-01-01,12", "2027-07-01,-1"], r"Line 3 .*percent"),
        (["from_on,percent", "2027-01-01,12", "2027-01-01,13"], r"a half-year has two rates"),
    ],
)
def test_a_table_that_is_wrong_says_where(lines: list[str], message: str) -> None:
    with pytest.raises(UnusableInterestRates, match=message):
        read_interest_rates(lines)
