"""Steering a chase by hand: a promise, a pause, a step left out, more time (rules 25, U18).

Each is a directive of a person with a reason; what it makes of the chase is a pure function, refused where it cannot
hold what it says. Charging at once is a wish (`billing.asking`), giving up is a correction (`billing.corrections`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, RootModel

from billing.calendar import local_date
from billing.case import Case, Role, ends_on
from billing.chase import Mail, NextStep, StepKind, next_step
from billing.payment import Trigger
from billing.progress import Progress, moved_end
from billing.refusal import Refused
from billing.values import Value

MOST_HOLD_DAYS: Final = 90
"""How far ahead a pause of the chase may reach."""
MOST_EXTRA_DAYS: Final = 90
"""By how much one directive may move the end."""


class BaseDirective(Value):
    """What every directive carries."""

    kind: str
    command_id: str = Field(min_length=1, max_length=100)
    by: str = Field(default="api", max_length=100)
    """Who decided: an operator's or a key's name."""
    reason: str = Field(default="", max_length=200)
    """Why, for the record."""
    as_of: datetime | None = None
    """The sender's now on a test clock."""


class Promise(BaseDirective):
    """The customer promised to pay on a date: everything waits for it, and one charge is made then (rules 25)."""

    kind: Literal["promise"] = "promise"
    on: date


class Hold(BaseDirective):
    """The chase pauses until a date: no charge, no mail, no end before it."""

    kind: Literal["hold"] = "hold"
    until: date


class Release(BaseDirective):
    """A promise or a pause is over before its date: later steps keep their days, what fell into it is dropped."""

    kind: Literal["release"] = "release"


class Skip(BaseDirective):
    """The next planned charge or reminder is left out."""

    kind: Literal["skip"] = "skip"


class Extend(BaseDirective):
    """The end comes later."""

    kind: Literal["extend"] = "extend"
    end_on: date


Directive = Annotated[Promise | Hold | Release | Skip | Extend, Field(discriminator="kind")]


class AnyDirective(RootModel[Directive]):
    """Reads a directive of any kind."""


class Steered(Value):
    """What a directive makes of a chase."""

    progress: Progress
    promise_on: date | None
    held_until: date | None


def steer(case: Case, directive: Directive, now: datetime, *, most_promise_days: int) -> Steered:
    """Carry out a directive on the chase that drives.

    Args:
        case: the chase.
        directive: what a person decided.
        now: the present instant.
        most_promise_days: how far ahead a promise may be.

    Raises:
        Refused: it does not fit the chase or the calendar; `field` names what is wrong.
    """
    _check_is_steered(case)
    match directive:
        case Promise(on=on):
            return _promised(case, on, now, most_promise_days)
        case Hold(until=until):
            _check_ahead(case, until, now, field="until", most_days=MOST_HOLD_DAYS)
            _check_nothing_promised(case, now, field="until")
            return _as_it_is(case).model_copy(update={"held_until": until})
        case Release():
            return _released(case, now)
        case Skip():
            return _skipped(case, now)
        case Extend(end_on=end_on):
            return _extended(case, end_on, now)


def _as_it_is(case: Case) -> Steered:
    return Steered(progress=Progress.of(case), promise_on=case.promise_on, held_until=case.held_until)


def _check_is_steered(case: Case) -> None:
    if not case.is_open:
        raise Refused("Nothing is owed on this invoice any more: there is nothing to steer.", field="invoice")
    if case.role is Role.GATED:
        raise Refused(
            "This draft waits for its first payment; only its deadline ends it. Cancel it instead.",
            field="invoice",
        )
    if case.ended:
        raise Refused(
            "The dunning policy has ended on this invoice. Charge it now, credit it or write it off.",
            field="invoice",
        )


def _check_ahead(case: Case, day: date, now: datetime, *, field: str, most_days: int) -> None:
    today = local_date(now, case.timezone)
    if not today < day <= today + timedelta(days=most_days):
        raise Refused(
            f"{day} is not possible. Give a date from {today + timedelta(days=1)} to "
            f"{today + timedelta(days=most_days)}.",
            field=field,
        )


def _promised(case: Case, on: date, now: datetime, most_days: int) -> Steered:
    _check_ahead(case, on, now, field="on", most_days=most_days)
    _check_nothing_promised(case, now, field="on")
    if case.frozen:
        raise Refused(
            "A dispute about this invoice is open: nothing is charged on any date before the bank has decided.",
            field="invoice",
        )
    # A pause beyond that day would swallow the charge that the customer is told of.
    return _as_it_is(case).model_copy(update={"promise_on": on, "held_until": None})


def _check_nothing_promised(case: Case, now: datetime, *, field: str) -> None:
    if case.promise_on is not None and case.promise_on > local_date(now, case.timezone):
        raise Refused(
            f"A payment is promised for {case.promise_on} already. Release that promise first.", field=field
        )


def _released(case: Case, now: datetime) -> Steered:
    held = case.hold_on
    if held is None or case.morning(held) <= now:
        raise Refused("Nothing holds this chase.", field="invoice")
    dropped = case.reached(now, case.policy.step_days)
    noticed = case.noticed_through_day
    # The end keeps its distance from the day on which the waiting is over, as when it runs out (rules 25).
    until_today = case.model_copy(update={"promise_on": None, "held_until": local_date(now, case.timezone)})
    progress = Progress.of(case).model_copy(
        update={
            "done_through_day": max(case.done_through_day, dropped),
            # Who was never told yet still is.
            "noticed_through_day": noticed if noticed < 0 else max(noticed, dropped),
            "end_on": moved_end(until_today, now),
        }
    )
    return Steered(progress=progress, promise_on=None, held_until=None)


def _skipped(case: Case, now: datetime) -> Steered:
    step = next_step(case, now)
    remedy = _why_not_skipped(step)
    if remedy is not None or step.policy_day is None:
        raise Refused(f"The next step can't be left out: {remedy or step.why.sentence()}.", field="step")
    moved = "done_through_day" if step.kind is StepKind.CHARGE else "noticed_through_day"
    progress = Progress.of(case).model_copy(update={moved: step.policy_day})
    return _as_it_is(case).model_copy(update={"progress": progress})


def _why_not_skipped(step: NextStep) -> str | None:
    """Why the next step stays; None where it may be left out."""
    if step.kind is StepKind.END:
        return "it is the end; extend it, or pause the chase"
    if step.mail is Mail.LAST_NOTICE:
        return "it is the last notice, without which nothing may end; pause the chase instead"
    if step.trigger is Trigger.PROMISE:
        return "it is the promised payment; release the promise instead"
    if step.trigger is Trigger.REPEAT:
        return "it is a repeat within hours; pause the chase instead"
    if step.trigger in (Trigger.BACKUP, Trigger.RENEWED):
        return "it is a charge at once; pause the chase instead"
    if step.why.notice_days is not None:
        return "it is a SEPA debit, which the payer is told of; pause the chase instead"
    if step.kind not in (StepKind.CHARGE, StepKind.NOTICE) or step.attempt is not None:
        return step.why.sentence()
    return None


def _extended(case: Case, end_on: date, now: datetime) -> Steered:
    present = ends_on(case, now)
    latest = present + timedelta(days=MOST_EXTRA_DAYS)
    if not present < end_on <= latest:
        raise Refused(
            f"The chase ends on {present}. Give a later date, {latest} at the latest.", field="end_on"
        )
    progress = Progress.of(case).model_copy(update={"end_on": end_on})
    return _as_it_is(case).model_copy(update={"progress": progress})
