"""Chases on paper, day by day: the steps are those of the default policies (rules 22 to 24)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.rehearsing import FAILED_AT, diary, everybody

from billing.dunning import FIRST_PAYMENT, MONTHLY, DunningPolicy
from billing.payment import Trigger
from rehearsal.chase import METHOD, NEW_METHOD, Chases, Story
from rehearsal.payers import Payer
from rehearsal.policies import ComparedPolicy
from rehearsal.population import Cause, Population

AT_ONCE = 1e-6
"""Of a day: nothing that takes so long is seen to take time."""
NEVER_FUNDS: dict[str, Any] = {"chronic": 1.0, "chronic_ok": 0.0}


def story_of(population: Population, policy: DunningPolicy = MONTHLY, number: int = 1) -> Story:
    return Chases(policy).play(Payer(population, seed=1, number=number, failed_at=FAILED_AT))


def test_a_payer_who_never_has_funds_is_tried_four_times_and_told_five_times() -> None:
    story = story_of(everybody(Cause.INSUFFICIENT_FUNDS, **NEVER_FUNDS))
    assert diary(story) == [
        "02-01 01:00 first insufficient_funds",
        "02-01 01:00 mail",
        "02-02 08:00 retry insufficient_funds",
        "02-04 08:00 retry insufficient_funds",
        "02-04 08:00 mail",
        "02-08 08:00 retry insufficient_funds",
        "02-08 08:00 mail",
        "02-15 08:00 retry insufficient_funds",
        "02-15 08:00 mail",
        "02-22 08:00 mail",
        "02-22 08:00 end",
    ]
    assert story.service_ended
    assert story.paying is None
    assert [one.policy_day for one in story.tries] == [0, 1, 3, 7, 14]


def test_a_technical_decline_is_repeated_two_hours_later() -> None:
    population = everybody(Cause.TECHNICAL, technical_clears_days=AT_ONCE, technical_ok=1.0)
    assert diary(story_of(population)) == [
        "02-01 01:00 first processing_error",
        "02-01 01:00 mail",
        "02-01 03:00 repeat paid",
    ]


def test_the_repeat_is_one_of_the_four() -> None:
    population = everybody(Cause.TECHNICAL, technical_clears_days=1e6, technical_before_ok=0.0)
    triggers = [one.trigger for one in story_of(population).tries]
    assert triggers == [Trigger.FIRST, Trigger.REPEAT, Trigger.RETRY, Trigger.RETRY, Trigger.RETRY]


@pytest.mark.parametrize("cause", [Cause.CLOSED, Cause.EXPIRED, Cause.AUTHENTICATION])
def test_a_card_that_cannot_be_charged_is_not_tried_again(cause: Cause) -> None:
    story = story_of(everybody(cause))
    assert [one.trigger for one in story.tries] == [Trigger.FIRST]
    assert [f"{at:%m-%d}" for at in story.mails] == ["02-01", "02-04", "02-08", "02-15", "02-22"]


def test_the_customer_who_acts_on_the_first_mail_pays_with_another_card() -> None:
    moved: dict[str, Any] = {
        "acts_on_mail": {0: 1.0},
        "acts_after_days": 0.5,
        "acts_after_spread": 0.0,
        "new_method_ok": 1.0,
    }
    for cause in (Cause.CLOSED, Cause.AUTHENTICATION):
        story = story_of(everybody(cause, **moved))
        assert diary(story)[1:] == ["02-01 01:00 mail", "02-01 13:00 method_replaced paid"]
        assert story.tries[-1].method == NEW_METHOD


def test_a_card_that_its_network_renews_is_charged_when_it_is() -> None:
    population = everybody(Cause.EXPIRED, renewed=1.0, renewed_ok=1.0, renewed_within_days=AT_ONCE)
    story = story_of(population)
    assert diary(story) == [
        "02-01 01:00 first expired_card",
        "02-01 01:00 mail",
        "02-01 01:00 method_replaced paid",
    ]
    assert story.tries[-1].method == METHOD


def test_after_an_end_that_leaves_the_invoice_open_it_can_still_be_paid() -> None:
    late: dict[str, Any] = {"acts_on_mail": {0: 1.0, 1: 0.0}, "acts_after_days": 30, "acts_after_spread": 0.0}
    population = everybody(Cause.CLOSED, new_method_ok=1.0, **late)
    story = story_of(population)
    assert diary(story)[-2:] == ["02-22 08:00 end", "03-03 01:00 method_replaced paid"]
    assert story.service_ended
    credited = story_of(population, FIRST_PAYMENT)
    assert diary(credited)[-1] == "02-08 08:00 end"
    assert credited.paying is None


def test_nothing_comes_while_a_debit_is_under_way() -> None:
    """Results take two business days; the mail of a retry's day waits for its result, the end keeps its distance."""
    population = everybody(
        Cause.INSUFFICIENT_FUNDS, preset="sepa", result_business_days=(2, 2), **NEVER_FUNDS
    )
    story = story_of(population)
    assert [f"{one.begun_at:%m-%d %H:%M}" for one in story.tries] == [
        "02-01 01:00",
        "02-04 08:00",
        "02-08 08:00",
        "02-15 08:00",
    ]
    assert diary(story) == [
        "02-03 06:00 first insufficient_funds",
        "02-03 06:00 mail",
        "02-08 06:00 retry insufficient_funds",
        "02-08 06:00 mail",
        "02-10 06:00 retry insufficient_funds",
        "02-10 06:00 mail",
        "02-17 06:00 retry insufficient_funds",
        "02-17 06:00 mail",
        "02-24 08:00 mail",
        "02-24 08:00 end",
    ]


def test_a_debit_that_succeeds_is_known_to_when_its_result_is() -> None:
    certain: dict[str, Any] = {"chronic": 1.0, "chronic_ok": 1.0}
    population = everybody(Cause.INSUFFICIENT_FUNDS, preset="sepa", result_business_days=(2, 2), **certain)
    paying = story_of(population).paying
    assert paying is not None
    assert paying.begun_at == datetime(2027, 2, 4, 8, tzinfo=UTC)
    assert paying.known_at == datetime(2027, 2, 8, 6, tzinfo=UTC)


def test_a_schedule_that_is_only_compared_may_retry_more_often() -> None:
    policy = ComparedPolicy(
        name="eight", retry_days=(2, 4, 5, 7, 9, 11, 12, 14), mails_on=(7,), last_notice_day=14, end_day=21
    )
    story = story_of(everybody(Cause.INSUFFICIENT_FUNDS, **NEVER_FUNDS), policy)
    assert [one.policy_day for one in story.tries] == [0, 2, 4, 5, 7, 9, 11, 12, 14]
    assert [f"{at:%m-%d}" for at in story.mails] == ["02-01", "02-08", "02-15", "02-22"]


def test_payers_who_are_alike_to_the_engine_share_its_decisions_and_not_their_luck() -> None:
    population = everybody(Cause.GENERIC, generic_permanent=0.5)
    chases = Chases(MONTHLY)
    together = [
        diary(chases.play(Payer(population, seed=1, number=n, failed_at=FAILED_AT))) for n in range(40)
    ]
    alone = [diary(story_of(population, number=n)) for n in range(40)]
    assert together == alone
    assert len({tuple(lines) for lines in together}) > 3
