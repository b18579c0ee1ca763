from __future__ import annotations

from datetime import date

import pytest
from chase_walk import Walk, answered, at, automatic_attempts, driving, ten_declines

from billing.asking import Refused, may_ask
from billing.calendar import local_date
from billing.case import Case, Role, ends_at, ends_on, retries_left
from billing.chase import StepKind, next_step
from billing.dunning import ANNUAL, FIRST_PAYMENT, GATED, SHORT, TRANSFER
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.progress import take_over, timeline

NEVER_PAYS = [
    "02-01 00:30 mail payment_failed",
    "02-02 08:00 retry: insufficient_funds",
    "02-04 08:00 retry: insufficient_funds",
    "02-04 08:00 mail reminder:3",
    "02-08 08:00 retry: insufficient_funds",
    "02-08 08:00 mail reminder:7",
    "02-15 08:00 retry: insufficient_funds",
    "02-15 08:00 mail last_notice",
    "02-22 08:00 end: suspend, leave_open",
]


def test_k1_four_retries_in_the_customers_morning() -> None:
    walk = Walk(
        driving("insufficient_funds", begun_at="2026-12-11T08:30"), "2026-12-11T08:30", ["do_not_honor"] * 4
    )
    assert walk.until("2027-03-01") == [
        "12-11 08:30 mail payment_failed",
        "12-12 08:00 retry: do_not_honor",
        "12-14 08:00 retry: do_not_honor",
        "12-14 08:00 mail reminder:3",
        "12-18 08:00 retry: do_not_honor",
        "12-18 08:00 mail reminder:7",
        "12-25 08:00 retry: do_not_honor",
        "12-25 08:00 mail last_notice",
        "01-01 08:00 end: suspend, leave_open",
    ]
    assert automatic_attempts(walk.case) == 5
    rest = next_step(walk.case, walk.now)
    assert (rest.kind, rest.due) == (StepKind.REST, None)
    assert rest.why.sentence() == (
        "the policy has ended: waits for a payment, a new method, a credit or a write-off"
    )


def test_k9_the_repeat_is_one_of_four_and_pay_now_is_none_of_them() -> None:
    walk = Walk(
        driving("processing_error"),
        "2027-02-01T00:30",
        [
            "processing_error",
            "insufficient_funds",
            "insufficient_funds",
            "do_not_honor",
            "insufficient_funds",
        ],
    )
    walk.change("2027-02-06T15:00", asked=(Trigger.CUSTOMER,))
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-01 02:30 repeat: processing_error",
        "02-02 08:00 retry: insufficient_funds",
        "02-04 08:00 retry: insufficient_funds",
        "02-04 08:00 mail reminder:3",
        "02-06 15:00 customer: do_not_honor",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]
    assert (automatic_attempts(walk.case), retries_left(walk.case)) == (5, 0)


def test_k14_a_promise_past_the_last_notice_moves_the_end() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-09T12:00", promise_on=date(2027, 2, 20))
    assert ends_on(walk.case, walk.now) == date(2027, 2, 27)
    assert walk.until("2027-03-01") == [
        *NEVER_PAYS[:6],
        "02-20 08:00 promise: insufficient_funds",
        "02-20 08:00 mail last_notice",
        "02-27 08:00 end: suspend, leave_open",
    ]


def test_k14_holds_where_the_promise_is_taken_away_after_its_charge() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-09T12:00", promise_on=date(2027, 2, 20))
    walk.change("2027-02-20T08:00", promise_on=None)
    assert walk.case.end_on == date(2027, 2, 27)
    assert walk.until("2027-03-01")[-2:] == [
        "02-20 08:00 mail last_notice",
        "02-27 08:00 end: suspend, leave_open",
    ]


def test_a_promise_after_the_last_notice_moves_the_end_and_writes_no_second_one() -> None:
    walk = Walk(driving("incorrect_cvc"), "2027-02-01T00:30", [])
    walk.change("2027-02-16T12:00", promise_on=date(2027, 2, 19))
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-26 08:00 end: suspend, leave_open",
    ]


def test_an_early_promise_drops_what_fell_before_it_and_keeps_what_is_later() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-03T12:00", promise_on=date(2027, 2, 9))
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "02-09 08:00 promise: insufficient_funds",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_promise_on_a_step_day_is_one_charge() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-05T12:00", promise_on=date(2027, 2, 8))
    assert walk.until("2027-03-01") == [
        *NEVER_PAYS[:4],
        "02-08 08:00 promise: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        *NEVER_PAYS[6:],
    ]


def test_a_customer_can_pay_before_the_promised_date() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["paid"])
    walk.change("2027-02-01T12:00", promise_on=date(2027, 2, 20))
    walk.change("2027-02-05T12:00", asked=(Trigger.CUSTOMER,))
    assert walk.until("2027-03-01") == ["02-01 00:30 mail payment_failed", "02-05 12:00 customer: paid"]


def test_a_pause_by_support_holds_everything_and_charges_nothing_at_its_end() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-05T12:00", held_until=date(2027, 2, 10))
    assert walk.until("2027-03-01") == [*NEVER_PAYS[:4], *NEVER_PAYS[6:]]


def test_a_pause_drops_the_repeat_of_a_technical_decline() -> None:
    walk = Walk(driving("processing_error"), "2027-02-01T00:30", ["paid"])
    walk.change("2027-02-01T01:00", held_until=date(2027, 2, 3))
    assert walk.until("2027-03-01") == ["02-01 00:30 mail payment_failed", "02-04 08:00 retry: paid"]


def test_a_second_promise_keeps_its_end_when_it_is_taken_away() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-03T12:00", promise_on=date(2027, 2, 9))
    walk.change("2027-02-16T12:00", promise_on=date(2027, 2, 19))
    walk.change("2027-02-19T08:00", promise_on=None)
    assert walk.until("2027-03-10") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "02-09 08:00 promise: insufficient_funds",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-19 08:00 promise: insufficient_funds",
        "02-26 08:00 end: suspend, leave_open",
    ]


def test_a_promise_that_falls_into_a_payment_under_way_is_dropped() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["processing", "paid"])
    walk.change("2027-02-01T12:00", promise_on=date(2027, 2, 5), asked=(Trigger.CUSTOMER,))
    walk.until("2027-02-01T12:00")
    walk.settle("2027-02-06T12:00", "insufficient_funds")
    assert walk.until("2027-03-10") == [
        "02-01 00:30 mail payment_failed",
        "02-01 12:00 customer: processing",
        "02-06 12:00 attempt 2: insufficient_funds",
        "02-08 08:00 retry: paid",
    ]


@pytest.mark.parametrize("fails", [0, 1, 2, 3])
def test_recovers_at_each_retry(fails: int) -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", [*["insufficient_funds"] * fails, "paid"])
    kept = {0: 1, 1: 2, 2: 4, 3: 6}[fails]
    day = {0: "02-02", 1: "02-04", 2: "02-08", 3: "02-15"}[fails]
    assert walk.until("2027-04-01") == [*NEVER_PAYS[:kept], f"{day} 08:00 retry: paid"]
    assert next_step(walk.case, walk.now).kind is StepKind.CLOSED


@pytest.mark.parametrize("code", ["expired_card", "incorrect_cvc", "stolen_card"])
def test_a_class_that_forbids_charges_still_gets_its_mails(code: str) -> None:
    walk = Walk(driving(code), "2027-02-01T00:30")
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_no_method_on_day_0_starts_as_after_a_decline_that_needs_the_customer() -> None:
    walk = Walk(driving(None), "2027-02-01T00:30", ["insufficient_funds"] * 3)
    walk.change("2027-02-05T12:00", method="pm_2", asked=(Trigger.METHOD_REPLACED,))
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-05 12:00 method_replaced: insufficient_funds",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_new_card_takes_up_the_schedule_after_a_dead_one() -> None:
    walk = Walk(driving("expired_card"), "2027-02-01T00:30", ["insufficient_funds", "paid"])
    walk.change("2027-02-03T12:00", method="pm_2", asked=(Trigger.METHOD_REPLACED,))
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-03 12:00 method_replaced: insufficient_funds",
        "02-04 08:00 retry: paid",
    ]


def test_a_technical_decline_is_repeated_once_in_a_chase() -> None:
    walk = Walk(
        driving("insufficient_funds"),
        "2027-02-01T00:30",
        ["processing_error", "processing_error", "processing_error", "processing_error"],
    )
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: processing_error",
        "02-03 08:00 repeat: processing_error",
        "02-04 08:00 retry: processing_error",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 retry: processing_error",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


@pytest.mark.parametrize(
    ("answer", "mails"), [("paid", []), ("insufficient_funds", ["02-01 02:30 mail payment_failed"])]
)
def test_a_first_charge_that_never_ran_is_made_up_and_only_a_decline_is_told(
    answer: str, mails: list[str]
) -> None:
    case = driving("insufficient_funds")
    never_ran = case.attempts[0].model_copy(
        update={
            "state": AttemptState.ABANDONED,
            "decline_class": DeclineClass.RETRY,
            "decline_code": None,
        }
    )
    case = case.model_copy(update={"attempts": (never_ran,)})
    walk = Walk(case, "2027-02-01T00:30", [answer])
    assert walk.until("2027-02-01T20:00") == [f"02-01 02:30 repeat: {answer}", *mails]


def test_the_annual_policy() -> None:
    walk = Walk(driving("do_not_honor", policy=ANNUAL), "2027-02-01T00:30", ["do_not_honor"] * 4)
    assert walk.until("2027-05-01") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 retry: do_not_honor",
        "02-08 08:00 retry: do_not_honor",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 retry: do_not_honor",
        "02-15 08:00 mail reminder:14",
        "03-01 08:00 retry: do_not_honor",
        "03-01 08:00 mail last_notice",
        "03-18 08:00 end: suspend, leave_open",
    ]


def test_the_short_policy() -> None:
    walk = Walk(driving("do_not_honor", policy=SHORT), "2027-02-01T00:30", ["do_not_honor"] * 3)
    assert walk.until("2027-05-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: do_not_honor",
        "02-03 08:00 retry: do_not_honor",
        "02-03 08:00 mail reminder:2",
        "02-04 08:00 retry: do_not_honor",
        "02-04 08:00 mail last_notice",
        "02-07 08:00 end: suspend, leave_open",
    ]


def test_the_first_payment_policy() -> None:
    walk = Walk(driving("do_not_honor", policy=FIRST_PAYMENT), "2027-02-01T00:30", ["do_not_honor"] * 2)
    assert walk.until("2027-05-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: do_not_honor",
        "02-04 08:00 retry: do_not_honor",
        "02-04 08:00 mail last_notice",
        "02-08 08:00 end: cancel, credit",
    ]


def test_k7_a_transfer_is_reminded_and_never_charged() -> None:
    case = driving(None, begun_at="2027-03-02T08:00", policy=TRANSFER).model_copy(
        update={"method": "pm_1", "done_through_day": -1}
    )
    walk = Walk(case, "2027-01-31T08:00")
    assert walk.until("2027-05-01") == [
        "03-05 08:00 mail reminder:3",
        "03-13 08:00 late",
        "03-17 08:00 mail reminder:15",
        "04-01 07:00 mail last_notice",
        "04-16 07:00 end: suspend, leave_open",
    ]


def test_a_transfer_that_was_promised_is_not_late_before_its_date() -> None:
    case = driving(None, begun_at="2027-03-02T08:00", policy=TRANSFER)
    walk = Walk(case, "2027-03-02T08:00")
    walk.change("2027-03-10T08:00", promise_on=date(2027, 3, 20))
    assert walk.until("2027-03-25") == ["03-05 08:00 mail reminder:3", "03-20 08:00 late"]


def test_everything_ahead_of_a_transfer_is_seen_before_it_is_due() -> None:
    case = driving(None, begun_at="2027-03-02T08:00", policy=TRANSFER)
    ahead = timeline(case, at("2027-02-01T00:00"))
    assert [(step.kind.value, step.policy_day) for step in ahead] == [
        ("notice", 3),
        ("late", 11),
        ("notice", 15),
        ("notice", 30),
        ("end", 45),
    ]


def test_40_days_of_downtime_are_one_charge_then_the_last_notice_then_its_distance() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 2)
    walk.until("2027-02-03T00:00")
    walk.sleep("2027-03-15T10:10")
    assert walk.until("2027-05-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "03-15 10:10 retry: insufficient_funds",
        "03-15 10:10 mail last_notice",
        "03-22 08:00 end: suspend, leave_open",
    ]


def test_a_short_downtime_is_one_charge_and_one_mail() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 3)
    walk.until("2027-02-02T12:00")
    walk.sleep("2027-02-10T10:10")
    assert walk.until("2027-02-16") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "02-10 10:10 retry: insufficient_funds",
        "02-10 10:10 mail reminder:7",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
    ]


def test_a_missed_repeat_and_a_missed_retry_are_one_charge() -> None:
    walk = Walk(driving("processing_error"), "2027-02-01T00:30", ["processing_error", "paid"])
    walk.until("2027-02-01T01:00")
    walk.sleep("2027-02-03T15:00")
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-03 15:00 retry: processing_error",
        "02-04 08:00 mail reminder:3",
        "02-05 08:00 retry: paid",
    ]


def test_downtime_after_the_last_notice_ends_at_once() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.until("2027-02-16T00:00")
    walk.sleep("2027-03-20T23:00")
    assert walk.until("2027-03-21") == [*NEVER_PAYS[:8], "03-20 23:00 end: suspend, leave_open"]


def test_a_catch_up_invoice_is_first_charged_on_its_own_day_0() -> None:
    case = driving("paid", begun_at="2027-02-02T08:00").model_copy(
        update={"attempts": (), "done_through_day": -1}
    )
    walk = Walk(case, "2027-02-01T03:00", ["insufficient_funds", "paid"])
    assert walk.until("2027-03-01") == [
        "02-02 08:00 first: insufficient_funds",
        "02-02 08:00 mail payment_failed",
        "02-03 08:00 retry: paid",
    ]


def test_steps_keep_the_morning_across_the_change_of_the_clock() -> None:
    walk = Walk(
        driving("do_not_honor", begun_at="2027-03-14T15:00", zone="America/New_York"),
        "2027-03-14T15:00",
        ["do_not_honor"] * 4,
    )
    assert walk.until("2027-05-01")[1:3] == [
        "03-15 13:00 retry: do_not_honor",
        "03-17 13:00 retry: do_not_honor",
    ]
    spring = Walk(
        driving("do_not_honor", begun_at="2027-03-20T09:00"), "2027-03-20T09:00", ["do_not_honor"] * 4
    )
    assert spring.until("2027-05-01") == [
        "03-20 09:00 mail payment_failed",
        "03-21 08:00 retry: do_not_honor",
        "03-23 08:00 retry: do_not_honor",
        "03-23 08:00 mail reminder:3",
        "03-27 08:00 retry: do_not_honor",
        "03-27 08:00 mail reminder:7",
        "04-03 07:00 retry: do_not_honor",
        "04-03 07:00 mail last_notice",
        "04-10 07:00 end: suspend, leave_open",
    ]


def test_while_processing_steps_are_dropped_and_the_end_waits() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds", "processing"])
    walk.until("2027-02-04T08:00")
    walk.settle("2027-02-26T12:00", "insufficient_funds")
    assert walk.until("2027-04-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "02-04 08:00 retry: processing",
        "02-26 12:00 attempt 3: insufficient_funds",
        "02-26 12:00 mail last_notice",
        "03-05 08:00 end: suspend, leave_open",
    ]
    assert automatic_attempts(walk.case) == 3


def test_a_first_charge_that_fails_late_is_told_then_the_later_steps_go_on() -> None:
    walk = Walk(driving("processing"), "2027-02-01T00:30", ["insufficient_funds"] * 2)
    walk.settle("2027-02-06T12:00", "insufficient_funds")
    assert walk.until("2027-04-01") == [
        "02-06 12:00 attempt 1: insufficient_funds",
        "02-06 12:00 mail payment_failed",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_pay_now_under_way_drops_the_step_with_its_mail() -> None:
    walk = Walk(
        driving("insufficient_funds"),
        "2027-02-01T00:30",
        ["insufficient_funds", "insufficient_funds", "processing", "insufficient_funds"],
    )
    walk.change("2027-02-06T12:00", asked=(Trigger.CUSTOMER,))
    walk.until("2027-02-06T12:00")
    refused = may_ask(walk.case, Trigger.CUSTOMER, at("2027-02-06T12:01"))
    assert refused is not None
    assert refused.reason is Refused.UNDER_WAY
    walk.settle("2027-02-09T12:00", "insufficient_funds")
    assert walk.until("2027-04-01") == [
        *NEVER_PAYS[:4],
        "02-06 12:00 customer: processing",
        "02-09 12:00 attempt 4: insufficient_funds",
        *NEVER_PAYS[6:],
    ]


def test_a_lost_answer_is_asked_for_at_once_then_less_and_less_often() -> None:
    case = driving("unknown", begun_at="2027-02-01T00:30")
    looks = []
    now = at("2027-02-01T00:32")
    for _ in range(5):
        step = next_step(case, now)
        assert step.kind is StepKind.SETTLE
        assert step.due is not None
        now = max(now, step.due)
        looks.append(f"{now:%H:%M}")
        seen = case.attempts[0].model_copy(update={"looked_at": now})
        case = case.model_copy(update={"attempts": (seen,)})
    assert looks == ["00:32", "00:34", "00:38", "00:46", "01:02"]


def test_an_attempt_that_waits_for_the_payer_is_closed_before_the_end() -> None:
    walk = Walk(driving("authentication_required"), "2027-02-01T00:30")
    assert walk.until("2027-04-01") == [
        "02-01 00:30 mail payment_failed",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 attempt 1: abandoned",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_an_attempt_that_waits_for_the_payer_is_closed_before_another() -> None:
    walk = Walk(driving("authentication_required"), "2027-02-01T00:30", ["paid"])
    assert may_ask(walk.case, Trigger.CUSTOMER, walk.now) is None
    walk.change("2027-02-03T12:00", method="pm_2", asked=(Trigger.METHOD_REPLACED,))
    assert walk.until("2027-04-01") == [
        "02-01 00:30 mail payment_failed",
        "02-03 12:00 attempt 1: abandoned",
        "02-03 12:00 method_replaced: paid",
    ]


def test_after_a_cancel_now_the_mails_go_on_without_charges() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"])
    walk.change("2027-02-03T12:00", stopped=True)
    assert walk.until("2027-04-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:00 retry: insufficient_funds",
        "02-04 08:00 mail reminder:3",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_after_the_end_a_customer_can_still_pay() -> None:
    walk = Walk(driving("expired_card"), "2027-02-01T00:30", ["paid"])
    walk.change("2027-03-25T12:00", method="pm_2", asked=(Trigger.CUSTOMER,))
    assert walk.until("2027-04-01")[-2:] == [
        "02-22 08:00 end: suspend, leave_open",
        "03-25 12:00 customer: paid",
    ]


def test_a_held_back_charge_moves_and_the_mails_and_the_end_do_not() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-05T12:00", elsewhere=ten_declines("2027-02-10T08:30"))
    assert walk.until("2027-04-01") == [
        *NEVER_PAYS[:4],
        "02-08 08:00 mail reminder:7",
        "02-11 08:00 retry: insufficient_funds",
        *NEVER_PAYS[6:],
    ]


def test_two_steps_that_a_cap_brings_to_one_day_are_one() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-05T12:00", elsewhere=ten_declines("2027-02-15T08:00"))
    assert walk.until("2027-04-01") == [*NEVER_PAYS[:4], "02-08 08:00 mail reminder:7", *NEVER_PAYS[6:]]


def test_a_charge_that_a_cap_brings_to_the_end_is_not_made() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 3)
    walk.change("2027-02-09T12:00", elsewhere=ten_declines("2027-02-22T08:00"))
    assert walk.until("2027-04-01") == [
        *NEVER_PAYS[:6],
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_cap_on_day_0_is_told_and_moves_the_first_charge() -> None:
    case = driving("paid").model_copy(
        update={"attempts": (), "done_through_day": -1, "elsewhere": ten_declines("2027-02-03T00:00")}
    )
    walk = Walk(case, "2027-02-01T00:30", ["insufficient_funds", "paid"])
    assert walk.until("2027-04-01") == [
        "02-01 08:00 mail payment_failed",
        "02-03 08:00 first: insufficient_funds",
        "02-04 08:00 retry: paid",
    ]


def test_a_code_that_nobody_knows_is_tried_twice() -> None:
    first = answered(1, Trigger.FIRST, at("2027-02-01T00:30"), "insufficient_funds")
    odd = {"decline_code": "moon_phase"}
    case = driving("insufficient_funds").model_copy(update={"attempts": (first.model_copy(update=odd),)})
    assert next_step(case.model_copy(update={"noticed_through_day": 0}), at("2027-02-01T09:00")).trigger is (
        Trigger.RETRY
    )
    second = answered(2, Trigger.RETRY, at("2027-02-02T08:00"), "insufficient_funds")
    twice = case.model_copy(
        update={
            "attempts": (first.model_copy(update=odd), second.model_copy(update=odd)),
            "noticed_through_day": 0,
            "done_through_day": 1,
        }
    )
    step = next_step(twice, at("2027-02-02T09:00"))
    assert step.why.sentence() == (
        "moon phase; reminder on 4 February 2027 (day 3 of policy monthly v1); "
        "not charged: moon_phase is not known and was tried 2 times"
    )


def test_a_dispute_freezes_and_a_parked_subscription_holds_the_end_only() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    frozen = walk.case.model_copy(update={"frozen": True, "asked": (Trigger.CUSTOMER,)})
    assert next_step(frozen, walk.now).why.rule == "U17"
    walk.case = walk.case.model_copy(update={"end_held": True})
    assert walk.until("2027-03-10") == NEVER_PAYS[:8]
    assert next_step(walk.case, walk.now).why.sentence() == (
        "the subscription is parked: the end waits for a person to resume it"
    )
    walk.change("2027-03-10T12:00", end_held=False)
    assert walk.until("2027-03-11")[-1] == "03-10 12:00 end: suspend, leave_open"


def test_too_little_to_charge_is_not_dunned() -> None:
    small = driving("insufficient_funds").model_copy(update={"due_minor": 49})
    assert next_step(small, at("2027-03-01")).why.rule == "rules 10"
    refused = may_ask(small, Trigger.CUSTOMER, at("2027-03-01"))
    assert refused is not None
    assert refused.reason is Refused.BELOW_MINIMUM


def test_a_joined_case_rests_but_settles_and_takes_wishes() -> None:
    joined = driving("insufficient_funds").model_copy(update={"role": Role.JOINED})
    rest = next_step(joined, at("2027-03-01"))
    assert (rest.kind, rest.why.rule) == (StepKind.REST, "engine 8")
    lost = driving("unknown").model_copy(update={"role": Role.JOINED})
    assert next_step(lost, at("2027-03-01")).kind is StepKind.SETTLE
    for wish in (Trigger.CUSTOMER, Trigger.METHOD_REPLACED, Trigger.RETRY):
        asked = joined.model_copy(update={"asked": (wish,)})
        step = next_step(asked, at("2027-02-03T12:00"))
        assert (step.kind, step.trigger, step.due) == (StepKind.CHARGE, wish, at("2027-02-03T12:00"))


def test_a_persons_wish_is_not_kept_back_by_one_that_may_not_be_met() -> None:
    wishes = (Trigger.RETRY, Trigger.CUSTOMER)
    dead = driving("expired_card").model_copy(update={"role": Role.JOINED, "asked": wishes})
    assert next_step(dead, at("2027-02-03T12:00")).trigger is Trigger.CUSTOMER
    rest = next_step(dead.model_copy(update={"asked": (Trigger.RETRY,)}), at("2027-02-03T12:00"))
    assert (rest.kind, rest.why.rule) == (StepKind.REST, "engine 8")


def test_a_promise_holds_the_charge_that_another_invoices_success_would_make() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["paid"])
    walk.change("2027-02-01T12:00", promise_on=date(2027, 2, 5), asked=(Trigger.RETRY,))
    assert walk.until("2027-03-01") == ["02-01 00:30 mail payment_failed", "02-05 08:00 retry: paid"]


def test_a_joined_catch_up_invoice_has_its_first_charge_and_no_mail() -> None:
    case = driving("paid", begun_at="2027-02-02T08:00").model_copy(
        update={"attempts": (), "done_through_day": -1, "role": Role.JOINED}
    )
    walk = Walk(case, "2027-02-01T03:00", ["insufficient_funds"])
    assert walk.until("2027-03-01") == ["02-02 08:00 first: insufficient_funds"]
    assert next_step(walk.case, walk.now).why.rule == "engine 8"
    assert take_over(case, at("2027-02-01T12:00")).done_through_day == -1


def test_a_new_driver_goes_on_with_the_steps_still_ahead() -> None:
    joined = driving("insufficient_funds").model_copy(update={"role": Role.JOINED})
    now = at("2027-02-06T12:00")
    driver = take_over(joined, now).of_case(joined).model_copy(update={"role": Role.DRIVING})
    walk = Walk(driver, now, ["insufficient_funds"] * 2)
    assert walk.until("2027-04-01") == NEVER_PAYS[4:]


def test_a_new_driver_past_its_last_notice_gets_one_and_the_distance() -> None:
    joined = driving("insufficient_funds").model_copy(update={"role": Role.JOINED})
    now = at("2027-02-20T12:00")
    progress = take_over(joined, now)
    assert (progress.done_through_day, progress.end_on) == (14, date(2027, 2, 27))
    driver = progress.of_case(joined).model_copy(update={"role": Role.DRIVING})
    walk = Walk(driver, now)
    assert walk.until("2027-04-01") == [
        "02-20 12:00 mail last_notice",
        "02-27 08:00 end: suspend, leave_open",
    ]


def gated(first: str) -> Case:
    return driving(first, policy=GATED).model_copy(
        update={"role": Role.GATED, "deadline_at": at("2027-02-01T23:30")}
    )


def test_a_gated_draft_gets_one_link_and_ends_at_its_deadline() -> None:
    walk = Walk(gated("processing_error"), "2027-02-01T00:30", ["insufficient_funds"])
    walk.change("2027-02-01T12:00", asked=(Trigger.CUSTOMER,))
    assert walk.until("2027-04-01") == [
        "02-01 00:30 mail payment_link",
        "02-01 12:00 customer: insufficient_funds",
        "02-01 23:30 end: keep, leave_open",
    ]
    assert ends_at(walk.case, walk.now) == at("2027-02-01T23:30")


def test_a_gated_draft_closes_what_waits_for_the_payer_before_it_is_dropped() -> None:
    walk = Walk(gated("authentication_required"), "2027-02-01T00:30")
    assert walk.until("2027-04-01") == [
        "02-01 00:30 mail payment_link",
        "02-01 23:30 attempt 1: abandoned",
        "02-01 23:30 end: keep, leave_open",
    ]


def test_a_queued_first_charge_is_made_by_the_collection_unless_it_was_stopped() -> None:
    queued = answered(1, Trigger.FIRST, at("2027-02-01T00:30"), "unknown").model_copy(
        update={"state": AttemptState.QUEUED}
    )
    case = driving("unknown").model_copy(update={"attempts": (queued,)})
    step = next_step(case, at("2027-02-01T00:45"))
    assert (step.kind, step.attempt, step.trigger) == (StepKind.CHARGE, 1, Trigger.FIRST)
    stopped = next_step(case.model_copy(update={"stopped": True}), at("2027-02-01T00:45"))
    assert (stopped.kind, stopped.why.because) == (StepKind.SETTLE, "never_sent")


def test_a_person_may_cause_five_attempts_in_24_hours() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["do_not_honor"] * 6)
    for hour in range(10, 15):
        assert may_ask(walk.case, Trigger.CUSTOMER, at(f"2027-02-01T{hour}:00")) is None
        walk.change(f"2027-02-01T{hour}:00", asked=(Trigger.CUSTOMER,))
        walk.until(f"2027-02-01T{hour}:00")
    refused = may_ask(walk.case, Trigger.SUPPORT, at("2027-02-01T15:00"))
    assert refused is not None
    assert (refused.reason, refused.not_before) == (Refused.TOO_MANY, at("2027-02-02T10:00"))
    assert may_ask(walk.case, Trigger.SUPPORT, at("2027-02-02T10:00")) is None
    assert automatic_attempts(walk.case) == 1


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"is_open": False}, Refused.CLOSED),
        ({"frozen": True}, Refused.FROZEN),
        ({"method": None}, Refused.NO_METHOD),
        ({"method_stopped": True}, Refused.METHOD_STOPPED),
        ({"deadline_at": at("2027-02-01T01:00")}, Refused.EXPIRED),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_its_reason(
    update: dict[str, object], reason: Refused
) -> None:
    case = driving("insufficient_funds").model_copy(update=update)
    refused = may_ask(case, Trigger.CUSTOMER, at("2027-02-01T12:00"))
    assert refused is not None
    assert refused.reason is reason


def test_the_reason_reads_like_support_would_say_it() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["insufficient_funds"] * 2)
    walk.until("2027-02-05")
    step = next_step(walk.case, walk.now)
    assert step.why.sentence() == (
        "insufficient funds; retry 3 of 4 on 8 February 2027 (day 7 of policy monthly v1)"
    )
    assert step.why.rule == "rules 23"


def test_the_timeline_shows_every_step_ahead() -> None:
    ahead = timeline(driving("insufficient_funds"), at("2027-02-01T00:30"))
    assert [f"{s.due:%m-%d %H:%M} {s.key or s.trigger or s.kind}" for s in ahead] == [
        "02-01 00:30 payment_failed",
        "02-02 08:00 retry",
        "02-04 08:00 retry",
        "02-04 08:00 reminder:3",
        "02-08 08:00 retry",
        "02-08 08:00 reminder:7",
        "02-15 08:00 retry",
        "02-15 08:00 last_notice",
        "02-22 08:00 end",
    ]
    assert ahead[-2].why.sentence() == (
        "insufficient funds; last notice on 15 February 2027 (day 14 of policy monthly v1)"
    )
    assert ahead[-1].why.sentence() == (
        "the chase ends on 22 February 2027 (day 21 of policy monthly v1): "
        "service is suspended, the invoice stays open"
    )
    joined = driving("insufficient_funds").model_copy(update={"role": Role.JOINED})
    assert [s.kind for s in timeline(joined, at("2027-02-01T00:30"))] == [StepKind.REST]


def test_a_case_survives_json() -> None:
    case = gated("authentication_required")
    assert Case.model_validate_json(case.model_dump_json()) == case
    assert local_date(case.attempts[0].begun_at, case.timezone) == date(2027, 2, 1)


def test_a_promise_drops_a_first_charge_that_is_still_queued_and_makes_its_own() -> None:
    queued = answered(1, Trigger.FIRST, at("2027-02-01T00:30"), "unknown").model_copy(
        update={"state": AttemptState.QUEUED}
    )
    case = driving("unknown").model_copy(update={"attempts": (queued,), "promise_on": date(2027, 2, 20)})
    step = next_step(case, at("2027-02-01T00:40"))
    assert (step.kind, step.why.because) == (StepKind.SETTLE, "never_sent")
    closed = {
        "state": AttemptState.ABANDONED,
        "decline_class": DeclineClass.RETRY,
        "settled_at": at("2027-02-01T00:40"),
    }
    dropped = case.model_copy(update={"attempts": (queued.model_copy(update=closed),)})
    charge = next(s for s in timeline(dropped, at("2027-02-01T00:40")) if s.kind is StepKind.CHARGE)
    assert (charge.trigger, charge.due) == (Trigger.PROMISE, at("2027-02-20T08:00"))
