"""What invoices, the end of dunning and too long a wait mean for a subscription."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from support.subscriptions import (
    JUNE,
    MIDNIGHT_1_JULY,
    NOW,
    a_subscription,
    books,
    in_paid_time,
    told,
)

from billing import lifecycle
from billing.dunning import EndForSubscription
from billing.standing import Standing, end_of_policy, gate_expired, settle
from billing.subscription import Status, Subscription

AT_THE_END = MIDNIGHT_1_JULY
END_OF_POLICY = datetime(2041, 6, 22, 7, 0, tzinfo=UTC)


# What invoices mean for the status


def settled(sub: Subscription, standing: Standing) -> list[str]:
    return told(sub, settle(sub, standing, NOW))


def test_a_first_payment_makes_it_active() -> None:
    sub = a_subscription(Status.INCOMPLETE)
    assert settled(sub, books(gated_paid=True)) == [
        "status: active",
        "covered_until: 2041-07-01",
        "gated_invoice: None",
        "event subscription.started",
    ]
    assert settled(sub, books(covered_until=None)) == []


def test_arrears_make_it_past_due_and_their_payment_active_again() -> None:
    sub = a_subscription()
    due = settle(sub, books("in_june", arrears=("in_june",), policy_ends_at=END_OF_POLICY), NOW)
    assert told(sub, due) == [
        "status: past_due",
        "past_due_since: 2041-06-10 10:00",
        "policy_ends_at: 2041-06-22 07:00",
        "open_invoices: ('in_june',)",
        "in_arrears: ('in_june',)",
        "owed: 1",
        "event subscription.past_due",
    ]
    assert settled(due.after, books()) == [
        "status: active",
        "past_due_since: None",
        "policy_ends_at: None",
        "open_invoices: ()",
        "in_arrears: ()",
        "owed: 0",
        "event subscription.recovered",
    ]


def test_an_open_invoice_alone_is_no_arrears() -> None:
    assert settled(a_subscription(), books("in_june")) == ["open_invoices: ('in_june',)", "owed: 1"]


def test_a_promise_moves_the_end_that_past_due_shows() -> None:
    later = END_OF_POLICY + timedelta(days=5)
    sub = a_subscription(Status.PAST_DUE)
    assert settled(sub, books("in_june", arrears=("in_june",), policy_ends_at=later)) == [
        "policy_ends_at: 2041-06-27 07:00"
    ]


def test_unpaid_comes_back_as_soon_as_nothing_is_owed() -> None:
    """What was paid covers May only: from today a part period to the next anchor date."""
    sub = a_subscription(Status.UNPAID)
    assert settled(sub, books(covered_until=date(2041, 6, 1))) == [
        "status: active",
        "period: 2041-06-10 to 2041-07-01",
        "unpaid_since: None",
        "open_invoices: ()",
        "in_arrears: ()",
        "owed: 0",
        "event subscription.resumed",
        "issue resume Team 2041-06-10 to 2041-07-01",
        "event subscription.recovered",
    ]


def test_unpaid_that_comes_back_inside_the_paid_period_is_not_billed_again() -> None:
    sub = a_subscription(Status.UNPAID, period=JUNE)
    assert settled(sub, books()) == [
        "status: active",
        "covered_until: 2041-07-01",
        "unpaid_since: None",
        "open_invoices: ()",
        "in_arrears: ()",
        "owed: 0",
        "event subscription.resumed",
        "event subscription.recovered",
    ]


def test_u11_a_debt_written_off_still_keeps_it_unpaid() -> None:
    sub = a_subscription(Status.UNPAID)
    standing = books(owed=1, covered_until=date(2041, 6, 1))
    assert settled(sub, standing) == ["open_invoices: ()", "in_arrears: ()"]


def test_u11_what_the_end_credited_does_not_bring_it_back_by_itself() -> None:
    sub = a_subscription(Status.PAST_DUE, open_invoices=(), in_arrears=(), owed=0)
    unpaid = end_of_policy(sub, EndForSubscription.SUSPEND, NOW).after
    assert unpaid.status is Status.UNPAID
    assert settled(unpaid, books(covered_until=date(2041, 6, 1))) == ["covered_until: 2041-06-01"]


def test_u11_a_new_method_does_bring_it_back() -> None:
    sub = a_subscription(Status.PAST_DUE, open_invoices=(), in_arrears=(), owed=0)
    unpaid = end_of_policy(sub, EndForSubscription.SUSPEND, NOW).after
    after = settle(unpaid, books(covered_until=date(2041, 6, 1), new_method=True), NOW)
    assert after.after.status is Status.ACTIVE
    owing = books("in_1", covered_until=date(2041, 6, 1), new_method=True)
    assert settle(unpaid, owing, NOW).after.status is Status.UNPAID


def test_u8_paying_lifts_the_hold_on_a_resume() -> None:
    sub = a_subscription(Status.PAUSED, suspended=True, covered_until=date(2041, 7, 1))
    assert settled(sub, books()) == ["suspended: False"]
    assert settled(sub, books("in_1", arrears=("in_1",))) == [
        "open_invoices: ('in_1',)",
        "in_arrears: ('in_1',)",
        "owed: 1",
    ]


@pytest.mark.parametrize("status", [Status.PAUSED, Status.CANCELED])
def test_u5_a_return_leaves_paused_and_canceled_as_they_are(status: Status) -> None:
    sub = a_subscription(status, covered_until=date(2041, 7, 1))
    assert settled(sub, books("in_1", arrears=("in_1",))) == [
        "open_invoices: ('in_1',)",
        "in_arrears: ('in_1',)",
        "owed: 1",
    ]


# The end of the dunning policy (rules 24, U7, U8)

SUSPEND, CANCEL, KEEP = EndForSubscription.SUSPEND, EndForSubscription.CANCEL, EndForSubscription.KEEP
SUSPENDED = [
    "status: unpaid",
    "past_due_since: None",
    "unpaid_since: 2041-06-22 07:00",
    "policy_ends_at: None",
    "event subscription.unpaid",
    "mail subscription_suspended 2041-06-22",
]
DUNNED_OUT = [
    "ended_at: 2041-06-22 07:00",
    "end_reason: the dunning policy ended",
    "event subscription.canceled",
    "mail subscription_canceled 2041-06-22",
]


@pytest.mark.parametrize(
    ("sub", "end", "expected"),
    [
        (a_subscription(Status.PAST_DUE), SUSPEND, SUSPENDED),
        (
            a_subscription(Status.PAST_DUE),
            CANCEL,
            ["status: canceled", "past_due_since: None", "policy_ends_at: None", *DUNNED_OUT],
        ),
        (
            a_subscription(Status.PAST_DUE, usage_closes_at=AT_THE_END),
            CANCEL,
            [
                "status: canceled",
                "past_due_since: None",
                "policy_ends_at: None",
                *DUNNED_OUT,
                "drop what waits for usage",
            ],
        ),
        (a_subscription(Status.PAST_DUE), KEEP, []),
        (a_subscription(Status.PAST_DUE, cancel_at_end=True), SUSPEND, []),
        (a_subscription(Status.PAST_DUE, cancel_at_end=True), CANCEL, []),
        (a_subscription(Status.CANCELED), CANCEL, []),
        (a_subscription(Status.UNPAID), CANCEL, []),
        (in_paid_time(), SUSPEND, ["suspended: True"]),
        (in_paid_time(), KEEP, []),
        (in_paid_time(), CANCEL, ["status: canceled", "access_ends_at: None", *DUNNED_OUT]),
    ],
)
def test_the_end_of_the_policy(sub: Subscription, end: EndForSubscription, expected: list[str]) -> None:
    assert told(sub, end_of_policy(sub, end, END_OF_POLICY)) == expected


def test_the_end_of_the_policy_comes_before_a_pause_that_waits() -> None:
    after = end_of_policy(a_subscription(Status.PAST_DUE, pause_at_end=True), SUSPEND, NOW).after
    assert (after.status, after.pause_at_end) == (Status.UNPAID, False)


def test_u3_a_first_payment_that_never_came() -> None:
    sub = a_subscription(Status.INCOMPLETE)
    assert told(sub, gate_expired(sub, NOW)) == [
        "status: incomplete_expired",
        "ended_at: 2041-06-10 10:00",
        "end_reason: the first payment never came",
        "gated_invoice: None",
        "drop the gated draft",
        "event subscription.incomplete_expired",
    ]
    assert told(a_subscription(), gate_expired(a_subscription(), NOW)) == []


# Paused, unpaid and parked, by themselves


def test_u12_the_paid_time_of_a_pause_is_used_up() -> None:
    sub, leaving = in_paid_time(), in_paid_time(cancel_at_end=True)
    assert told(sub, lifecycle.end_access(sub, AT_THE_END)) == [
        "access_ends_at: None",
    ]
    assert told(leaving, lifecycle.end_access(leaving, AT_THE_END)) == [
        "status: canceled",
        "cancel_at_end: False",
        "access_ends_at: None",
        "ended_at: 2041-06-30 22:00",
        "end_reason: canceled while paused",
        "event subscription.canceled",
        "mail subscription_canceled 2041-07-01",
    ]


def test_u10_unpaid_for_too_long() -> None:
    sub = a_subscription(Status.UNPAID)
    assert told(sub, lifecycle.give_up(sub, NOW)) == [
        "status: canceled",
        "unpaid_since: None",
        "ended_at: 2041-06-10 10:00",
        "end_reason: unpaid for too long",
        "event subscription.canceled",
        "mail subscription_canceled 2041-06-10",
        "settle the debt",
    ]
    waiting = a_subscription(Status.UNPAID, usage_closes_at=AT_THE_END)
    assert told(waiting, lifecycle.give_up(waiting, NOW))[-2:] == [
        "drop what waits for usage",
        "settle the debt",
    ]


def test_parked_once_for_the_first_reason() -> None:
    sub = a_subscription()
    parked = lifecycle.park(sub, NOW, reason="The books are closed.", remedy="Open them.")
    assert told(sub, parked) == ["parked: The books are closed.", "event subscription.parked"]
    assert told(parked.after, lifecycle.park(parked.after, NOW, reason="Other.", remedy="None.")) == []
    over = a_subscription(Status.CANCELED)
    assert told(over, lifecycle.park(over, NOW, reason="Other.", remedy="None.")) == []
