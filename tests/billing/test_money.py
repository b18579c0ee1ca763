from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import (
    EXPONENTS,
    InvalidUnitAmount,
    UnknownCurrency,
    allocate,
    check_currency,
    check_unit_amount,
    exponent,
    parse_unit_amount,
    round_half_up,
    share_out,
    to_major,
    to_minor,
)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("JPY", 0),
        ("XOF", 0),
        ("ISK", 0),
        ("EUR", 2),
        ("USD", 2),
        ("HUF", 2),
        ("KWD", 3),
        ("TND", 3),
        ("IQD", 3),
    ],
)
def test_decimals_are_those_of_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


def test_successors_are_in_and_what_they_replaced_is_out() -> None:
    assert {"EUR", "XCG", "ZWG", "SLE", "MRU"} <= EXPONENTS.keys()
    assert EXPONENTS.keys().isdisjoint({"HRK", "BGN", "ANG", "ZWL", "SLL", "MRO"})


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "FRF", "DEM", "XAU", "€"])
def test_what_is_no_currency_in_use_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="ISO 4217") as refused:
        check_currency(code)
    assert refused.value.field == "currency"
    assert refused.value.currency == code


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("1450.5", 1451),
        ("-1450.5", -1451),
        ("0.5", 1),
        ("-0.5", -1),
        ("2.5", 3),
        ("1450.499999999999", 1450),
        ("-1450.499999999999", -1450),
        ("0", 0),
    ],
)
def test_halves_go_away_from_zero(value: str, rounded: int) -> None:
    assert round_half_up(Decimal(value)) == rounded


def test_a_credit_of_half_a_cent_mirrors_its_charge() -> None:
    assert to_minor(Decimal("14.505"), "EUR") == 1451
    assert to_minor(Decimal("-14.505"), "EUR") == -1451


def test_no_digit_is_lost_in_long_numbers() -> None:
    assert round_half_up(Decimal("999999999999999999999999999999.5")) == 10**30


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [("1500", "JPY", 1500), ("1500.5", "JPY", 1501), ("14.50", "EUR", 1450), ("1.2345", "KWD", 1235)],
)
def test_minor_units_by_currency(major: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(major), currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [(1500, "JPY", "1500"), (-1450, "EUR", "-14.50"), (0, "EUR", "0.00"), (1235, "KWD", "1.235")],
)
def test_major_units_keep_the_decimals_of_the_currency(minor: int, currency: str, major: str) -> None:
    assert str(to_major(minor, currency)) == major


@pytest.mark.parametrize(
    ("text", "price"),
    [("29.00", "29.00"), (" 0.0015 ", "0.0015"), ("0", "0"), ("0.000000000001", "0.000000000001"),
     ("999999999.999999999999", "999999999.999999999999"), ("007", "7")],
)  # fmt: skip
def test_unit_prices_that_can_be_billed(text: str, price: str) -> None:
    assert f"{parse_unit_amount(text):f}" == price


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-1", "negative"),
        ("1000000000", "too large"),
        ("0.0000000000001", "12"),
        ("nan", "no unit price"),
        ("Infinity", "no unit price"),
        ("1e3", "no unit price"),
        ("1_000", "no unit price"),
        ("12,50", "no unit price"),
        ("٣", "no unit price"),
        ("", "no unit price"),
    ],
)
def test_unit_prices_that_cannot(text: str, complaint: str) -> None:
    with pytest.raises(InvalidUnitAmount, match=complaint) as refused:
        parse_unit_amount(text)
    assert refused.value.field == "unit_amount"


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1E-1000000", "-0.01", "1E+9"])
def test_unit_prices_that_come_as_numbers_are_checked_too(amount: str) -> None:
    with pytest.raises(InvalidUnitAmount):
        check_unit_amount(Decimal(amount))


def test_zeros_after_the_twelfth_decimal_do_no_harm() -> None:
    assert check_unit_amount(Decimal("1.5000000000000000")) == Decimal("1.5")
    assert str(check_unit_amount(Decimal("1E+3"))) == "1000"


def test_ties_go_to_the_earlier_part() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(200, [1, 1, 1]) == [67, 67, 66]
    assert allocate(-100, [1, 1, 1]) == [-34, -33, -33]


def test_the_largest_remainder_comes_first() -> None:
    # 10 x 1/6 = 1.67, 10 x 2/6 = 3.33, 10 x 3/6 = 5
    assert allocate(10, [1, 2, 3]) == [2, 3, 5]
    assert allocate(7, [0, 1]) == [0, 7]


@pytest.mark.parametrize("weights", [[], [0, 0], [3, -1]])
def test_there_must_be_something_to_share_by(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(10, weights)


def test_a_total_that_is_not_the_sum_is_refused() -> None:
    with pytest.raises(ValueError, match="rounded sum"):
        share_out(3, [Fraction(1), Fraction(1)])


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_parts_sum_to_the_whole_and_stay_next_to_their_share(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


@given(st.lists(st.fractions(-1000, 1000, max_denominator=1200), min_size=1, max_size=8))
def test_shares_of_either_sign_sum_and_mirror(exact: list[Fraction]) -> None:
    total = round_half_up(sum(exact, Fraction()))
    parts = share_out(total, exact)
    assert sum(parts) == total
    assert all(abs(part - share) < 1 for part, share in zip(parts, exact, strict=True))
    assert share_out(-total, [-share for share in exact]) == [-part for part in parts]


@given(st.integers(-(10**15), 10**15), st.sampled_from(["JPY", "EUR", "KWD"]))
def test_minor_to_major_and_back(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor
