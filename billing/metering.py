"""When usage is counted, by which price, and when it is billed."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.calendar import starts_at
from billing.effects import Effect, TurnMeters
from billing.subscription import Subscription
from billing.terms import Terms


def turn_meters(before: Terms | None, after: Terms | None, on: date, timezone: str) -> tuple[Effect, ...]:
    """Usage is counted for other terms, or another period, from the beginning of a day on."""
    return turn_meters_at(before, after, starts_at(on, timezone), on)


def turn_meters_at(
    before: Terms | None, after: Terms | None, at: datetime, on: date, *, goes_on: tuple[str, ...] = ()
) -> tuple[Effect, ...]:
    """Likewise from an instant on; the meters named in `goes_on` are left alone."""
    meters = {price.meter for terms in (before, after) if terms is not None for price in terms.metered_prices}
    return (TurnMeters(before, after, at, on, goes_on),) if meters - set(goes_on) else ()


def meters_that_go_on(before: Terms, after: Terms) -> tuple[str, ...]:
    """The meters that a change inside a period leaves alone: those of the same plan whose price stays as it was.

    Else more seats would begin a second stretch of the period, with its own maximum and its own lowest tier. Another
    plan closes every meter.
    """
    if before.plan_id != after.plan_id or not before.same_rhythm_as(after):
        return ()
    return tuple(price.meter for price in after.metered_prices if price.meter and price in before.prices)


def waits_for_usage(sub: Subscription, at: datetime) -> dict[str, datetime | None]:
    """What was used until now is billed once late events had their time."""
    return {"usage_closes_at": _closes_at(sub, at)} if sub.terms.metered_prices else {}


def waits_for_last_usage(sub: Subscription, after: Terms, at: datetime) -> dict[str, datetime | None]:
    """Likewise where no renewal will bill it, since the terms from now on have no meter."""
    return {} if after.metered_prices else waits_for_usage(sub, at)


def _closes_at(sub: Subscription, at: datetime) -> datetime:
    return at + timedelta(hours=sub.usage_wait_hours)
