"""When the next automatic charge of a chase is made, and what put it there (rules 23, 25 to 27).

A charge has a planned day. What the card networks ask moves it first, then the policy's rules for good and bad days;
neither ever makes it earlier, and neither moves a mail or the end.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.calendar import local_date
from billing.caps import hold_on, on_card
from billing.case import Case, in_charge, no_automatic_charge
from billing.debits import next_trigger, repeat_wanted
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.reason import Move
from billing.timing import Payer, Window, better_day
from billing.values import Value


class Planned(Value):
    """A charge that is to come."""

    trigger: Trigger
    due: datetime
    moved_from: date | None = None
    """Its own local date, where it was put on a later one."""
    moves: tuple[Move, ...] = ()
    """What put it there; the rule that decided first."""


def plan_charge(case: Case, as_of: datetime) -> Planned | None:
    """The next charge that the policy makes: the promised one, the repeat, or that of a policy day."""
    case = in_charge(case)
    held_to = case.morning(case.hold_on) if case.hold_on is not None else None
    if held_to is not None and _promise_is_due(case, held_to):
        if no_automatic_charge(case, Trigger.PROMISE) is None:
            return allowed(case, Trigger.PROMISE, held_to)
        return None
    if case.by_direct_debit:
        return _debit(case)
    trigger = Trigger.FIRST if case.done_through_day < 0 else Trigger.RETRY
    if no_automatic_charge(case, trigger) is not None:
        return None
    planned = _of_policy_day(case, trigger, as_of)
    extra = _repeat(case, held_to) or _at_once_on_backup(case, held_to)
    if extra is not None and (planned is None or extra.due < planned.due > as_of):
        return extra
    return planned


def allowed(case: Case, trigger: Trigger, at: datetime) -> Planned:
    """A charge planned for `at`: then, or on the first morning on which the networks allow it (rules 23).

    No network but the banks' own is asked for a direct debit.
    """
    case = in_charge(case)
    if case.by_direct_debit:
        return Planned(trigger=trigger, due=at)
    hold = hold_on(on_card(case), trigger, case.timezone)
    if hold is None or hold.until <= at:
        return Planned(trigger=trigger, due=at)
    return _moved(case, Planned(trigger=trigger, due=at), case.first_morning(hold.until), hold.why)


def _moved(case: Case, planned: Planned, due: datetime, why: Move) -> Planned:
    own_day = planned.moved_from or local_date(planned.due, case.timezone)
    if local_date(due, case.timezone) == own_day:
        return planned.model_copy(update={"due": due})
    return planned.model_copy(update={"due": due, "moved_from": own_day, "moves": (why, *planned.moves)})


def _promise_is_due(case: Case, held_to: datetime) -> bool:
    """Whether the promised charge is still to be made: none was begun or under way since its instant."""
    others = (a for a in case.attempts if a.state is not AttemptState.ABANDONED)
    return case.promise_on == case.hold_on and all((a.settled_at or a.begun_at) < held_to for a in others)


def _debit(case: Case) -> Planned | None:
    """A direct debit: on its day 0, and once more some banking days after it failed (rules 28)."""
    trigger = next_trigger(case)
    if no_automatic_charge(case, trigger) is not None:
        return None
    wanted = case.at_day(0) if trigger is Trigger.FIRST else repeat_wanted(case)
    return None if wanted is None else Planned(trigger=trigger, due=wanted)


def _of_policy_day(case: Case, trigger: Trigger, as_of: datetime) -> Planned | None:
    """The next charge by the calendar; one stands for all that were missed (rules 4)."""
    done = max(case.done_through_day, case.dropped_through_day)
    days = [day for day in (0, *case.policy.retry_days) if day > done]
    if not days:
        return None
    missed = [day for day in days if case.at_day(day) <= as_of]
    day = missed[-1] if missed else days[0]
    planned = allowed(case, trigger, case.at_day(day))
    if trigger is Trigger.FIRST:
        return planned
    return _on_better_day(case, planned, day, today=local_date(as_of, case.timezone))


def _on_better_day(case: Case, planned: Planned, day: int, *, today: date) -> Planned:
    """The retry of a policy day, on the best day of its window."""
    coming = next((later - 1 for later in case.policy.retry_days if later > day), case.policy.last_notice_day)
    failure = case.last_failure
    payer = Payer(
        decline_code=failure.decline_code if failure is not None else None,
        good_days=case.good_days,
        country=case.country,
    )
    first, last = local_date(planned.due, case.timezone), case.day0 + timedelta(days=coming)
    choice = better_day(case.policy, Window(first=first, last=last), payer, today)
    return planned if choice is None else _moved(case, planned, case.morning(choice.on), choice.why)


def _repeat(case: Case, held_to: datetime | None) -> Planned | None:
    """The repeat of a technical decline: hours later, once per chase (rules 23)."""
    last = case.attempts[-1] if case.attempts else None
    if (
        last is None
        or last.settled_at is None
        or last.decline_class is not DeclineClass.RETRY
        or not last.trigger.is_automatic
        or last.payment_method_id != case.method
        or any(a.trigger is Trigger.REPEAT for a in case.attempts)
    ):
        return None
    at = last.settled_at + timedelta(hours=case.policy.repeat_after_hours)
    return _between_days(case, Trigger.REPEAT, at, held_to)


def _at_once_on_backup(case: Case, held_to: datetime | None) -> Planned | None:
    """The first charge of the backup: at once where an automatic one found the default method dead.

    A method that only needs its owner is theirs to mend first: the backup waits for the next day of the policy.
    """
    last = case.last_failure
    if (
        not case.on_backup
        or case.on_method
        or last is None
        or last.settled_at is None
        or last.verdict is None
        or not last.verdict.is_dead
        or not last.trigger.is_automatic
    ):
        return None
    return _between_days(case, Trigger.BACKUP, last.settled_at, held_to)


def _between_days(case: Case, trigger: Trigger, at: datetime, held_to: datetime | None) -> Planned | None:
    """A charge that no day of the policy asks for; a promise or a pause drops it."""
    dropped = held_to is not None and at < held_to
    barred = dropped or no_automatic_charge(case, trigger) is not None
    return None if barred else allowed(case, trigger, at)
