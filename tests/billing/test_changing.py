"""Days given back and billed again: changes, cancels and pauses inside a period (rules 8, worked P1 to P4, C1)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.priced import APRIL, JUNE, MARCH, amounts, plan, price, taxed, terms, whole

from billing.calendar import Alignment, Period, Schedule
from billing.changing import (
    ChangeLines,
    OutsidePeriod,
    TermsDoNotMix,
    change_lines,
    check_in_period,
    check_same_document,
    period_after_change,
    unused,
)
from billing.discounts import Discount
from billing.lines import Line, LineKind, lines_for
from billing.money import exponent
from billing.prices import Charging, PricingModel
from billing.terms import Terms


def change(
    old: Terms,
    new: Terms,
    period: Period,
    on: date,
    *,
    billed: tuple[Line, ...] | None = None,
    discounts: tuple[Discount, ...] = (),
    keeps_anchor: Schedule | None = None,
) -> ChangeLines:
    """A change on a day, where `billed` (else the old terms, at the period's start) bills that day."""
    schedule = keeps_anchor or Schedule(
        anchor=on, interval=new.interval, timezone="Europe/Paris", alignment=new.alignment
    )
    return change_lines(
        lines_for(old, period, discounts=discounts) if billed is None else billed,
        old,
        new,
        period_after_change(old, new, period, on, schedule=schedule),
        on,
        discounts=discounts,
    )


def cancel(old: Terms, period: Period, on: date) -> tuple[Line, ...]:
    """What a cancel on a day gives back: the day itself is used."""
    return unused(lines_for(old, period), on + timedelta(days=1))


def test_p1_the_change_day_belongs_to_the_new_plan() -> None:
    lines = change(terms("29.00"), terms("79.00"), APRIL, date(2027, 4, 16)).lines
    assert [(line.kind, line.amount_minor, line.days, line.whole_days) for line in lines] == [
        (LineKind.PRORATION_CREDIT, -1450, 15, 30),
        (LineKind.PRORATION_CHARGE, 3950, 15, 30),
    ]
    assert taxed(lines) == (2500, 500, 3000)


def test_p2_two_upgrades_on_one_day_net_to_one() -> None:
    on = date(2027, 3, 11)
    first = change(terms("29.00"), terms("49.00"), MARCH, on)
    second = change(terms("49.00"), terms("79.00"), MARCH, on, billed=first.charges)
    direct = change(terms("29.00"), terms("79.00"), MARCH, on)
    assert [(line.days, line.whole_days) for line in first.lines + second.lines] == [(21, 31)] * 4
    assert amounts(first.lines) == [-1965, 3319]
    assert taxed(first.lines) == (1354, 271, 1625)
    assert amounts(second.lines) == [-3319, 5352]
    assert taxed(second.lines) == (2033, 407, 2440)
    assert sum(amounts(first.lines + second.lines)) == 3387
    assert sum(amounts(direct.lines)) == 3387


def test_p3_seats_five_eight_six_in_one_month() -> None:
    five, eight, six = (terms("12.00", quantity=seats) for seats in (5, 8, 6))
    first = change(five, eight, MARCH, date(2027, 3, 11))
    second = change(eight, six, MARCH, date(2027, 3, 21), billed=first.charges)
    assert amounts(first.lines) == [-4065, 6503]
    assert taxed(first.lines) == (2438, 488, 2926)
    assert [(line.days, int(line.quantity)) for line in second.lines] == [(11, 8), (11, 6)]
    assert amounts(second.lines) == [-3406, 2555]
    assert taxed(second.lines) == (-851, -170, -1021)
    assert sum(amounts(lines_for(five, MARCH) + first.lines + second.lines)) == 7587


def test_p4_monthly_to_yearly_starts_a_new_anchor_on_the_change_day() -> None:
    february, on = whole("2028-02-01", "2028-03-01"), date(2028, 2, 15)
    credit, charge = change(terms("49.00"), terms("490.00", every="1year"), february, on).lines
    assert (credit.kind, credit.amount_minor) == (LineKind.PRORATION_CREDIT, -2534)
    assert (credit.days, credit.whole_days) == (15, 29)
    assert (charge.kind, charge.amount_minor) == (LineKind.SUBSCRIPTION, 49000)
    assert (charge.start, charge.end, charge.days) == (date(2028, 2, 15), date(2029, 2, 15), 366)
    assert taxed((credit, charge)) == (46466, 9293, 55759)


def test_the_old_anchor_can_be_kept_with_a_new_rhythm() -> None:
    # Anchored on 1 March: the quarter runs to 1 June, and 72 of its 92 days are left on 21 March.
    kept = Schedule(
        anchor=date(2027, 3, 1), interval=terms("92.00", every="3month").interval, timezone="Europe/Paris"
    )
    lines = change(
        terms("31.00"), terms("92.00", every="3month"), MARCH, date(2027, 3, 21), keeps_anchor=kept
    ).lines
    assert [(line.amount_minor, line.days, line.whole_days) for line in lines] == [
        (-1100, 11, 31),
        (7200, 72, 92),
    ]
    assert lines[1].end == date(2027, 6, 1)


def test_a_new_rhythm_on_the_calendar_begins_with_a_part_period() -> None:
    quarterly = terms("90.00", every="3month", alignment=Alignment.CALENDAR)
    credit, charge = change(terms("31.00"), quarterly, MARCH, date(2027, 3, 22)).lines
    assert (credit.amount_minor, credit.days) == (-1000, 10)
    assert (charge.start, charge.end) == (date(2027, 3, 22), date(2027, 4, 1))
    assert (charge.days, charge.whole_days, charge.amount_minor) == (10, 90, 1000)


def test_c1_the_credit_is_of_the_discounted_price() -> None:
    twenty = (Discount(coupon_id="spring", name="Spring", percent=Decimal(20)),)
    lines = change(terms("49.00"), terms("99.00"), APRIL, date(2027, 4, 16), discounts=twenty).lines
    assert amounts(lines) == [-1960, 3960]
    assert taxed(lines) == (2000, 400, 2400)
    # Without it 24.50 and 49.50: what the discount takes off is said on both.
    assert [line.list_minor for line in lines] == [-2450, 4950]
    assert [line.discounts for line in lines] == [("Spring",), ("Spring",)]


def test_p7_the_cancel_day_is_used() -> None:
    (line,) = cancel(terms("60.00"), JUNE, date(2027, 6, 10))
    assert (line.kind, line.start, line.end) == (LineKind.CREDIT, date(2027, 6, 11), date(2027, 7, 1))
    assert (line.days, line.whole_days, line.amount_minor) == (20, 30, -4000)


def test_a_cancel_on_the_last_day_gives_nothing_back() -> None:
    assert cancel(terms("60.00"), JUNE, date(2027, 6, 30)) == ()


def test_r4_a_withdrawal_keeps_the_used_days_of_a_price_with_tax() -> None:
    yearly = terms("119.88", every="1year", tax_included=True)
    (line,) = cancel(yearly, whole("2027-03-10", "2028-03-10"), date(2027, 3, 19))
    assert (line.days, line.whole_days, line.amount_minor) == (356, 366, -11660)


def test_all_of_a_period_can_be_given_back() -> None:
    assert amounts(unused(lines_for(terms("60.00"), JUNE), date(2027, 6, 1))) == [-6000]


def test_half_a_cent_is_given_back_as_it_was_charged() -> None:
    # 29.01 x 15/30 = 14.505
    lines = change(terms("29.01"), terms("0.01"), APRIL, date(2027, 4, 16)).lines
    assert amounts(lines) == [-1451, 1]


def team(seats: int, *, setup: bool = False) -> Terms:
    once = (price("500.00", id="setup", charging=Charging.ONCE),) if setup else ()
    return plan(
        price("29.00"),
        price("12.00", PricingModel.PER_UNIT, id="seat"),
        *once,
        quantity=seats,
    )


def test_a_price_that_stays_the_same_is_left_out_of_a_change() -> None:
    lines = change(team(5), team(8), MARCH, date(2027, 3, 11)).lines
    assert [(line.price_id, line.amount_minor) for line in lines] == [("seat", -4065), ("seat", 6503)]
    assert change(team(5), team(5), MARCH, date(2027, 3, 11)).lines == ()


def test_a_set_up_fee_is_billed_by_the_change_that_brings_it_and_never_again() -> None:
    brings = change(team(5), team(5, setup=True), MARCH, date(2027, 3, 11)).lines
    assert [(line.kind, line.amount_minor) for line in brings] == [(LineKind.ONE_OFF, 50000)]
    keeps = change(team(5, setup=True), team(8, setup=True), MARCH, date(2027, 3, 11)).lines
    assert [line.price_id for line in keeps] == ["seat", "seat"]


@pytest.mark.parametrize("day", ["2027-03-31", "2027-05-01"])
def test_a_day_outside_the_period_is_refused(day: str) -> None:
    with pytest.raises(OutsidePeriod, match="2027-04-01 to 2027-04-30") as refused:
        check_in_period(date.fromisoformat(day), APRIL, field="change_on")
    assert refused.value.field == "change_on"


def test_terms_that_cannot_share_a_document_are_refused() -> None:
    euro = terms("29.00")
    with pytest.raises(TermsDoNotMix, match="USD") as currency:
        check_same_document(euro, terms("29.00", currency="USD"))
    assert currency.value.field == "currency"
    with pytest.raises(TermsDoNotMix) as tax:
        check_same_document(euro, terms("29.00", tax_included=True))
    assert tax.value.field == "tax_included"


PRICES = st.decimals(0, 5000, places=4).map(str)
CURRENCIES = st.sampled_from(["JPY", "EUR", "KWD"])
DAYS = st.integers(0, 30)


@given(PRICES, st.integers(1, 1000), CURRENCIES, DAYS)
def test_a_credit_is_price_times_days_over_whole_days_half_up(
    unit_amount: str, seats: int, currency: str, day: int
) -> None:
    billed = lines_for(terms(unit_amount, quantity=seats, currency=currency), MARCH)
    (line,) = unused(billed, MARCH.start + timedelta(day))
    exact = Fraction(unit_amount) * seats * 10 ** exponent(currency) * (31 - day) / 31
    # Half up: the whole number that is at most half away, upwards when two are.
    assert -Fraction(1, 2) <= exact + line.amount_minor < Fraction(1, 2)


@given(PRICES, PRICES, DAYS, CURRENCIES)
def test_a_change_and_its_reverse_on_one_day_net_to_zero(old: str, new: str, day: int, currency: str) -> None:
    assume(old != new)
    one, other = terms(old, currency=currency), terms(new, currency=currency)
    on = MARCH.start + timedelta(day)
    there = change(one, other, MARCH, on)
    back = change(other, one, MARCH, on, billed=there.charges)
    assert sum(amounts(there.lines + back.lines)) == 0


@settings(max_examples=60)
@given(st.lists(st.tuples(DAYS, PRICES), min_size=1, max_size=8), PRICES, DAYS)
def test_after_any_changes_a_month_costs_no_less_than_nothing(
    changes: list[tuple[int, str]], first: str, cancelled: int
) -> None:
    """Each credit gives back at most what the line before it charged, whatever the order of days and prices."""
    current = terms(first)
    billed = lines_for(current, MARCH)
    everything = list(billed)
    for day, unit_amount in sorted(changes, key=lambda asked: asked[0]):
        following = terms(unit_amount)
        if following == current:
            continue
        charged = billed[-1].amount_minor
        credit, charge = change(current, following, MARCH, MARCH.start + timedelta(day), billed=billed).lines
        assert 0 <= -credit.amount_minor <= charged
        everything += [credit, charge]
        current, billed = following, (charge,)
    last_day = max(cancelled, *(day for day, _ in changes))
    final = unused(billed, MARCH.start + timedelta(last_day + 1))
    assert -sum(amounts(final)) <= billed[-1].amount_minor
    assert sum(amounts((*everything, *final))) >= 0
