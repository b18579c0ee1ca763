"""SEPA Direct Debit (Core): the notice before each debit, its day, and its one repeat (rules 22, 28).

A debit is told to the payer with its amount and date before it is made, the repeat of one that failed too. The date is
the first banking day after the notice that the mandate agreed to; the charge is made on that day and never before it.
Only what the payers order themselves, with amount and mandate before their eyes, is made at once.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from billing.banking_days import add_banking_days, first_banking_day
from billing.calendar import local_date
from billing.case import FAILED_STATES, Case, Role, no_automatic_charge
from billing.payment import Trigger
from billing.reason import Because, Reason
from billing.values import Value

REPEAT_AFTER: Final = 5
"""Banking days between the failure of a debit and its repeat."""
LATE_BANKING_DAYS: Final = 2
"""A debit that could not be made on its day is the one that was announced for this long; then it is told again."""


class Debit(Value):
    """The day on which a debit is made."""

    on: date
    is_announced: bool
    """Whether the payer was told of this day; else that comes first."""


def collection_date(told_on: date, notice_days: int, *, not_before: date | None = None) -> date:
    """The first banking day on or after the notice is over, and after any other date that the debit waits for."""
    return first_banking_day(max(told_on + timedelta(days=notice_days), not_before or told_on))


def debit_for(case: Case, trigger: Trigger, wanted: datetime, as_of: datetime) -> Debit | None:
    """The debit by which a charge that is wanted from some instant on is made.

    Args:
        case: the chase.
        trigger: of the charge.
        wanted: when the charge would be made without a notice.
        as_of: the instant at which the notice can be written.

    Returns:
        None where no notice is needed: a card, or what the payer orders.
    """
    if not case.by_direct_debit or case.role is Role.GATED or trigger is Trigger.CUSTOMER:
        return None
    wanted_on, told_on = local_date(wanted, case.timezone), local_date(as_of, case.timezone)
    if case.debit_on is not None:
        latest = add_banking_days(case.debit_on, LATE_BANKING_DAYS)
        if max(wanted_on, told_on) <= latest:
            return Debit(on=first_banking_day(max(case.debit_on, wanted_on)), is_announced=True)
    on = collection_date(told_on, case.notice_days, not_before=wanted_on)
    return Debit(on=on, is_announced=False)


def is_awaited(case: Case) -> bool:
    """Whether the payer was told of a debit that is still to be made: until then nobody asks them for anything."""
    if not case.by_direct_debit or case.debit_on is None:
        return False
    return bool(case.asked) or no_automatic_charge(case, next_trigger(case)) is None


def next_trigger(case: Case) -> Trigger:
    """Of the next debit that the policy makes: the first, or the repeat of one that failed, whoever asked for that."""
    is_first = case.done_through_day < 0 and repeat_wanted(case) is None
    return Trigger.FIRST if is_first else Trigger.RETRY


def repeat_wanted(case: Case) -> datetime | None:
    """From when the debit that failed last may be repeated; None where none of this account has failed."""
    failures = (a for a in reversed(case.attempts) if a.state in FAILED_STATES)
    failed = next((a for a in failures if a.payment_method_id == case.method), None)
    if failed is None:
        return None
    failed_on = local_date(failed.settled_at or failed.begun_at, case.timezone)
    return case.morning(failed_on if failed.never_ran else add_banking_days(failed_on, REPEAT_AFTER))


def debit_reason(why: Reason, trigger: Trigger, debit: Debit, notice_days: int) -> Reason:
    """Why the charge `why` stands for is made on the day of the debit, or why that day is announced first."""
    first, again = Because.DEBIT_NOTICE, Because.DEBIT_NOTICE_AGAIN
    if debit.is_announced:
        first, again = Because.DEBIT, Because.DEBIT_REPEATED
    update = {
        "because": again if trigger is Trigger.RETRY else first,
        "on": debit.on,
        "notice_days": notice_days,
        "number": None,
        "of": None,
    }
    return why.model_copy(update=update)
