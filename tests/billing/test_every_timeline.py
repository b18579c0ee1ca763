"""The legal cells of what the bank answers x how it is paid x how the policy ends: for each the whole timeline.

Day 0 is 1 June 2041 in Paris, where 09:00 is 07:00 UTC. Nobody pays and nobody does anything. What comes before the end
depends on the answer and the method alone, what the end does on the policy alone; both are typed in, and each cell is
walked from the first charge to the end. The same on real servers: `tests/workflows/test_dunning_ends.py`. Direct
debits, whose answers take days, have a table of their own: `test_every_debited_timeline.py`.
"""

from __future__ import annotations

from itertools import product

import pytest
from chase_walk import Walk, automatic_attempts, driving
from policy_ends import ENDS, ILLEGAL, assert_service_until, with_end

from billing.case import Backup, Case
from billing.chase import StepKind, next_step
from billing.dunning import MONTHLY, TRANSFER, DunningPolicy, EndForInvoice, EndForSubscription
from billing.errors import InvalidInput

BEGUN = "2041-05-31T22:30"
MAILS_ALONE = [
    "05-31 22:30 mail payment_failed",
    "06-04 07:00 mail reminder:3",
    "06-08 07:00 mail reminder:7",
    "06-15 07:00 mail last_notice",
]
AS_PLANNED = [
    "05-31 22:30 mail payment_failed",
    "06-02 07:00 retry: insufficient_funds",
    "06-04 07:00 retry: insufficient_funds",
    "06-04 07:00 mail reminder:3",
    "06-08 07:00 retry: insufficient_funds",
    "06-08 07:00 mail reminder:7",
    "06-15 07:00 retry: insufficient_funds",
    "06-15 07:00 mail last_notice",
]
ON_THE_BACKUP_AT_ONCE = [
    "05-31 22:30 backup: insufficient_funds",
    "05-31 22:30 mail payment_failed",
    "06-02 07:00 retry: insufficient_funds",
    "06-04 07:00 retry: insufficient_funds",
    "06-04 07:00 mail reminder:3",
    "06-08 07:00 retry: insufficient_funds",
    "06-08 07:00 mail reminder:7",
    "06-15 07:00 mail last_notice",
]
CARD, WITH_BACKUP, BY_TRANSFER = "card", "card with a backup", "transfer"

BEFORE_THE_END: dict[tuple[str, str], list[str]] = {
    # retry: once more after two hours, which is one of the four: the last day is without a charge.
    (CARD, "processing_error"): [
        "05-31 22:30 mail payment_failed",
        "06-01 00:30 repeat: processing_error",
        "06-02 07:00 retry: processing_error",
        "06-04 07:00 retry: processing_error",
        "06-04 07:00 mail reminder:3",
        "06-08 07:00 retry: processing_error",
        "06-08 07:00 mail reminder:7",
        "06-15 07:00 mail last_notice",
    ],
    # retry_later: by the schedule.
    (CARD, "insufficient_funds"): AS_PLANNED,
    # needs_customer: no automatic charge, whether the bank declined or waits for the payer.
    (CARD, "incorrect_cvc"): MAILS_ALONE,
    (CARD, "authentication_required"): [*MAILS_ALONE, "06-22 07:00 attempt 1: abandoned"],
    # new_payment_method and fraud_stop: none either.
    (CARD, "expired_card"): MAILS_ALONE,
    (CARD, "stolen_card"): MAILS_ALONE,
    # What the customer can mend is theirs until the next day of the policy; then the backup is charged.
    (WITH_BACKUP, "incorrect_cvc"): AS_PLANNED,
    (WITH_BACKUP, "authentication_required"): [
        AS_PLANNED[0],
        "06-02 07:00 attempt 1: abandoned",
        *AS_PLANNED[1:],
    ],
    # What is dead gives way at once; that is one of the four.
    (WITH_BACKUP, "expired_card"): ON_THE_BACKUP_AT_ONCE,
    (WITH_BACKUP, "stolen_card"): ON_THE_BACKUP_AT_ONCE,
    # Nothing is charged; late after ten days.
    (BY_TRANSFER, ""): [
        "06-04 07:00 mail reminder:3",
        "06-12 07:00 late",
        "06-16 07:00 mail reminder:15",
        "07-01 07:00 mail last_notice",
    ],
}
CHARGES: dict[tuple[str, str], int] = {
    (CARD, "processing_error"): 5,
    (CARD, "insufficient_funds"): 5,
    (CARD, "incorrect_cvc"): 1,
    (CARD, "authentication_required"): 1,
    (CARD, "expired_card"): 1,
    (CARD, "stolen_card"): 1,
    (WITH_BACKUP, "incorrect_cvc"): 5,
    (WITH_BACKUP, "authentication_required"): 5,
    (WITH_BACKUP, "expired_card"): 5,
    (WITH_BACKUP, "stolen_card"): 5,
    (BY_TRANSFER, ""): 0,
}
END_DAY = {CARD: "06-22 07:00", WITH_BACKUP: "06-22 07:00", BY_TRANSFER: "07-16 07:00"}
CELLS = list(product(BEFORE_THE_END, ENDS))


def policy_of(method: str, end: tuple[str, str]) -> DunningPolicy:
    return with_end(TRANSFER if method == BY_TRANSFER else MONTHLY, end)


def begins(method: str, answer: str, policy: DunningPolicy) -> Case:
    if method == BY_TRANSFER:
        return driving(None, begun_at=BEGUN, policy=policy)
    case = driving(answer, begun_at=BEGUN, policy=policy)
    backup = Backup(method="pm_2") if method == WITH_BACKUP else None
    return case.model_copy(update={"backup": backup})


def test_the_table_is_whole() -> None:
    every = {(s.value, i.value) for s in EndForSubscription for i in EndForInvoice}
    assert every - set(ENDS) == {ILLEGAL}
    assert set(CHARGES) == set(BEFORE_THE_END)
    # Six answers to a card, the four of them after which a backup stands in, and a transfer; each with eight ends.
    assert (len(BEFORE_THE_END), len(ENDS), len(CELLS)) == (11, 8, 88)


@pytest.mark.parametrize("method", [CARD, BY_TRANSFER])
def test_the_one_end_that_no_policy_may_have(method: str) -> None:
    with pytest.raises(InvalidInput, match="an invoice that is then no longer asked for"):
        policy_of(method, ILLEGAL)


@pytest.mark.parametrize(("how", "end"), CELLS, ids=" ".join)
def test_the_whole_timeline(how: tuple[str, str], end: tuple[str, str]) -> None:
    method, answer = how
    policy = policy_of(method, end)
    again = "processing_error" if answer == "processing_error" else "insufficient_funds"
    walk = Walk(begins(method, answer, policy), BEGUN, [again] * 9)
    assert walk.until("2041-12-31") == [
        *BEFORE_THE_END[how],
        f"{END_DAY[method]} end: {end[0]}, {end[1]}",
    ]
    assert automatic_attempts(walk.case) == CHARGES[how]
    rest = next_step(walk.case, walk.now)
    assert (rest.kind, rest.due) == (StepKind.REST, None)


@pytest.mark.parametrize(("how", "end"), CELLS, ids=" ".join)
def test_the_service_is_there_until_the_end_and_not_a_moment_less(
    how: tuple[str, str], end: tuple[str, str]
) -> None:
    method, answer = how
    walk = Walk(begins(method, answer, policy_of(method, end)), BEGUN, ["insufficient_funds"] * 9)
    walk.until("2041-12-31")
    (ended_at,) = [at for at, step in walk.steps if step.kind is StepKind.END]
    assert f"{ended_at:%m-%d %H:%M}" == END_DAY[method]
    assert_service_until(ended_at, end)
