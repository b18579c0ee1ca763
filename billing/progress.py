"""What a step changes in a chase, and the steps that lie ahead. SQL stores what these functions say."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from billing.calendar import local_date
from billing.case import Attempt, Case, ends_on, in_charge
from billing.chase import Mail, NextStep, StepKind, next_step
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.values import Value

MOST_STEPS_AHEAD: Final = 50


class Progress(Value):
    """How far a chase has come: the fields of its case that steps change."""

    done_through_day: int
    noticed_through_day: int
    last_notice_on: date | None
    end_on: date | None
    debit_on: date | None = None
    day0: date | None = None
    """Where the notice of a direct debit moved it."""

    @classmethod
    def of(cls, case: Case) -> Progress:
        """The progress that the case has now."""
        return cls(
            done_through_day=case.done_through_day,
            noticed_through_day=case.noticed_through_day,
            last_notice_on=case.last_notice_on,
            end_on=case.end_on,
            debit_on=case.debit_on,
        )

    def of_case(self, case: Case) -> Case:
        """The case with this progress."""
        return case.model_copy(update={**dict(self), "day0": self.day0 or case.day0})


def after_charge(case: Case, attempt: Attempt) -> Progress:
    """The progress once an attempt was written, begun or settled. Call it for each such change of its row.

    An automatic attempt stands for every charge of the policy up to its instant. One that a person caused
    stands only for what was missed before it, and does not advance the schedule (rules 23). Steps that came
    due while it was processing or unknown are dropped, but not the mail of its own day (U15).

    Args:
        case: the case before the change; it may hold the attempt in its earlier state.
        attempt: its row after the change.
    """
    before = next((a for a in case.attempts if a.number == attempt.number), None)
    if before is None or before.state is AttemptState.QUEUED:
        return _after_begin(case, attempt)
    was_waited_for = before.state in (AttemptState.PROCESSING, AttemptState.UNKNOWN)
    if was_waited_for and not attempt.state.is_live and attempt.settled_at is not None:
        return _after_wait(case, attempt, attempt.settled_at)
    return Progress.of(case)


def _after_begin(case: Case, attempt: Attempt) -> Progress:
    charge_days = (0, *case.policy.retry_days)
    is_queued = attempt.state is AttemptState.QUEUED
    progress = Progress.of(case).model_copy(update={"debit_on": case.debit_on if is_queued else None})
    if not attempt.trigger.is_automatic:
        missed = case.reached(attempt.begun_at - timedelta(microseconds=1), charge_days)
        return progress.model_copy(update={"done_through_day": max(case.done_through_day, missed)})
    done = max(0, case.done_through_day, case.reached(attempt.begun_at, charge_days))
    update: dict[str, int | date | None] = {"done_through_day": done}
    if attempt.trigger is Trigger.PROMISE:
        noticed = case.noticed_through_day
        update["noticed_through_day"] = noticed if noticed < 0 else max(noticed, case.dropped_through_day)
        update["end_on"] = moved_end(case, attempt.begun_at)
    return progress.model_copy(update=update)


def _after_wait(case: Case, attempt: Attempt, settled_at: datetime) -> Progress:
    done = max(case.done_through_day, case.reached(settled_at, (0, *case.policy.retry_days)))
    noticed = case.noticed_through_day
    owes_mail = noticed < 0 or case.reached(attempt.begun_at, case.policy.mail_days) > noticed
    if not owes_mail:
        noticed = max(noticed, case.reached(settled_at, case.policy.mail_days))
    return Progress.of(case).model_copy(update={"done_through_day": done, "noticed_through_day": noticed})


def after_notice(case: Case, step: NextStep, on: date) -> Progress:
    """The progress once the mail of `step` was written on the local date `on`.

    A last notice fixes the end: at the policy's distance from it, never before the policy's end day (rules 4).
    """
    if step.mail is Mail.DEBIT_NOTICE:
        return _after_debit_notice(case, step)
    noticed = max(case.noticed_through_day, step.policy_day or 0)
    progress = Progress.of(case).model_copy(update={"noticed_through_day": noticed})
    if step.mail is not Mail.LAST_NOTICE:
        return progress
    noted = case.model_copy(update={"last_notice_on": on})
    return progress.model_copy(update={"last_notice_on": on, "end_on": ends_on(noted, case.morning(on))})


def _after_debit_notice(case: Case, step: NextStep) -> Progress:
    """The payer knows the day of the debit, which for the first is day 0 (rules 22).

    The notice of a repeat says that the debit before it failed, and stands for the mail about that.
    """
    update: dict[str, int | date | None] = {"debit_on": step.debit_on}
    if case.done_through_day < 0 and step.debit_on is not None:
        update["day0"] = step.debit_on
    if case.last_failure is not None:
        update["noticed_through_day"] = max(0, case.noticed_through_day)
    return Progress.of(case).model_copy(update=update)


def take_over(case: Case, now: datetime) -> Progress:
    """The progress of a joined case that becomes the driver (engine 8).

    It runs from its own day 0 with the steps still ahead; past ones are not made up. Where the day of the
    last notice is past, that notice is due at once and the end keeps its distance from it.
    """
    done = max(case.done_through_day, case.reached(now, case.policy.step_days))
    return Progress.of(case).model_copy(
        update={
            "done_through_day": done,
            "noticed_through_day": max(case.noticed_through_day, done),
            "end_on": moved_end(case, now),
        }
    )


def moved_end(case: Case, now: datetime) -> date | None:
    """What `end_on` has to be so that the end stays where it now is; as it was where the policy says so itself."""
    end = ends_on(case, now)
    return end if end > case.day0 + timedelta(days=case.policy.end_day) else case.end_on


def timeline(case: Case, now: datetime) -> tuple[NextStep, ...]:
    """Every step ahead, in order, if each charge fails and nobody does anything.

    A case that waits has its one step that says for what. Found by walking `next_step`, so that it cannot
    disagree with what is then done.
    """
    steps: list[NextStep] = []
    while len(steps) < MOST_STEPS_AHEAD:
        step = next_step(case, now)
        if step.due is None:
            return tuple(steps) or (step,)
        steps.append(step)
        if step.kind is StepKind.END:
            break
        now = max(now, step.due)
        case = _if_it_fails(case, step, now)
    return tuple(steps)


def _if_it_fails(case: Case, step: NextStep, at: datetime) -> Case:
    if step.kind is StepKind.LATE:
        return case.model_copy(update={"in_arrears": True})
    if step.kind is StepKind.NOTICE:
        return after_notice(case, step, local_date(at, case.timezone)).of_case(case)
    attempt = _failed(case, step, at)
    progress = after_charge(case, attempt)
    others = tuple(a for a in case.attempts if a.number != attempt.number)
    asked = case.asked if step.kind is StepKind.SETTLE else ()
    return progress.of_case(case).model_copy(update={"attempts": (*others, attempt), "asked": asked})


def _failed(case: Case, step: NextStep, at: datetime) -> Attempt:
    known = next((a for a in case.attempts if a.number == step.attempt), None)
    if known is not None:
        waits_for_payer = known.state is AttemptState.ACTION_REQUIRED
        update = {
            "state": AttemptState.ABANDONED if waits_for_payer else AttemptState.DECLINED,
            "decline_class": known.decline_class if waits_for_payer else DeclineClass.RETRY_LATER,
            "settled_at": at,
        }
        return known.model_copy(update=update)
    last = case.last_failure
    return Attempt(
        number=max((a.number for a in case.attempts), default=0) + 1,
        trigger=step.trigger or Trigger.RETRY,
        state=AttemptState.DECLINED,
        begun_at=at,
        settled_at=at,
        decline_class=DeclineClass.RETRY_LATER,
        decline_code=last.decline_code if last is not None else None,
        payment_method_id=_charged(case, step),
    )


def _charged(case: Case, step: NextStep) -> str | None:
    asked_by_person = step.trigger is not None and not step.trigger.is_automatic
    return case.method if asked_by_person else in_charge(case).method
