"""Taking over a subscription from another system: which period is ours first, and what was paid there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import lifecycle
from billing.calendar import Interval
from billing.commands import ChangeQuantity, When
from billing.decide import accept
from billing.discounts import Discount
from billing.effects import Emit, Issue, Notify
from billing.errors import InvalidInput
from billing.prices import Price, PricingModel
from billing.refusal import Refused
from billing.standing import Standing, settle
from billing.subscription import CustomerKind, Status, Subscription
from billing.takeover import Elsewhere, NotTakenOver, go_live, rest_of, take_back, take_over, why_no_invoice
from billing.terms import Terms
from billing.upcoming import next_issue

TODAY = date(2027, 2, 10)
NOW = datetime(2027, 2, 10, 11, tzinfo=UTC)


def new(every: str = "1month", **changes: object) -> Subscription:
    terms = Terms(
        plan_id="plan_pro",
        plan_name="Pro",
        currency="EUR",
        interval=Interval.parse(every),
        prices=(Price(id="base", model=PricingModel.PER_UNIT, unit_amount=Decimal(49)),),
    )
    state = Subscription(
        id="sub_1",
        customer_id="cus_1",
        timezone="Europe/Paris",
        status=Status.SCHEDULED,
        terms=terms,
        signed_up_at=NOW,
        starts_on=TODAY,
        has_method=True,
    )
    return state.model_copy(update=changes)


def ran(anchor: str, renews_on: str, **others: object) -> Elsewhere:
    return Elsewhere.model_validate(
        {"started_on": anchor, "anchor": anchor, "renews_on": renews_on, **others}
    )


@pytest.mark.parametrize(
    ("every", "anchor", "renews_on", "first"),
    [
        ("1month", "2025-06-15", "2027-02-15", ("2027-02-15", "2027-03-15")),
        ("1month", "2026-01-31", "2027-02-28", ("2027-02-28", "2027-03-31")),
        ("1month", "2026-10-30", "2027-02-28", ("2027-02-28", "2027-03-30")),
        ("3month", "2025-11-30", "2027-02-28", ("2027-02-28", "2027-05-30")),
        ("1year", "2024-02-29", "2027-02-28", ("2027-02-28", "2028-02-29")),
        ("2week", "2027-02-01", "2027-02-15", ("2027-02-15", "2027-03-01")),
    ],
)
def test_the_first_invoice_is_for_the_period_after_the_paid_one(
    every: str, anchor: str, renews_on: str, first: tuple[str, str]
) -> None:
    sub = take_over(new(every), ran(anchor, renews_on), TODAY)
    assert (sub.status, str(sub.boundary_on)) == (Status.ACTIVE, renews_on)
    issue = next_issue(sub)
    assert issue is not None
    assert (str(issue.period.start), str(issue.period.end)) == first
    assert issue.once == frozenset()


@given(
    anchor=st.dates(date(2020, 1, 1), date(2027, 2, 10)),
    every=st.sampled_from(["1month", "2month", "3month", "6month", "1year", "1week", "3week"]),
)
def test_periods_go_on_without_gap_from_what_was_paid(anchor: date, every: str) -> None:
    schedule = new(every).model_copy(update={"anchor": anchor}).schedule
    renews_on = schedule.period_on(TODAY).end
    sub = take_over(new(every), Elsewhere(started_on=anchor, anchor=anchor, renews_on=renews_on), TODAY)
    issue = next_issue(sub)
    assert issue is not None
    assert sub.period is not None
    assert sub.period.start <= TODAY < sub.period.end == issue.period.start == renews_on
    assert issue.period.whole_start == issue.period.start
    others = [renews_on + timedelta(days=1), renews_on - timedelta(days=1)]
    for other in others:
        with pytest.raises(NotTakenOver):
            take_over(new(every), Elsewhere(started_on=anchor, anchor=anchor, renews_on=other), TODAY)


@pytest.mark.parametrize(
    ("elsewhere", "field", "says"),
    [
        (ran("2026-01-15", "2027-02-10"), "renews_on", "which is not later than today, 2027-02-10"),
        (ran("2026-01-15", "2027-02-20"), "renews_on", "began on 2027-01-15 and renews on 2027-02-15"),
        (ran("2026-01-15", "2027-03-15"), "renews_on", "what was paid further ahead is a balance"),
        (ran("2027-02-11", "2027-03-11", started_on="2026-01-01"), "anchor", "later than today"),
        (ran("2027-02-11", "2027-03-11"), "started_on", "relance subscription start"),
        (Elsewhere(started_on=TODAY, renews_on=date(2027, 3, 1)), "anchor", "first day of the first paid"),
        (Elsewhere(started_on=TODAY, anchor=TODAY), "renews_on", "first day that was not paid elsewhere"),
        (Elsewhere(started_on=TODAY, trial_ends_on=TODAY), "trial_ends_on", "Export again"),
        (ran("2027-02-01", "2027-03-01", trial_ends_on="2027-03-01"), "anchor", "in trial has no anchor yet"),
    ],
)
def test_dates_that_do_not_fit_are_refused(elsewhere: Elsewhere, field: str, says: str) -> None:
    with pytest.raises(NotTakenOver, match=says) as refused:
        take_over(new(), elsewhere, TODAY)
    assert refused.value.field == field


def test_the_rest_of_a_trial_is_kept_and_its_end_is_the_anchor() -> None:
    elsewhere = Elsewhere(started_on=date(2027, 2, 1), trial_ends_on=date(2027, 2, 15))
    sub = take_over(new(), elsewhere, TODAY)
    assert (sub.status, sub.starts_on, sub.trial_end_on) == (
        Status.TRIALING,
        date(2027, 2, 1),
        date(2027, 2, 15),
    )
    issue = next_issue(sub)
    assert issue is not None
    assert (issue.period.start, issue.period.end) == (date(2027, 2, 15), date(2027, 3, 15))
    poor = sub.model_copy(update={"has_method": False})
    assert next_issue(poor) is None
    assert why_no_invoice(poor) == (
        "the trial ends on 2027-02-15 without a payment method: nothing is billed"
    )


def test_whoever_left_elsewhere_is_let_in_to_the_end_and_never_billed() -> None:
    sub = take_over(new(), ran("2026-01-15", "2027-02-15", cancel_at_end=True), TODAY)
    assert next_issue(sub) is None
    assert why_no_invoice(sub) == "it ends before 2027-02-15: nothing is billed"
    until = sub.access_until(NOW, window=timedelta(), grace=timedelta(days=1))
    assert until == datetime(2027, 2, 14, 23, tzinfo=UTC)
    after = lifecycle.cross_boundary(sub, datetime(2027, 2, 14, 23, tzinfo=UTC), catch_up_limit=2)
    assert after.after.status is Status.CANCELED
    assert not [effect for effect in after.effects if isinstance(effect, Issue)]


def test_a_notice_that_was_sent_elsewhere_is_not_sent_again_and_binds() -> None:
    consumer = new("1year", customer_kind=CustomerKind.CONSUMER)
    told = take_over(consumer, ran("2026-03-01", "2027-03-01", renewal_notice_sent=True), TODAY)
    untold = take_over(consumer, ran("2026-03-01", "2027-03-01"), TODAY)
    at = datetime(2027, 2, 28, 23, tzinfo=UTC)
    assert told.notified == ("renewal_notice:2027-03-01",)
    renewed = [lifecycle.cross_boundary(sub, at, catch_up_limit=2).after for sub in (told, untold)]
    assert [sub.free_exit for sub in renewed] == [False, True]


def test_days_that_were_paid_elsewhere_are_not_billed_by_a_change_now() -> None:
    sub = take_over(new(), ran("2026-01-15", "2027-02-15"), TODAY)
    now = ChangeQuantity(command_id="c1", quantity=3, when=When.NOW)
    with pytest.raises(Refused, match="until 2027-02-15 was paid in another billing system") as refused:
        accept(sub, now, NOW)
    assert refused.value.field == "when"
    unprorated = accept(sub, now.model_copy(update={"prorate": False}), NOW)
    assert unprorated.after.terms.quantity == 3
    issue = next_issue(unprorated.after)
    assert issue is not None
    assert issue.terms.quantity == 3
    # The first period of ours is ours to change.
    renewed = lifecycle.cross_boundary(sub, datetime(2027, 2, 14, 23, tzinfo=UTC), catch_up_limit=2).after
    assert accept(renewed, now, datetime(2027, 2, 15, 11, tzinfo=UTC)).after.terms.quantity == 3


def test_what_was_paid_elsewhere_covers_its_time_through_a_pause() -> None:
    sub = take_over(new(), ran("2026-01-15", "2027-02-15"), TODAY)
    nothing = Standing((), (), 0, None, gated_paid=False, policy_ends_at=None)
    assert settle(sub, nothing, NOW).after.covered_until == date(2027, 2, 15)
    paused = lifecycle.resume(sub.model_copy(update={"status": Status.PAUSED}), NOW)
    assert not [effect for effect in paused.effects if isinstance(effect, Issue)]


def test_a_coupon_comes_with_what_is_left_of_it() -> None:
    half = Discount(coupon_id="HALF", percent=Decimal(50), periods=6)
    sub = take_over(new(discounts=(rest_of(half, 1),)), ran("2026-01-15", "2027-02-15"), TODAY)
    at = datetime(2027, 2, 14, 23, tzinfo=UTC)
    first = lifecycle.cross_boundary(sub, at, catch_up_limit=2)
    second = lifecycle.cross_boundary(first.after, datetime(2027, 3, 14, 23, tzinfo=UTC), catch_up_limit=2)
    discounts = [
        effect.discounts for step in (first, second) for effect in step.effects if isinstance(effect, Issue)
    ]
    assert [len(given) for given in discounts] == [1, 0]


@pytest.mark.parametrize(("periods", "left"), [(None, 2), (6, None), (6, 0), (6, 7)])
def test_how_much_of_a_coupon_is_left_is_not_guessed(periods: int | None, left: int | None) -> None:
    coupon = Discount(coupon_id="HALF", percent=Decimal(50), periods=periods)
    with pytest.raises(InvalidInput) as refused:
        rest_of(coupon, left)
    assert refused.value.field == "coupon_periods_left"


def test_a_coupon_without_end_stays_as_it_is() -> None:
    forever = Discount(coupon_id="FRIEND", percent=Decimal(10))
    assert rest_of(forever, None) == forever


def test_an_undone_import_is_over_without_a_word() -> None:
    sub = take_over(new(), ran("2026-01-15", "2027-02-15"), TODAY)
    assert list(go_live(sub, NOW, TODAY).effects) == [
        Emit("subscription.imported", {"plan": "plan_pro", "paid_elsewhere_until": "2027-02-15"})
    ]
    undone = take_back(sub, NOW)
    assert (undone.after.status, undone.after.end_reason) == (Status.CANCELED, "the import was undone")
    assert not [effect for effect in undone.effects if isinstance(effect, Notify | Issue)]
