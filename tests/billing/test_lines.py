from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.calendar import Alignment, Interval, Period, Schedule
from billing.errors import InvalidInput
from billing.lines import (
    Line,
    LineKind,
    OutsidePeriod,
    TermsDoNotMix,
    cancel_credit,
    change_lines,
    lines_for,
    period_after_change,
    unused_credit,
)
from billing.money import InvalidUnitAmount, UnknownCurrency, exponent
from billing.tax import TaxRate, Totals, totals
from billing.terms import AmountTooLarge, InvalidQuantity, Price, PricingModel, Terms

VAT_20 = TaxRate(percent=Decimal(20))


def terms(
    unit_amount: str,
    *,
    every: str = "1month",
    quantity: int | None = None,
    currency: str = "EUR",
    alignment: Alignment = Alignment.ANNIVERSARY,
) -> Terms:
    """One price; per seat where a quantity is given, else flat."""
    model = PricingModel.FLAT if quantity is None else PricingModel.PER_UNIT
    return Terms(
        plan_id=f"plan_{unit_amount}",
        plan_name=f"Plan {unit_amount}",
        currency=currency,
        interval=Interval.parse(every),
        alignment=alignment,
        prices=(Price(id=f"price_{unit_amount}", model=model, unit_amount=Decimal(unit_amount)),),
        quantity=quantity or 1,
    )


def whole(start: str, end: str) -> Period:
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    return Period(index=0, start=first, end=last, whole_start=first, whole_end=last)


def amounts(lines: tuple[Line, ...]) -> list[int]:
    return [line.amount_minor for line in lines]


def taxed(lines: tuple[Line, ...]) -> tuple[int, int, int]:
    document: Totals = totals(lines, VAT_20, tax_included=False).totals
    return document.net_minor, document.vat_minor, document.total_minor


APRIL = whole("2027-04-01", "2027-05-01")
MARCH = whole("2027-03-01", "2027-04-01")
JUNE = whole("2027-06-01", "2027-07-01")


def test_a_period_is_billed_price_by_price() -> None:
    plan = Terms(
        plan_id="team",
        plan_name="Team",
        currency="EUR",
        interval=Interval.parse("monthly"),
        prices=(
            Price(id="base", description="Platform", unit_amount=Decimal("29.00")),
            Price(id="seat", description="Seats", model=PricingModel.PER_UNIT, unit_amount=Decimal("12.00")),
        ),
        quantity=5,
    )
    assert lines_for(plan, MARCH) == (
        Line(
            kind=LineKind.SUBSCRIPTION,
            price_id="base",
            plan_name="Team",
            description="Platform",
            quantity=1,
            unit_amount=Decimal("29.00"),
            start=date(2027, 3, 1),
            end=date(2027, 4, 1),
            whole_days=31,
            amount_minor=2900,
        ),
        Line(
            kind=LineKind.SUBSCRIPTION,
            price_id="seat",
            plan_name="Team",
            description="Seats",
            quantity=5,
            unit_amount=Decimal("12.00"),
            start=date(2027, 3, 1),
            end=date(2027, 4, 1),
            whole_days=31,
            amount_minor=6000,
        ),
    )


def test_p1_the_change_day_belongs_to_the_new_plan() -> None:
    lines = change_lines(terms("29.00"), terms("79.00"), APRIL, date(2027, 4, 16))
    assert [(line.kind, line.amount_minor, line.days, line.whole_days) for line in lines] == [
        (LineKind.PRORATION_CREDIT, -1450, 15, 30),
        (LineKind.PRORATION_CHARGE, 3950, 15, 30),
    ]
    assert taxed(lines) == (2500, 500, 3000)


def test_p2_two_upgrades_on_one_day_net_to_one() -> None:
    on = date(2027, 3, 11)
    first = change_lines(terms("29.00"), terms("49.00"), MARCH, on)
    second = change_lines(terms("49.00"), terms("79.00"), MARCH, on)
    direct = change_lines(terms("29.00"), terms("79.00"), MARCH, on)
    assert [(line.days, line.whole_days) for line in first + second] == [(21, 31)] * 4
    assert amounts(first) == [-1965, 3319]
    assert taxed(first) == (1354, 271, 1625)
    assert amounts(second) == [-3319, 5352]
    assert taxed(second) == (2033, 407, 2440)
    assert sum(amounts(first + second)) == 3387
    assert sum(amounts(direct)) == 3387


def test_p3_seats_five_eight_six_in_one_month() -> None:
    five, eight, six = (terms("12.00", quantity=seats) for seats in (5, 8, 6))
    first = change_lines(five, eight, MARCH, date(2027, 3, 11))
    second = change_lines(eight, six, MARCH, date(2027, 3, 21))
    assert amounts(first) == [-4065, 6503]
    assert taxed(first) == (2438, 488, 2926)
    assert [(line.days, line.quantity) for line in second] == [(11, 8), (11, 6)]
    assert amounts(second) == [-3406, 2555]
    assert taxed(second) == (-851, -170, -1021)
    assert sum(amounts(lines_for(five, MARCH) + first + second)) == 7587


def test_p4_monthly_to_yearly_starts_a_new_anchor_on_the_change_day() -> None:
    monthly, yearly = terms("49.00"), terms("490.00", every="1year")
    february, on = whole("2028-02-01", "2028-03-01"), date(2028, 2, 15)
    credit, charge = change_lines(monthly, yearly, february, on)
    assert (credit.kind, credit.amount_minor) == (LineKind.PRORATION_CREDIT, -2534)
    assert (credit.days, credit.whole_days) == (15, 29)
    assert (charge.kind, charge.amount_minor) == (LineKind.SUBSCRIPTION, 49000)
    assert (charge.start, charge.end, charge.days) == (date(2028, 2, 15), date(2029, 2, 15), 366)
    assert taxed((credit, charge)) == (46466, 9293, 55759)
    following = period_after_change(monthly, yearly, february, on)
    assert (following.index, following.start, following.end) == (0, date(2028, 2, 15), date(2029, 2, 15))


def test_a_new_rhythm_on_the_calendar_begins_with_a_part_period() -> None:
    quarterly = terms("90.00", every="3month", alignment=Alignment.CALENDAR)
    credit, charge = change_lines(terms("31.00"), quarterly, MARCH, date(2027, 3, 22))
    assert (credit.amount_minor, credit.days) == (-1000, 10)
    assert (charge.start, charge.end) == (date(2027, 3, 22), date(2027, 4, 1))
    assert (charge.days, charge.whole_days, charge.amount_minor) == (10, 90, 1000)


def test_the_same_rhythm_keeps_the_period() -> None:
    assert period_after_change(terms("29.00"), terms("79.00"), APRIL, date(2027, 4, 16)) == APRIL


def test_p7_the_cancel_day_is_used() -> None:
    (line,) = cancel_credit(terms("60.00"), JUNE, date(2027, 6, 10))
    assert (line.kind, line.start, line.end) == (LineKind.CREDIT, date(2027, 6, 11), date(2027, 7, 1))
    assert (line.days, line.whole_days, line.amount_minor) == (20, 30, -4000)


def test_a_cancel_on_the_last_day_gives_nothing_back() -> None:
    assert cancel_credit(terms("60.00"), JUNE, date(2027, 6, 30)) == ()


def test_r4_a_withdrawal_keeps_the_used_days_of_a_price_with_tax() -> None:
    yearly = terms("119.88", every="1year").model_copy(update={"tax_included": True})
    (line,) = cancel_credit(yearly, whole("2027-03-10", "2028-03-10"), date(2027, 3, 19))
    assert (line.days, line.whole_days, line.amount_minor) == (356, 366, -11660)


def test_all_of_a_period_can_be_given_back() -> None:
    assert amounts(unused_credit(terms("60.00"), JUNE, date(2027, 6, 1))) == [-6000]


def test_d11_a_part_period_is_priced_over_the_whole_that_it_lies_in() -> None:
    plan = terms("60.00", every="2month", alignment=Alignment.CALENDAR)
    schedule = Schedule(
        anchor=date(2027, 2, 15),
        interval=plan.interval,
        timezone="Europe/Paris",
        alignment=Alignment.CALENDAR,
    )
    (part,) = lines_for(plan, schedule.period(0))
    (next_one,) = lines_for(plan, schedule.period(1))
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


def test_half_a_cent_is_given_back_as_it_was_charged() -> None:
    # 29.01 x 15/30 = 14.505
    lines = change_lines(terms("29.01"), terms("0.01"), APRIL, date(2027, 4, 16))
    assert amounts(lines) == [-1451, 1]
    # 0.0015 x 3 seats = 0.45 cent; x 4 = 0.6 cent
    assert amounts(lines_for(terms("0.0015", quantity=3), APRIL)) == [0]
    assert amounts(lines_for(terms("0.0015", quantity=4), APRIL)) == [1]


def test_a_price_that_stays_the_same_is_left_out_of_a_change() -> None:
    def team(seats: int) -> Terms:
        return Terms(
            plan_id="team",
            plan_name="Team",
            currency="EUR",
            interval=Interval.parse("monthly"),
            prices=(
                Price(id="base", unit_amount=Decimal("29.00")),
                Price(id="seat", model=PricingModel.PER_UNIT, unit_amount=Decimal("12.00")),
            ),
            quantity=seats,
        )

    lines = change_lines(team(5), team(8), MARCH, date(2027, 3, 11))
    assert [(line.price_id, line.amount_minor) for line in lines] == [("seat", -4065), ("seat", 6503)]
    assert change_lines(team(5), team(5), MARCH, date(2027, 3, 11)) == ()


@pytest.mark.parametrize("day", ["2027-03-31", "2027-05-01"])
def test_a_day_outside_the_period_is_refused(day: str) -> None:
    on = date.fromisoformat(day)
    with pytest.raises(OutsidePeriod, match="2027-04-01 to 2027-04-30") as change:
        change_lines(terms("29.00"), terms("79.00"), APRIL, on)
    assert change.value.field == "change_on"
    with pytest.raises(OutsidePeriod) as cancel:
        cancel_credit(terms("29.00"), APRIL, on)
    assert cancel.value.field == "cancel_on"


def test_credit_before_the_period_is_refused() -> None:
    with pytest.raises(OutsidePeriod) as refused:
        unused_credit(terms("29.00"), APRIL, date(2027, 3, 31))
    assert refused.value.field == "from_on"


def test_terms_that_cannot_share_a_document_are_refused() -> None:
    euro = terms("29.00")
    with pytest.raises(TermsDoNotMix, match="USD") as currency:
        change_lines(euro, terms("29.00", currency="USD"), APRIL, date(2027, 4, 16))
    assert currency.value.field == "currency"
    with_tax = euro.model_copy(update={"tax_included": True})
    with pytest.raises(TermsDoNotMix) as tax:
        change_lines(euro, with_tax, APRIL, date(2027, 4, 16))
    assert tax.value.field == "tax_included"


@pytest.mark.parametrize("quantity", [-1, 0, 1_000_001, 10**12])
def test_a_quantity_out_of_range_is_refused(quantity: int) -> None:
    with pytest.raises(InvalidQuantity) as refused:
        Terms.model_validate(terms("12.00").model_dump() | {"quantity": quantity})
    assert refused.value.field == "quantity"


def test_terms_refuse_what_cannot_be_billed() -> None:
    good = terms("12.00")
    with pytest.raises(UnknownCurrency):
        terms("12.00", currency="EURO")
    with pytest.raises(InvalidUnitAmount, match="negative"):
        terms("-12.00")
    with pytest.raises(AmountTooLarge):
        terms("999999999", quantity=1_000_000)
    with pytest.raises(InvalidInput, match="same id"):
        Terms.model_validate(good.model_dump() | {"prices": (*good.prices, *good.prices)})


def test_terms_know_whether_the_quantity_matters() -> None:
    assert terms("12.00", quantity=1).has_unit_price
    assert not terms("12.00").has_unit_price


def test_terms_survive_json_and_stay_small() -> None:
    plan = terms("12.000000000001", quantity=1_000_000)
    as_json = plan.model_dump_json()
    assert Terms.model_validate_json(as_json) == plan
    assert len(as_json) < 600


PRICES = st.decimals(0, 5000, places=4).map(str)
CURRENCIES = st.sampled_from(["JPY", "EUR", "KWD"])
DAYS = st.integers(0, 30)


@given(PRICES, st.integers(1, 1000), CURRENCIES, DAYS)
def test_a_credit_is_price_times_days_over_whole_days_half_up(
    price: str, seats: int, currency: str, day: int
) -> None:
    (line,) = unused_credit(
        terms(price, quantity=seats, currency=currency), MARCH, MARCH.start + timedelta(day)
    )
    exact = Fraction(price) * seats * 10 ** exponent(currency) * (31 - day) / 31
    # Half up: the whole number that is at most half away, upwards when two are.
    assert -Fraction(1, 2) <= exact + line.amount_minor < Fraction(1, 2)


@given(PRICES, PRICES, DAYS, CURRENCIES)
def test_a_change_and_its_reverse_on_one_day_net_to_zero(old: str, new: str, day: int, currency: str) -> None:
    one, other = terms(old, currency=currency), terms(new, currency=currency)
    on = MARCH.start + timedelta(day)
    there, back = change_lines(one, other, MARCH, on), change_lines(other, one, MARCH, on)
    assert sum(amounts(there + back)) == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(DAYS, PRICES), min_size=1, max_size=8), PRICES, DAYS)
def test_after_any_changes_a_month_costs_no_less_than_nothing(
    changes: list[tuple[int, str]], first: str, cancelled: int
) -> None:
    """Each credit gives back at most what the line before it charged, whatever the order of days and prices."""
    current = terms(first)
    billed = list(lines_for(current, MARCH))
    charged = billed[-1].amount_minor
    for day, price in sorted(changes, key=lambda change: change[0]):
        following = terms(price)
        if following == current:
            continue
        credit, charge = change_lines(current, following, MARCH, MARCH.start + timedelta(day))
        assert 0 <= -credit.amount_minor <= charged
        billed += [credit, charge]
        current, charged = following, charge.amount_minor
    last_day = max(cancelled, *(day for day, _ in changes))
    final = cancel_credit(current, MARCH, MARCH.start + timedelta(last_day))
    assert -sum(amounts(final)) <= charged
    assert sum(amounts((*billed, *final))) >= 0


@given(PRICES, st.lists(st.integers(1, 30), unique=True, max_size=5).map(sorted))
def test_the_pieces_of_a_period_cost_the_whole(price: str, cuts: list[int]) -> None:
    """Within half a unit per piece, since each piece is rounded once."""
    plan = terms(price)
    edges = [MARCH.start, *(MARCH.start + timedelta(cut) for cut in cuts), MARCH.end]
    pieces = [MARCH.model_copy(update={"start": start, "end": end}) for start, end in pairwise(edges)]
    total = sum(sum(amounts(lines_for(plan, piece))) for piece in pieces)
    assert abs(total - Fraction(price) * 100) <= Fraction(len(pieces), 2)
