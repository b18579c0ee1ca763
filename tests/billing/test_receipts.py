"""VAT on receipts: each month has its own, and together they are the documents', to the cent (rules 7, 16, I10)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.receipts import MoneyMoved, NoteIssued, received_before
from billing.tax import RateTotal, TaxRate, Totals

TWENTY = TaxRate(percent=Decimal(20))
FIVE_AND_A_HALF = TaxRate(percent=Decimal("5.5"))
JANUARY, FEBRUARY, MARCH, APRIL = (date(2027, month, 10) for month in (1, 2, 3, 4))
ONE_RATE = Totals(per_rate=(RateTotal(rate=TWENTY, base_minor=2900, vat_minor=580),))
"""34.80."""
TWO_RATES = Totals(
    per_rate=(
        RateTotal(rate=TWENTY, base_minor=1000, vat_minor=200),
        RateTotal(rate=FIVE_AND_A_HALF, base_minor=2000, vat_minor=110),
    )
)
"""12.00 and 21.10: 33.10."""


def moved(on: date, amount: int) -> MoneyMoved:
    return MoneyMoved(on=on, amount_minor=amount)


def amounts(totals: Totals) -> list[tuple[int, int]]:
    return [(part.base_minor, part.vat_minor) for part in totals.per_rate]


def in_month(
    totals: Totals, notes: list[NoteIssued], money: list[MoneyMoved], month: int
) -> list[tuple[int, int]]:
    first, after = date(2027, month, 1), date(2027, month + 1, 1)
    return amounts(
        received_before(totals, notes, money, after) + -received_before(totals, notes, money, first)
    )


def test_what_a_bank_takes_back_is_taken_back_in_its_own_month() -> None:
    money = [moved(JANUARY, 3480), moved(MARCH, -3480), moved(APRIL, 3480)]
    assert [in_month(ONE_RATE, [], money, month) for month in (1, 2, 3, 4)] == [
        [(2900, 580)],
        [(0, 0)],
        [(-2900, -580)],
        [(2900, 580)],
    ]


def test_two_parts_of_a_payment_share_the_rates_and_the_last_takes_the_rest() -> None:
    """10.00 of 33.10: 3.63 of the 20 % part, half a cent each side goes to the net; 6.37 of the other."""
    money = [moved(JANUARY, 1000), moved(FEBRUARY, 2310)]
    first, second = in_month(TWO_RATES, [], money, 1), in_month(TWO_RATES, [], money, 2)
    assert first == [(303, 60), (604, 33)]
    assert second == [(697, 140), (1396, 77)]


def test_a_credit_of_what_was_open_was_never_received() -> None:
    """12.00 of 34.80 are credited while open, and the other 22.80 are paid: 19.00 and 3.80."""
    credit = Totals(per_rate=(RateTotal(rate=TWENTY, base_minor=-1000, vat_minor=-200),))
    note = NoteIssued(on=JANUARY, totals=credit, closes_minor=1200, pays_back_minor=0)
    assert in_month(ONE_RATE, [note], [moved(FEBRUARY, 2280)], 2) == [(1900, 380)]


def test_a_credit_of_what_was_paid_gives_its_vat_back_in_its_month() -> None:
    credit = Totals(per_rate=(RateTotal(rate=TWENTY, base_minor=-1000, vat_minor=-200),))
    note = NoteIssued(on=MARCH, totals=credit, closes_minor=0, pays_back_minor=1200)
    money = [moved(JANUARY, 3480)]
    assert in_month(ONE_RATE, [note], money, 1) == [(2900, 580)]
    assert in_month(ONE_RATE, [note], money, 3) == [(-1000, -200)]


def test_a_credit_may_do_both() -> None:
    """20.00 of 34.80 are paid; a credit of all closes 14.80 and gives 20.00 back."""
    note = NoteIssued(on=MARCH, totals=-ONE_RATE, closes_minor=1480, pays_back_minor=2000)
    money = [moved(JANUARY, 2000)]
    assert in_month(ONE_RATE, [note], money, 1) == [(1667, 333)]
    assert amounts(received_before(ONE_RATE, [note], money, APRIL)) == [(0, 0)]


@given(st.lists(st.integers(-3310, 3310), max_size=8))
def test_paid_in_the_end_the_months_are_the_document(steps: list[int]) -> None:
    money, paid = [], 0
    for number, step in enumerate(steps):
        amount = max(-paid, min(step, 3310 - paid))
        money.append(moved(date(2027, 1 + number, 10), amount))
        paid += amount
    money.append(moved(date(2027, 11, 10), 3310 - paid))
    assert received_before(TWO_RATES, [], money, date(2028, 1, 1)) == TWO_RATES


def test_nothing_received_is_nothing() -> None:
    assert amounts(received_before(TWO_RATES, [], [], APRIL)) == [(0, 0), (0, 0)]
