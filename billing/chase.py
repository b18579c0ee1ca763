"""What happens next to one invoice that is not paid, when, and why (rules 21 to 25, engine 22).

`next_step` is the whole decision. The collection workflow waits for `due` and carries the step out; query,
command line and portal show the same answer, also with no worker up. What a step changes in the case is in
`billing.progress`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from billing.asking import asked_from, can_be_asked
from billing.calendar import local_date, starts_at
from billing.case import (
    FAILED_STATES,
    UNDER_WAY_STATES,
    Attempt,
    Case,
    Role,
    ends_at,
    in_charge,
    no_automatic_charge,
    retries_left,
)
from billing.dunning import MOST_RETRIES
from billing.payment import AttemptState, Trigger
from billing.planning import Planned, allowed, plan_charge
from billing.reason import Because, Reason
from billing.values import Value

INLINE_TRY: Final = timedelta(seconds=90)
"""How long the subscription's own try may still be answering (engine 5)."""
LOOK_AGAIN_UNKNOWN: Final = (timedelta(minutes=1), timedelta(hours=24))
"""Least and longest wait before asking again about a lost answer; it doubles in between."""
LOOK_AGAIN_PROCESSING: Final = (timedelta(hours=6), timedelta(hours=24))
"""The same for a payment under way: news normally comes by webhook."""


class StepKind(StrEnum):
    """What is done at a step."""

    CHARGE = "charge"
    """Make an attempt with the step's trigger, or the queued one whose number it names."""
    LATE = "late"
    """The tolerance for a transfer is over: from now on the invoice is in arrears (rules 20, 22)."""
    NOTICE = "notice"
    """Write the mail's row."""
    END = "end"
    """Carry out the policy's two end actions and write their mail; a gated draft is dropped."""
    SETTLE = "settle"
    """Ask the provider what became of a live attempt and write the answer down; one that waits for the payer
    is closed as abandoned, one that was never sent is dropped."""
    REST = "rest"
    """Nothing is due: waits for what the reason names."""
    CLOSED = "closed"
    """Nothing is owed any more: the collection may return."""


class Mail(StrEnum):
    """The mails of a chase, but for the one that END writes."""

    PAYMENT_FAILED = "payment_failed"
    REMINDER = "reminder"
    LAST_NOTICE = "last_notice"
    PAYMENT_LINK = "payment_link"


_ORDER: Final = (StepKind.SETTLE, StepKind.CHARGE, StepKind.LATE, StepKind.NOTICE, StepKind.END)
_ASKED: Final = {
    Trigger.CUSTOMER: Because.ASKED_BY_CUSTOMER,
    Trigger.METHOD_REPLACED: Because.METHOD_REPLACED,
    Trigger.SUPPORT: Because.ASKED_BY_SUPPORT,
}
_AUTOMATIC: Final = {
    Trigger.FIRST: Because.FIRST_CHARGE,
    Trigger.REPEAT: Because.REPEAT,
    Trigger.RETRY: Because.RETRY,
    Trigger.PROMISE: Because.PROMISED,
    Trigger.BACKUP: Because.BACKUP,
    Trigger.RENEWED: Because.CARD_RENEWED,
}


class NextStep(Value):
    """One step of a chase."""

    kind: StepKind
    due: datetime | None = None
    """Its planned instant, in the past where it is late; None where the chase only waits."""
    policy_day: int | None = None
    """The policy day that the step stands for; after missed days the latest of them."""
    trigger: Trigger | None = None
    attempt: int | None = None
    """Number of an attempt that exists already: the one to settle, or the queued one to make."""
    mail: Mail | None = None
    why: Reason

    @property
    def key(self) -> str | None:
        """What identifies a mail within its chase: `payment_failed`, `reminder:7`, `last_notice`."""
        return f"{self.mail}:{self.policy_day}" if self.mail is Mail.REMINDER else self.mail


def next_step(case: Case, now: datetime) -> NextStep:
    """The one thing that happens next to the invoice, or what it waits for.

    Of what is due at `now` in this order: settle, charge, mail, end. A promise or a pause moves what the
    policy does to its date, never what a person asked for.
    """
    live = case.live_attempt
    return (
        (live and _about_live(case, live, now))
        or _standstill(case)
        or _close_first(case, live, _earliest(_candidates(case, now), now))
        or _resting(case)
        or _waits(case, Because.PARKED)
    )


def _about_live(case: Case, live: Attempt, now: datetime) -> NextStep | None:
    """What an attempt that is under way or queued demands before anything else (U15)."""
    if live.state in UNDER_WAY_STATES:
        lost = live.state is not AttemptState.PROCESSING
        because = Because.ANSWER_LOST if lost else Because.PROCESSING
        return _settle(case, live, because, _look_at(live))
    if not case.is_open:
        return _settle(case, live, Because.CLOSE_FOR_NEXT, now)
    if live.state is AttemptState.ACTION_REQUIRED or case.frozen:
        return None
    gone = case.method_disputed or (case.deadline_at is not None and case.deadline_at <= now)
    if gone or (case.stopped and live.trigger.is_automatic):
        return _settle(case, live, Because.NEVER_SENT, now)
    why = _reason(case, Because.QUEUED, due=live.begun_at)
    return NextStep(
        kind=StepKind.CHARGE, due=live.begun_at, trigger=live.trigger, attempt=live.number, why=why
    )


def _look_at(live: Attempt) -> datetime:
    """When to ask the provider about it: at once for a lost answer, then at doubling distances."""
    lost = live.state is not AttemptState.PROCESSING
    least, longest = LOOK_AGAIN_UNKNOWN if lost else LOOK_AGAIN_PROCESSING
    if live.looked_at is not None:
        return live.looked_at + min(longest, max(least, live.looked_at - live.begun_at))
    first_wait = {AttemptState.STARTED: INLINE_TRY, AttemptState.PROCESSING: least}
    return live.begun_at + first_wait.get(live.state, timedelta(0))


def _standstill(case: Case) -> NextStep | None:
    """Why nothing at all is planned, or None. What a person asked for moves a joined or ended chase."""
    if not case.is_open:
        return NextStep(kind=StepKind.CLOSED, why=_reason(case, Because.CLOSED))
    if any(a.state is AttemptState.SUCCEEDED for a in case.attempts):
        return _waits(case, Because.UNBOOKED)
    if case.frozen:
        return _waits(case, Because.FROZEN)
    if case.due_minor < case.minimum_minor:
        return _waits(case, Because.BELOW_MINIMUM)
    if case.asked and can_be_asked(case):
        return None
    awaits_first = case.role is Role.JOINED and case.done_through_day < 0
    return None if awaits_first else _resting(case)


def _resting(case: Case) -> NextStep | None:
    if case.ended:
        return _waits(case, Because.ENDED)
    return _waits(case, Because.JOINED) if case.role is Role.JOINED else None


def _waits(case: Case, because: Because) -> NextStep:
    return NextStep(kind=StepKind.REST, why=_reason(case, because))


def _candidates(case: Case, now: datetime) -> Iterator[NextStep]:
    yield from _asked_charge(case, now)
    if case.ended:
        return
    if case.role is Role.JOINED:
        yield from _automatic_charge(case, now) if case.done_through_day < 0 else ()
        return
    if case.role is Role.GATED:
        yield from _gated_steps(case, now)
        return
    held_to = case.in_turn(case.morning(case.hold_on)) if case.hold_on is not None else now
    for step in _policy_steps(case, max(now, held_to)):
        held = step.due is not None and step.due < held_to > now
        yield step.model_copy(update={"due": held_to}) if held else step


def _policy_steps(case: Case, as_of: datetime) -> Iterator[NextStep]:
    """The next charge, mail and end of the policy, seen from the date to which a promise holds them."""
    end = _end_step(case, as_of)
    for charge in _automatic_charge(case, as_of):
        if end is None or charge.due is None or end.due is None or charge.due < end.due:
            yield charge
    yield from _falling_late(case)
    yield from _notice(case, as_of)
    if end is not None and not case.end_held:
        yield end


def _earliest(steps: Iterator[NextStep], now: datetime) -> NextStep | None:
    return min(steps, key=lambda step: (max(step.due or now, now), _ORDER.index(step.kind)), default=None)


def _close_first(case: Case, live: Attempt | None, step: NextStep | None) -> NextStep | None:
    """Puts the closing of an attempt that waits for the payer before another attempt and before the end.

    A payer who is there confirms the payment that waits, and no other one (stripe B4).
    """
    if live is None or step is None or step.kind in (StepKind.LATE, StepKind.NOTICE):
        return step
    if step.trigger is Trigger.CUSTOMER and case.payer_present:
        return step
    return _settle(case, live, Because.CLOSE_FOR_NEXT, step.due)


def _settle(case: Case, live: Attempt, because: Because, due: datetime | None) -> NextStep:
    why = _reason(case, because, due=due)
    return NextStep(kind=StepKind.SETTLE, due=due, attempt=live.number, trigger=live.trigger, why=why)


# Charges


def _asked_charge(case: Case, now: datetime) -> Iterator[NextStep]:
    """A charge that a person caused, else one that the success of another invoice did (engine 8)."""
    if not can_be_asked(case):
        return
    person = next((trigger for trigger in case.asked if not trigger.is_automatic), None)
    if person is not None:
        due = asked_from(case, now)
        if case.deadline_at is None or due < case.deadline_at:
            why = _reason(case, _ASKED[person], due=due)
            yield NextStep(kind=StepKind.CHARGE, due=due, trigger=person, why=why)
    elif case.asked and no_automatic_charge(case, case.asked[0]) is None:
        held_to = case.morning(case.hold_on) if case.hold_on is not None else now
        yield _charge(case, allowed(case, case.asked[0], max(now, held_to)), now)


def _automatic_charge(case: Case, as_of: datetime) -> Iterator[NextStep]:
    """The next charge of the policy."""
    planned = plan_charge(case, as_of)
    if planned is not None:
        yield _charge(case, planned, as_of)


def _charge(case: Case, planned: Planned, as_of: datetime) -> NextStep:
    trigger, due = planned.trigger, case.in_turn(planned.due)
    is_late = local_date(due, case.timezone) < local_date(as_of, case.timezone)
    day = max(0, case.reached(max(due, as_of), (0, *case.policy.retry_days)))
    charged = in_charge(case)
    left = retries_left(charged)
    extra = (Trigger.REPEAT, Trigger.PROMISE, Trigger.BACKUP, Trigger.RENEWED)
    extras = sum(t in extra for t in (trigger, *(a.trigger for a in case.attempts)))
    is_retry = trigger is not Trigger.FIRST
    why = _reason(case, _AUTOMATIC[trigger], due=max(due, as_of)).model_copy(
        update={
            "policy_day": day,
            "decline_code": _last_code(case),
            "on_backup": charged.on_backup,
            "number": case.policy.most_retries - left + 1 if is_retry else None,
            "of": min(MOST_RETRIES, len(case.policy.retry_days) + extras) if is_retry else None,
            "moved_from": None if is_late else planned.moved_from,
            "moves": () if is_late else planned.moves,
        }
    )
    return NextStep(kind=StepKind.CHARGE, due=due, policy_day=day, trigger=trigger, why=why)


# Falling late, mails and the end


def _falling_late(case: Case) -> Iterator[NextStep]:
    """A transfer that did not come is tolerated for a while; then its invoice is in arrears, once (rules 22)."""
    if case.policy.charges or case.in_arrears:
        return
    late_on = case.policy.past_due_on(case.day0)
    due, day = case.morning(late_on), (late_on - case.day0).days
    why = _reason(case, Because.LATE, due=due).model_copy(update={"policy_day": day})
    yield NextStep(kind=StepKind.LATE, due=due, policy_day=day, why=why)


def _notice(case: Case, as_of: datetime) -> Iterator[NextStep]:
    """The next mail: the first failure, a reminder, or the last notice, which stands for all before it."""
    policy = case.policy
    last_notice = case.at_day(policy.last_notice_day)
    if case.last_notice_on is None and last_notice <= as_of:
        yield _mail(case, Mail.LAST_NOTICE, policy.last_notice_day, last_notice, as_of)
        return
    reached = case.reached(as_of, policy.mail_days)
    noticed = max(case.noticed_through_day, case.dropped_through_day)
    if case.noticed_through_day < 0 and policy.charges:
        failed_at = _first_failure_at(case)
        if failed_at is not None:
            yield _first_mail(case, _quiet_until(case, failed_at), as_of)
            return
    missed = reached if reached > noticed else None
    coming = [day for day in policy.mail_days if day > noticed and case.at_day(day) > as_of]
    day = missed or next(iter(coming), None)
    if day is None or (day == policy.last_notice_day and case.last_notice_on is not None):
        return
    mail = Mail.LAST_NOTICE if day == policy.last_notice_day else Mail.REMINDER
    yield _mail(case, mail, day, case.at_day(day), as_of)


def _first_mail(case: Case, due: datetime, as_of: datetime) -> NextStep:
    """The mail about the failed payment, which stands for the reminders before it; never later than the last notice."""
    policy = case.policy
    last_notice = case.at_day(policy.last_notice_day)
    if due >= last_notice:
        return _mail(case, Mail.LAST_NOTICE, policy.last_notice_day, last_notice, as_of)
    day = max(0, case.reached(max(due, as_of), policy.mail_days))
    return _mail(case, Mail.PAYMENT_FAILED, day, due, as_of)


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


def _first_failure_at(case: Case) -> datetime | None:
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


def _mail(case: Case, mail: Mail, day: int, due: datetime, as_of: datetime) -> NextStep:
    because = {
        Mail.PAYMENT_FAILED: Because.FIRST_FAILURE,
        Mail.REMINDER: Because.REMINDER,
        Mail.LAST_NOTICE: Because.LAST_NOTICE,
        Mail.PAYMENT_LINK: Because.LINK,
    }[mail]
    due = case.in_turn(due)
    why = _reason(case, because, due=max(due, as_of)).model_copy(
        update={
            "policy_day": day,
            "decline_code": _last_code(case),
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


def _end_step(case: Case, now: datetime) -> NextStep | None:
    """The end, once the last notice was written: it is never without one."""
    if case.last_notice_on is None:
        return None
    due = ends_at(case, now)
    why = _reason(case, Because.END, due=due).model_copy(
        update={
            "policy_day": case.policy.end_day,
            "subscription": case.policy.end_for_subscription.value,
            "invoice": case.policy.end_for_invoice.value,
        }
    )
    return NextStep(kind=StepKind.END, due=due, policy_day=case.policy.end_day, why=why)


def _gated_steps(case: Case, now: datetime) -> Iterator[NextStep]:
    """A gated draft: one mail with the link, then its deadline (rules 13, engine 5)."""
    failed_at = _first_failure_at(case)
    if case.noticed_through_day < 0 and failed_at is not None:
        yield _mail(case, Mail.PAYMENT_LINK, 0, failed_at, now)
    if not case.end_held:
        due = ends_at(case, now)
        yield NextStep(kind=StepKind.END, due=due, why=_reason(case, Because.DEADLINE, due=due))


def _last_code(case: Case) -> str | None:
    failure = case.last_failure
    return failure.decline_code if failure is not None else None


def _reason(case: Case, because: Because, *, due: datetime | None = None) -> Reason:
    on = local_date(due, case.timezone) if due is not None else None
    return Reason(because=because, policy=case.policy.title, on=on)
