"""On which day within its window a retry is made: rules that can be read, no learned model.

A retry only ever waits. It stays before the next one by a day at least, never passes the last notice and does not move
the end. The rules are switched on and off by the policy; the first that has an answer decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from billing.dunning import DunningPolicy
from billing.public_holidays import is_public_holiday
from billing.reason import Move, MovedBy
from billing.values import Value

NO_MONEY: Final = "insufficient_funds"
"""The one decline for which the day matters: money comes on days of the month."""


class Window(Value):
    """The days on which one retry may be made, both included."""

    first: date
    """Its own day, or the first one that the card networks allow."""
    last: date
    """The day before the next retry; for the last one the day of the last notice."""

    @property
    def days(self) -> tuple[date, ...]:
        """In order; none where the networks leave no day."""
        return tuple(self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


class Payer(Value):
    """What is known of whoever is charged."""

    decline_code: str | None = None
    """Of the last decline."""
    good_days: tuple[date, ...] = ()
    """Dates on which a charge went through after a decline, latest first."""
    country: str = ""


class Choice(Value):
    """A better day than the first, and the rule that found it."""

    on: date
    why: Move


def better_day(policy: DunningPolicy, window: Window, payer: Payer, today: date) -> Choice | None:
    """The day to wait for; None where the first is as good as any, or where it is late and none is left.

    The payer's own good days come before the paydays of everybody, and either before a day that is merely not avoided.
    """
    ahead = [day for day in window.days if day >= today]
    open_days = [day for day in ahead if _avoided(policy, payer, day) is None]
    for rule in (_good_day, _payday) if payer.decline_code == NO_MONEY else ():
        choice = rule(policy, window, payer, open_days)
        if choice is not None:
            return choice if choice.on > window.first else None
    if not open_days:
        return None
    avoided = _avoided(policy, payer, window.first) or _avoided(policy, payer, ahead[0])
    return None if avoided is None else Choice(on=open_days[0], why=avoided)


def _good_day(policy: DunningPolicy, _: Window, payer: Payer, days: Sequence[date]) -> Choice | None:
    """A day of the month on which this payer's charges went through after a decline."""
    known = payer.good_days if policy.good_days else ()
    return next(
        (
            Choice(on=day, why=Move(by=MovedBy.GOOD_DAY, on=seen))
            for day in days
            for seen in known
            if _is_day_of_month(day, seen.day)
        ),
        None,
    )


def _payday(policy: DunningPolicy, window: Window, _: Payer, days: Sequence[date]) -> Choice | None:
    """A day on which payers are paid, if it is not too far."""
    latest = window.first + timedelta(days=policy.payday_within_days)
    near = (day for day in days if day <= latest)
    is_payday = (day for day in near if any(_is_day_of_month(day, payday) for payday in policy.paydays))
    return next((Choice(on=day, why=Move(by=MovedBy.PAYDAY)) for day in is_payday), None)


def _is_day_of_month(day: date, number: int) -> bool:
    """Whether this is day `number` of its month, or its last where the month is shorter."""
    is_last = (day + timedelta(days=1)).day == 1
    return day.day == number or (is_last and number > day.day)


def _avoided(policy: DunningPolicy, payer: Payer, day: date) -> Move | None:
    """Why no retry is made on this day, if the policy avoids it."""
    return next(_reasons_to_avoid(policy, payer, day), None)


def _reasons_to_avoid(policy: DunningPolicy, payer: Payer, day: date) -> Iterator[Move]:
    if policy.avoid_sundays and day.isoweekday() == 7:  # noqa: PLR2004 - ISO: Monday is 1
        yield Move(by=MovedBy.SUNDAY)
    if policy.avoid_public_holidays and is_public_holiday(day, payer.country):
        yield Move(by=MovedBy.PUBLIC_HOLIDAY, country=payer.country)
