"""A quiet phase: retries go on, and nobody is told before it is over (rules 24)."""

from __future__ import annotations

from datetime import date

import pytest
from chase_walk import Walk, driving

from billing.case import Role
from billing.dunning import DunningPolicy
from billing.payment import Trigger
from billing.progress import take_over, timeline

QUIET = DunningPolicy(name="quiet", retry_days=(1, 3, 7, 14), quiet_days=5, last_notice_day=14, end_day=21)
NO = "insufficient_funds"
"""Declined on 1 February at 01:30 in Paris; steps are at 09:00 there, 08:00 here."""


def test_the_first_mail_comes_when_the_phase_is_over_and_says_that_the_payment_failed() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", [NO] * 4)
    assert walk.until("2027-03-01") == [
        "02-02 08:00 retry: insufficient_funds",
        "02-04 08:00 retry: insufficient_funds",
        "02-06 08:00 mail payment_failed",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_phase_that_ends_on_a_retry_day_is_one_mail_after_the_retry() -> None:
    policy = QUIET.model_copy(update={"quiet_days": 7})
    walk = Walk(driving(NO, policy=policy), "2027-02-01T00:30", [NO] * 4)
    assert walk.until("2027-03-01") == [
        "02-02 08:00 retry: insufficient_funds",
        "02-04 08:00 retry: insufficient_funds",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail payment_failed",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_who_pays_by_a_retry_in_the_phase_never_hears_of_it() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", [NO, "paid"])
    assert walk.until("2027-03-01") == ["02-02 08:00 retry: insufficient_funds", "02-04 08:00 retry: paid"]


def test_the_timeline_shows_the_quiet_phase_before_it_is_over() -> None:
    case = driving(NO, policy=QUIET)
    ahead = timeline(case, Walk(case, "2027-02-01T00:30").now)
    assert [f"{step.due:%m-%d} {step.key or step.kind}" for step in ahead] == [
        "02-02 charge",
        "02-04 charge",
        "02-06 payment_failed",
        "02-08 charge",
        "02-08 reminder:7",
        "02-15 charge",
        "02-15 last_notice",
        "02-22 end",
    ]


@pytest.mark.parametrize("code", ["expired_card", "incorrect_cvc", "stolen_card"])
def test_what_only_the_customer_can_mend_is_told_at_once(code: str) -> None:
    walk = Walk(driving(code, policy=QUIET), "2027-02-01T00:30")
    assert walk.until("2027-02-03") == ["02-01 00:30 mail payment_failed"]


def test_a_retry_that_shows_it_ends_the_phase() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", ["expired_card"])
    assert walk.until("2027-02-05") == [
        "02-02 08:00 retry: expired_card",
        "02-02 08:00 mail payment_failed",
        "02-04 08:00 mail reminder:3",
    ]


def test_without_a_method_there_is_nothing_to_be_quiet_about() -> None:
    walk = Walk(driving(None, policy=QUIET), "2027-02-01T00:30")
    assert walk.until("2027-02-05") == ["02-01 00:30 mail payment_failed", "02-04 08:00 mail reminder:3"]


def test_a_cancel_that_stops_the_retries_ends_the_phase() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", [NO])
    walk.change("2027-02-03T12:00", stopped=True)
    assert walk.until("2027-02-04") == [
        "02-02 08:00 retry: insufficient_funds",
        "02-03 12:00 mail payment_failed",
    ]


def test_a_direct_debit_has_no_quiet_phase() -> None:
    """Its repeat is announced at once, and the mail says why (rules 28)."""
    case = driving(NO, policy=QUIET).model_copy(update={"by_direct_debit": True, "notice_days": 3})
    assert Walk(case, "2027-02-01T00:30", [NO]).until("2027-02-09") == [
        "02-01 00:30 mail debit_notice:2027-02-08",
        "02-08 08:00 retry: insufficient_funds",
        "02-08 08:00 mail reminder:7",
    ]


def test_after_a_late_first_failure_the_last_notice_still_comes_on_its_day() -> None:
    walk = Walk(driving("processing", policy=QUIET), "2027-02-01T00:30", [NO])
    walk.settle("2027-02-12T10:00", NO)
    assert walk.until("2027-03-01") == [
        "02-12 10:00 attempt 1: insufficient_funds",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_after_downtime_over_the_phase_the_last_notice_stands_for_all() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", [NO])
    walk.sleep("2027-02-17T12:00")
    assert walk.until("2027-03-01") == [
        "02-17 12:00 retry: insufficient_funds",
        "02-17 12:00 mail last_notice",
        "02-24 08:00 end: suspend, leave_open",
    ]


def test_a_promise_in_the_phase_holds_the_mail_to_its_date() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", [NO] * 3)
    walk.change("2027-02-02T12:00", promise_on=date(2027, 2, 10))
    assert walk.until("2027-02-16") == [
        "02-02 08:00 retry: insufficient_funds",
        "02-10 08:00 promise: insufficient_funds",
        "02-10 08:00 mail payment_failed",
        "02-15 08:00 retry: insufficient_funds",
        "02-15 08:00 mail last_notice",
    ]


def test_what_a_customer_tries_in_the_phase_changes_nothing_of_it() -> None:
    walk = Walk(driving(NO, policy=QUIET), "2027-02-01T00:30", [NO] * 3)
    walk.change("2027-02-03T12:00", asked=(Trigger.CUSTOMER,))
    assert walk.until("2027-02-07") == [
        "02-02 08:00 retry: insufficient_funds",
        "02-03 12:00 customer: insufficient_funds",
        "02-04 08:00 retry: insufficient_funds",
        "02-06 08:00 mail payment_failed",
    ]


def test_one_that_takes_over_goes_on_with_the_mails_ahead() -> None:
    """Its customer heard of it by the mails of the one that drove before."""
    case = driving(NO, policy=QUIET).model_copy(update={"role": Role.JOINED})
    walk = Walk(case, "2027-02-03T12:00", [NO])
    progress = take_over(case, walk.now)
    walk.case = progress.of_case(case).model_copy(update={"role": Role.DRIVING})
    assert walk.until("2027-02-05") == [
        "02-04 08:00 retry: insufficient_funds",
        "02-04 08:00 mail reminder:3",
    ]
