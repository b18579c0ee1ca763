"""A coupon for a subscription that runs: it begins with the next billed period, whatever happens until then."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.subscriptions import (
    DOLLAR,
    MIDNIGHT_1_JULY,
    NOW,
    PRO,
    TEAM,
    YEAR,
    a_subscription,
    in_paid_time,
    told,
)

from billing import lifecycle
from billing.commands import AddCoupon, ChangePlan, ChangeTerms, UndoChange, When
from billing.decide import accept, check
from billing.discounts import Discount, in_this_period
from billing.effects import BillChange, Issue
from billing.errors import InvalidInput
from billing.refusal import Refused
from billing.subscription import Status, Subscription

LAUNCH = Discount(coupon_id="LAUNCH", name="Launch", percent=Decimal(20), periods=2)
GIVE = AddCoupon(command_id="c", code="LAUNCH", discount=LAUNCH)
SPRING = Discount(coupon_id="spring", percent=Decimal(10), used=1)


def given(to: Subscription) -> Subscription:
    return accept(to, GIVE, NOW).after


@pytest.mark.parametrize(
    "sub",
    [
        a_subscription(Status.SCHEDULED),
        a_subscription(Status.TRIALING),
        a_subscription(Status.ACTIVE),
        a_subscription(Status.PAST_DUE),
        a_subscription(Status.UNPAID),
        in_paid_time(),
    ],
    ids=lambda sub: sub.status.value,
)
def test_it_is_added_and_nothing_is_billed(sub: Subscription) -> None:
    transition = accept(sub, GIVE, NOW)
    assert told(sub, transition) == [
        f"discounts: {(LAUNCH,)}",
        "event subscription.coupon_added",
    ]
    assert in_this_period(transition.after.discounts) == ()


def test_the_next_period_is_the_first_of_those_that_it_lasts() -> None:
    july = lifecycle.cross_boundary(given(a_subscription()), MIDNIGHT_1_JULY, catch_up_limit=2)
    (issue,) = [effect for effect in july.effects if isinstance(effect, Issue)]
    assert [(discount.coupon_id, discount.used) for discount in issue.discounts] == [("LAUNCH", 1)]
    assert july.after.discounts == issue.discounts


def test_a_change_now_leaves_it_for_the_next_period() -> None:
    change = ChangePlan(command_id="up", plan_id="plan_pro", terms=PRO, when=When.NOW)
    transition = accept(given(a_subscription(discounts=(SPRING,))), change, NOW)
    assert transition.after.discounts == (SPRING, LAUNCH)
    (bill,) = [effect for effect in transition.effects if isinstance(effect, BillChange)]
    assert in_this_period(bill.change.discounts) == (SPRING,)


def test_a_change_of_rhythm_now_bills_a_period_and_begins_it() -> None:
    change = ChangePlan(command_id="up", plan_id="plan_year", terms=YEAR, when=When.NOW)
    transition = accept(given(a_subscription()), change, NOW)
    assert [(discount.coupon_id, discount.used) for discount in transition.after.discounts] == [("LAUNCH", 1)]


def test_one_that_is_used_up_is_not_taken_off_the_first_period_of_another_rhythm() -> None:
    once, twice = (
        LAUNCH.model_copy(update={"coupon_id": name, "periods": periods, "used": 1})
        for name, periods in (("once", 1), ("twice", 2))
    )
    change = ChangePlan(command_id="up", plan_id="plan_year", terms=YEAR, when=When.NOW)
    after = accept(a_subscription(discounts=(once, twice)), change, NOW).after
    assert [(discount.coupon_id, discount.used) for discount in after.discounts] == [("twice", 2)]


def test_a_discount_of_the_change_itself_begins_with_it() -> None:
    change = ChangeTerms(
        command_id="deal", add_discount=Discount(coupon_id="deal", percent=Decimal(5)), when=When.NOW
    )
    transition = accept(given(a_subscription()), change, NOW)
    assert [(discount.coupon_id, discount.used) for discount in transition.after.discounts] == [
        ("LAUNCH", 0),
        ("deal", 1),
    ]


def test_it_stays_where_a_change_for_the_end_is_taken_back() -> None:
    """A discount that is to end with June is asked for first, then the coupon, then the former is taken back."""
    ends = accept(
        a_subscription(discounts=(SPRING,)), ChangeTerms(command_id="a", remove_discount="spring"), NOW
    ).after
    both = accept(ends, GIVE, NOW).after
    assert (both.discounts, both.pending_discounts) == ((SPRING, LAUNCH), (LAUNCH,))
    undone = accept(both, UndoChange(command_id="b"), NOW).after
    assert (undone.discounts, undone.pending_discounts) == ((SPRING, LAUNCH), None)


def test_it_is_removed_through_the_terms() -> None:
    after = accept(given(a_subscription()), ChangeTerms(command_id="b", remove_discount="LAUNCH"), NOW).after
    assert after.pending_discounts == ()


FIVE = tuple(Discount(coupon_id=f"c{number}", percent=Decimal(1), used=1) for number in range(5))


@pytest.mark.parametrize(
    ("sub", "words"),
    [
        (a_subscription(Status.CANCELED), "Subscription sub_1 ended on 2041-06-01"),
        (
            a_subscription(Status.INCOMPLETE),
            "The first payment is still open: pay it or cancel before adding a coupon.",
        ),
        (
            a_subscription(cancel_at_end=True),
            "A cancel is pending: no further period is billed. Take it back before adding a coupon.",
        ),
        (
            a_subscription(conditional_change="c0"),
            "A change waits for its payment. Pay it or take it back first.",
        ),
        (a_subscription(discounts=(LAUNCH,)), "The coupon LAUNCH is given already."),
        (a_subscription(discounts=FIVE), "There are 5 discounts already. Remove one first."),
    ],
)
def test_it_is_refused_with_the_reason(sub: Subscription, words: str) -> None:
    with pytest.raises(Refused) as refused:
        check(sub, GIVE, NOW)
    assert refused.value.message.startswith(words)


def test_without_its_discount_it_is_checked_and_cannot_be_carried_out() -> None:
    unknown = AddCoupon(command_id="c", code="LAUNCH")
    check(a_subscription(terms=DOLLAR), unknown, NOW)
    with pytest.raises(Refused, match="A cancel is pending"):
        check(a_subscription(cancel_at_end=True), unknown, NOW)
    with pytest.raises(InvalidInput) as refused:
        accept(a_subscription(terms=TEAM), unknown, NOW)
    assert refused.value.field == "code"


def test_a_trial_begins_its_first_period_with_it() -> None:
    first = lifecycle.end_trial(given(a_subscription(Status.TRIALING)), NOW)
    assert [(discount.coupon_id, discount.used) for discount in first.after.discounts] == [("LAUNCH", 1)]
