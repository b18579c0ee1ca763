"""Charges that a person causes: pay now, a new payment method, a try by support (rules 23, U15)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from billing.caps import hold_on, on_card
from billing.case import Case
from billing.payment import AttemptState, Trigger
from billing.values import Value

MOST_ASKED_PER_DAY: Final = 5
"""Attempts that persons may cause within 24 hours, per chase (rules 23)."""


class Refused(StrEnum):
    """Why a person's charge is not taken."""

    CLOSED = "closed"
    UNDER_WAY = "under_way"
    FROZEN = "frozen"
    BELOW_MINIMUM = "below_minimum"
    NO_METHOD = "no_method"
    METHOD_STOPPED = "method_stopped"
    TOO_MANY = "too_many"
    CARD_FULL = "card_full"
    EXPIRED = "expired"


class Refusal(Value):
    """A charge that was asked for and is not taken, with what to do. Safe to show to the customer."""

    reason: Refused
    message: str
    not_before: datetime | None = None
    """When asking again can work, where that is known."""


_MESSAGES: Final = {
    Refused.CLOSED: "This invoice is not open any more. Nothing is owed on it.",
    Refused.UNDER_WAY: "A payment is under way. Wait for its outcome before you try again.",
    Refused.FROZEN: "A dispute about this invoice is open. It can be paid once the dispute is decided.",
    Refused.BELOW_MINIMUM: "The amount is too small to be charged alone. It is charged with the next invoice.",
    Refused.NO_METHOD: "There is no usable payment method. Add one first.",
    Refused.METHOD_STOPPED: "This payment method cannot be used any more. Add another one.",
    Refused.TOO_MANY: f"There were {MOST_ASKED_PER_DAY} tries within 24 hours. Try again later.",
    Refused.CARD_FULL: "This card was declined too often lately. Add another one, or try again later.",
    Refused.EXPIRED: "The time to pay this invoice is over. Start again.",
}


def may_ask(case: Case, trigger: Trigger, now: datetime) -> Refusal | None:
    """Whether a charge that a person asks for is taken now: None, or why not.

    Asked before the wish is stored. A payment that waits for the payer is no obstacle: it is closed first.

    Args:
        case: the chase, whatever its role; a joined or ended one takes wishes too.
        trigger: who asks. An automatic trigger has no limit here; the policy's limits hold for it.
        now: the instant of the wish.
    """
    reason = _obstacle(case, now)
    if reason is not None:
        return Refusal(reason=reason, message=_MESSAGES[reason])
    if trigger.is_automatic:
        return None
    for reason, allowed_at in (
        (Refused.CARD_FULL, _card_rests_until(case)),
        (Refused.TOO_MANY, _fewer_at(case, now)),
    ):
        if allowed_at is not None and allowed_at > now:
            return Refusal(reason=reason, message=_MESSAGES[reason], not_before=allowed_at)
    return None


def _obstacle(case: Case, now: datetime) -> Refused | None:
    live = case.live_attempt
    obstacles = {
        Refused.CLOSED: not case.is_open,
        Refused.UNDER_WAY: live is not None and live.state is not AttemptState.ACTION_REQUIRED,
        Refused.FROZEN: case.frozen,
        Refused.BELOW_MINIMUM: case.due_minor < case.minimum_minor,
        Refused.EXPIRED: case.deadline_at is not None and case.deadline_at <= now,
        Refused.NO_METHOD: case.method is None,
        Refused.METHOD_STOPPED: not can_be_asked(case),
    }
    return next((reason for reason, holds in obstacles.items() if holds), None)


def can_be_asked(case: Case) -> bool:
    """Whether there is a method that a person may have charged (rules 27)."""
    return case.method is not None and not case.is_method_stopped


def asked_from(case: Case, now: datetime) -> datetime:
    """The earliest instant from `now` on at which a person may cause another attempt (rules 23, 27)."""
    return max(now, _card_rests_until(case) or now, _fewer_at(case, now) or now)


def _card_rests_until(case: Case) -> datetime | None:
    hold = hold_on(on_card(case), Trigger.CUSTOMER, case.timezone)
    return hold.until if hold is not None else None


def _fewer_at(case: Case, now: datetime) -> datetime | None:
    """When the earliest of too many attempts of persons is a day old."""
    day = timedelta(hours=24)
    recent = sorted(
        a.begun_at for a in case.attempts if not a.trigger.is_automatic and a.begun_at > now - day
    )
    return None if len(recent) < MOST_ASKED_PER_DAY else recent[-MOST_ASKED_PER_DAY] + day
