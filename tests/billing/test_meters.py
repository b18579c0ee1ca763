"""Which meters a change leaves alone, and when what was used is billed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from support.subscriptions import METERED, NOW, PRO, YEAR, a_subscription, in_paid_time, told

from billing import lifecycle
from billing.commands import Cancel, ChangePlan, Resume, When
from billing.decide import accept
from billing.metering import meters_that_go_on
from billing.subscription import Status, Subscription
from billing.terms import Terms

IN_A_DAY = datetime(2041, 6, 11, 10, 0, tzinfo=UTC)
CALLS = METERED.metered_prices[0]
DEARER = CALLS.model_copy(update={"unit_amount": Decimal("0.02")})


def metered(**changes: object) -> Terms:
    return METERED.model_copy(update=changes)


@pytest.mark.parametrize(
    ("after", "go_on"),
    [
        (metered(quantity=3), ("calls",)),
        (metered(prices=(CALLS,)), ("calls",)),
        (metered(prices=(*PRO.prices, DEARER)), ()),
        (metered(plan_id="plan_other"), ()),
        (metered(interval=YEAR.interval), ()),
        (PRO, ()),
    ],
    ids=["seats", "another base price", "another price", "another plan", "another rhythm", "no meter"],
)
def test_a_meter_goes_on_where_its_price_and_plan_stay(after: Terms, go_on: tuple[str, ...]) -> None:
    assert meters_that_go_on(METERED, after) == go_on


def closes(sub: Subscription, command: ChangePlan | Cancel | Resume) -> datetime | None:
    return accept(sub, command, NOW).after.usage_closes_at


TO_PRO = ChangePlan(command_id="c", plan_id="plan_pro", terms=PRO, when=When.NOW)


def test_the_usage_of_a_plan_with_a_meter_is_billed_a_day_after_it_is_left_for_one_without() -> None:
    assert closes(a_subscription(terms=METERED), TO_PRO) == IN_A_DAY
    assert closes(a_subscription(), TO_PRO) is None
    to_metered = ChangePlan(command_id="c", plan_id="plan_metered", terms=METERED, when=When.NOW)
    assert closes(a_subscription(terms=PRO), to_metered) is None


def test_so_is_usage_from_before_a_suspension_where_it_comes_back_without_a_meter() -> None:
    owes_nothing = {"open_invoices": (), "in_arrears": (), "owed": 0, "terms": METERED}
    unpaid = a_subscription(Status.UNPAID, **owes_nothing, pending_terms=PRO)
    assert closes(unpaid, Resume(command_id="c")) == IN_A_DAY
    assert closes(unpaid.model_copy(update={"pending_terms": None}), Resume(command_id="c")) is None


def test_late_usage_from_before_a_pause_is_billed_after_a_cancel() -> None:
    paused = a_subscription(Status.PAUSED, terms=METERED)
    assert closes(paused, Cancel(command_id="c", when=When.NOW)) == IN_A_DAY
    ended = lifecycle.end_access(in_paid_time(terms=METERED, cancel_at_end=True), NOW).after
    assert ended.usage_closes_at == IN_A_DAY
    trial = a_subscription(Status.TRIALING, terms=METERED)
    assert closes(trial, Cancel(command_id="c", when=When.NOW)) is None


def test_more_seats_turn_no_meter() -> None:
    sub = a_subscription(terms=METERED)
    seats = METERED.model_copy(update={"quantity": 3})
    change = ChangePlan(command_id="c", plan_id="plan_metered", terms=seats, when=When.NOW)
    assert not [line for line in told(sub, accept(sub, change, NOW)) if line.startswith("meters")]
    assert "meters turn on 2041-06-10 from Metered to Pro" in told(sub, accept(sub, TO_PRO, NOW))
