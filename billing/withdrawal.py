"""Going back on a contract: a consumer's right for 14 days, and what it gives back (rules 32)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from billing.calendar import local_date
from billing.commands import CreditTo
from billing.effects import DropGatedDraft, GiveAllBack, SettleDebtOnCancel, Transition
from billing.leaving import credit_unused, what_waits_is_dropped
from billing.lifecycle import end_for_good
from billing.refusal import Refused
from billing.subscription import CustomerKind, Status, Subscription

WITHDRAWAL_DAYS: Final = 14
"""From the day after the contract was made (French consumer code, L221-18)."""
REFUND_DAYS: Final = 14
"""The money has to be back by then, from the day on which we hear of it (L221-24)."""
_MONDAY_TO_FRIDAY: Final = 5


def last_day_to_withdraw(sub: Subscription) -> date | None:
    """The last day of the right, on the customer's calendar; None where there is none.

    One that falls on a Saturday or Sunday ends with the next working day (L221-19). Public holidays are not looked
    at: after this day a person may still cancel with a refund.
    """
    if sub.customer_kind is not CustomerKind.CONSUMER:
        return None
    day = local_date(sub.signed_up_at, sub.timezone) + timedelta(days=WITHDRAWAL_DAYS)
    while day.weekday() >= _MONDAY_TO_FRIDAY:
        day += timedelta(days=1)
    return day


def refund_by(withdrawn_on: date) -> date:
    """The last day on which the money may go back."""
    return withdrawn_on + timedelta(days=REFUND_DAYS)


def withdraw(sub: Subscription, at: datetime) -> Transition:
    """The end at once, and all that was billed goes back.

    Where the service was begun at the customer's express request, the days used are kept pro rata, and so is what has
    a price of its own and was done at the start.

    Raises:
        Refused: the buyer is no consumer, or the time is over; field `status`.
    """
    last_day = last_day_to_withdraw(sub)
    if last_day is None:
        raise Refused("Only a consumer can withdraw. Cancel instead.", field="status")
    if local_date(at, sub.timezone) > last_day:
        raise Refused(
            f"The time for withdrawal ended on {last_day}. Cancel instead; a refund can go with it.",
            field="status",
        )
    ended = end_for_good(sub, at, "withdrawn", notice="withdrawal_confirmed")
    if sub.status is Status.INCOMPLETE:
        return Transition(ended.after, (DropGatedDraft(), *ended.effects))
    if sub.early_start_requested:
        back = credit_unused(sub, at, "withdrawn", CreditTo.REFUND)
        return Transition(ended.after, (*back, *ended.effects, SettleDebtOnCancel()))
    nothing_used = ended.after.model_copy(update={"usage_closes_at": None})
    dropped = what_waits_is_dropped(sub)
    return Transition(
        nothing_used, (GiveAllBack("withdrawn"), *dropped, *ended.effects, SettleDebtOnCancel())
    )
