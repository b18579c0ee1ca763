"""From which day leaving within a commitment costs something, and whom it costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from support.subscriptions import MIDNIGHT_1_JULY, NOW, a_subscription, in_paid_time, told

from billing import lifecycle
from billing.commands import Cancel, CreditTo, When
from billing.decide import accept
from billing.effects import Transition
from billing.subscription import CustomerKind, Status, Subscription

COMMITTED: dict[str, Any] = {"committed_until": date(2042, 1, 1), "customer_kind": CustomerKind.BUSINESS}


def fees(sub: Subscription, credit_to: CreditTo = CreditTo.BALANCE, at: datetime = NOW) -> list[str]:
    cancel = Cancel(command_id="c", when=When.NOW, credit_to=credit_to)
    return [line for line in told(sub, accept(sub, cancel, at)) if "early exit" in line]


@pytest.mark.parametrize(
    ("sub", "credit_to", "from_day"),
    [
        (a_subscription(**COMMITTED), CreditTo.BALANCE, "2041-06-11"),
        (a_subscription(**COMMITTED), CreditTo.REFUND, "2041-06-11"),
        (a_subscription(**COMMITTED), CreditTo.NONE, "2041-07-01"),
        # What was paid in another system is not given back here.
        (a_subscription(**COMMITTED, paid_elsewhere_until=date(2041, 7, 1)), CreditTo.BALANCE, "2041-07-01"),
        # Nothing covers this day any more: it is used, and paid by nothing.
        (a_subscription(**COMMITTED | {"covered_until": date(2041, 6, 5)}), CreditTo.NONE, "2041-06-11"),
        (a_subscription(Status.UNPAID, **COMMITTED), CreditTo.BALANCE, "2041-06-11"),
        # Paused since 1 June: these days are billed periods that are still owed.
        (a_subscription(Status.PAUSED, **COMMITTED), CreditTo.BALANCE, "2041-06-01"),
        (a_subscription(Status.PAUSED, **COMMITTED | {"covered_until": None}), CreditTo.NONE, "2041-06-11"),
    ],
    ids=["balance", "refund", "kept", "paid elsewhere", "not covered", "unpaid", "paused", "paused unpaid"],
)
def test_it_costs_the_days_that_are_neither_used_nor_paid(
    sub: Subscription, credit_to: CreditTo, from_day: str
) -> None:
    assert fees(sub, credit_to) == [f"bill early exit from {from_day} to 2042-01-01 at 100 %"]


def test_a_cancel_that_waits_for_the_end_of_a_pauses_paid_time_costs_the_rest() -> None:
    sub = in_paid_time(**COMMITTED, cancel_at_end=True)
    ended = told(sub, lifecycle.end_access(sub, MIDNIGHT_1_JULY))
    assert ended[-1] == "bill early exit from 2041-07-01 to 2042-01-01 at 100 %"


def test_nothing_is_owed_by_who_never_had_a_paid_period() -> None:
    trial = a_subscription(Status.TRIALING, customer_kind=CustomerKind.BUSINESS)
    assert fees(trial) == []


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.PAST_DUE])
def test_whoever_was_not_told_in_time_leaves_freely_at_any_time(status: Status) -> None:
    sub = a_subscription(status, **COMMITTED, free_exit=True)
    assert fees(sub) == []
    at_end = sub.model_copy(update={"cancel_at_end": True})
    crossed = lifecycle.cross_boundary(at_end, MIDNIGHT_1_JULY, catch_up_limit=2)
    assert not [line for line in told(at_end, crossed) if "early exit" in line]


@pytest.mark.parametrize("end", [lifecycle.end_access, lifecycle.resume])
def test_a_pause_that_reaches_the_date_of_its_cancel_costs_what_it_said(
    end: Callable[[Subscription, datetime], Transition],
) -> None:
    paused = a_subscription(Status.PAUSED, **COMMITTED, cancel_on=date(2041, 6, 10))
    assert told(paused, end(paused, NOW))[-1] == "bill early exit from 2041-06-01 to 2042-01-01 at 100 %"
