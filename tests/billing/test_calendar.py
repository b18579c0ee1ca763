"""Periods and instants. Expected dates are typed in by hand; the clocks of the world are checked by zoneinfo."""

from __future__ import annotations

import calendar
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from whenever import Instant

from billing.calendar import (
    Alignment,
    BeforeAnchor,
    Interval,
    OutsideCalendar,
    Period,
    Schedule,
    Unit,
    add_months,
    at_local_time,
    check_timezone,
    first_of_month,
    local_date,
    starts_at,
)
from billing.errors import InvalidInput

ZONES = sorted(available_timezones() - {"localtime", "Factory"})
ALIGNABLE = ["1week", "1month", "2month", "3month", "4month", "6month", "12month", "1year"]

days = st.dates(date(1900, 1, 1), date(2400, 12, 31))
intervals = st.builds(Interval, unit=st.sampled_from(Unit), count=st.integers(1, 30))
anniversaries = st.builds(Schedule, anchor=days, interval=intervals, timezone=st.just("Europe/Paris"))
aligned = st.builds(
    Schedule,
    anchor=days,
    interval=st.sampled_from(ALIGNABLE).map(Interval.parse),
    timezone=st.just("Europe/Paris"),
    alignment=st.just(Alignment.CALENDAR),
)
schedules = anniversaries | aligned


def schedule(
    anchor: str, every: str, *, timezone: str = "Europe/Paris", alignment: Alignment = Alignment.ANNIVERSARY
) -> Schedule:
    return Schedule(
        anchor=date.fromisoformat(anchor),
        interval=Interval.parse(every),
        timezone=timezone,
        alignment=alignment,
    )


def starts(of: Schedule, count: int) -> list[str]:
    return [period.start.isoformat() for period in of.periods(count)]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


class TestWorkedExamples:
    def test_month_ends_come_back_from_the_anchor(self) -> None:
        assert starts(schedule("2027-01-31", "1month"), 6) == [
            "2027-01-31",
            "2027-02-28",
            "2027-03-31",
            "2027-04-30",
            "2027-05-31",
            "2027-06-30",
        ]

    def test_the_leap_day_returns_in_leap_years(self) -> None:
        assert starts(schedule("2024-02-29", "1year"), 5) == [
            "2024-02-29",
            "2025-02-28",
            "2026-02-28",
            "2027-02-28",
            "2028-02-29",
        ]

    def test_bimonthly_over_month_ends_and_a_leap_day(self) -> None:
        assert starts(schedule("2026-12-31", "2month"), 8) == [
            "2026-12-31",
            "2027-02-28",
            "2027-04-30",
            "2027-06-30",
            "2027-08-31",
            "2027-10-31",
            "2027-12-31",
            "2028-02-29",
        ]

    def test_local_midnight_on_both_sides_of_summer_time(self) -> None:
        periods = schedule("2027-03-28", "1month").periods(2)
        assert [starts_at(period.start, "Europe/Paris") for period in periods] == [
            utc("2027-03-27T23:00:00Z"),
            utc("2027-04-27T22:00:00Z"),
        ]

    def test_a_day_without_midnight_begins_at_its_first_instant(self) -> None:
        began = starts_at(date(2027, 9, 5), "America/Santiago")
        assert began == utc("2027-09-05T04:00:00Z")
        assert began.astimezone(ZoneInfo("America/Santiago")).strftime("%H:%M") == "01:00"

    def test_periods_after_a_trial_of_fourteen_days(self) -> None:
        signed_up_on = local_date(utc("2027-01-17T14:40:00Z"), "Europe/Paris")
        anchor = signed_up_on + timedelta(days=14)
        assert anchor == date(2027, 1, 31)
        assert starts(schedule(anchor.isoformat(), "1month"), 4)[1:] == [
            "2027-02-28",
            "2027-03-31",
            "2027-04-30",
        ]

    def test_two_weeks_are_fourteen_dates_across_summer_time(self) -> None:
        periods = schedule("2027-10-18", "2week").periods(3)
        assert [period.start.isoformat() for period in periods] == ["2027-10-18", "2027-11-01", "2027-11-15"]
        assert [starts_at(period.start, "Europe/Paris") for period in periods] == [
            utc("2027-10-17T22:00:00Z"),
            utc("2027-10-31T23:00:00Z"),
            utc("2027-11-14T23:00:00Z"),
        ]

    def test_a_part_period_comes_before_the_calendar_boundary(self) -> None:
        bimonthly = schedule("2027-02-15", "2month", alignment=Alignment.CALENDAR)
        assert starts(bimonthly, 3) == ["2027-02-15", "2027-03-01", "2027-05-01"]
        part, whole = bimonthly.periods(2)
        assert (part.index, part.days, part.whole_days, part.is_part) == (0, 14, 59, True)
        assert (whole.index, whole.days, whole.whole_days, whole.is_part) == (1, 61, 61, False)


class TestInterval:
    @pytest.mark.parametrize(
        ("text", "unit", "count", "written"),
        [
            ("1month", Unit.MONTH, 1, "1month"),
            ("2month", Unit.MONTH, 2, "2month"),
            ("3month", Unit.MONTH, 3, "3month"),
            ("1year", Unit.YEAR, 1, "1year"),
            ("2week", Unit.WEEK, 2, "2week"),
            ("18month", Unit.MONTH, 18, "18month"),
            ("monthly", Unit.MONTH, 1, "1month"),
            ("bimonthly", Unit.MONTH, 2, "2month"),
            ("quarterly", Unit.MONTH, 3, "3month"),
            ("semiannual", Unit.MONTH, 6, "6month"),
            ("annual", Unit.YEAR, 1, "1year"),
        ],
    )
    def test_is_read_from_a_count_and_a_unit_or_a_name(
        self, text: str, unit: Unit, count: int, written: str
    ) -> None:
        interval = Interval.parse(text)
        assert interval == Interval(unit=unit, count=count)
        assert str(interval) == written

    @pytest.mark.parametrize(
        ("text", "words"), [("monthly", "month"), ("2week", "2 weeks"), ("annual", "year")]
    )
    def test_reads_in_words_after_every(self, text: str, words: str) -> None:
        assert Interval.parse(text).in_words == words

    @pytest.mark.parametrize(
        "text",
        ["", "month", "0month", "-1month", "01month", "1.5month", "1day", "1months", "1 month", "1Month",
         "1month\n", "99999month", "weekly", "Monthly", "\u0661month"],
    )  # fmt: skip
    def test_refuses_anything_else(self, text: str) -> None:
        with pytest.raises(InvalidInput, match="is not an interval") as refused:
            Interval.parse(text)
        assert refused.value.field == "every"

    @pytest.mark.parametrize("count", [0, -1, True, 1.0, "1"])
    def test_refuses_a_count_that_is_no_number_from_one_up(self, count: object) -> None:
        with pytest.raises(ValidationError):
            Interval.model_validate({"unit": "month", "count": count})

    @pytest.mark.parametrize(
        ("text", "longer_than_three_months", "under_fifteen_days", "a_year_or_longer"),
        [
            ("1week", False, True, False),
            ("2week", False, True, False),
            ("3week", False, False, False),
            ("12week", False, False, False),
            ("13week", True, False, False),
            ("52week", True, False, False),
            ("53week", True, False, True),
            ("1month", False, False, False),
            ("3month", False, False, False),
            ("4month", True, False, False),
            ("11month", True, False, False),
            ("12month", True, False, True),
            ("1year", True, False, True),
        ],
    )
    def test_knows_which_rules_it_falls_under(
        self, text: str, *, longer_than_three_months: bool, under_fifteen_days: bool, a_year_or_longer: bool
    ) -> None:
        interval = Interval.parse(text)
        assert interval.is_longer_than_three_months is longer_than_three_months
        assert interval.is_under_fifteen_days is under_fifteen_days
        assert interval.is_a_year_or_longer is a_year_or_longer


class TestCalendarAlignment:
    @pytest.mark.parametrize(
        ("anchor", "every", "expected"),
        [
            ("2027-01-01", "1month", ["2027-01-01", "2027-02-01", "2027-03-01"]),
            ("2027-01-31", "1month", ["2027-01-31", "2027-02-01", "2027-03-01"]),
            ("2027-12-05", "2month", ["2027-12-05", "2028-01-01", "2028-03-01"]),
            ("2027-05-20", "3month", ["2027-05-20", "2027-07-01", "2027-10-01"]),
            ("2027-05-20", "4month", ["2027-05-20", "2027-09-01", "2028-01-01"]),
            ("2027-07-01", "6month", ["2027-07-01", "2028-01-01", "2028-07-01"]),
            ("2027-07-01", "12month", ["2027-07-01", "2028-01-01", "2029-01-01"]),
            ("2028-02-29", "1year", ["2028-02-29", "2029-01-01", "2030-01-01"]),
            ("2027-01-03", "1week", ["2027-01-03", "2027-01-04", "2027-01-11"]),
            ("2027-01-04", "1week", ["2027-01-04", "2027-01-11", "2027-01-18"]),
        ],
    )
    def test_starts_on_the_first_on_new_year_or_on_monday(
        self, anchor: str, every: str, expected: list[str]
    ) -> None:
        assert starts(schedule(anchor, every, alignment=Alignment.CALENDAR), 3) == expected

    def test_a_start_on_the_boundary_has_no_part_period(self) -> None:
        first = schedule("2027-03-01", "2month", alignment=Alignment.CALENDAR).period(0)
        assert (first.start, first.end, first.is_part) == (date(2027, 3, 1), date(2027, 5, 1), False)

    @pytest.mark.parametrize("every", ["5month", "7month", "8month", "24month", "2year", "2week"])
    def test_refuses_an_interval_without_a_fixed_place_in_the_year(self, every: str) -> None:
        with pytest.raises(InvalidInput, match="anniversary alignment") as refused:
            schedule("2027-01-01", every, alignment=Alignment.CALENDAR)
        assert refused.value.field == "every"


def months_later(day: date, months: int) -> date:
    """A second opinion, from the calendar's own month lengths."""
    years, month = divmod(day.month - 1 + months, 12)
    length = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, length))


class TestEverySchedule:
    @given(schedules, st.integers(1, 40))
    @settings(max_examples=150)
    def test_tiles(self, of: Schedule, count: int) -> None:
        periods = of.periods(count)
        assert periods[0].start == of.anchor
        assert [period.index for period in periods] == list(range(count))
        for period, following in pairwise(periods):
            assert period.end == following.start
            assert period.whole_end == following.whole_start
        assert not any(period.is_part for period in periods[1:])

    @given(anniversaries, st.integers(0, 60))
    @settings(max_examples=150)
    def test_is_computed_from_the_anchor(self, of: Schedule, index: int) -> None:
        count = of.interval.count * index
        expected = {
            Unit.WEEK: of.anchor + timedelta(days=7 * count),
            Unit.MONTH: months_later(of.anchor, count),
            Unit.YEAR: months_later(of.anchor, 12 * count),
        }
        assert of.period(index).start == expected[of.interval.unit]

    @given(schedules, st.integers(0, 100_000))
    @settings(max_examples=300)
    def test_finds_the_period_of_a_day(self, of: Schedule, days_in: int) -> None:
        day = of.anchor + timedelta(days=days_in)
        period = of.period_on(day)
        assert period.start <= day < period.end
        assert period == of.period(period.index)

    @given(schedules, st.integers(0, 2_000))
    @settings(max_examples=100)
    def test_resumes_with_a_part_of_the_period(self, of: Schedule, days_in: int) -> None:
        day = of.anchor + timedelta(days=days_in)
        part, whole = of.part_from(day), of.period_on(day)
        assert (part.start, part.end, part.index) == (day, whole.end, whole.index)
        assert (part.whole_start, part.whole_end) == (whole.whole_start, whole.whole_end)

    @given(aligned, st.integers(0, 30))
    @settings(max_examples=100)
    def test_aligned_to_the_calendar_starts_where_the_calendar_does(self, of: Schedule, index: int) -> None:
        boundary = of.period(index).whole_start
        match of.interval.unit:
            case Unit.WEEK:
                assert boundary.isoweekday() == 1
            case Unit.MONTH:
                assert boundary.day == 1
                assert (boundary.month - 1) % of.interval.count == 0
            case Unit.YEAR:
                assert (boundary.month, boundary.day) == (1, 1)

    @given(schedules)
    @settings(max_examples=50)
    def test_survives_json(self, of: Schedule) -> None:
        assert Schedule.model_validate_json(of.model_dump_json()) == of


class TestEdgesOfASchedule:
    def test_a_resume_in_the_middle_keeps_the_anchor(self) -> None:
        part = schedule("2027-01-31", "1month").part_from(date(2027, 3, 10))
        assert (part.start, part.end) == (date(2027, 3, 10), date(2027, 3, 31))
        assert (part.whole_start, part.days, part.whole_days) == (date(2027, 2, 28), 21, 31)

    def test_centuries_are_no_further_than_months(self) -> None:
        found = schedule("0001-01-31", "1month").period_on(date(9998, 3, 1))
        assert (found.start, found.end) == (date(9998, 2, 28), date(9998, 3, 31))

    def test_a_day_before_the_anchor_has_no_period(self) -> None:
        with pytest.raises(BeforeAnchor, match="2027-01-31") as refused:
            schedule("2027-01-31", "1month").period_on(date(2027, 1, 30))
        assert refused.value.field == "day"

    @pytest.mark.parametrize(
        ("anchor", "index", "field"),
        [("9999-12-31", 0, "anchor"), ("9999-10-31", 2, "periods"), ("2027-01-31", 10**12, "periods")],
    )
    def test_a_period_past_the_year_9999_is_refused(self, anchor: str, index: int, field: str) -> None:
        with pytest.raises(OutsideCalendar, match="year 9999") as refused:
            schedule(anchor, "1month").period(index)
        assert refused.value.field == field

    def test_periods_are_counted_from_zero(self) -> None:
        with pytest.raises(ValueError, match="from 0"):
            schedule("2027-01-31", "1month").period(-1)

    def test_a_period_without_a_day_is_none(self) -> None:
        day = date(2027, 1, 1)
        with pytest.raises(ValidationError, match="at least one day"):
            Period(index=0, start=day, end=day, whole_start=day, whole_end=day)

    def test_a_zone_must_exist(self) -> None:
        with pytest.raises(InvalidInput, match="Mars/Olympus") as refused:
            schedule("2027-01-31", "1month", timezone="Mars/Olympus")
        assert refused.value.field == "timezone"


class TestZones:
    @pytest.mark.parametrize("name", ["Europe/Paris", "UTC", "Etc/GMT+3", "America/Argentina/Ushuaia"])
    def test_names_of_the_tz_database_are_taken(self, name: str) -> None:
        assert check_timezone(name) == name

    @pytest.mark.parametrize(
        "name",
        ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "localtime", "Factory", "posix/Europe/Paris",
         "Europe", "+01:00", "CET-1", "é", "a\0b", "\ud800"],
    )  # fmt: skip
    def test_other_names_are_refused(self, name: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            check_timezone(name)
        assert refused.value.field == "timezone"

    def test_a_slip_of_case_is_pointed_out(self) -> None:
        with pytest.raises(InvalidInput, match=r"Did you mean Europe/Paris\?"):
            check_timezone("europe/paris")

    @pytest.mark.parametrize(
        ("day", "zone", "began"),
        [
            # Midnight does not exist.
            ("2022-03-27", "Asia/Beirut", "2022-03-26T22:00:00Z"),
            ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
            ("2024-03-10", "America/Havana", "2024-03-10T05:00:00Z"),
            # The gap began the evening before: 23:30 became 00:30.
            ("1919-03-31", "America/Toronto", "1919-03-31T04:30:00Z"),
            # Midnight happens twice.
            ("2024-11-03", "America/Havana", "2024-11-03T04:00:00Z"),
            ("2009-11-01", "America/St_Johns", "2009-11-01T02:30:00Z"),
            # The date itself does not exist: it begins with the next one.
            ("2011-12-29", "Pacific/Apia", "2011-12-29T10:00:00Z"),
            ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),
            ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00Z"),
        ],
    )
    def test_days_begin_at_the_first_instant_that_exists(self, day: str, zone: str, began: str) -> None:
        assert starts_at(date.fromisoformat(day), zone) == utc(began)

    def test_days_around_every_change_of_every_zone_begin_at_their_first_instant(self) -> None:
        for zone in ZONES:
            clock = ZoneInfo(zone)
            for day in days_around_changes(zone):
                began = starts_at(day, zone)
                assert began.astimezone(clock).date() >= day, (zone, day)
                assert (began - timedelta(seconds=1)).astimezone(clock).date() < day, (zone, day)

    @given(st.sampled_from(ZONES), days)
    @settings(max_examples=200)
    def test_any_day_begins_on_its_own_date(self, zone: str, day: date) -> None:
        began = starts_at(day, zone)
        assert began.utcoffset() == timedelta(0)
        # Four zones skipped a date when they crossed the date line.
        assume((zone.removeprefix("Pacific/"), day.isoformat()) not in SKIPPED)
        assert local_date(began, zone) == day
        assert local_date(began - timedelta(seconds=1), zone) < day

    @pytest.mark.parametrize(
        ("day", "hour", "minute", "at"),
        [
            ("2027-01-15", 9, 0, "2027-01-15T08:00:00Z"),
            ("2027-07-15", 9, 0, "2027-07-15T07:00:00Z"),
            # 02:00 to 03:00 does not exist: the first instant after it.
            ("2027-03-28", 2, 0, "2027-03-28T01:00:00Z"),
            ("2027-03-28", 2, 30, "2027-03-28T01:00:00Z"),
            ("2027-03-28", 3, 0, "2027-03-28T01:00:00Z"),
            # 02:00 to 03:00 happens twice: the earlier one.
            ("2027-10-31", 2, 30, "2027-10-31T00:30:00Z"),
        ],
    )
    def test_a_local_time_is_one_instant(self, day: str, hour: int, minute: int, at: str) -> None:
        assert at_local_time(date.fromisoformat(day), hour, minute, "Europe/Paris") == utc(at)

    def test_the_date_depends_on_where_one_stands(self) -> None:
        at = utc("2027-01-31T23:30:00Z")
        assert local_date(at, "Europe/Paris") == date(2027, 2, 1)
        assert local_date(at, "America/New_York") == date(2027, 1, 31)
        assert local_date(at.astimezone(ZoneInfo("Asia/Tokyo")), "UTC") == date(2027, 1, 31)

    def test_an_instant_without_an_offset_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="needs an offset") as refused:
            local_date(utc("2027-01-31T09:00:00Z").replace(tzinfo=None), "Europe/Paris")
        assert refused.value.field == "at"

    def test_the_ends_of_the_calendar_are_refused(self) -> None:
        with pytest.raises(OutsideCalendar, match="0001-01-01"):
            starts_at(date(1, 1, 1), "Asia/Tokyo")
        with pytest.raises(OutsideCalendar, match="9999"):
            local_date(datetime(9999, 12, 31, 23, tzinfo=UTC), "Asia/Tokyo")
        with pytest.raises(OutsideCalendar, match="13 months"):
            add_months(date(9999, 1, 1), 13)


SKIPPED = {
    ("Kwajalein", "1993-08-21"),
    ("Enderbury", "1994-12-31"),
    ("Kanton", "1994-12-31"),
    ("Kiritimati", "1994-12-31"),
    ("Apia", "2011-12-30"),
    ("Fakaofo", "2011-12-30"),
}


def days_around_changes(zone: str) -> Iterator[date]:
    """The dates of each change of the zone's rules from 1990 to 2040, and those before and after."""
    change = Instant.from_utc(1990, 1, 1).to_tz(zone).next_transition()
    while change is not None and change.year <= 2040:
        day = change.date().to_stdlib()
        yield from (day - timedelta(days=1), day, day + timedelta(days=1))
        change = change.next_transition()


@pytest.mark.parametrize("tz_database", ["the machine's", "the package's"])
def test_the_calendar_imports_nothing_after_it_was_loaded(tz_database: str) -> None:
    """A late import, or a look at the environment, would stall a workflow that bills."""
    code = """
import os, sys
from datetime import UTC, date, datetime
from billing.calendar import Interval, Schedule, check_timezone, local_date, starts_at
from billing.errors import InvalidInput

loaded = set(sys.modules)
os.environ.clear()
Schedule(anchor=date(2027, 1, 31), interval=Interval.parse("1month"), timezone="Asia/Tokyo").periods(2)
starts_at(date(2027, 9, 5), "America/Santiago")
starts_at(date(2024, 11, 3), "America/Havana")
local_date(datetime(2027, 1, 31, tzinfo=UTC), "Pacific/Apia")
for mistake in (lambda: check_timezone("Mars/Olympus"), lambda: starts_at(date(1, 1, 1), "Asia/Tokyo")):
    try:
        mistake()
    except InvalidInput:
        pass
print(sorted(set(sys.modules) - loaded))
"""
    without_the_machines = {} if tz_database == "the machine's" else {"PYTHONTZPATH": ""}
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        env=os.environ | without_the_machines,
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout == "[]\n"


def test_months_are_added_and_cut_back() -> None:
    assert add_months(date(2027, 1, 31), 1) == date(2027, 2, 28)
    assert add_months(date(2028, 3, 31), -1) == date(2028, 2, 29)
    assert first_of_month(date(2027, 2, 28)) == date(2027, 2, 1)
