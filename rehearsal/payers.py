"""The payers of a rehearsal: what is hidden behind each failed charge, drawn once, and what becomes of later tries.

Tries on one invoice are not independent draws: hidden clocks (the payday, the block that passes, the card that is
renewed) decide what a charge at a given time meets. That is what makes timing matter.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from itertools import count
from typing import Final
from zoneinfo import ZoneInfo

from billing.calendar import add_months, at_local_time, first_of_month, local_date
from rehearsal.dice import Dice, log_normal
from rehearsal.population import WEEKDAYS, Cause, Population

TIMEZONE: Final = "Europe/Paris"
"""In which every payer lives."""
YEAR: Final = 2027
"""In which every first charge fails."""
FAILS_EVERY_DAYS: Final = 5
"""First charges fail on every fifth day of the year: all days of the month and of the week, yet few enough that many
payers share the engine's decisions, which are made once for each day."""
FAILS_AT_HOUR: Final = 2
"""Local hour of the first charge: the middle of the four hours over which renewals are spread (engine 23)."""
RESULT_AT_HOUR: Final = 7
"""Local hour at which the outcome of a debit is known: the bank's file is there before the day's steps."""
PAYDAYS_AHEAD: Final = 5
"""Paydays that a payer can live through while being chased."""

_END_OF_MONTH: Final = (25, 30)
_START_OF_MONTH: Final = (1, 5)
_ANY_DAY: Final = (1, 30)
_FRIDAY: Final = 4
_DAYS_IN_YEAR: Final = 365
_DAY: Final = timedelta(days=1)
_ZONE: Final = ZoneInfo(TIMEZONE)

Chance = Callable[[float], float]
"""The chance of a charge this many days after the first failure."""


class Payer:
    """One payer whose charge failed. Policies that are compared meet the very same payers.

    Attributes:
        cause: why it failed. Hidden from the engine.
        code: what the bank says, each time anew; may hide the cause.
        failed_at: the instant of the first charge.
        day0: its local date.
        payday: the day of the month on which money comes, of a payer who lacked it. Hidden from the engine.
        renewed_at: when the card's network renews the card to one that works, if it does.
        leaves: the payer ends the subscription where this is below the share of those who leave.
        claims_refund: takes a debit back that was paid.
    """

    __slots__ = (
        "_chance",
        "_mails",
        "_population",
        "_tries",
        "cause",
        "claims_refund",
        "code",
        "day0",
        "failed_at",
        "leaves",
        "payday",
        "renewed_at",
    )

    def __init__(
        self, population: Population, *, seed: int, number: int, failed_at: datetime | None = None
    ) -> None:
        """Draw a payer: the same for the same seed and number.

        Args:
            population: what they are drawn from.
            seed: of the whole population.
            number: which of its payers.
            failed_at: the instant of the first charge; drawn with the rest where it is None.
        """
        dice = Dice(seed, number)
        self._population = population
        self.cause = _drawn(population.causes, dice)
        hides = dice.throw() < population.hidden_share
        hidden = hides and self.cause in (Cause.INSUFFICIENT_FUNDS, Cause.CLOSED)
        self.code = population.hidden_code if hidden else population.codes[self.cause]
        self.failed_at = failed_at or _first_charge(_fails_on(dice))
        self.day0 = local_date(self.failed_at, TIMEZONE)
        self.payday: int | None = None
        self.renewed_at: datetime | None = None
        self._chance = self._hidden_clock(dice)
        self.leaves = dice.throw()
        self.claims_refund = dice.throw() < population.claims_refund
        self._tries, self._mails = Dice(seed, number, 1), Dice(seed, number, 2)

    @property
    def is_answered_later(self) -> bool:
        """Whether a charge is under way for days before its outcome is known."""
        return self._population.is_answered_later

    def days_since_failure(self, at: datetime) -> float:
        """Time since the first charge failed, in days."""
        return (at - self.failed_at) / _DAY

    def pays(self, nth_try: int, at: datetime) -> bool:
        """Whether an automatic charge at this instant succeeds. `nth_try` counts from 1, the failed one is 0."""
        chance = self._chance(self.days_since_failure(at)) * _timing(self._population, at)
        return self._tries.nth(2 * nth_try) < chance

    def result_at(self, nth_try: int, begun_at: datetime) -> datetime:
        """When the outcome of a charge is known, where the bank does not answer at once."""
        least, most = self._population.result_business_days
        days = least + int(self._tries.nth(2 * nth_try + 1) * (most - least + 1))
        return _business_day_after(local_date(begun_at, TIMEZONE), days)

    def acts_on(self, nth_mail: int, written_at: datetime, since_last: timedelta | None) -> datetime | None:
        """When the payer gives a payment method that works because of a mail, or None.

        What does not work cannot be saved as a payment method, so it changes nothing.

        Args:
            nth_mail: counts from 0.
            written_at: the instant of the mail.
            since_last: the time since the mail before it; None for the first.
        """
        population = self._population
        share = _share_that_acts(population, self.days_since_failure(written_at))
        if self.cause.is_soft:
            share *= population.acts_if_soft
        if since_last is not None:
            share *= min(1.0, since_last / _DAY / population.mail_full_effect_days)
        acts, works, delay = (self._mails.nth(3 * nth_mail + part) for part in range(3))
        if acts >= share or works >= population.new_method_ok:
            return None
        days = log_normal(delay, median=population.acts_after_days, sigma=population.acts_after_spread)
        return written_at + timedelta(days=days)

    def _hidden_clock(self, dice: Dice) -> Chance:
        population = self._population
        match self.cause:
            case Cause.INSUFFICIENT_FUNDS:
                return self._liquidity(dice)
            case Cause.GENERIC:
                return _clearing(
                    dice,
                    population.generic_clears_days,
                    (population.generic_before_ok, population.generic_ok),
                    permanent=population.generic_permanent,
                )
            case Cause.TECHNICAL:
                return _clearing(
                    dice,
                    population.technical_clears_days,
                    (population.technical_before_ok, population.technical_ok),
                )
            case Cause.EXPIRED:
                self._renew(dice)
                return _never
            case Cause.CLOSED | Cause.AUTHENTICATION:
                return _never

    def _liquidity(self, dice: Dice) -> Chance:
        """Money comes on the payday, or by a top-up before it, and stays as long as it always does with this payer."""
        population = self._population
        chronic = dice.throw() < population.chronic
        self.payday = _payday(population, dice)
        topup = dice.wait(population.topup_days)
        stays = dice.wait(population.window_days)
        if chronic:
            return lambda _: population.chronic_ok
        paydays = [self.days_since_failure(at) for at in _paydays_after(self.day0, self.payday)]
        comes = [topup, *paydays] if topup < paydays[0] else paydays

        def chance(days: float) -> float:
            nth = bisect_right(comes, days)
            is_there = nth > 0 and days < comes[nth - 1] + stays
            return population.funds_ok if is_there else population.funds_missing_ok

        return chance

    def _renew(self, dice: Dice) -> None:
        population = self._population
        renewed, works = dice.throw() < population.renewed, dice.throw() < population.renewed_ok
        after = timedelta(days=dice.throw() * population.renewed_within_days)
        self.renewed_at = self.failed_at + after if renewed and works else None


def draw_payers(population: Population, *, seed: int, size: int) -> Iterator[Payer]:
    """All payers of a population, one after the other."""
    return (Payer(population, seed=seed, number=number) for number in range(size))


def _drawn(shares: dict[Cause, float], dice: Dice) -> Cause:
    at = dice.throw()
    for cause, share in shares.items():
        at -= share
        if at < 0:
            return cause
    return next(cause for cause, share in shares.items() if share > 0)


def _never(_: float) -> float:
    return 0.0


def _clearing(
    dice: Dice, mean_days: float, chances: tuple[float, float], *, permanent: float = 0.0
) -> Chance:
    """A block that passes after a time, with the chances before and after it; or one that stays."""
    stays = dice.throw() < permanent
    clears = dice.wait(mean_days)
    before, after = chances
    return _never if stays else lambda days: after if days >= clears else before


def _payday(population: Population, dice: Dice) -> int:
    at = dice.throw() - population.payday_at_end
    if at < 0:
        return dice.number(*_END_OF_MONTH)
    return dice.number(*(_START_OF_MONTH if at < population.payday_at_start else _ANY_DAY))


@cache
def _paydays_after(day: date, payday: int) -> Sequence[datetime]:
    """The first instants of the next paydays after a date; the 30th of a short month is its last day."""
    months = (add_months(first_of_month(day), n) for n in count())
    days = (first.replace(day=min(payday, monthrange(first.year, first.month)[1])) for first in months)
    coming = (on for on in days if on > day)
    return [at_local_time(next(coming), 0, 0, TIMEZONE) for _ in range(PAYDAYS_AHEAD)]


def _fails_on(dice: Dice) -> date:
    nth = dice.number(0, (_DAYS_IN_YEAR - 1) // FAILS_EVERY_DAYS)
    return date(YEAR, 1, 1) + nth * FAILS_EVERY_DAYS * _DAY


@cache
def _first_charge(on: date) -> datetime:
    return at_local_time(on, FAILS_AT_HOUR, 0, TIMEZONE)


@cache
def _business_day_after(day: date, business_days: int) -> datetime:
    """The morning of the n-th business day after a date, Monday to Friday."""
    for _ in range(business_days):
        day += _DAY
        while day.weekday() > _FRIDAY:
            day += _DAY
    return at_local_time(day, RESULT_AT_HOUR, 0, TIMEZONE)


def _share_that_acts(population: Population, days: float) -> float:
    """The share by the days that the invoice has been unpaid: on straight lines, and level after the last."""
    shares = population.acts_on_mail
    later = next((day for day in shares if day > days), None)
    if later is None or later == next(iter(shares)):
        return shares[later] if later is not None else next(reversed(shares.values()))
    day = max(day for day in shares if day <= days)
    return shares[day] + (shares[later] - shares[day]) * (days - day) / (later - day)


def _timing(population: Population, at: datetime) -> float:
    """The factor of hour, weekday and holiday; 1 unless the population names some."""
    if not (population.hour_effects or population.weekday_effects or population.holiday_effects):
        return 1.0
    local = at.astimezone(_ZONE)
    hour = population.hour_effects.get(local.hour, 0.0)
    weekday = population.weekday_effects.get(WEEKDAYS[local.weekday()], 0.0)
    holiday = population.holiday_effects.get(local.date(), 0.0)
    return (1 + hour) * (1 + weekday) * (1 + holiday)
