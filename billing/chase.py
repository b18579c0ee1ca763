"""What happens next to one invoice that is not paid, when, and why (rules 21 to 25, engine 22).

`next_step` is the whole decision. The collection workflow waits for `due` and carries the step out; query,
command line and portal show the same answer, also with no worker up. What a step changes in the case is in
`billing.progress`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from billing.asking import asked_from, can_be_asked
from billing.calendar import local_date
from billing.case import (
    UNDER_WAY_STATES,
    Attempt,
    Case,
    Role,
    ends_at,
    in_charge,
    no_automatic_charge,
    retries_left,
)
from billing.chase_step import Mail, NextStep, StepKind, last_code, reason_for
from billing.debits import debit_for, debit_reason
from billing.dunning import MOST_RETRIES
from billing.payment import AttemptState, Trigger
from billing.planning import Planned, allowed, plan_charge
from billing.reason import Because
from billing.reminders import first_failure_at, mail_step, notice

__all__ = ["INLINE_TRY", "Mail", "NextStep", "StepKind", "next_step"]

INLINE_TRY: Final = timedelta(seconds=90)
"""How long the subscription's own try may still be answering (engine 5)."""
LOOK_AGAIN_UNKNOWN: Final = (timedelta(minutes=1), timedelta(hours=24))
"""Least and longest wait before asking again about a lost answer; it doubles in between."""
LOOK_AGAIN_PROCESSING: Final = (timedelta(hours=6), timedelta(hours=24))
"""The same for a payment under way: news normally comes by webhook."""
LOOK_AGAIN_DEBIT: Final = (timedelta(days=1), timedelta(days=3))
"""The same for a direct debit, which takes days by its nature."""


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
        return _settle(case, live, because, _look_at(case, live))
    if not case.is_open:
        return _settle(case, live, Because.CLOSE_FOR_NEXT, now)
    if live.state is AttemptState.ACTION_REQUIRED or case.frozen:
        return None
    gone = case.method_disputed or (case.deadline_at is not None and case.deadline_at <= now)
    is_promised = case.hold_on is not None and now < case.morning(case.hold_on)
    is_off = case.stopped or case.by_transfer or is_promised
    if gone or (is_off and live.trigger.is_automatic):
        return _settle(case, live, Because.NEVER_SENT, now)
    why = reason_for(case, Because.QUEUED, due=live.begun_at)
    return NextStep(
        kind=StepKind.CHARGE, due=live.begun_at, trigger=live.trigger, attempt=live.number, why=why
    )


def _look_at(case: Case, live: Attempt) -> datetime:
    """When to ask the provider about it: at once for a lost answer, then at doubling distances."""
    lost = live.state is not AttemptState.PROCESSING
    known = LOOK_AGAIN_DEBIT if case.by_direct_debit else LOOK_AGAIN_PROCESSING
    least, longest = LOOK_AGAIN_UNKNOWN if lost else known
    if live.looked_at is not None:
        return live.looked_at + min(longest, max(least, live.looked_at - live.begun_at))
    first_wait = {AttemptState.STARTED: INLINE_TRY, AttemptState.PROCESSING: least}
    return live.begun_at + first_wait.get(live.state, timedelta(0))


def _standstill(case: Case) -> NextStep | None:
    """Why nothing at all is planned, or None. What a person asked for moves a joined or ended chase."""
    if not case.is_open:
        return NextStep(kind=StepKind.CLOSED, why=reason_for(case, Because.CLOSED))
    if any(a.state is AttemptState.SUCCEEDED and not a.is_of_earlier_payment for a in case.attempts):
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
    return NextStep(kind=StepKind.REST, why=reason_for(case, because))


def _candidates(case: Case, now: datetime) -> Iterator[NextStep]:
    yield from _asked_charge(case, now)
    if case.ended:
        return
    if case.role is Role.JOINED:
        yield from _automatic_charge(case, now, now) if case.done_through_day < 0 else ()
        return
    if case.role is Role.GATED:
        yield from _gated_steps(case, now)
        return
    held_to = case.in_turn(case.morning(case.hold_on)) if case.hold_on is not None else now
    for step in _policy_steps(case, max(now, held_to), now):
        held = step.due is not None and step.due < held_to > now and step.mail is not Mail.DEBIT_NOTICE
        yield _held(case, step, held_to) if held else step


def _held(case: Case, step: NextStep, held_to: datetime) -> NextStep:
    on = local_date(held_to, case.timezone)
    return step.model_copy(update={"due": held_to, "why": step.why.model_copy(update={"on": on})})


def _policy_steps(case: Case, as_of: datetime, now: datetime) -> Iterator[NextStep]:
    """The next charge, mail and end of the policy, seen from the date to which a promise holds them."""
    end = _end_step(case, as_of)
    for charge in _automatic_charge(case, as_of, now):
        made_at = case.morning(charge.debit_on) if charge.debit_on is not None else charge.due
        if end is None or made_at is None or end.due is None or made_at < end.due:
            yield charge
    yield from _falling_late(case)
    yield from notice(case, as_of)
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
    why = reason_for(case, because, due=due)
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
            yield _announced(case, _asked(case, person, due), now)
    elif case.asked and no_automatic_charge(case, case.asked[0]) is None:
        held_to = case.morning(case.hold_on) if case.hold_on is not None else now
        yield _charge(case, allowed(case, case.asked[0], max(now, held_to)), now, now)


def _asked(case: Case, person: Trigger, due: datetime) -> NextStep:
    why = reason_for(case, _ASKED[person], due=due)
    return NextStep(kind=StepKind.CHARGE, due=due, trigger=person, why=why)


def _automatic_charge(case: Case, as_of: datetime, now: datetime) -> Iterator[NextStep]:
    """The next charge of the policy; the payer who promised it is told of a debit before the promised day."""
    planned = plan_charge(case, as_of)
    if planned is not None:
        yield _charge(case, planned, as_of, now if planned.trigger is Trigger.PROMISE else as_of)


def _charge(case: Case, planned: Planned, as_of: datetime, told_at: datetime) -> NextStep:
    trigger, due = planned.trigger, case.in_turn(planned.due)
    is_late = local_date(due, case.timezone) < local_date(as_of, case.timezone)
    day = max(0, case.reached(max(due, as_of), (0, *case.policy.retry_days)))
    charged = in_charge(case)
    left = retries_left(charged)
    extra = (Trigger.REPEAT, Trigger.PROMISE, Trigger.BACKUP, Trigger.RENEWED)
    extras = sum(t in extra for t in (trigger, *(a.trigger for a in case.attempts)))
    is_retry = trigger is not Trigger.FIRST
    why = reason_for(case, _AUTOMATIC[trigger], due=max(due, as_of)).model_copy(
        update={
            "policy_day": day,
            "decline_code": last_code(case),
            "on_backup": charged.on_backup,
            "number": case.policy.most_retries - left + 1 if is_retry else None,
            "of": min(MOST_RETRIES, len(case.policy.retry_days) + extras) if is_retry else None,
            "moved_from": None if is_late else planned.moved_from,
            "moves": () if is_late else planned.moves,
        }
    )
    step = NextStep(kind=StepKind.CHARGE, due=due, policy_day=day, trigger=trigger, why=why)
    return _announced(charged, step, told_at)


def _announced(case: Case, step: NextStep, told_at: datetime) -> NextStep:
    """The charge, or the notice that has to come before it where it is a direct debit (rules 28)."""
    if step.trigger is None or step.due is None:
        return step
    debit = debit_for(case, step.trigger, step.due, told_at)
    if debit is None:
        return step
    why = debit_reason(step.why, step.trigger, debit, case.notice_days)
    if debit.is_announced:
        return step.model_copy(update={"due": case.in_turn(case.morning(debit.on)), "why": why})
    return NextStep(
        kind=StepKind.NOTICE,
        due=told_at,
        mail=Mail.DEBIT_NOTICE,
        debit_on=debit.on,
        trigger=step.trigger,
        why=why,
    )


# Falling late, mails and the end


def _falling_late(case: Case) -> Iterator[NextStep]:
    """A transfer that did not come is tolerated for a while; then its invoice is in arrears, once (rules 22)."""
    if case.policy.charges or case.in_arrears:
        return
    late_on = case.policy.past_due_on(case.day0)
    due, day = case.morning(late_on), (late_on - case.day0).days
    why = reason_for(case, Because.LATE, due=due).model_copy(update={"policy_day": day})
    yield NextStep(kind=StepKind.LATE, due=due, policy_day=day, why=why)


def _end_step(case: Case, now: datetime) -> NextStep | None:
    """The end, once the last notice was written: it is never without one."""
    if case.last_notice_on is None:
        return None
    due = ends_at(case, now)
    why = reason_for(case, Because.END, due=due).model_copy(
        update={
            "policy_day": case.policy.end_day,
            "subscription": case.policy.end_for_subscription.value,
            "invoice": case.policy.end_for_invoice.value,
        }
    )
    return NextStep(kind=StepKind.END, due=due, policy_day=case.policy.end_day, why=why)


def _gated_steps(case: Case, now: datetime) -> Iterator[NextStep]:
    """A gated draft: one mail with the link, then its deadline (rules 13, engine 5)."""
    failed_at = first_failure_at(case)
    if case.noticed_through_day < 0 and failed_at is not None:
        yield mail_step(case, Mail.PAYMENT_LINK, 0, failed_at, now)
    if not case.end_held:
        due = ends_at(case, now)
        yield NextStep(kind=StepKind.END, due=due, why=reason_for(case, Because.DEADLINE, due=due))
