"""What the card networks allow, as pure counts over the tries on one card, whichever invoices they were for (rules 27).

Declines are counted, never successes: twelve subscriptions on one good card are twelve charges. The gate asks the same
functions under a lock, so that what is planned here and what is let through there cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from billing.calendar import local_date, same_hour_next_day
from billing.case import Attempt, Case
from billing.payment import AttemptState, Trigger
from billing.reason import Move, MovedBy
from billing.values import Value

MOST_DECLINES: Final = 10
"""Per card within `DECLINES_COUNT_FOR`, whoever caused the charges."""
DECLINES_COUNT_FOR: Final = timedelta(days=30)


class Hold(Value):
    """No charge of the card sooner."""

    until: datetime
    why: Move


def on_card(case: Case) -> tuple[Attempt, ...]:
    """Every known try on the card of the case's method."""
    return (*case.on_method, *case.elsewhere)


def hold_on(tries: Iterable[Attempt], trigger: Trigger, timezone: str) -> Hold | None:
    """Until when the card rests for a charge with this trigger; None where it was never held.

    A first charge and what a person asks for are held by the count of declines only. The end of a hold may be past.

    Args:
        tries: those on one card.
        trigger: of the charge that is to be made.
        timezone: the customer's, whose days are counted.
    """
    known = list(tries)
    holds = [*_full(known), *(_rests(known, timezone) if trigger.is_repeat else ())]
    return max(holds, key=lambda hold: hold.until, default=None)


def _full(tries: Sequence[Attempt]) -> Iterator[Hold]:
    """Ten declines in 30 days. One that has had no answer may have been declined."""
    declines = sorted(a.begun_at for a in tries if a.is_decline or a.state is AttemptState.UNKNOWN)
    if len(declines) >= MOST_DECLINES:
        yield Hold(until=declines[-MOST_DECLINES] + DECLINES_COUNT_FOR, why=Move(by=MovedBy.CARD_FULL))


def _rests(tries: Sequence[Attempt], timezone: str) -> Iterator[Hold]:
    """One repeat in 24 hours, and the waits that the network named; a shorter one replaces the 24 hours.

    A day is counted from the full hour, so that tomorrow's retry is not put off by the seconds that today's was late.
    """
    for attempt in tries:
        if attempt.not_before is not None and attempt.is_decline:
            wait = attempt.not_before - (attempt.settled_at or attempt.begun_at)
            hours = max(1, round(wait / timedelta(hours=1)))
            yield Hold(until=attempt.not_before, why=Move(by=MovedBy.NETWORK, hours=hours))
        elif attempt.trigger.is_repeat and (attempt.is_decline or attempt.state is AttemptState.UNKNOWN):
            on = local_date(attempt.begun_at, timezone)
            until = same_hour_next_day(attempt.begun_at, timezone)
            yield Hold(until=until, why=Move(by=MovedBy.CARD_TRIED, on=on))


def is_busy(tries: Iterable[Attempt], trigger: Trigger, at: datetime) -> bool:
    """Whether charges that are being answered right now have to be waited for, for seconds (rules 26).

    Repeats on a card go one after the other, and no more charges go at a time than may still be declined.
    """
    known = list(tries)
    sent = [a for a in known if a.state is AttemptState.STARTED]
    if trigger.is_repeat and any(a.trigger.is_repeat for a in sent):
        return True
    if_declined = [a.model_copy(update={"state": AttemptState.DECLINED}) for a in sent]
    return bool(sent) and any(hold.until > at for hold in _full([*known, *if_declined]))
