"""The backup method: when it is charged in the default's place, how often, and what the reason says (rules 23, 27)."""

from __future__ import annotations

import pytest
from chase_walk import Walk, answered, at, automatic_attempts, driving, ten_declines

from billing.asking import Refused, may_ask
from billing.case import Backup, in_charge, no_automatic_charge
from billing.chase import NextStep, StepKind, next_step
from billing.payment import Trigger
from billing.progress import timeline
from billing.refusal import Refused as StepRefused
from billing.steering import Skip, steer

AGREED = Backup(method="pm_2")
BEGUN = "2027-02-01T00:30"


def walk(first: str | None, *answers: str, **changes: object) -> Walk:
    case = driving(first).model_copy(update={"backup": AGREED, **changes})
    return Walk(case, BEGUN, answers)


def charges(done: Walk) -> list[tuple[str, str | None]]:
    """What was charged, with which method."""
    return [(a.trigger.value, a.payment_method_id) for a in done.case.attempts]


def coming(done: Walk) -> NextStep:
    return next_step(done.case, done.now)


@pytest.mark.parametrize("code", ["expired_card", "stolen_card"])
def test_a_dead_default_gives_way_at_once_and_nobody_is_troubled(code: str) -> None:
    done = walk(code, "paid")
    assert done.until("2027-03-01") == ["02-01 00:30 backup: paid"]
    assert charges(done) == [("first", "pm_1"), ("backup", "pm_2")]


def test_the_reason_says_that_it_is_the_backup_and_why() -> None:
    assert coming(walk("expired_card")).why.sentence() == (
        "expired card; another charge at once, retry 1 of 4 with the backup method on 1 February 2027 "
        "(day 0 of policy monthly v1)"
    )
    assert coming(walk("incorrect_cvc", noticed_through_day=0)).why.sentence() == (
        "incorrect cvc; retry 1 of 4 with the backup method on 2 February 2027 (day 1 of policy monthly v1)"
    )


def test_it_is_one_of_the_four_and_goes_on_by_the_schedule() -> None:
    done = walk("expired_card", *["insufficient_funds"] * 4)
    assert done.until("2027-03-01") == [
        "02-01 00:30 backup: insufficient_funds",
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "02-04 08:00 retry: insufficient_funds",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]
    assert automatic_attempts(done.case) == 5
    assert charges(done)[1:] == [("backup", "pm_2")] + [("retry", "pm_2")] * 3


def test_what_only_needs_the_customer_is_theirs_to_mend_until_the_next_day_of_the_policy() -> None:
    done = walk("incorrect_cvc", "paid")
    assert done.until("2027-03-01") == ["02-01 00:30 mail payment_failed", "02-02 08:00 retry: paid"]
    assert charges(done)[1:] == [("retry", "pm_2")]


def test_an_authentication_that_nobody_gave_is_closed_before_the_backup_is_charged() -> None:
    done = walk("authentication_required", "paid")
    assert done.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 attempt 1: abandoned",
        "02-02 08:00 retry: paid",
    ]


def test_a_decline_that_time_may_mend_stays_with_the_method_that_the_customer_chose() -> None:
    done = walk("insufficient_funds", *["insufficient_funds"] * 4)
    done.until("2027-03-01")
    assert {method for _, method in charges(done)} == {"pm_1"}


def test_when_both_are_dead_only_the_mails_go_on() -> None:
    done = walk("expired_card", "stolen_card")
    assert done.until("2027-03-01") == [
        "02-01 00:30 backup: stolen_card",
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]
    assert no_automatic_charge(done.case, Trigger.RETRY) == "the payment method was stopped for good"


def test_without_a_default_it_makes_the_first_charge() -> None:
    done = walk(None, "paid", done_through_day=-1)
    assert done.until("2027-03-01") == ["02-01 08:00 first: paid"]
    assert charges(done) == [("first", "pm_2")]


@pytest.mark.parametrize(
    "changes",
    [{"method_disputed": True, "method": None}, {"stopped": True}, {"backup": None}],
    ids=["the default is disputed", "stopped by a cancel", "not agreed"],
)
def test_it_is_left_alone(changes: dict[str, object]) -> None:
    done = walk("expired_card", **changes)
    done.until("2027-03-01")
    assert len(done.case.attempts) == 1


def test_its_own_card_is_held_by_the_networks_as_any_other() -> None:
    full = AGREED.model_copy(update={"elsewhere": ten_declines("2027-02-03T12:00")})
    done = walk("expired_card", "paid", backup=full)
    assert done.until("2027-03-01")[:2] == ["02-01 00:30 mail payment_failed", "02-04 08:00 retry: paid"]
    forbidden = AGREED.model_copy(update={"repeats_forbidden": True})
    assert no_automatic_charge(walk("expired_card", backup=forbidden).case, Trigger.RETRY) == (
        "the card's network allows no repeat"
    )


def test_a_person_charges_the_default_and_a_dead_default_then_gives_way_on_the_next_day() -> None:
    done = walk("insufficient_funds", "expired_card", "paid")
    done.change("2027-02-01T15:00", asked=(Trigger.CUSTOMER,))
    assert done.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-01 15:00 customer: expired_card",
        "02-02 08:00 retry: paid",
    ]
    assert charges(done)[1:] == [("customer", "pm_1"), ("retry", "pm_2")]


def test_a_person_is_told_of_the_default_not_of_the_backup() -> None:
    stopped = walk("stolen_card").case
    refusal = may_ask(stopped, Trigger.CUSTOMER, at("2027-02-01T10:00"))
    assert refusal is not None
    assert refusal.reason is Refused.METHOD_STOPPED
    assert in_charge(stopped).method == "pm_2"


def test_a_renewed_card_is_charged_at_once_and_the_backup_is_not() -> None:
    done = walk("expired_card", "insufficient_funds", "paid", backup=AGREED)
    done.until("2027-02-01T12:00")
    renewed = tuple(a.model_copy(update={"card_renewed": True}) for a in done.case.attempts)
    done.change("2027-02-01T15:00", attempts=renewed, asked=(Trigger.RENEWED,))
    assert done.until("2027-03-01")[-1] == "02-01 15:00 renewed: paid"
    assert charges(done)[1:] == [("backup", "pm_2"), ("renewed", "pm_1")]


def test_a_renewed_card_is_one_of_the_four() -> None:
    case = driving("expired_card").model_copy(update={"asked": (Trigger.RENEWED,), "noticed_through_day": 0})
    mended = case.model_copy(
        update={"attempts": (case.attempts[0].model_copy(update={"card_renewed": True}),)}
    )
    assert next_step(mended, at(BEGUN)).why.sentence() == (
        "expired card; the card was renewed by its bank, retry 1 of 4 on 1 February 2027 "
        "(day 0 of policy monthly v1)"
    )
    done = Walk(mended, BEGUN, ["do_not_honor"] * 4)
    done.until("2027-03-01")
    assert [a.trigger.value for a in done.case.attempts] == ["first", "renewed", "retry", "retry", "retry"]


def test_a_wish_on_a_card_that_is_still_dead_moves_nothing() -> None:
    case = driving("expired_card").model_copy(update={"asked": (Trigger.RENEWED,), "noticed_through_day": 0})
    assert next_step(case, at(BEGUN)).kind is StepKind.NOTICE


def test_what_lies_ahead_is_what_is_then_done() -> None:
    done = walk("expired_card", *["insufficient_funds"] * 4)
    ahead = [(step.due, step.kind) for step in timeline(done.case, done.now)]
    done.until("2027-03-01")
    assert ahead == [(step.due, step.kind) for _, step in done.steps]


def test_a_charge_at_once_is_not_skipped() -> None:
    with pytest.raises(StepRefused, match="it is a charge at once; pause the chase instead"):
        steer(
            walk("expired_card").case, Skip(command_id="s", reason="asked"), at(BEGUN), most_promise_days=30
        )


def test_what_was_tried_with_the_backup_says_nothing_of_the_default() -> None:
    tried = answered(2, Trigger.BACKUP, at("2027-02-01T00:31"), "insufficient_funds", "pm_2")
    case = walk("expired_card").case
    case = case.model_copy(update={"attempts": (*case.attempts, tried)})
    assert in_charge(case).method == "pm_2"


def test_a_closed_account_gives_way_to_the_card_at_once_which_is_announced_to_nobody() -> None:
    debit = {"by_direct_debit": True, "notice_days": 14}
    done = walk("expired_card", "insufficient_funds", "paid", **debit)
    assert done.until("2027-03-01") == [
        "02-01 00:30 backup: insufficient_funds",
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: paid",
    ]
    assert charges(done)[1:] == [("backup", "pm_2"), ("retry", "pm_2")]
