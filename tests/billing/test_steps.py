"""What a subscription does next by itself, and the notices that the law and the card ask for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from support.subscriptions import (
    MIDNIGHT_1_JULY,
    NOW,
    PRO,
    TEAM,
    YEAR,
    a_subscription,
    in_paid_time,
    month,
    told,
)

from billing import lifecycle
from billing.steps import StepKind, next_step, notice_window
from billing.subscription import CustomerKind, Parked, Status, Subscription

AT_THE_END = MIDNIGHT_1_JULY
JULY = datetime(2041, 7, 2, 2, 0, tzinfo=UTC)
PARKED = Parked(reason="The books are closed.", since=NOW, remedy="Open them.")


def in_trial(**changes: object) -> Subscription:
    return a_subscription(Status.TRIALING, **changes)


# What comes next


def planned(sub: Subscription, now: datetime = NOW) -> str:
    step = next_step(sub, now)
    due = f" at {step.due:%Y-%m-%d %H:%M}" if step.due else ""
    return f"{step.kind.value}{due}: {step.why}"


@pytest.mark.parametrize(
    ("sub", "expected"),
    [
        (
            a_subscription(Status.SCHEDULED),
            "start at 2041-06-30 22:00: the subscription starts on 2041-07-01",
        ),
        (in_trial(), "notify at 2041-06-12 07:00: notice before the trial's end"),
        (
            in_trial(notified=("trial_ending:2041-06-15",)),
            "end_trial at 2041-06-14 22:00: the trial ends on 2041-06-15",
        ),
        (
            in_trial(starts_on=date(2041, 6, 12)),
            "end_trial at 2041-06-14 22:00: the trial ends on 2041-06-15",
        ),
        (a_subscription(Status.INCOMPLETE), "wait: waits for the first payment"),
        (a_subscription(), "boundary at 2041-06-30 22:00: renewal on 2041-07-01"),
        (
            a_subscription(pending_terms=PRO),
            "boundary at 2041-06-30 22:00: plan change and renewal on 2041-07-01",
        ),
        (
            a_subscription(cancel_at_end=True),
            "boundary at 2041-06-30 22:00: canceled at the period's end on 2041-07-01",
        ),
        (
            a_subscription(Status.PAST_DUE, pause_at_end=True),
            "boundary at 2041-06-30 22:00: paused at the period's end on 2041-07-01",
        ),
        (a_subscription(Status.UNPAID), "give_up at 2041-08-20 07:00: unpaid for 90 days"),
        (a_subscription(Status.UNPAID, unpaid_cancel_days=0), "wait: waits for what is owed to be paid"),
        (in_paid_time(), "end_access at 2041-06-30 22:00: the paid time is used up"),
        (a_subscription(Status.PAUSED), "wait: paused until it is resumed"),
        (a_subscription(Status.CANCELED), "wait: the subscription has ended"),
        (a_subscription(Status.INCOMPLETE_EXPIRED), "wait: the first payment never came"),
        (a_subscription(parked=PARKED), "wait: parked: The books are closed. Open them."),
        (
            a_subscription(parked=PARKED.model_copy(update={"access_until": JULY})),
            "move_access_on at 2041-07-01 02:00: parked: The books are closed. Open them.",
        ),
    ],
)
def test_what_comes_next(sub: Subscription, expected: str) -> None:
    assert planned(sub) == expected


def test_a_notice_is_written_once() -> None:
    sub = in_trial()
    step = next_step(sub, NOW)
    after = lifecycle.mark_notified(sub, step)
    assert told(sub, after) == [
        "notified: ('trial_ending:2041-06-15',)",
        "event subscription.trial_ending",
        "mail trial_ending 2041-06-15",
    ]
    assert not StepKind.NOTIFY.closes_run
    assert next_step(after.after, NOW).kind is StepKind.END_TRIAL
    assert StepKind.END_TRIAL.closes_run


# The renewal notice (rules 30)


def test_r6_the_window_of_the_renewal_notice() -> None:
    window = notice_window(date(2027, 4, 30))
    assert (window.earliest, window.latest) == (date(2027, 1, 30), date(2027, 3, 30))
    assert window.planned == date(2027, 3, 16)
    assert window.opt_out_until == date(2027, 4, 30)


def yearly(**changes: object) -> Subscription:
    """A year that renews on 1 May 2027."""
    given: dict[str, Any] = {
        "terms": YEAR,
        "anchor": date(2026, 5, 1),
        "period": month("2026-05-01", "2027-05-01"),
    }
    return a_subscription(**given | changes)


IN_JANUARY = datetime(2027, 1, 10, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("kind", [CustomerKind.CONSUMER, CustomerKind.NON_PROFESSIONAL])
def test_r6_the_renewal_notice_of_a_year(kind: CustomerKind) -> None:
    assert planned(yearly(customer_kind=kind), IN_JANUARY) == (
        "notify at 2027-03-16 08:00: renewal notice, opt-out until 2027-04-30"
    )


@pytest.mark.parametrize(
    "sub",
    [
        yearly(customer_kind=CustomerKind.BUSINESS),
        yearly(customer_kind=CustomerKind.PUBLIC_BODY),
        yearly(notified=("renewal_notice:2027-05-01",)),
        yearly(terms=TEAM),
    ],
)
def test_r6_no_renewal_notice(sub: Subscription) -> None:
    assert planned(sub, IN_JANUARY) == "boundary at 2027-04-30 22:00: renewal on 2027-05-01"


def test_r6_a_month_before_the_renewal_is_too_late() -> None:
    """On 30 March it is still sent at once; on 31 March it is too late, and leaving is free from then on."""
    sub = yearly()
    assert planned(sub, datetime(2027, 3, 30, 10, 0, tzinfo=UTC)).startswith("notify at 2027-03-16 08:00")
    assert planned(sub, datetime(2027, 3, 31, 10, 0, tzinfo=UTC)).startswith("boundary")
    at = datetime(2027, 4, 30, 22, 0, tzinfo=UTC)
    assert lifecycle.cross_boundary(sub, at, catch_up_limit=2).after.free_exit
    told_in_time = yearly(notified=("renewal_notice:2027-05-01",))
    assert not lifecycle.cross_boundary(told_in_time, at, catch_up_limit=2).after.free_exit


def test_r6_the_end_of_a_commitment_is_announced_too() -> None:
    """Monthly, agreed for a year until 30 April 2027: told in March, and remembered until then."""
    sub = a_subscription(
        anchor=date(2026, 5, 1),
        committed_until=date(2027, 5, 1),
        period=month("2027-03-01", "2027-04-01", 10),
    )
    assert planned(sub, datetime(2027, 3, 10, 9, 0, tzinfo=UTC)) == (
        "notify at 2027-03-16 08:00: renewal notice, opt-out until 2027-04-30"
    )
    on_1_april = datetime(2027, 3, 31, 22, 0, tzinfo=UTC)
    told = sub.model_copy(update={"notified": ("renewal_notice:2027-05-01",)})
    in_april = lifecycle.cross_boundary(told, on_1_april, catch_up_limit=2).after
    assert in_april.notified == ("renewal_notice:2027-05-01",)
    on_1_may = datetime(2027, 4, 30, 22, 0, tzinfo=UTC)
    assert not lifecycle.cross_boundary(in_april, on_1_may, catch_up_limit=2).after.free_exit
    forgotten = in_april.model_copy(update={"notified": ()})
    in_may = lifecycle.cross_boundary(forgotten, on_1_may, catch_up_limit=2).after
    assert in_may.free_exit
    # It stays so: nothing else is renewed that could be announced in time.
    on_1_june = datetime(2027, 5, 31, 22, 0, tzinfo=UTC)
    assert lifecycle.cross_boundary(in_may, on_1_june, catch_up_limit=2).after.free_exit


def test_r6_whoever_leaves_needs_no_notice() -> None:
    assert planned(yearly(cancel_at_end=True), IN_JANUARY).startswith("boundary")


# The card


def test_the_card_is_announced_twice() -> None:
    """On the first of its last month, and 30 days before a charge that it does not live to see."""
    sub = a_subscription(method_expires_on=date(2041, 6, 30))
    first = next_step(sub, NOW)
    assert (first.key, f"{first.due:%Y-%m-%d %H:%M}") == (
        "card_expiring:2041-06-30:month",
        "2041-06-01 07:00",
    )
    sub = lifecycle.mark_notified(sub, first).after
    second = next_step(sub, NOW)
    assert (second.key, f"{second.due:%Y-%m-%d %H:%M}") == (
        "card_expiring:2041-06-30:charge",
        "2041-06-01 07:00",
    )
    sub = lifecycle.mark_notified(sub, second).after
    assert next_step(sub, NOW).kind is StepKind.BOUNDARY


def test_a_card_that_lives_on_is_announced_by_its_last_month_only() -> None:
    sub = a_subscription(method_expires_on=date(2041, 7, 31))
    assert planned(sub) == "boundary at 2041-06-30 22:00: renewal on 2041-07-01"
    july = lifecycle.cross_boundary(sub, AT_THE_END, catch_up_limit=2).after
    assert planned(july, AT_THE_END).startswith("notify at 2041-07-01 07:00")
