"""Walks one case through time with scripted answers and keeps a diary, as a collection would."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from billing.calendar import local_date
from billing.case import Attempt, Case, Role, in_charge
from billing.chase import NextStep, StepKind, next_step
from billing.dunning import MONTHLY, DunningPolicy
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.progress import after_charge, after_notice

CLASS_OF = {
    "processing_error": DeclineClass.RETRY,
    "insufficient_funds": DeclineClass.RETRY_LATER,
    "do_not_honor": DeclineClass.RETRY_LATER,
    "expired_card": DeclineClass.NEW_PAYMENT_METHOD,
    "incorrect_cvc": DeclineClass.NEEDS_CUSTOMER,
    "stolen_card": DeclineClass.FRAUD_STOP,
    "partner_processing_error": DeclineClass.RETRY,
    "account_closed": DeclineClass.NEW_PAYMENT_METHOD,
    "highest_risk_level": DeclineClass.FRAUD_STOP,
}
STATE_OF = {
    "paid": AttemptState.SUCCEEDED,
    "processing": AttemptState.PROCESSING,
    "unknown": AttemptState.UNKNOWN,
    "authentication_required": AttemptState.ACTION_REQUIRED,
    "abandoned": AttemptState.ABANDONED,
}


def automatic_attempts(case: Case) -> int:
    """Authorisations that were sent without a person asking (rules 23)."""
    return sum(a.trigger.is_automatic for a in case.attempts)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def answered(
    number: int, trigger: Trigger, begun_at: datetime, answer: str, method: str | None = "pm_1"
) -> Attempt:
    state = STATE_OF.get(answer, AttemptState.DECLINED)
    return Attempt(
        number=number,
        trigger=trigger,
        state=state,
        begun_at=begun_at,
        settled_at=None if state.is_live else begun_at,
        decline_class=CLASS_OF.get(answer),
        decline_code=answer if answer in CLASS_OF or answer == "authentication_required" else None,
        payment_method_id=method,
    )


def driving(
    first: str | None,
    *,
    begun_at: str = "2027-02-01T00:30",
    policy: DunningPolicy = MONTHLY,
    zone: str = "Europe/Paris",
) -> Case:
    """A driving case on its day 0: the subscription's own try ended in `first`, or there was no method."""
    begun = at(begun_at)
    attempts = () if first is None else (answered(1, Trigger.FIRST, begun, first),)
    return Case(
        invoice_id="inv_1",
        role=Role.DRIVING,
        due_minor=4900,
        minimum_minor=50,
        policy=policy,
        day0=local_date(begun, zone),
        timezone=zone,
        attempts=attempts,
        done_through_day=0,
        method=None if first is None else "pm_1",
    )


def ten_declines(until: str) -> tuple[Attempt, ...]:
    """First charges of other invoices on the same card, thirty days before `until`."""
    begun = at(until) - timedelta(days=30)
    return tuple(answered(1, Trigger.FIRST, begun, "do_not_honor") for _ in range(10))


class Walk:
    """A case, its clock and its diary. `answers` are those of the charges to come, in order."""

    def __init__(self, case: Case, now: str | datetime, answers: Iterable[str] = ()) -> None:
        self.case = case
        self.now = at(now) if isinstance(now, str) else now
        self.answers = list(answers)
        self.diary: list[str] = []
        self.steps: list[tuple[datetime, NextStep]] = []

    def until(self, moment: str) -> list[str]:
        """Does all that is due up to `moment`, and gives the diary so far."""
        end = at(moment)
        while True:
            step = next_step(self.case, self.now)
            if step.due is None or step.due > end:
                self.now = max(self.now, end)
                return self.diary
            self.now = max(self.now, step.due)
            self.take(step)

    def sleep(self, moment: str) -> None:
        """No worker until then."""
        self.now = at(moment)

    def change(self, moment: str, **update: object) -> None:
        """Something happens from outside, after all that was due before it."""
        self.until(moment)
        self.case = self.case.model_copy(update=update)

    def settle(self, moment: str, answer: str) -> None:
        """A webhook says what became of the live attempt."""
        live = self.case.live_attempt
        assert live is not None
        self.until(moment)
        self.diary.append(f"{self.now:%m-%d %H:%M} attempt {live.number}: {answer}")
        ended = answered(live.number, live.trigger, live.begun_at, answer, live.payment_method_id)
        self.record(ended.model_copy(update={"settled_at": self.now}))

    def take(self, step: NextStep) -> None:
        self.steps.append((self.now, step))
        when = f"{self.now:%m-%d %H:%M}"
        if step.kind is StepKind.NOTICE:
            self.diary.append(f"{when} mail {step.key}")
            on = local_date(self.now, self.case.timezone)
            self.case = after_notice(self.case, step, on).of_case(self.case)
        elif step.kind is StepKind.LATE:
            self.diary.append(f"{when} late")
            self.case = self.case.model_copy(update={"in_arrears": True})
        elif step.kind is StepKind.END:
            policy = self.case.policy
            self.diary.append(f"{when} end: {policy.end_for_subscription}, {policy.end_for_invoice}")
            self.case = self.case.model_copy(update={"ended": True})
        elif step.kind is StepKind.SETTLE:
            self.look(step, when)
        else:
            self.charge(step, when)

    def look(self, step: NextStep, when: str) -> None:
        live = self.case.live_attempt
        assert live is not None
        assert live.number == step.attempt
        if live.state is AttemptState.ACTION_REQUIRED:
            self.diary.append(f"{when} attempt {live.number}: abandoned")
            closed = {"state": AttemptState.ABANDONED, "settled_at": self.now}
            self.record(live.model_copy(update=closed))
        else:
            self.record(live.model_copy(update={"looked_at": self.now}))

    def charge(self, step: NextStep, when: str) -> None:
        assert step.kind is StepKind.CHARGE
        assert step.trigger is not None
        answer = self.answers.pop(0)
        self.diary.append(f"{when} {step.trigger}: {answer}")
        number = len(self.case.attempts) + 1
        charged = in_charge(self.case) if step.trigger.is_automatic else self.case
        self.record(answered(number, step.trigger, self.now, answer, charged.method))
        self.case = self.case.model_copy(update={"asked": (), "is_open": answer != "paid"})

    def record(self, attempt: Attempt) -> None:
        progress = after_charge(self.case, attempt)
        others = tuple(a for a in self.case.attempts if a.number != attempt.number)
        self.case = progress.of_case(self.case).model_copy(update={"attempts": (*others, attempt)})

    @property
    def last_notice_on(self) -> date | None:
        return self.case.last_notice_on
