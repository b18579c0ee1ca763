"""What the books write down in a chase: the case after each step, as their transactions would store it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from billing.calendar import local_date
from billing.case import Attempt, Case
from billing.chase import NextStep, StepKind
from billing.declines import DeclineEvidence, read_decline
from billing.dunning import EndForInvoice
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.progress import after_charge, after_notice

PAID: Final = "paid"
"""What the bank says when it does not name a code."""
UNDER_WAY: Final = "processing"
"""What is known of a debit before its result."""
AUTHENTICATE: Final = "authentication_required"
NOTHING: Final = ""
"""The answer of steps that ask nobody."""


def carried_out(case: Case, step: NextStep, at: datetime, answer: str) -> Case:
    """The case once a step was carried out; `answer` is what the bank said to a charge."""
    if step.kind is StepKind.NOTICE:
        return after_notice(case, step, local_date(at, case.timezone)).of_case(case)
    if step.kind is StepKind.END:
        is_open = case.policy.end_for_invoice is EndForInvoice.LEAVE_OPEN
        return case.model_copy(update={"ended": True, "is_open": is_open})
    if step.kind is StepKind.SETTLE:
        return _abandoned(case, at)
    number = len(case.attempts) + 1
    attempt = answered(number, step.trigger or Trigger.RETRY, at, answer, case.method)
    return _with(case, attempt)


def _abandoned(case: Case, at: datetime) -> Case:
    """What waited for the payer is closed."""
    live = case.live_attempt
    assert live is not None  # noqa: S101 - only a live attempt is settled
    return _with(case, live.model_copy(update={"state": AttemptState.ABANDONED, "settled_at": at}))


def settled(case: Case, at: datetime, answer: str) -> Case:
    """The result of a debit is in."""
    live = case.live_attempt
    assert live is not None  # noqa: S101 - a result is of a charge under way
    result = answered(live.number, live.trigger, live.begun_at, answer, live.payment_method_id)
    return _with(case, result.model_copy(update={"settled_at": at}))


def _with(case: Case, attempt: Attempt) -> Case:
    progress = after_charge(case, attempt)
    others = tuple(a for a in case.attempts if a.number != attempt.number)
    return progress.of_case(case).model_copy(update={"attempts": (*others, attempt)})


def answered(number: int, trigger: Trigger, begun_at: datetime, answer: str, method: str | None) -> Attempt:
    """A charge and its answer, as its row would have it."""
    states = {
        PAID: AttemptState.SUCCEEDED,
        UNDER_WAY: AttemptState.PROCESSING,
        AUTHENTICATE: AttemptState.ACTION_REQUIRED,
    }
    state = states.get(answer, AttemptState.DECLINED)
    return Attempt(
        number=number,
        trigger=trigger,
        state=state,
        begun_at=begun_at,
        settled_at=None if state.is_live else begun_at,
        decline_class=_class_of(answer) if state is AttemptState.DECLINED else None,
        decline_code=None if answer in (PAID, UNDER_WAY) else answer,
        payment_method_id=method,
    )


def _class_of(code: str) -> DeclineClass:
    return read_decline(DeclineEvidence(code="card_declined", decline_code=code)).decline_class
