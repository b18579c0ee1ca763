"""A cancel for a date: on which day it ends, and what still happens before it. Today is 10 June 2041."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support.subscriptions import NOW, PRO, TEAM, YEAR, a_subscription, in_paid_time, month, told

from billing.calendar import Interval, Period
from billing.commands import (
    AddCoupon,
    Cancel,
    ChangePlan,
    ChangeQuantity,
    Command,
    KeepSubscription,
    MigratePlan,
    Pause,
    Resume,
    When,
)
from billing.decide import accept
from billing.dunning import EndForSubscription
from billing.errors import InvalidInput
from billing.leaving import ends_on
from billing.lifecycle import cross_boundary, end_access, end_trial, give_up, start
from billing.refusal import Refused
from billing.standing import end_of_policy
from billing.steps import next_step
from billing.subscription import Status, Subscription

ENDED_NOW = [
    "status: canceled",
    "ended_at: 2041-06-10 10:00",
    "end_reason: canceled now",
    "event subscription.canceled",
    "mail subscription_canceled 2041-06-10",
    "settle the debt",
]
DROPPED_NOW = ["drop the gated draft", *ENDED_NOW[3:5]]
YEAR_OF_2041 = Period(
    index=0,
    start=date(2041, 5, 1),
    end=date(2042, 5, 1),
    whole_start=date(2041, 5, 1),
    whole_end=date(2042, 5, 1),
)


def day(text: str) -> date:
    return date.fromisoformat(text)


def on(text: str, **more: object) -> Cancel:
    return Cancel.model_validate({"command_id": "c", "on": text, **more})


def with_period(ends: str) -> list[str]:
    """Said like a cancel at the period's end."""
    return [
        "cancel_at_end: True",
        "event subscription.cancel_scheduled",
        f"mail cancel_scheduled {ends}",
    ]


def later(wished: str, ends: str) -> list[str]:
    return [
        f"cancel_on: {wished}",
        "event subscription.cancel_scheduled",
        f"mail cancel_scheduled {ends}",
    ]


def annual() -> Subscription:
    return a_subscription(terms=YEAR, period=YEAR_OF_2041, covered_until=day("2042-05-01"))


def scheduled_trial() -> Subscription:
    return a_subscription(Status.SCHEDULED, terms=TEAM.model_copy(update={"trial_days": 14}))


CASES: list[tuple[str, Subscription, str, list[str]]] = [
    # Every month, from 1 June to 1 July: before, at and after the boundary
    ("today", a_subscription(), "2041-06-10", with_period("2041-07-01")),
    ("the day before the boundary", a_subscription(), "2041-06-30", with_period("2041-07-01")),
    ("the boundary", a_subscription(), "2041-07-01", with_period("2041-07-01")),
    ("the day after it", a_subscription(), "2041-07-02", later("2041-07-02", "2041-08-01")),
    ("the next boundary", a_subscription(), "2041-08-01", later("2041-08-01", "2041-08-01")),
    ("long after", a_subscription(), "2043-02-14", later("2043-02-14", "2043-03-01")),
    ("the last day that is taken", a_subscription(), "2051-06-10", later("2051-06-10", "2051-07-01")),
    # Every year, from 1 May
    ("within the year", annual(), "2042-04-30", with_period("2042-05-01")),
    ("the year's end", annual(), "2042-05-01", with_period("2042-05-01")),
    ("the next year", annual(), "2042-05-02", later("2042-05-02", "2043-05-01")),
    # A commitment changes neither the date nor the answer; its price comes with the end
    (
        "within a commitment",
        a_subscription(committed_until=day("2042-05-01")),
        "2041-09-15",
        later("2041-09-15", "2041-10-01"),
    ),
    # A pending plan, pause or rhythm stays, and counts
    (
        "with another plan pending",
        a_subscription(pending_terms=PRO),
        "2041-08-15",
        later("2041-08-15", "2041-09-01"),
    ),
    (
        "with another rhythm pending",
        a_subscription(pending_terms=YEAR),
        "2041-08-15",
        later("2041-08-15", "2042-07-01"),
    ),
    (
        "with a pause pending",
        a_subscription(pause_at_end=True),
        "2041-08-15",
        later("2041-08-15", "2041-08-15"),
    ),
    # In trial until 15 June
    ("in the trial", a_subscription(Status.TRIALING), "2041-06-14", with_period("2041-06-15")),
    ("the trial's end", a_subscription(Status.TRIALING), "2041-06-15", with_period("2041-06-15")),
    (
        "after the trial",
        a_subscription(Status.TRIALING),
        "2041-06-16",
        later("2041-06-16", "2041-07-15"),
    ),
    # Starts on 1 July, with and without a trial of 14 days
    ("before the start", a_subscription(Status.SCHEDULED), "2041-06-20", ENDED_NOW),
    ("the start", a_subscription(Status.SCHEDULED), "2041-07-01", ENDED_NOW),
    (
        "the first day of service",
        a_subscription(Status.SCHEDULED),
        "2041-07-02",
        later("2041-07-02", "2041-08-01"),
    ),
    ("in the coming trial", scheduled_trial(), "2041-07-15", later("2041-07-15", "2041-07-15")),
    ("after the coming trial", scheduled_trial(), "2041-07-16", later("2041-07-16", "2041-08-15")),
    # The first payment is open
    (
        "in the first period, unpaid",
        a_subscription(Status.INCOMPLETE),
        "2041-07-10",
        [*ENDED_NOW[:3], *DROPPED_NOW],
    ),
    (
        "after the first period, unpaid",
        a_subscription(Status.INCOMPLETE),
        "2041-07-11",
        later("2041-07-11", "2041-08-10"),
    ),
    # Overdue: as if it were not
    ("overdue, this period", a_subscription(Status.PAST_DUE), "2041-07-01", with_period("2041-07-01")),
    (
        "overdue, a later one",
        a_subscription(Status.PAST_DUE),
        "2041-07-31",
        later("2041-07-31", "2041-08-01"),
    ),
    # No period runs: the very date
    (
        "unpaid, today",
        a_subscription(Status.UNPAID),
        "2041-06-10",
        [
            "status: canceled",
            "unpaid_since: None",
            *ENDED_NOW[1:3],
            "credit from 2041-06-11: canceled now",
            *ENDED_NOW[3:],
        ],
    ),
    ("unpaid, later", a_subscription(Status.UNPAID), "2041-06-11", later("2041-06-11", "2041-06-11")),
    ("paused, today", a_subscription(Status.PAUSED), "2041-06-10", ENDED_NOW),
    ("paused, later", a_subscription(Status.PAUSED), "2041-06-11", later("2041-06-11", "2041-06-11")),
    ("paused in paid time", in_paid_time(), "2041-06-20", with_period("2041-07-01")),
    ("paused, after the paid time", in_paid_time(), "2041-07-02", later("2041-07-02", "2041-07-02")),
    # A cancel is pending already
    ("the same end again", a_subscription(cancel_at_end=True), "2041-06-20", []),
    (
        "the same end by another date",
        a_subscription(cancel_on=day("2041-08-15")),
        "2041-08-20",
        [],
    ),
    (
        "an earlier end",
        a_subscription(cancel_on=day("2041-08-15")),
        "2041-07-15",
        later("2041-07-15", "2041-08-01"),
    ),
    (
        "this period after all",
        a_subscription(cancel_on=day("2041-08-15")),
        "2041-06-20",
        ["cancel_at_end: True", "cancel_on: None", *with_period("2041-07-01")[1:]],
    ),
]


@pytest.mark.parametrize(
    ("sub", "wished", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_what_is_answered(sub: Subscription, wished: str, expected: list[str]) -> None:
    assert told(sub, accept(sub, on(wished), NOW)) == expected


RHYTHM_REFUSED = (
    "status: A cancel for 2041-08-15 is pending, and another rhythm would move the day on which it ends. "
    "Take it back first, and cancel again afterwards."
)


@pytest.mark.parametrize(
    ("sub", "command", "refused"),
    [
        (
            a_subscription(),
            on("2041-06-09"),
            "on: 2041-06-09 has passed: today is 2041-06-10. Give today or a later date.",
        ),
        (
            a_subscription(),
            on("2051-06-11"),
            "on: 2051-06-11 is more than ten years ahead. Give an earlier date.",
        ),
        (
            a_subscription(),
            on("2041-08-01", when="now"),
            "on: A cancel now has no date. Leave on out, or give when: period_end.",
        ),
        (
            a_subscription(cancel_at_end=True),
            on("2041-07-02"),
            "on: A cancel is pending: it ends on 2041-07-01. Take that back first, to let it end on 2041-08-01.",
        ),
        (
            a_subscription(cancel_on=day("2041-07-15")),
            on("2041-08-02"),
            "on: A cancel is pending: it ends on 2041-08-01. Take that back first, to let it end on 2041-09-01.",
        ),
        (
            a_subscription(cancel_on=day("2041-08-15")),
            ChangePlan(command_id="c", plan_id="plan_year", terms=YEAR),
            RHYTHM_REFUSED,
        ),
        (
            a_subscription(cancel_on=day("2041-08-15")),
            MigratePlan(
                command_id="c",
                from_plan_id="plan_team",
                plan_id="plan_new",
                notice_days=60,
                old=TEAM,
                new=TEAM.model_copy(update={"plan_id": "plan_new", "plan_name": "Team 2"}),
            ),
            "subscription: The price stays: it ends on 2041-09-01.",
        ),
    ],
    ids=["past", "slip of the year", "now", "later than the end", "later than a date", "rhythm", "price"],
)
def test_what_is_refused(sub: Subscription, command: Command, refused: str) -> None:
    with pytest.raises((Refused, InvalidInput)) as problem:
        accept(sub, command, NOW)
    assert f"{problem.value.field}: {problem.value.message}" == refused


def test_the_date_is_the_customer_s() -> None:
    """At 22:30 UTC it is 11 June in Paris, so that the 10th has passed."""
    with pytest.raises(InvalidInput, match="today is 2041-06-11"):
        accept(a_subscription(), on("2041-06-10"), datetime(2041, 6, 10, 22, 30, tzinfo=UTC))


PENDING: dict[str, Any] = {"cancel_on": day("2041-07-15")}
"""Two boundaries ahead: it renews on 1 July and ends on 1 August."""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Cancel(command_id="c"), ["cancel_at_end: True", "cancel_on: None", *with_period("2041-07-01")[1:]]),
        (KeepSubscription(command_id="c"), ["cancel_on: None", "event subscription.kept"]),
        (Pause(command_id="c"), ["pause_at_end: True", "event subscription.pause_scheduled"]),
        (
            ChangeQuantity(command_id="c", quantity=8),
            ["pending_terms: Team x8", "event subscription.change_scheduled"],
        ),
    ],
    ids=["the period's end", "taken back", "a pause", "seats"],
)
def test_until_its_last_period_it_takes_what_is_asked(command: Command, expected: list[str]) -> None:
    sub = a_subscription(**PENDING)
    assert told(sub, accept(sub, command, NOW)) == expected


def test_a_cancel_now_replaces_it() -> None:
    sub = a_subscription(**PENDING)
    said = told(sub, accept(sub, Cancel(command_id="c", when=When.NOW), NOW))
    assert said == [
        "status: canceled",
        "cancel_on: None",
        *ENDED_NOW[1:3],
        "credit from 2041-06-11: canceled now",
        *ENDED_NOW[3:],
    ]


def test_of_a_pause_and_a_date_resume_takes_back_the_pause_and_keep_both() -> None:
    sub = a_subscription(pause_at_end=True, **PENDING)
    resumed = told(sub, accept(sub, Resume(command_id="c"), NOW))
    assert resumed == ["pause_at_end: False", "event subscription.kept"]
    kept = told(sub, accept(sub, KeepSubscription(command_id="c"), NOW))
    assert kept == ["cancel_on: None", "pause_at_end: False", "event subscription.kept"]


LAST = month("2041-07-01", "2041-08-01", 2)
IN_LAST: dict[str, Any] = {"period": LAST, "covered_until": day("2041-08-01"), **PENDING}


@pytest.mark.parametrize(
    "command",
    [Pause(command_id="c"), ChangeQuantity(command_id="c", quantity=8), AddCoupon(command_id="c", code="X")],
    ids=["pause", "seats", "coupon"],
)
def test_in_its_last_period_it_is_a_cancel_at_the_period_s_end(command: Command) -> None:
    sub = a_subscription(**IN_LAST)
    with pytest.raises(Refused, match="Take it back before"):
        accept(sub, command, NOW + timedelta(days=30))


def test_it_renews_and_then_ends() -> None:
    sub = a_subscription(**PENDING)
    assert (sub.ends_with_period, ends_on(sub)) == (False, day("2041-08-01"))
    assert sub.next_billing_at == datetime(2041, 6, 30, 22, 0, tzinfo=UTC)
    assert next_step(sub, NOW).why == "renewal on 2041-07-01"
    renewed = cross_boundary(sub, datetime(2041, 6, 30, 22, 0, tzinfo=UTC), catch_up_limit=2)
    assert told(sub, renewed) == [
        "period: 2041-07-01 to 2041-08-01",
        "issue period Team 2041-07-01 to 2041-08-01",
    ]
    last = renewed.after
    assert (last.ends_with_period, ends_on(last), last.next_billing_at) == (True, day("2041-08-01"), None)
    in_july = datetime(2041, 7, 20, tzinfo=UTC)
    assert next_step(last, in_july).why == "canceled at the period's end on 2041-08-01"
    until = last.access_until(in_july, window=timedelta(hours=4), grace=timedelta(hours=24))
    assert until == datetime(2041, 7, 31, 22, 0, tzinfo=UTC)
    ended = cross_boundary(last, datetime(2041, 7, 31, 22, 0, tzinfo=UTC), catch_up_limit=2)
    assert told(last, ended) == [
        "status: canceled",
        "cancel_on: None",
        "ended_at: 2041-07-31 22:00",
        "end_reason: canceled at the end of the period",
        "event subscription.canceled",
        "mail subscription_canceled 2041-08-01",
    ]


def test_a_downtime_bills_nothing_past_the_end() -> None:
    """On 20 September July, August and September have begun; the last that is billed is July."""
    sub = a_subscription(**PENDING)
    late = cross_boundary(sub, datetime(2041, 9, 20, 8, 0, tzinfo=UTC), catch_up_limit=5)
    assert told(sub, late) == [
        "period: 2041-07-01 to 2041-08-01",
        "issue period Team 2041-07-01 to 2041-08-01",
    ]


def test_leaving_within_a_commitment_costs_what_it_does_at_the_period_s_end() -> None:
    sub = a_subscription(customer_kind="business", committed_until=day("2042-05-01"), **IN_LAST)
    ended = cross_boundary(sub, datetime(2041, 7, 31, 22, 0, tzinfo=UTC), catch_up_limit=2)
    assert told(sub, ended)[-1] == "bill early exit from 2041-08-01 to 2042-05-01 at 100 %"


def test_a_trial_may_lead_to_one_paid_period() -> None:
    sub = a_subscription(Status.TRIALING, cancel_on=day("2041-06-16"))
    assert next_step(sub, NOW).notice == "trial_ending"
    begun = end_trial(sub, datetime(2041, 6, 14, 22, 0, tzinfo=UTC)).after
    assert (begun.status, begun.ends_with_period, ends_on(begun)) == (Status.ACTIVE, True, day("2041-07-15"))


def test_a_scheduled_start_may_be_of_a_trial_alone() -> None:
    sub = scheduled_trial().model_copy(update={"cancel_on": day("2041-07-10")})
    begun = start(sub, gate=False).after
    assert (begun.status, begun.ends_with_period, ends_on(begun)) == (
        Status.TRIALING,
        True,
        day("2041-07-15"),
    )


def test_the_policy_suspends_before_the_last_period_and_not_in_it() -> None:
    far = a_subscription(Status.PAST_DUE, cancel_on=day("2041-08-15"))
    assert end_of_policy(far, EndForSubscription.SUSPEND, NOW).after.status is Status.UNPAID
    near = a_subscription(Status.PAST_DUE, **IN_LAST)
    assert end_of_policy(near, EndForSubscription.SUSPEND, NOW).after == near


def test_unpaid_it_ends_on_the_date_or_when_it_was_unpaid_too_long() -> None:
    """Unpaid since 22 May: 90 days are over on 20 August."""
    sub = a_subscription(Status.UNPAID, cancel_on=day("2041-07-15"))
    step = next_step(sub, NOW)
    assert (step.kind, step.due, step.why) == (
        "give_up",
        datetime(2041, 7, 14, 22, 0, tzinfo=UTC),
        "canceled for 2041-07-15",
    )
    assert step.due is not None
    assert give_up(sub, step.due).after.end_reason == "canceled while unpaid"
    later_date = a_subscription(Status.UNPAID, cancel_on=day("2041-09-15"))
    assert next_step(later_date, NOW).why == "unpaid for 90 days"
    assert give_up(later_date, datetime(2041, 8, 20, tzinfo=UTC)).after.end_reason == "unpaid for too long"


def test_paused_it_ends_on_the_date() -> None:
    sub = in_paid_time(cancel_on=day("2041-07-15"))
    first = next_step(sub, NOW)
    assert (first.kind, first.due) == ("end_access", datetime(2041, 6, 30, 22, 0, tzinfo=UTC))
    assert first.due is not None
    waiting = end_access(sub, first.due).after
    assert (waiting.status, waiting.cancel_on) == (Status.PAUSED, day("2041-07-15"))
    second = next_step(waiting, first.due)
    assert (second.kind, second.due) == ("end_access", datetime(2041, 7, 14, 22, 0, tzinfo=UTC))
    assert second.due is not None
    assert end_access(waiting, second.due).after.end_reason == "canceled while paused"


def test_who_comes_back_on_the_date_is_not_billed_any_more() -> None:
    sub = a_subscription(Status.PAUSED, cancel_on=day("2041-06-10"))
    assert told(sub, accept(sub, Resume(command_id="c"), NOW)) == [
        "status: canceled",
        "cancel_on: None",
        "ended_at: 2041-06-10 10:00",
        "end_reason: canceled before it came back",
        "event subscription.canceled",
        "mail subscription_canceled 2041-06-10",
    ]


def test_who_comes_back_before_it_pays_to_its_end() -> None:
    """Back on 10 June for the rest of the month, which holds the date."""
    sub = a_subscription(Status.PAUSED, cancel_on=day("2041-06-20"))
    back = accept(sub, Resume(command_id="c"), NOW)
    assert told(sub, back)[:2] == ["status: active", "period: 2041-06-10 to 2041-07-01"]
    assert (back.after.ends_with_period, ends_on(back.after)) == (True, day("2041-07-01"))


def test_no_renewal_notice_where_the_date_comes_before_the_renewal() -> None:
    """A commitment to 1 May 2042: its notice would go out in March."""
    committed: dict[str, Any] = {"committed_until": day("2042-05-01"), "customer_kind": "consumer"}
    in_march: dict[str, Any] = {
        "period": month("2042-03-01", "2042-04-01", 10),
        "covered_until": day("2042-04-01"),
    }
    now = datetime(2042, 3, 2, tzinfo=UTC)
    stays = a_subscription(**committed, **in_march)
    assert next_step(stays, now).notice == "renewal_notice"
    goes = a_subscription(**committed, **in_march, cancel_on=day("2042-04-15"))
    assert next_step(goes, now).kind == "boundary"
    renews_once = a_subscription(**committed, **in_march, cancel_on=day("2042-05-02"))
    assert next_step(renews_once, now).notice == "renewal_notice"


def test_a_rhythm_of_weeks() -> None:
    every_two = TEAM.model_copy(update={"interval": Interval.parse("2week")})
    period = month("2041-05-29", "2041-06-12", 2)
    sub = a_subscription(terms=every_two, period=period)
    assert ends_on(accept(sub, on("2041-06-12"), NOW).after) == day("2041-06-12")
    assert ends_on(accept(sub, on("2041-06-13"), NOW).after) == day("2041-06-26")
