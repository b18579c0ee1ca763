"""The table of VAT rates: complete, without contradictions, replaceable."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.tax_places import EU_STATES, place_of
from billing.vat_rates import UnusableRates, default_rates, read_rates

HEADER = "country,territory,tax_class,percent,valid_from,valid_until,source"


@given(st.sampled_from(sorted(EU_STATES)), st.dates(date(2021, 7, 1), date(2050, 12, 31)))
def test_every_member_state_has_a_standard_rate_on_every_day(country: str, on: date) -> None:
    percent = default_rates().percents(place_of(country), on)["standard"]
    assert Decimal(15) <= percent <= Decimal(27)  # directive 2006/112/EC art. 97


def test_every_row_has_a_source() -> None:
    assert all(rate.source for rate in default_rates().rates)
    assert default_rates().countries == EU_STATES


def test_a_territory_without_rows_has_the_rates_of_its_state_where_its_law_reaches() -> None:
    table, on = default_rates(), date(2026, 11, 22)
    assert table.percents(place_of("FR", "20090"), on)["standard"] == Decimal(20)
    assert table.percents(place_of("FR", "97300"), on) == {}
    assert table.percents(place_of("ES", "35001"), on) == {}
    assert table.percents(place_of("US"), on) == {}


def test_another_table_takes_its_place() -> None:
    table = read_rates(
        [HEADER, "FR,,standard,20,2014-01-01,2030-01-01,law", "FR,,standard,21,2030-01-01,,law"]
    )
    assert table.percents(place_of("FR"), date(2029, 12, 31)) == {"standard": Decimal(20)}
    assert table.percents(place_of("FR"), date(2030, 1, 1)) == {"standard": Decimal(21)}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["country,percent"], "no column tax_class, valid_from"),
        ([], "no column country"),
        ([HEADER, "FR,,standard,twenty,2014-01-01,,x"], "Line 2"),
        ([HEADER, "FR,,standard,120,2014-01-01,,x"], "percent"),
        ([HEADER, "FR,,luxury,20,2014-01-01,,x"], "luxury is no tax class"),
        ([HEADER, "FR,,standard,20,2014-01-01,2013-01-01,x"], "ends before it begins"),
        ([HEADER, "FR,,standard,20,2014-01-01,,x", "FR,,standard,21,2026-01-01,,x"], "two rates on 2026-01-01"),
    ],
)  # fmt: skip
def test_a_table_that_contradicts_itself_is_refused(rows: list[str], said: str) -> None:
    with pytest.raises(UnusableRates, match=said):
        read_rates(rows)


def test_rates_follow_each_other_without_a_gap() -> None:
    ends = [
        rate
        for rate in default_rates().rates
        if rate.valid_until is not None and rate.tax_class == "standard"
    ]
    for rate in ends:
        assert rate.valid_until is not None
        place = place_of(rate.country).model_copy(update={"territory": rate.territory or None})
        assert "standard" in default_rates().percents(place, rate.valid_until + timedelta(days=1))
