"""Until when a backend may let the customer in (rules 19)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.subscriptions import (
    NOW,
    TEAM,
    a_subscription,
    in_paid_time,
)

from billing.subscription import Parked, Status, Subscription
from billing.terms import WithoutMethod

PARKED = Parked(reason="The books are closed.", since=NOW, remedy="Open them.")


def in_trial(**changes: object) -> Subscription:
    return a_subscription(Status.TRIALING, **changes)


GRACE = timedelta(hours=24)
WINDOW = timedelta(hours=4)
DAY_OF_GRACE = "2041-07-02 02:00"
"""The end of June in UTC, 22:00 on the 30th, and 28 hours."""


def access(sub: Subscription, at: datetime = NOW) -> str:
    until = sub.access_until(at, window=WINDOW, grace=GRACE)
    return f"{until:%Y-%m-%d %H:%M}" if until else "none"


@pytest.mark.parametrize(
    ("sub", "until"),
    [
        (a_subscription(Status.SCHEDULED), "none"),
        (in_trial(), "2041-06-16 02:00"),
        (in_trial(has_method=False), "2041-06-14 22:00"),
        (
            in_trial(
                has_method=False,
                terms=TEAM.model_copy(update={"without_method_at_trial_end": WithoutMethod.INVOICE}),
            ),
            "2041-06-16 02:00",
        ),
        (in_trial(cancel_at_end=True), "2041-06-14 22:00"),
        (a_subscription(Status.INCOMPLETE), "none"),
        (a_subscription(), DAY_OF_GRACE),
        (a_subscription(boundary_offset_seconds=7200), DAY_OF_GRACE),
        (a_subscription(cancel_at_end=True), "2041-06-30 22:00"),
        (a_subscription(pause_at_end=True), "2041-06-30 22:00"),
        (a_subscription(Status.PAST_DUE), "2041-06-22 07:00"),
        (a_subscription(Status.PAST_DUE, policy_ends_at=None), DAY_OF_GRACE),
        (a_subscription(Status.PAST_DUE, cancel_at_end=True), "2041-06-30 22:00"),
        (a_subscription(Status.PAST_DUE, pause_at_end=True), "2041-06-22 07:00"),
        (a_subscription(Status.UNPAID), "none"),
        (a_subscription(Status.PAUSED), "none"),
        (in_paid_time(), "2041-06-30 22:00"),
        (in_paid_time(access_ends_at=NOW), "none"),
        (a_subscription(Status.CANCELED), "none"),
        (a_subscription(Status.INCOMPLETE_EXPIRED), "none"),
    ],
)
def test_access_until(sub: Subscription, until: str) -> None:
    assert access(sub) == until


def test_u14_access_moves_on_by_weeks_while_parked() -> None:
    sub = a_subscription(parked=PARKED)
    assert access(sub) == DAY_OF_GRACE
    assert access(sub, datetime(2041, 7, 20, 10, 0, tzinfo=UTC)) == "2041-07-23 02:00"
    before_it_passes = datetime(2041, 7, 1, 2, 0, tzinfo=UTC)
    assert access(sub, before_it_passes - timedelta(minutes=1)) == DAY_OF_GRACE
    assert access(sub, before_it_passes) == "2041-07-09 02:00"


def test_u14_the_paid_time_of_a_pause_ends_also_while_parked() -> None:
    sub = in_paid_time(parked=PARKED.model_copy(update={"access_until": NOW}))
    assert access(sub) == access(sub, datetime(2041, 6, 30, 21, 0, tzinfo=UTC)) == "2041-06-30 22:00"
    assert sub.access_moves_on_at is None
