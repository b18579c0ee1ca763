"""How a subscription moves by itself: into its first period, over a boundary, out of a trial."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from support.subscriptions import (
    METERED,
    MIDNIGHT_1_JULY,
    MIDNIGHT_15_JUNE,
    NOW,
    PRO,
    TEAM,
    YEAR,
    a_subscription,
    month,
    told,
)

from billing import lifecycle
from billing.errors import InvalidInput
from billing.subscription import Status, Subscription
from billing.terms import CollectionMethod, WithoutMethod

HOUR = timedelta(hours=1)
AT_THE_END = MIDNIGHT_1_JULY


def in_trial(**changes: object) -> Subscription:
    return a_subscription(Status.TRIALING, **changes)


# The start


def test_a_sign_up_waits_for_its_first_payment() -> None:
    sub = a_subscription(Status.SCHEDULED, starts_on=date(2041, 6, 10), signed_up_at=NOW)
    assert told(sub, lifecycle.start(sub, gate=True)) == [
        "status: incomplete",
        "anchor: 2041-06-10",
        "period: 2041-06-10 to 2041-07-10",
        "event subscription.incomplete",
        "issue signup Team 2041-06-10 to 2041-07-10 gated",
    ]


def test_a_sign_up_without_a_gate_is_active_at_once() -> None:
    sub = a_subscription(Status.SCHEDULED, starts_on=date(2041, 6, 10), signed_up_at=NOW)
    assert told(sub, lifecycle.start(sub, gate=False)) == [
        "status: active",
        "anchor: 2041-06-10",
        "period: 2041-06-10 to 2041-07-10",
        "event subscription.started",
        "issue signup Team 2041-06-10 to 2041-07-10",
    ]


def test_u1_a_scheduled_start_is_active_and_follows_the_policy_for_first_payments() -> None:
    sub = a_subscription(Status.SCHEDULED)
    assert told(sub, lifecycle.start(sub, gate=False)) == [
        "status: active",
        "anchor: 2041-07-01",
        "period: 2041-07-01 to 2041-08-01",
        "event subscription.started",
        "issue signup Team 2041-07-01 to 2041-08-01 first_payment",
    ]


def test_a_trial_covers_the_day_of_the_sign_up() -> None:
    """D7: 14 days from 17 January end before the 31st, which is the anchor."""
    terms = TEAM.model_copy(update={"trial_days": 14})
    signed_up_at = datetime(2027, 1, 17, 14, 40, tzinfo=UTC)
    sub = a_subscription(
        Status.SCHEDULED, terms=terms, starts_on=date(2027, 1, 17), signed_up_at=signed_up_at
    )
    trial = lifecycle.start(sub, gate=False)
    assert told(sub, trial) == [
        "status: trialing",
        "trial_end_on: 2027-01-31",
        "event subscription.trial_started",
    ]
    paid = lifecycle.end_trial(trial.after, datetime(2027, 1, 30, 23, 0, tzinfo=UTC))
    assert told(trial.after, paid) == [
        "status: active",
        "anchor: 2027-01-31",
        "period: 2027-01-31 to 2027-02-28",
        "event subscription.started",
        "issue signup Team 2027-01-31 to 2027-02-28 first_payment",
    ]


# The end of a trial (rules 3, U2)

FIRST_PERIOD = [
    "status: active",
    "anchor: 2041-06-15",
    "period: 2041-06-15 to 2041-07-15",
    "event subscription.started",
    "issue signup Team 2041-06-15 to 2041-07-15 first_payment",
]
PAUSED = ["status: paused", "event subscription.paused", "mail paused 2041-06-15"]


def ended(reason: str, on: str) -> list[str]:
    at = {"2041-06-15": "2041-06-14 22:00", "2041-07-01": "2041-06-30 22:00"}[on]
    return [
        "status: canceled",
        f"ended_at: {at}",
        f"end_reason: {reason}",
        "event subscription.canceled",
        f"mail subscription_canceled {on}",
    ]


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        (WithoutMethod.CANCEL, ended("no payment method at the end of the trial", "2041-06-15")),
        (WithoutMethod.PAUSE, PAUSED),
        (WithoutMethod.INVOICE, FIRST_PERIOD),
    ],
)
def test_a_trial_ends_without_a_payment_method(without: WithoutMethod, expected: list[str]) -> None:
    terms = TEAM.model_copy(update={"without_method_at_trial_end": without})
    sub = in_trial(terms=terms, has_method=False)
    assert told(sub, lifecycle.end_trial(sub, MIDNIGHT_15_JUNE)) == expected


def test_a_transfer_needs_no_method_at_the_end_of_a_trial() -> None:
    terms = TEAM.model_copy(update={"collection_method": CollectionMethod.TRANSFER})
    sub = in_trial(terms=terms, has_method=False)
    assert told(sub, lifecycle.end_trial(sub, MIDNIGHT_15_JUNE)) == FIRST_PERIOD


def test_what_was_never_begun_does_not_end() -> None:
    sub = a_subscription(period=None)
    with pytest.raises(InvalidInput, match="no trial that could end") as no_trial:
        lifecycle.end_trial(sub, NOW)
    with pytest.raises(InvalidInput, match="no period that could end") as no_period:
        lifecycle.cross_boundary(sub, NOW, catch_up_limit=2)
    assert (no_trial.value.field, no_period.value.field) == ("trial_end_on", "period")


def test_u2_what_was_asked_for_in_a_trial_happens_at_its_end() -> None:
    to_cancel, to_pause = in_trial(cancel_at_end=True), in_trial(pause_at_end=True)
    cancel, pause = (
        lifecycle.end_trial(to_cancel, MIDNIGHT_15_JUNE),
        lifecycle.end_trial(to_pause, MIDNIGHT_15_JUNE),
    )
    assert told(to_cancel, cancel) == [
        "status: canceled",
        "cancel_at_end: False",
        "ended_at: 2041-06-14 22:00",
        "end_reason: canceled at the end of the trial",
        "event subscription.canceled",
        "mail subscription_canceled 2041-06-15",
    ]
    assert told(to_pause, pause) == [
        "status: paused",
        "pause_at_end: False",
        "event subscription.paused",
        "mail paused 2041-06-15",
    ]


# The end of a period (rules 4, 20)


def cross(sub: Subscription, at: datetime = AT_THE_END, limit: int = 2) -> list[str]:
    return told(sub, lifecycle.cross_boundary(sub, at, catch_up_limit=limit))


def test_a_renewal() -> None:
    assert cross(a_subscription()) == [
        "period: 2041-07-01 to 2041-08-01",
        "issue period Team 2041-07-01 to 2041-08-01",
    ]


def test_u7_past_due_renews_too() -> None:
    assert cross(a_subscription(Status.PAST_DUE)) == [
        "period: 2041-07-01 to 2041-08-01",
        "issue period Team 2041-07-01 to 2041-08-01",
    ]


def test_a_cancel_comes_first() -> None:
    sub = a_subscription(Status.PAST_DUE, cancel_at_end=True, pause_at_end=True, pending_terms=PRO)
    assert cross(sub) == [
        "status: canceled",
        "pending_terms: None",
        "cancel_at_end: False",
        "pause_at_end: False",
        "past_due_since: None",
        "policy_ends_at: None",
        "ended_at: 2041-06-30 22:00",
        "end_reason: canceled at the end of the period",
        "event subscription.canceled",
        "mail subscription_canceled 2041-07-01",
    ]


def test_a_pause_comes_before_a_change_which_waits_for_the_resume() -> None:
    sub = a_subscription(pause_at_end=True, pending_terms=PRO)
    assert cross(sub) == [
        "status: paused",
        "pause_at_end: False",
        "event subscription.paused",
        "mail paused 2041-07-01",
    ]


def test_a_change_keeps_the_anchor_while_the_rhythm_stays() -> None:
    assert cross(a_subscription(pending_terms=PRO)) == [
        "terms: Pro x1",
        "period: 2041-07-01 to 2041-08-01",
        "pending_terms: None",
        "mail plan_changed 2041-07-01",
        "event subscription.plan_changed",
        "issue period Pro 2041-07-01 to 2041-08-01",
    ]


def test_a_change_of_rhythm_starts_an_anchor_of_its_own() -> None:
    """Anchored on the 31st, the period ends on 30 June: the year starts there, and on each 30 June."""
    period = month("2041-05-31", "2041-06-30", 4)
    sub = a_subscription(anchor=date(2041, 1, 31), period=period, pending_terms=YEAR)
    assert cross(sub, datetime(2041, 6, 29, 22, 0, tzinfo=UTC)) == [
        "terms: Year x1",
        "anchor: 2041-06-30",
        "period: 2041-06-30 to 2042-06-30",
        "pending_terms: None",
        "mail plan_changed 2041-06-30",
        "event subscription.plan_changed",
        "issue period Year 2041-06-30 to 2042-06-30",
    ]


def test_two_missed_periods_are_issued_each_a_day_later() -> None:
    assert cross(a_subscription(), datetime(2041, 8, 10, 10, 0, tzinfo=UTC)) == [
        "period: 2041-08-01 to 2041-09-01",
        "issue period Team 2041-07-01 to 2041-08-01",
        "issue period Team 2041-08-01 to 2041-09-01 1 days later",
    ]


def test_three_missed_periods_park_and_lose_nothing_on_the_way() -> None:
    sub = a_subscription(pending_terms=PRO)
    assert cross(sub, datetime(2041, 9, 10, 10, 0, tzinfo=UTC)) == [
        "terms: Pro x1",
        "period: 2041-09-01 to 2041-10-01",
        "pending_terms: None",
        "parked: 3 periods fell due at once.",
        "mail plan_changed 2041-07-01",
        "event subscription.plan_changed",
        "issue period Pro 2041-07-01 to 2041-08-01 draft",
        "issue period Pro 2041-08-01 to 2041-09-01 draft 1 days later",
        "issue period Pro 2041-09-01 to 2041-10-01 draft 2 days later",
        "event subscription.parked",
    ]


def test_a_renewal_with_a_meter_waits_for_late_usage_as_long_as_the_subscription_says() -> None:
    sub = a_subscription(terms=METERED, usage_wait_hours=48)
    assert cross(sub) == [
        "period: 2041-07-01 to 2041-08-01",
        "usage_closes_at: 2041-07-02 22:00",
        "issue period Metered 2041-07-01 to 2041-08-01 waits_for_usage",
        "meters turn on 2041-07-01 from Metered to Metered",
    ]


def test_what_a_person_is_to_decide_on_waits_for_no_usage() -> None:
    sub = a_subscription(terms=METERED)
    issued = [line for line in cross(sub, datetime(2041, 9, 10, 10, 0, tzinfo=UTC)) if "issue" in line]
    assert issued == [
        "issue period Metered 2041-07-01 to 2041-08-01 draft",
        "issue period Metered 2041-08-01 to 2041-09-01 draft 1 days later",
        "issue period Metered 2041-09-01 to 2041-10-01 draft 2 days later",
    ]


def test_a_spread_boundary_is_crossed_late_and_issues_one_period() -> None:
    sub = a_subscription(boundary_offset_seconds=7200)
    assert sub.boundary_at == AT_THE_END + 2 * HOUR
    assert cross(sub, AT_THE_END + 2 * HOUR) == [
        "period: 2041-07-01 to 2041-08-01",
        "issue period Team 2041-07-01 to 2041-08-01",
    ]


def test_notices_of_the_last_period_are_forgotten_but_those_about_the_card() -> None:
    sub = a_subscription(notified=("renewal_notice:2041-07-01", "card_expiring:2041-09-30:month"))
    after = lifecycle.cross_boundary(sub, AT_THE_END, catch_up_limit=2).after
    assert after.notified == ("card_expiring:2041-09-30:month",)
