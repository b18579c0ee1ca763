from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.priced import APRIL, MARCH, amounts, plan, price, terms

from billing.calendar import Alignment, Period, Schedule
from billing.lines import Line, LineKind, lines_for
from billing.money import UnknownCurrency
from billing.prices import PricingModel

PRICES = st.decimals(0, 5000, places=4).map(str)


def test_a_period_is_billed_price_by_price() -> None:
    team = plan(
        price("29.00", description="Platform"),
        price("12.00", PricingModel.PER_UNIT, id="seat", description="Seats"),
        plan_name="Team",
        quantity=5,
    )
    assert lines_for(team, MARCH) == (
        Line(
            kind=LineKind.SUBSCRIPTION,
            price_id="base",
            plan_name="Team",
            description="Platform",
            quantity=Decimal(1),
            unit_amount=Decimal("29.00"),
            start=date(2027, 3, 1),
            end=date(2027, 4, 1),
            whole_days=31,
            whole_minor=Decimal(2900),
            list_minor=2900,
            amount_minor=2900,
        ),
        Line(
            kind=LineKind.SUBSCRIPTION,
            price_id="seat",
            plan_name="Team",
            description="Seats",
            model=PricingModel.PER_UNIT,
            quantity=Decimal(5),
            unit_amount=Decimal("12.00"),
            start=date(2027, 3, 1),
            end=date(2027, 4, 1),
            whole_days=31,
            whole_minor=Decimal(6000),
            list_minor=6000,
            amount_minor=6000,
        ),
    )


def test_d11_a_part_period_is_priced_over_the_whole_that_it_lies_in() -> None:
    bimonthly = terms("60.00", every="2month", alignment=Alignment.CALENDAR)
    schedule = Schedule(
        anchor=date(2027, 2, 15),
        interval=bimonthly.interval,
        timezone="Europe/Paris",
        alignment=Alignment.CALENDAR,
    )
    (part,) = lines_for(bimonthly, schedule.period(0))
    (next_one,) = lines_for(bimonthly, schedule.period(1))
    assert (part.days, part.whole_days, part.amount_minor) == (14, 59, 1424)
    assert (next_one.days, next_one.is_part, next_one.amount_minor) == (61, False, 6000)


@pytest.mark.parametrize(
    ("currency", "unit_amount", "charge"),
    # 14/59 of 1000 yen is 237.28..., of 60.000 dinars 14.237288...
    [("JPY", "1000", 237), ("EUR", "60.00", 1424), ("KWD", "60.000", 14237)],
)
def test_a_part_period_in_currencies_of_any_decimals(currency: str, unit_amount: str, charge: int) -> None:
    part = Period(
        index=0,
        start=date(2027, 2, 15),
        end=date(2027, 3, 1),
        whole_start=date(2027, 1, 1),
        whole_end=date(2027, 3, 1),
    )
    assert amounts(lines_for(terms(unit_amount, currency=currency), part)) == [charge]


def test_less_than_half_a_cent_is_nothing() -> None:
    # 0.0015 x 3 seats = 0.45 cent; x 4 = 0.6 cent
    assert amounts(lines_for(terms("0.0015", quantity=3), APRIL)) == [0]
    assert amounts(lines_for(terms("0.0015", quantity=4), APRIL)) == [1]


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(UnknownCurrency):
        terms("12.00", currency="EURO")


@given(PRICES, st.lists(st.integers(1, 30), unique=True, max_size=5).map(sorted))
def test_the_pieces_of_a_period_cost_the_whole(unit_amount: str, cuts: list[int]) -> None:
    """Within half a unit per piece, since each piece is rounded once."""
    flat = terms(unit_amount)
    edges = [MARCH.start, *(MARCH.start + timedelta(cut) for cut in cuts), MARCH.end]
    pieces = [MARCH.model_copy(update={"start": start, "end": end}) for start, end in pairwise(edges)]
    total = sum(sum(amounts(lines_for(flat, piece))) for piece in pieces)
    assert abs(total - Fraction(unit_amount) * 100) <= Fraction(len(pieces), 2)
