"""Billing periods on the calendar, and the instants at which local dates begin (rules 1 to 4, design 3).

Periods are ranges of local dates, end exclusive, always computed from the anchor. An instant is made only at
the edge, from a date and an IANA zone.
"""

from __future__ import annotations

import re
from calendar import monthrange
from contextlib import suppress
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator
from typing_extensions import override
from whenever import Date, Instant, PlainDateTime, SkippedTime, TimeZoneNotFoundError

from billing.errors import InvalidInput
from billing.values import Value


class Unit(StrEnum):
    """What an interval counts."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Alignment(StrEnum):
    """Where the boundaries between periods fall."""

    ANNIVERSARY = "anniversary"
    """On the anchor's own day, cut back in short months."""
    CALENDAR = "calendar"
    """On the first of the month, on 1 January or on Monday; a part period comes first where it must."""


class OutsideCalendar(InvalidInput):
    """A date or instant before the year 1 or after the year 9999."""


class BeforeAnchor(InvalidInput):
    """A day on which the schedule has not yet begun."""


_NAMED_INTERVALS: Final = {
    "monthly": "1month",
    "bimonthly": "2month",
    "quarterly": "3month",
    "semiannual": "6month",
    "annual": "1year",
}
_INTERVAL = re.compile(r"([1-9][0-9]{0,3})(week|month|year)")
_MONTHS_PER_YEAR: Final = 12


class Interval(Value):
    """Unit x count: month x 2 is bi-monthly, year x 1 annual, week x 2 fortnightly (design 3.1)."""

    unit: Unit
    count: Annotated[int, Field(ge=1, le=9999, strict=True)]

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Reads `1month`, `2week`, `1year`, or a name: monthly, bimonthly, quarterly, semiannual, annual.

        Raises:
            InvalidInput: `text` is neither; field `every`.
        """
        match = _INTERVAL.fullmatch(_NAMED_INTERVALS.get(text, text))
        if match is None:
            raise InvalidInput(
                f"{text!r} is not an interval. Give a count of 1 to 9999 and a unit, as in 1month, 2week or "
                f"1year, or one of the names {', '.join(_NAMED_INTERVALS)}.",
                field="every",
            )
        return cls(unit=Unit(match[2]), count=int(match[1]))

    @override
    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def in_words(self) -> str:
        """As it reads after "every": `month`, `2 weeks`."""
        return f"{self.unit}" if self.count == 1 else f"{self.count} {self.unit}s"

    @property
    def is_longer_than_three_months(self) -> bool:
        """Whether a period can outlast three months, so that a renewal notice is due (rules 30).

        Thirteen weeks count: they are longer than the three months from 1 December, or from 1 February.
        """
        return self.count > {Unit.WEEK: 12, Unit.MONTH: 3, Unit.YEAR: 0}[self.unit]

    @property
    def is_under_fifteen_days(self) -> bool:
        """Whether a period is too short for the ordinary dunning policy (rules 24)."""
        return self.unit is Unit.WEEK and self.count <= 2  # noqa: PLR2004

    @property
    def is_a_year_or_longer(self) -> bool:
        """Whether the annual dunning policy applies (rules 24); 52 weeks are a day short of it."""
        return self.count > {Unit.WEEK: 52, Unit.MONTH: 11, Unit.YEAR: 0}[self.unit]

    def times(self, factor: int) -> dict[str, int]:
        """`factor` of these intervals, as the keyword that `whenever` takes: `{"months": 6}`."""
        return {f"{self.unit}s": self.count * factor}


class Period(Value):
    """One billing period: the local dates from `start` up to, not including, `end`."""

    index: int
    """0 for the first one of its schedule."""
    start: date
    end: date
    whole_start: date
    """Start of the whole period that this one lies in; differs from `start` in a part period only."""
    whole_end: date

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Period:
        if not self.whole_start <= self.start < self.end <= self.whole_end:
            raise ValueError("a period has at least one day and lies within its whole period")
        return self

    @property
    def days(self) -> int:
        """Dates in this period, at least 1."""
        return (self.end - self.start).days

    @property
    def whole_days(self) -> int:
        """Dates in the whole period, which prices a day of it (rules 8)."""
        return (self.whole_end - self.whole_start).days

    @property
    def is_part(self) -> bool:
        """Whether it is shorter than the whole period that it lies in."""
        return (self.start, self.end) != (self.whole_start, self.whole_end)


class Schedule(Value):
    """Every period of a subscription, from its anchor to the end of the calendar.

    Raises:
        InvalidInput: the zone is not in the tz database (field `timezone`), or calendar alignment was asked
            for an interval that has no fixed place in the year (field `every`).
    """

    anchor: date
    """First local date of period 0."""
    interval: Interval
    timezone: str
    """IANA name of the customer's zone."""
    alignment: Alignment = Alignment.ANNIVERSARY
    billing_day: int | None = Field(default=None, ge=1, le=31)
    """Day of the month on which periods start, for months and years: the first one on or after the anchor, cut back in
    short months. What is before it is a part of the period that it ends (rules 3)."""

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        return check_timezone(name)

    @model_validator(mode="after")
    def _billing_day_has_months(self) -> Schedule:
        by_calendar = self.alignment is Alignment.CALENDAR
        if self.billing_day is not None and (by_calendar or self.interval.unit is Unit.WEEK):
            raise InvalidInput(
                "A billing day needs periods of months or years that are not aligned to the calendar. Leave "
                "billing_day or the alignment out.",
                field="billing_day",
            )
        return self

    @model_validator(mode="after")
    def _interval_can_be_aligned(self) -> Schedule:
        if self.alignment is Alignment.CALENDAR and not _fits_the_year(self.interval):
            raise InvalidInput(
                f"{self.interval} has no fixed place in the calendar. Calendar alignment takes 1week, 1year "
                "and 1, 2, 3, 4, 6 or 12 months; for other intervals use anniversary alignment.",
                field="every",
            )
        return self

    def period(self, index: int) -> Period:
        """The period with this index, in constant time, computed from the anchor.

        Raises:
            OutsideCalendar: it ends after the year 9999.
            ValueError: `index` is negative.
        """
        if index < 0:
            raise ValueError("periods are counted from 0")
        return self._between(index, self._boundary(index), self._boundary(index + 1))

    def periods(self, count: int) -> list[Period]:
        """The first `count` periods. Raises as `period` does."""
        boundaries = [self._boundary(index) for index in range(count + 1)]
        return [self._between(index, *pair) for index, pair in enumerate(pairwise(boundaries))]

    def period_on(self, day: date) -> Period:
        """The period that contains the local date `day`, in constant time.

        Raises:
            BeforeAnchor: the schedule has not begun on `day`.
            OutsideCalendar: that period ends after the year 9999.
        """
        if day < self.anchor:
            raise BeforeAnchor(
                f"{day} is before the first period, which starts on {self.anchor}.", field="day"
            )
        index = self._units_from_grid_to(day) // self.interval.count
        # A month's boundary may lie later in that month than `day`.
        return self.period(index if self._boundary(index) <= day else index - 1)

    def part_from(self, day: date) -> Period:
        """The part period from `day` to the end of the period that contains it, as billed at a resume.

        On the first day of a period that is the whole of it. Raises as `period_on` does.
        """
        return self.period_on(day).model_copy(update={"start": day})

    def _between(self, index: int, whole_start: date, end: date) -> Period:
        start = max(whole_start, self.anchor)
        return Period(index=index, start=start, end=end, whole_start=whole_start, whole_end=end)

    @property
    def _grid_start(self) -> date:
        """The boundary on or before the anchor; the anchor itself unless the calendar or a billing day fixes others."""
        if self.billing_day is not None:
            return self._billing_day_before_anchor(self.billing_day)
        if self.alignment is Alignment.ANNIVERSARY:
            return self.anchor
        match self.interval.unit:
            case Unit.WEEK:
                return date.fromordinal(self.anchor.toordinal() - self.anchor.weekday())
            case Unit.MONTH:
                months_in = (self.anchor.month - 1) % self.interval.count
                return self.anchor.replace(month=self.anchor.month - months_in, day=1)
            case Unit.YEAR:
                return self.anchor.replace(month=1, day=1)

    def _billing_day_before_anchor(self, billing_day: int) -> date:
        first = _cut_back(self.anchor, billing_day)
        if first < self.anchor:
            first = _cut_back(add_months(first_of_month(self.anchor), 1), billing_day)
        if first == self.anchor:
            return first
        before = Date(first_of_month(first)).subtract(**self.interval.times(1)).to_stdlib()
        return _cut_back(before, billing_day)

    def _boundary(self, index: int) -> date:
        try:
            if self.billing_day is not None:
                first = Date(first_of_month(self._grid_start))
                return _cut_back(first.add(**self.interval.times(index)).to_stdlib(), self.billing_day)
            return Date(self._grid_start).add(**self.interval.times(index)).to_stdlib()
        except (ValueError, OverflowError):
            raise OutsideCalendar(
                f"Period {index - 1} would end after the year 9999. Ask for fewer periods or start earlier.",
                field="periods" if index > 1 else "anchor",
            ) from None

    def _units_from_grid_to(self, day: date) -> int:
        """Units begun between the grid's start and `day`, counting calendar months and years by number."""
        grid_start = self._grid_start
        match self.interval.unit:
            case Unit.WEEK:
                return (day - grid_start).days // 7
            case Unit.MONTH:
                return (day.year - grid_start.year) * _MONTHS_PER_YEAR + day.month - grid_start.month
            case Unit.YEAR:
                return day.year - grid_start.year


def _cut_back(month: date, day: int) -> date:
    """This day of the month of a date, or its last one where the month is shorter."""
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))


def _fits_the_year(interval: Interval) -> bool:
    if interval.unit is Unit.MONTH:
        return _MONTHS_PER_YEAR % interval.count == 0
    return interval.count == 1


# Files of a tz directory that name no place: the machine's own zone, a placeholder, other ways of counting.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_NO_ZONE_FOLDERS = ("posix/", "right/")


@lru_cache(maxsize=1024)
def check_timezone(name: str) -> str:
    """Gives `name` back if it is a zone of the tz database, spelled as there.

    Raises:
        InvalidInput: it is not; field `timezone`.
    """
    try:
        spelled = None if name in _NO_ZONES or name.startswith(_NO_ZONE_FOLDERS) else _zone_name(name)
    except TimeZoneNotFoundError:
        spelled = None
    if spelled != name:
        hint = f"Did you mean {spelled}?" if spelled else "Give one like Europe/Paris or UTC."
        raise InvalidInput(f"{name!r} is not a time zone of the tz database. {hint}", field="timezone")
    return name


def _zone_name(name: str) -> str | None:
    return Instant.from_utc(2000, 1, 1).to_tz(name).tz_id


def starts_at(day: date, timezone: str) -> datetime:
    """The UTC instant at which `day` begins in `timezone`.

    Local midnight, or the first instant of that date where midnight does not exist. A date that the zone
    skipped begins when the next one does. Where midnight happens twice, the first.

    Raises:
        InvalidInput: the zone does not exist; field `timezone`.
        OutsideCalendar: that instant is before the year 1 or after the year 9999 in UTC.
    """
    return at_local_time(day, 0, 0, timezone)


def at_local_time(day: date, hour: int, minute: int, timezone: str) -> datetime:
    """The UTC instant of this local time; in a gap the first instant after it, in an overlap the earlier one.

    Raises:
        InvalidInput: the zone does not exist; field `timezone`.
        OutsideCalendar: that instant is before the year 1 or after the year 9999 in UTC.
    """
    zone = check_timezone(timezone)
    local = PlainDateTime(day.year, day.month, day.day, hour, minute)
    try:
        return _instant_of(local, zone).to_stdlib()
    except ValueError:
        raise OutsideCalendar(
            f"{day} is outside the years 1 to 9999 in UTC. Choose another date.", field="day"
        ) from None


def _instant_of(local: PlainDateTime, zone: str) -> Instant:
    try:
        return local.assume_tz(zone, disambiguation="raise").to_instant()
    except SkippedTime:
        before_the_gap = local.assume_tz(zone, disambiguation="earlier")
        after_the_gap = before_the_gap.next_transition()
        return (after_the_gap or before_the_gap).to_instant()
    except ValueError:
        return local.assume_tz(zone, disambiguation="earlier").to_instant()


def local_date(at: datetime, timezone: str) -> date:
    """The date in `timezone` at the instant `at`.

    Raises:
        InvalidInput: `at` carries no zone (field `at`), or `timezone` does not exist (field `timezone`).
        OutsideCalendar: that date is before the year 1 or after the year 9999.
    """
    if at.tzinfo is None:
        raise InvalidInput("An instant needs an offset, as in 2027-01-31T09:00:00Z.", field="at")
    zone = check_timezone(timezone)
    try:
        return Instant(at.astimezone(UTC)).to_tz(zone).date().to_stdlib()
    except (ValueError, OverflowError):
        raise OutsideCalendar(f"{at} is outside the years 1 to 9999 in {zone}.", field="at") from None


def same_hour_next_day(at: datetime, timezone: str) -> datetime:
    """The full hour in which `at` lies in `timezone`, one date later: of 09:00:05 on Monday, Tuesday 09:00.

    Raises:
        InvalidInput: the zone does not exist; field `timezone`.
    """
    local = Instant(at.astimezone(UTC)).to_tz(check_timezone(timezone))
    return at_local_time(local.date().add(days=1).to_stdlib(), local.hour, 0, timezone)


def first_of_month(day: date) -> date:
    """The first day of the month of `day`."""
    return day.replace(day=1)


def add_months(day: date, n: int) -> date:
    """`day` moved by `n` months, back for a negative `n`, cut back in short months (31 January, 28 February).

    Raises:
        OutsideCalendar: the result is before the year 1 or after the year 9999.
    """
    try:
        return Date(day).add(months=n).to_stdlib()
    except (ValueError, OverflowError):
        raise OutsideCalendar(f"{day} and {n} months leave the years 1 to 9999.", field="day") from None


def _find_tz_database() -> None:
    """Has `whenever` find the machine's tz database and the one that is installed as a package.

    It does so on first use, by way of late imports and the environment. Temporal's workflow sandbox allows
    neither, so this happens while this module is imported.
    """
    for name in ("Europe/Paris", "No/Such_Zone"):
        with suppress(TimeZoneNotFoundError):
            _zone_name(name)


_find_tz_database()
