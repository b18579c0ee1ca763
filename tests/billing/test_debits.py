"""SEPA debits: the notice before each, the banking day, one repeat, and mandates that nobody uses (rules 28)."""

from __future__ import annotations

from datetime import date

import pytest
from chase_walk import Walk, at, driving

from billing.calendar import Interval
from billing.case import Case, Role
from billing.chase import Mail, StepKind, next_step
from billing.debits import collection_date
from billing.dunning import SEPA, SEPA_FIRST_PAYMENT, DunningPolicy, default_policy
from billing.mandates import Mandate
from billing.payment import Trigger
from billing.progress import timeline
from billing.refusal import Refused
from billing.steering import Skip, steer

NO = "insufficient_funds"
ISSUED = "2027-03-23T10:00"


def debited(*, notice_days: int = 3, policy: DunningPolicy = SEPA, day0: str = "2027-03-30") -> Case:
    """An invoice of 23 March 2027 that is waiting for its first debit."""
    return driving("insufficient_funds", begun_at=ISSUED, policy=policy).model_copy(
        update={
            "attempts": (),
            "day0": date.fromisoformat(day0),
            "done_through_day": -1,
            "by_direct_debit": True,
            "notice_days": notice_days,
        }
    )


def answer(walk: Walk, moment: str, said: str) -> None:
    """The bank's word about the debit that is under way."""
    walk.until(moment)
    walk.settle(moment, said)


@pytest.mark.parametrize(
    ("told_on", "notice_days", "debited_on"),
    [
        ("2027-03-23", 3, "2027-03-30"),  # K4: over Good Friday and Easter Monday
        ("2027-03-22", 3, "2027-03-25"),
        ("2027-03-03", 14, "2027-03-17"),
        ("2026-12-23", 2, "2026-12-28"),  # Christmas, then a weekend
    ],
)
def test_the_debit_is_on_the_first_banking_day_after_the_notice(
    told_on: str, notice_days: int, debited_on: str
) -> None:
    on = collection_date(date.fromisoformat(told_on), notice_days)
    assert on == date.fromisoformat(debited_on)


def test_a_debit_that_waits_for_a_later_date_is_on_the_banking_day_after_that() -> None:
    on = collection_date(date(2027, 3, 1), 3, not_before=date(2027, 3, 26))
    assert on == date(2027, 3, 30)


# The whole life


def test_told_then_debited_and_nothing_more_while_it_is_under_way() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    assert walk.until("2027-04-30") == [
        "03-23 10:00 mail debit_notice:2027-03-30",
        "03-30 07:00 first: processing",
    ]


def test_it_fails_is_told_again_and_repeated_once_five_banking_days_later() -> None:
    walk = Walk(debited(), ISSUED, ["processing", "processing"])
    answer(walk, "2027-04-02T09:30", NO)
    answer(walk, "2027-04-14T09:30", NO)
    assert walk.until("2027-05-30") == [
        "03-23 10:00 mail debit_notice:2027-03-30",
        "03-30 07:00 first: processing",
        "04-02 09:30 attempt 1: insufficient_funds",
        "04-02 09:30 mail debit_notice:2027-04-09",
        "04-09 07:00 retry: processing",
        "04-14 09:30 attempt 2: insufficient_funds",
        "04-19 07:00 mail last_notice",
        "04-26 07:00 end: suspend, leave_open",
    ]


def test_with_the_notice_of_the_scheme_the_repeat_waits_for_that_and_the_end_moves() -> None:
    walk = Walk(debited(notice_days=14, day0="2027-04-06"), ISSUED, ["processing", "processing"])
    answer(walk, "2027-04-09T09:30", NO)
    answer(walk, "2027-04-28T09:30", NO)
    assert walk.until("2027-05-30") == [
        "03-23 10:00 mail debit_notice:2027-04-06",
        "04-06 07:00 first: processing",
        "04-09 09:30 attempt 1: insufficient_funds",
        "04-09 09:30 mail debit_notice:2027-04-23",
        "04-23 07:00 retry: processing",
        "04-28 09:30 attempt 2: insufficient_funds",
        "04-28 09:30 mail last_notice",
        "05-05 07:00 end: suspend, leave_open",
    ]


def test_an_account_that_is_closed_is_never_debited_again() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    answer(walk, "2027-04-02T09:30", "expired_card")  # any code that asks for a new method
    assert walk.until("2027-05-30")[-3:] == [
        "04-02 09:30 mail payment_failed",
        "04-19 07:00 mail last_notice",
        "04-26 07:00 end: suspend, leave_open",
    ]


def test_the_outcome_is_waited_for_beyond_the_last_notice_and_the_end() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    answer(walk, "2027-05-10T09:30", "paid")
    walk.case = walk.case.model_copy(update={"is_open": False})
    assert walk.until("2027-05-30") == [
        "03-23 10:00 mail debit_notice:2027-03-30",
        "03-30 07:00 first: processing",
        "05-10 09:30 attempt 1: paid",
    ]


def test_a_first_payment_has_the_one_repeat_and_then_the_ends_of_its_policy() -> None:
    walk = Walk(debited(policy=SEPA_FIRST_PAYMENT), ISSUED, ["processing", "processing"])
    answer(walk, "2027-04-02T09:30", NO)
    answer(walk, "2027-04-14T09:30", NO)
    assert walk.until("2027-05-30")[-2:] == [
        "04-19 07:00 mail last_notice",
        "04-23 07:00 end: cancel, credit",
    ]


# What moves a debit


def test_after_downtime_a_debit_is_late_by_two_banking_days_at_most() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    walk.until("2027-03-24")
    walk.sleep("2027-04-01T12:00")
    assert walk.until("2027-04-02")[-1] == "04-01 12:00 first: processing"


def test_after_longer_downtime_it_is_told_again_and_day_0_moves_with_it() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    walk.until("2027-03-24")
    walk.sleep("2027-04-02T12:00")
    assert walk.until("2027-04-07")[1:] == [
        "04-02 12:00 mail debit_notice:2027-04-05",
        "04-05 07:00 first: processing",
    ]
    assert walk.case.day0 == date(2027, 4, 5)


def test_a_notice_that_is_written_late_puts_the_debit_off() -> None:
    walk = Walk(debited(), "2027-03-30T12:00", ["processing"])
    assert walk.until("2027-04-03") == [
        "03-30 12:00 mail debit_notice:2027-04-02",
        "04-02 07:00 first: processing",
    ]


def test_a_pause_beyond_the_day_asks_for_another_notice() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    walk.change("2027-03-24T12:00", held_until=date(2027, 4, 12))
    assert walk.until("2027-04-16")[1:] == [
        "04-12 07:00 mail debit_notice:2027-04-15",
        "04-15 07:00 first: processing",
    ]


def test_a_promised_debit_is_told_when_it_is_promised_and_made_on_the_day() -> None:
    walk = Walk(debited(), ISSUED, ["processing", "processing"])
    answer(walk, "2027-04-02T09:30", NO)
    walk.change("2027-04-05T12:00", promise_on=date(2027, 4, 20))
    assert walk.until("2027-04-21")[4:] == [
        "04-05 12:00 mail debit_notice:2027-04-20",
        "04-20 07:00 promise: processing",
    ]


def test_what_the_customer_orders_is_debited_at_once_and_support_has_to_tell_first() -> None:
    ordered = debited().model_copy(update={"asked": (Trigger.CUSTOMER,)})
    step = next_step(ordered, at(ISSUED))
    assert (step.kind, step.due, step.trigger) == (StepKind.CHARGE, at(ISSUED), Trigger.CUSTOMER)
    for asked in (Trigger.SUPPORT, Trigger.METHOD_REPLACED):
        step = next_step(debited().model_copy(update={"asked": (asked,)}), at(ISSUED))
        assert (step.kind, step.mail, step.debit_on) == (
            StepKind.NOTICE,
            Mail.DEBIT_NOTICE,
            date(2027, 3, 30),
        )


def test_a_new_mandate_has_a_repeat_of_its_own() -> None:
    walk = Walk(debited(), ISSUED, ["processing", "processing", "processing", "processing"])
    answer(walk, "2027-04-02T09:30", NO)
    answer(walk, "2027-04-14T09:30", NO)
    walk.change("2027-04-15T09:00", method="pm_2", asked=(Trigger.METHOD_REPLACED,))
    answer(walk, "2027-04-23T09:30", NO)
    assert walk.until("2027-04-23T10:00")[6:] == [
        "04-15 09:00 mail debit_notice:2027-04-19",
        "04-19 07:00 method_replaced: processing",
        "04-23 09:30 attempt 3: insufficient_funds",
        "04-23 09:30 mail debit_notice:2027-04-30",
    ]
    answer(walk, "2027-05-05T09:30", NO)
    assert walk.until("2027-05-30")[10:] == [
        "04-30 07:00 retry: processing",
        "05-05 09:30 attempt 4: insufficient_funds",
        # The last notice waited for what had been announced.
        "05-05 09:30 mail last_notice",
        "05-12 07:00 end: suspend, leave_open",
    ]


def test_after_a_cancel_no_debit_is_awaited_and_the_mails_go_on() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    answer(walk, "2027-04-02T09:30", NO)
    walk.change("2027-04-05T12:00", stopped=True)
    assert walk.until("2027-05-30")[4:] == [
        "04-19 07:00 mail last_notice",
        "04-26 07:00 end: suspend, leave_open",
    ]


def test_a_new_mandate_after_the_last_notice_puts_the_end_behind_its_debit() -> None:
    walk = Walk(debited(), ISSUED, ["processing", "processing"])
    answer(walk, "2027-04-02T09:30", "expired_card")
    walk.change("2027-04-24T09:00", method="pm_2", asked=(Trigger.METHOD_REPLACED,))
    answer(walk, "2027-04-30T09:30", "expired_card")
    assert walk.until("2027-05-30")[4:] == [
        "04-19 07:00 mail last_notice",
        "04-24 09:00 mail debit_notice:2027-04-27",
        "04-27 07:00 method_replaced: processing",
        "04-30 09:30 attempt 2: expired_card",
        "04-30 09:30 end: suspend, leave_open",
    ]


def test_what_support_asked_for_counts_as_the_debit_that_may_be_repeated() -> None:
    """It is made on the announced day, in place of the first; its failure has the one repeat."""
    walk = Walk(debited(), ISSUED, ["processing", "processing"])
    walk.change("2027-03-24T10:00", asked=(Trigger.SUPPORT,))
    answer(walk, "2027-04-02T09:30", NO)
    answer(walk, "2027-04-14T09:30", NO)
    assert walk.until("2027-04-30") == [
        "03-23 10:00 mail debit_notice:2027-03-30",
        "03-30 07:00 support: processing",
        "04-02 09:30 attempt 1: insufficient_funds",
        "04-02 09:30 mail debit_notice:2027-04-09",
        "04-09 07:00 retry: processing",
        "04-14 09:30 attempt 2: insufficient_funds",
        "04-19 07:00 mail last_notice",
        "04-26 07:00 end: suspend, leave_open",
    ]


def test_a_joined_invoice_is_debited_on_its_own_day_and_then_rests() -> None:
    walk = Walk(debited().model_copy(update={"role": Role.JOINED}), ISSUED, ["processing"])
    answer(walk, "2027-04-02T09:30", NO)
    assert walk.until("2027-05-01") == [
        "03-23 10:00 mail debit_notice:2027-03-30",
        "03-30 07:00 first: processing",
        "04-02 09:30 attempt 1: insufficient_funds",
    ]


def test_an_announced_debit_is_paused_and_not_skipped() -> None:
    walk = Walk(debited(), ISSUED)
    walk.until("2027-03-24")
    with pytest.raises(Refused, match="the payer is told of"):
        steer(walk.case, Skip(command_id="skip"), walk.now, most_promise_days=30)


# In words


def test_each_step_says_when_and_why() -> None:
    walk = Walk(debited(), ISSUED, ["processing"])
    planned = timeline(walk.case, walk.now)
    assert [step.why.sentence() for step in planned[:3]] == [
        "mail that announces the SEPA debit of 30 March 2027 (day 0 of policy sepa v1)",
        (
            "SEPA debit announced for 30 March 2027, the first banking day after the 3 days' notice "
            "(day 0 of policy sepa v1)"
        ),
        "mail that announces that the SEPA debit is repeated on 6 April 2027 (day 7 of policy sepa v1)",
    ]
    answer(walk, "2027-04-02T09:30", NO)
    walk.until("2027-04-03")
    assert next_step(walk.case, walk.now).why.sentence() == (
        "insufficient funds; SEPA debit announced again for 9 April 2027: five banking days after it failed, and the "
        "3 days' notice, are over (day 7 of policy sepa v1)"
    )


def test_another_notice_gives_another_sentence() -> None:
    case = debited(notice_days=14, day0="2027-03-17")
    walk = Walk(case, "2027-03-03T10:00", ["processing"])
    walk.until("2027-03-04")
    assert "for 17 March 2027, the first banking day after the 14 days' notice" in str(
        next_step(walk.case, walk.now).why.sentence()
    )


@pytest.mark.parametrize(
    ("interval", "name"), [("1month", "sepa"), ("1week", "sepa"), ("1year", "sepa_annual")]
)
def test_debits_have_policies_of_their_own(interval: str, name: str) -> None:
    every = Interval.parse(interval)
    assert default_policy(every, by_direct_debit=True).name == name
    first = default_policy(every, is_first_payment=True, by_direct_debit=True)
    assert first.name == "sepa_first_payment"


# Mandates


@pytest.mark.parametrize(
    ("last_debit_on", "last_day", "too_late"),
    [
        (None, "2030-03-15", "2030-03-16"),
        (date(2027, 4, 30), "2030-04-30", "2030-05-01"),
        (date(2024, 2, 29), "2027-02-28", "2027-03-01"),
    ],
)
def test_a_mandate_is_void_after_36_months_without_a_debit(
    last_debit_on: date | None, last_day: str, too_late: str
) -> None:
    mandate = Mandate(accepted_on=date(2027, 3, 15), notice_days=3, last_debit_on=last_debit_on)
    assert mandate.is_valid_on(date.fromisoformat(last_day))
    assert not mandate.is_valid_on(date.fromisoformat(too_late))


def test_a_mandate_that_was_revoked_is_void_at_once() -> None:
    mandate = Mandate(accepted_on=date(2027, 3, 15), notice_days=3, ended_on=date(2027, 3, 20))
    assert not mandate.is_valid_on(date(2027, 3, 20))
