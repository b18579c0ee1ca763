"""Other prices for those who have a plan: whom they concern, from when, and what else a subscription becomes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from support.subscriptions import TEAM, a_subscription, month, told

from billing import lifecycle
from billing.agreed import Agreed
from billing.calendar import Interval
from billing.commands import ChangePlan, ChangeQuantity, ChangeTerms, MigratePlan, UndoChange, When
from billing.decide import accept
from billing.errors import InvalidInput
from billing.features import Feature, FeatureKind
from billing.plan_migration import check_plans, first_renewal, left_out
from billing.prices import Charging, Price, PricingModel
from billing.refusal import Refused
from billing.subscription import Status, Subscription
from billing.terms import Terms

SEAT_AT_15 = Price(id="base", model=PricingModel.PER_UNIT, unit_amount=Decimal("15.00"))
SETUP = Price(id="setup", unit_amount=Decimal("200.00"), charging=Charging.ONCE)
TEAM_2042 = TEAM.model_copy(
    update={"plan_id": "plan_team_2042", "plan_name": "Team 2042", "prices": (SEAT_AT_15, SETUP)}
)
MAX = TEAM.model_copy(update={"plan_id": "plan_max", "plan_name": "Max"})
MIGRATE = MigratePlan(
    command_id="m",
    from_plan_id=TEAM.plan_id,
    plan_id="plan_team_2042",
    notice_days=30,
    old=TEAM,
    new=TEAM_2042,
)
ON_10_JUNE = datetime(2041, 6, 10, 10, 0, tzinfo=UTC)


def announced(status: Status = Status.ACTIVE, **changes: object) -> Subscription:
    """Told on 10 June: 30 days later is 10 July, so that the renewal of 1 August is the first."""
    return accept(a_subscription(status, **changes), MIGRATE, ON_10_JUNE).after


def crosses(sub: Subscription, at: datetime) -> Subscription:
    return lifecycle.cross_boundary(sub, at, catch_up_limit=5).after


def test_it_is_told_at_once_and_remembered() -> None:
    sub = a_subscription()
    assert told(sub, accept(sub, MIGRATE, ON_10_JUNE))[1:] == [
        "event subscription.price_change_announced",
        "mail price_change 2041-08-01:m",
    ]
    kept = announced().announced
    assert kept is not None
    assert (kept.from_on, kept.plan_name, kept.prices) == (date(2041, 8, 1), "Team 2042", (SEAT_AT_15,))


def test_it_applies_at_the_first_renewal_after_the_notice_with_the_seats_of_that_day() -> None:
    in_july = crosses(announced(), datetime(2041, 6, 30, 22, 0, tzinfo=UTC))
    assert in_july.terms == TEAM
    more = ChangeQuantity(command_id="q", quantity=7, when=When.NOW)
    with_seats = accept(in_july, more, datetime(2041, 7, 5, 10, 0, tzinfo=UTC)).after
    in_august = crosses(with_seats, datetime(2041, 7, 31, 22, 0, tzinfo=UTC))
    assert (in_august.terms.plan_name, in_august.terms.quantity, in_august.terms.prices) == (
        "Team 2042",
        7,
        (SEAT_AT_15,),
    )
    assert in_august.announced is None


def test_a_long_downtime_bills_each_period_at_its_own_price() -> None:
    transition = lifecycle.cross_boundary(
        announced(), datetime(2041, 8, 2, 9, 0, tzinfo=UTC), catch_up_limit=5
    )
    lines = [line for line in told(announced(), transition) if line.startswith(("issue", "event"))]
    assert lines == [
        "issue period Team 2041-07-01 to 2041-08-01",
        "issue period Team 2042 2041-08-01 to 2041-09-01 1 days later",
        "event subscription.plan_changed",
    ]


def test_never_within_a_commitment() -> None:
    committed = a_subscription(committed_until=date(2041, 12, 1))
    assert first_renewal(committed, date(2041, 7, 10)) == date(2041, 12, 1)
    # Agreed after the announcement: the date in the mail has passed, and the price still waits.
    later = announced().model_copy(update={"committed_until": date(2041, 10, 1)})
    until = [datetime(2041, m, d, 22, 0, tzinfo=UTC) for m, d in ((6, 30), (7, 31), (8, 31), (9, 30))]
    names = []
    for at in until:
        later = crosses(later, at)
        names.append(later.terms.plan_name)
    assert names == ["Team", "Team", "Team", "Team 2042"]


def test_a_trial_begins_at_the_price_that_it_was_sold_at() -> None:
    """The first renewal is the second period, however short the notice."""
    trial = a_subscription(Status.TRIALING)
    assert first_renewal(trial, date(2041, 6, 12)) == date(2041, 7, 15)
    assert first_renewal(trial, date(2041, 7, 20)) == date(2041, 8, 15)


@pytest.mark.parametrize(
    ("sub", "why"),
    [
        (a_subscription(terms=MAX), "it has the plan Max"),
        (a_subscription(Status.CANCELED), "it has ended"),
        (a_subscription(Status.INCOMPLETE), "its first payment is open"),
        (a_subscription(cancel_at_end=True), "it ends on 2041-07-01"),
        (announced(), "another price is announced already, from 2041-08-01"),
        (a_subscription(pending_terms=MAX), "it changes to Max by itself"),
        (
            a_subscription(terms=TEAM.model_copy(update={"prices": (SEAT_AT_15,)})),
            "its price was agreed with this customer",
        ),
        (a_subscription(Status.PAST_DUE), None),
        (a_subscription(Status.PAUSED), None),
        (a_subscription(pending_terms=TEAM.model_copy(update={"quantity": 9})), None),
    ],
)
def test_who_keeps_the_price(sub: Subscription, why: str | None) -> None:
    assert left_out(sub, TEAM, TEAM_2042) == why


def test_asked_for_anyway_it_is_refused_with_the_reason() -> None:
    with pytest.raises(Refused, match="The price stays: it ends on 2041-07-01"):
        accept(a_subscription(cancel_at_end=True), MIGRATE, ON_10_JUNE)


def test_another_plan_or_another_price_makes_it_pointless() -> None:
    to_max = ChangePlan(command_id="c", plan_id="plan_max", terms=MAX)
    for command in (
        to_max,
        to_max.model_copy(update={"when": When.NOW}),
        ChangeTerms(command_id="c", agreed=Agreed(amount=Decimal("9.00"))),
    ):
        asked = accept(announced(), command, ON_10_JUNE).after
        assert crosses(asked, datetime(2041, 6, 30, 22, 0, tzinfo=UTC)).announced is None
    # Until then it can be taken back, and the price comes as announced.
    undone = accept(accept(announced(), to_max, ON_10_JUNE).after, UndoChange(command_id="u"), ON_10_JUNE)
    assert undone.after == announced()
    assert accept(announced(), UndoChange(command_id="u"), ON_10_JUNE).after == a_subscription()


def test_features_that_were_agreed_stay() -> None:
    seats = Feature(key="seats", kind=FeatureKind.LIMIT, limit=5)
    more_seats = seats.model_copy(update={"limit": 50})
    sso = Feature(key="sso", kind=FeatureKind.SWITCH)
    old = TEAM.model_copy(update={"features": (seats,)})
    new = TEAM_2042.model_copy(update={"features": (seats, sso)})
    own = a_subscription(terms=TEAM.model_copy(update={"features": (more_seats,)}))
    told_of = accept(own, MIGRATE.model_copy(update={"old": old, "new": new}), ON_10_JUNE).after.announced
    assert told_of is not None
    assert told_of.features == (more_seats, sso)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"plan_id": TEAM.plan_id}, "Both plans are the same"),
        ({"currency": "USD"}, "currency"),
        ({"interval": Interval.parse("1year")}, "rhythm"),
        ({"tax_included": True}, "with or without tax"),
    ],
)
def test_plans_that_differ_in_more_than_their_prices(changes: dict[str, Any], what: str) -> None:
    other = Terms.model_validate({**dict(TEAM_2042), **changes})
    with pytest.raises(InvalidInput, match=what) as refused:
        check_plans(TEAM, other)
    assert refused.value.field == "to"


def test_a_resume_after_the_date_bills_the_new_price() -> None:
    paused = announced(Status.PAUSED, period=month("2041-05-01", "2041-06-01"))
    resumed = lifecycle.resume(paused, datetime(2041, 9, 10, 9, 0, tzinfo=UTC)).after
    assert resumed.terms.plan_name == "Team 2042"
