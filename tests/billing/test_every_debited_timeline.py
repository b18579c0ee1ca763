"""The legal cells of what the bank says of a SEPA debit x what stands in for it x how the policy ends (rules 22, 28).

For each the whole timeline, as in `test_every_timeline.py`, which has cards and transfers; what comes before the end
stands in `debited_timelines.py`. Nobody pays and nobody does anything, and what the bank says of each debit is read
from the row itself: "attempt 1: account_closed" is its word, days after "first: processing". The same on real servers:
`tests/workflows/test_debited_lives.py`.
"""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from chase_walk import CLASS_OF, Walk, automatic_attempts, driving
from debited_timelines import (
    BACK,
    BACK_OF_YEAR,
    BEFORE_THE_END,
    BEGUN,
    CHARGES,
    END_DAY,
    ORDERED,
    POLICY,
    WITH_BACKUP,
)
from policy_ends import ENDS, assert_service_until, with_end
from typing_extensions import override

from billing.case import Attempt, Backup, Case
from billing.chase import StepKind, next_step
from billing.declines import CODES
from billing.dunning import DunningPolicy
from billing.payment import DeclineClass

CELLS = list(product(BEFORE_THE_END, ENDS))
CLASSES = {
    "insufficient_funds": DeclineClass.RETRY_LATER,
    "partner_processing_error": DeclineClass.RETRY,
    "account_closed": DeclineClass.NEW_PAYMENT_METHOD,
    "highest_risk_level": DeclineClass.FRAUD_STOP,
}
"""No bank asks for the payer of a debit: none needs the customer."""
HOLIDAYS = {date(2027, 1, 1), date(2027, 3, 26), date(2027, 3, 29)}


class DebitWalk(Walk):
    """A walk in which an account that was refused for good is lost, as the books lose its mandate."""

    @override
    def record(self, attempt: Attempt) -> None:
        super().record(attempt)
        if attempt.verdict is not None and attempt.verdict.is_dead:
            lost = {"method": None, "by_direct_debit": False, "notice_days": 0}
            self.case = self.case.model_copy(update=lost)


def begins(what: str, backup: str, policy: DunningPolicy) -> Case:
    if what in (BACK, BACK_OF_YEAR):
        taken_back = driving(None, begun_at=BEGUN[what], policy=policy)
        return taken_back.model_copy(update={"noticed_through_day": 0})
    case = driving("processing", begun_at=BEGUN[what], policy=policy)
    debited = {
        "by_direct_debit": True,
        "notice_days": 3,
        "backup": Backup(method="pm_2") if backup == WITH_BACKUP else None,
    }
    announced = {"attempts": (), "done_through_day": -1}
    return case.model_copy(update=debited if what == ORDERED else debited | announced)


def walked(how: tuple[str, str, str], end: tuple[str, str]) -> DebitWalk:
    """From the begin to the end of the policy, with what the bank says in the row."""
    what, backup, _ = how
    lines = [line.split(" ", 3) for line in BEFORE_THE_END[how]]
    answers = [said for _, _, step, said in lines if step in ("first:", "retry:", "backup:")]
    case = begins(what, backup, with_end(POLICY[what], end))
    walk = DebitWalk(case, BEGUN[what], [*answers, *["insufficient_funds"] * 9])
    for day, time, step, said in lines:
        if step == "attempt":
            walk.until(f"2027-{day}T{time}")
            walk.settle(f"2027-{day}T{time}", said.partition(": ")[2])
    walk.until("2027-12-31")
    return walk


def test_the_table_is_whole() -> None:
    assert {(said, backup) for _, backup, said in BEFORE_THE_END} == set(CHARGES)
    # Three announced debits with five answers each and an ordered one with three, all of them with and without a
    # backup, and two that were taken back; each with eight ends.
    assert (len(BEFORE_THE_END), len(ENDS), len(CELLS)) == (38, 8, 304)


def test_a_debit_can_be_refused_in_no_other_way() -> None:
    """A code of a class that has no rows here must get some."""
    assert {code: CODES[code].decline_class for code in CLASSES} == CLASSES
    assert {code: CLASS_OF[code] for code in CLASSES} == CLASSES
    assert {row.decline_class for row in CODES.values() if row.kind == "debit"} <= set(CLASSES.values())


@pytest.mark.parametrize(("how", "end"), CELLS, ids=" ".join)
def test_the_whole_timeline(how: tuple[str, str, str], end: tuple[str, str]) -> None:
    what, backup, said = how
    walk = walked(how, end)
    assert walk.diary == [
        *BEFORE_THE_END[how],
        f"{END_DAY[what]} end: {end[0]}, {end[1]}",
    ]
    assert automatic_attempts(walk.case) == CHARGES[said, backup]
    rest = next_step(walk.case, walk.now)
    assert (rest.kind, rest.due) == (StepKind.REST, None)


@pytest.mark.parametrize(("how", "end"), CELLS, ids=" ".join)
def test_the_service_is_there_until_the_end_and_not_a_moment_less(
    how: tuple[str, str, str], end: tuple[str, str]
) -> None:
    walk = walked(how, end)
    (ended_at,) = [at for at, step in walk.steps if step.kind is StepKind.END]
    assert f"{ended_at:%m-%d %H:%M}" == END_DAY[how[0]]
    assert_service_until(ended_at, end)


@pytest.mark.parametrize("how", BEFORE_THE_END, ids=" ".join)
def test_no_debit_is_made_on_a_day_on_which_banks_are_closed(how: tuple[str, str, str]) -> None:
    walk = walked(how, ("keep", "leave_open"))
    debits = [a.begun_at.date() for a in walk.case.attempts if a.payment_method_id == "pm_1"]
    assert [day for day in debits if day in HOLIDAYS or day.isoweekday() in (6, 7)] == []
