"""The mails of a chase: the first failure, the reminders, the last notice; and when nobody is told yet (rules 24)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing.calendar import local_date, starts_at
from billing.case import FAILED_STATES, Case, Role, no_automatic_charge
from billing.chase_step import Mail, NextStep, StepKind, last_code, reason_for
from billing.debits import is_awaited
from billing.payment import Trigger
from billing.planning import allowed, plan_charge
from billing.reason import Because


def notice(case: Case, as_of: datetime) -> Iterator[NextStep]:
    """The next mail: the first failure, a reminder, or the last notice, which stands for all before it."""
    if is_awaited(case):
        return
    policy = case.policy
    last_notice = case.at_day(policy.last_notice_day)
    if case.last_notice_on is None and last_notice <= as_of:
        yield mail_step(case, Mail.LAST_NOTICE, policy.last_notice_day, last_notice, as_of)
        return
    reached = case.reached(as_of, policy.mail_days)
    noticed = max(case.noticed_through_day, case.dropped_through_day)
    if case.noticed_through_day < 0 and policy.charges:
        failed_at = first_failure_at(case)
        if failed_at is not None:
            yield _first_mail(case, _quiet_until(case, failed_at), as_of)
            return
    missed = reached if reached > noticed else None
    coming = [day for day in policy.mail_days if day > noticed and case.at_day(day) > as_of]
    day = missed or next(iter(coming), None)
    if day is None or (day == policy.last_notice_day and case.last_notice_on is not None):
        return
    mail = Mail.LAST_NOTICE if day == policy.last_notice_day else Mail.REMINDER
    yield mail_step(case, mail, day, case.at_day(day), as_of)


def _first_mail(case: Case, due: datetime, as_of: datetime) -> NextStep:
    """The mail about the failed payment, which stands for the reminders before it; never later than the last notice."""
    policy = case.policy
    last_notice = case.at_day(policy.last_notice_day)
    if due >= last_notice:
        return mail_step(case, Mail.LAST_NOTICE, policy.last_notice_day, last_notice, as_of)
    day = max(0, case.reached(max(due, as_of), policy.mail_days))
    return mail_step(case, Mail.PAYMENT_FAILED, day, due, as_of)


def _quiet_until(case: Case, failed_at: datetime) -> datetime:
    """The instant from which the customer may be told of a failure; the failure itself where nothing is quiet.

    Only a declined card keeps quiet, and only while retries may still bring the money: what waits for the customer
    is asked for at once, and a direct debit is announced before each try (rules 24, 28).
    """
    days = case.policy.quiet_days
    goes_on = no_automatic_charge(case, Trigger.RETRY) is None
    if days == 0 or case.last_failure is None or case.by_direct_debit or not goes_on:
        return failed_at
    return case.morning(local_date(failed_at, case.timezone) + timedelta(days=days))


def first_failure_at(case: Case) -> datetime | None:
    """When the customer could first be told that the payment failed, or that none could be tried."""
    is_gated = case.role is Role.GATED
    for attempt in case.attempts:
        tells = is_gated or (attempt.trigger.is_automatic and not attempt.never_ran)
        if attempt.state in FAILED_STATES and tells:
            return attempt.settled_at or attempt.begun_at
    if case.done_through_day >= 0:
        held = case.method_disputed  # what was queued then never reaches the bank
        tried = any(a.trigger.is_automatic and not (held and a.never_ran) for a in case.attempts)
        return None if tried else starts_at(case.day0, case.timezone)
    day0 = case.at_day(0)
    untried = (
        no_automatic_charge(case, Trigger.FIRST) is not None or allowed(case, Trigger.FIRST, day0).due > day0
    )
    return day0 if untried else None


def mail_step(case: Case, mail: Mail, day: int, due: datetime, as_of: datetime) -> NextStep:
    """A mail, with the charge that goes with it or why none does."""
    because = {
        Mail.PAYMENT_FAILED: Because.FIRST_FAILURE,
        Mail.REMINDER: Because.REMINDER,
        Mail.LAST_NOTICE: Because.LAST_NOTICE,
        Mail.PAYMENT_LINK: Because.LINK,
    }[mail]
    due = case.in_turn(due)
    why = reason_for(case, because, due=max(due, as_of)).model_copy(
        update={
            "policy_day": day,
            "decline_code": last_code(case),
            **({} if _was_charged_on(case, day) else _without_charge(case, max(due, as_of))),
        }
    )
    return NextStep(kind=StepKind.NOTICE, due=due, policy_day=day, mail=mail, why=why)


def _without_charge(case: Case, at: datetime) -> dict[str, object]:
    """Why no charge goes with a mail: none may be made, or it was put off (rules 24)."""
    trigger = Trigger.FIRST if case.done_through_day < 0 else Trigger.RETRY
    never = no_automatic_charge(case, trigger)
    planned = None if never else plan_charge(case, at)
    today = local_date(at, case.timezone)
    if planned is None or planned.moved_from is None or planned.moved_from > today:
        return {"no_charge": never}
    put_off_to = local_date(planned.due, case.timezone)
    return {"put_off_to": put_off_to, "moves": planned.moves} if put_off_to > today else {}


def _was_charged_on(case: Case, day: int) -> bool:
    """Whether the retry of this policy day was made, whatever may still be tried after it."""
    since = case.at_day(day)
    return day > 0 and any(
        a.trigger.is_automatic and not a.never_ran and a.begun_at >= since for a in case.attempts
    )
