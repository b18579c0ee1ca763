"""Schedules that are only compared, the cut that makes policies comparable, and the measures."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.rehearsing import everybody

from billing.dunning import ANNUAL, MONTHLY, TRANSFER, DunningPolicy
from billing.errors import InvalidInput
from rehearsal.measures import Band, Route
from rehearsal.picture import bar, curve, marked_days
from rehearsal.play import Rehearsal, rehearse
from rehearsal.policies import ComparedPolicy, compared_policies, cut_to_equal, read_compared
from rehearsal.population import Cause, Population, presets

CERTAIN = Band(middle=1.0, low=1.0, high=1.0)
NEVER = Band(middle=0.0, low=0.0, high=0.0)


def days_of(*policies: DunningPolicy) -> list[tuple[int, ...]]:
    cut = cut_to_equal(policies)
    assert cut is not None
    return [policy.retry_days for policy in cut.policies]


def test_the_schedules_of_other_products() -> None:
    assert {name: policy.retry_days for name, policy in compared_policies().items()} == {
        "polar": (2, 7, 14, 21),
        "stripe": (2, 4, 5, 7, 9, 11, 12, 14),
        "paddle": (4, 9, 13, 17, 21, 26, 30),
    }
    assert compared_policies()["stripe"].mail_days == (3, 7, 14)


def test_policies_are_cut_to_the_same_number_within_the_same_span() -> None:
    others = compared_policies()
    assert days_of(MONTHLY, others["polar"]) == [(1, 7, 14), (2, 7, 14)]
    assert days_of(MONTHLY, others["stripe"]) == [(1, 3, 7, 14), (2, 5, 11, 14)]
    assert days_of(MONTHLY, others["paddle"]) == [(1, 7, 14), (4, 9, 13)]
    assert days_of(MONTHLY, ANNUAL) == [(1, 7, 14), (3, 7, 14)]
    assert days_of(MONTHLY, others["polar"], others["stripe"]) == [(1, 7, 14), (2, 7, 14), (2, 9, 14)]


def test_what_is_cut_has_as_many_mails_and_the_same_end() -> None:
    cut = cut_to_equal([MONTHLY, compared_policies()["paddle"]])
    assert cut is not None
    assert (cut.retries, cut.span_days) == (3, 14)
    assert [policy.mail_days for policy in cut.policies] == [(7, 14), (9, 13)]
    assert [policy.end_day for policy in cut.policies] == [21, 21]


def test_without_retries_nothing_can_be_cut() -> None:
    mails_only = DunningPolicy(name="mails", retry_days=(), last_notice_day=7, end_day=14)
    assert cut_to_equal([MONTHLY, mails_only]) is None


COMPARED: dict[str, Any] = {"name": "theirs", "retry_days": (1, 2), "last_notice_day": 2, "end_day": 9}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"retry_days": tuple(range(1, 22)), "last_notice_day": 21, "end_day": 30}, "retry_days"),
        ({"mails_on": (2, 1)}, "mails_on"),
        ({"mails_on": (3,)}, "mails_on"),
    ],
)
def test_a_compared_schedule_keeps_to_the_networks_and_to_its_own_days(
    changes: dict[str, Any], field: str
) -> None:
    assert ComparedPolicy(**COMPARED).most_retries == 2
    with pytest.raises(InvalidInput) as refused:
        ComparedPolicy(**{**COMPARED, **changes})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[compared]]\nname = 'a'\n[[policy]]\nname = 'b'",
            "theirs.toml has something other than [[compared]]",
        ),
        ("compared = [1]", "theirs.toml has something other than [[compared]]"),
        ("[compared]\nname = 'a'", "theirs.toml has something other than [[compared]]"),
        (
            "[[compared]]\nname = 'a'\nretry_days = [1]\nend_day = 9",
            "theirs.toml, a: last_notice_day: Field required",
        ),
        (
            "[[compared]]\nname = 'a'\nretry_days = [3]\nlast_notice_day = 1\nend_day = 9",
            "theirs.toml, a: Dunning policy a: last_notice_day is 1, before the last retry",
        ),
    ],
)
def test_a_file_of_schedules_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        read_compared(text, "theirs.toml")


def rehearsed(population: Population, *policies: DunningPolicy, invoices: int = 400) -> Rehearsal:
    return rehearse(policies, population, invoices=invoices, seed=1)


def test_measures_where_every_first_retry_succeeds() -> None:
    population = everybody(Cause.GENERIC, generic_permanent=0.0, generic_clears_days=1e-6, generic_ok=1.0)
    (one,) = rehearsed(population, MONTHLY).policies
    assert one.recovered == CERTAIN
    assert (one.routes[Route.RETRY], one.routes[Route.CUSTOMER]) == (CERTAIN, NEVER)
    assert (one.mails, one.retries, one.lost, one.collected) == (CERTAIN, CERTAIN, NEVER, CERTAIN)
    assert (one.recovered_soon, one.next_try) == (CERTAIN, CERTAIN)
    # From two in the morning to nine on the next day; an hour less or more where the clocks change.
    assert one.days_to_cash.middle == pytest.approx(31 / 24)
    assert [(a.name, a.made, a.succeeded, a.of_unpaid) for a in one.attempts] == [
        ("1", CERTAIN, CERTAIN, CERTAIN)
    ]
    assert one.causes == {Cause.GENERIC: CERTAIN}
    assert (one.by_day[0], one.by_day[1], len(one.by_day)) == (0.0, 1.0, 22)


def test_measures_where_nobody_ever_pays() -> None:
    population = everybody(Cause.INSUFFICIENT_FUNDS, chronic=1.0, chronic_ok=0.0, leaves_if_cut=1.0)
    (one,) = rehearsed(population, MONTHLY).policies
    assert (one.recovered, one.lost, one.left) == (NEVER, CERTAIN, CERTAIN)
    assert (one.mails.middle, one.retries.middle) == (5, 4)
    assert one.collected.middle == pytest.approx(0.9)
    assert (one.days_to_cash, one.days_to_cash_90) == (NEVER, NEVER)


def test_who_was_told_leaves_less_often_than_who_was_cut_off() -> None:
    usual: dict[str, Any] = {"generic_permanent": 0.5, "generic_clears_days": 1e-6, "generic_ok": 1.0}
    population = everybody(Cause.GENERIC, **usual, leaves_if_notified=0.0, leaves_if_cut=1.0)
    (one,) = rehearsed(population, MONTHLY).policies
    assert one.left == one.lost
    assert 0.4 < one.left.middle < 0.6


def test_the_same_seed_gives_the_same_numbers_and_a_population_each() -> None:
    population = presets()["card-global"]
    first = rehearsed(population, MONTHLY, invoices=82)
    assert (first.invoices, first.seeds) == (80, (1, 2, 3, 4))
    assert first == rehearsed(population, MONTHLY, invoices=80)
    assert first != rehearse([MONTHLY], population, invoices=80, seed=2)


def test_compared_policies_meet_the_same_payers() -> None:
    same = MONTHLY.model_copy(update={"name": "same"})
    rehearsal = rehearsed(presets()["hard-consumer"], MONTHLY, same, invoices=80)
    one, other = rehearsal.policies
    assert one == other.model_copy(update={"policy": one.policy})
    assert rehearsal.cut is not None
    assert [cut.retry_days for cut in rehearsal.cut.policies] == [(1, 3, 7, 14), (1, 3, 7, 14)]


@pytest.mark.parametrize(
    ("policies", "invoices", "message"),
    [
        ([TRANSFER], 400, "transfer charges nothing"),
        ([MONTHLY, MONTHLY], 400, "monthly v1 is there twice"),
        ([MONTHLY], 3, "at least 4 invoices"),
    ],
)
def test_what_cannot_be_rehearsed(policies: list[DunningPolicy], invoices: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        rehearse(policies, presets()["card-global"], invoices=invoices, seed=1)


def test_bars_and_curves() -> None:
    assert [bar(share, width=4) for share in (0.0, 0.25, 0.5, 0.53125, 1.0)] == ["", "█", "██", "██▏", "████"]
    population = everybody(Cause.GENERIC, generic_permanent=0.0, generic_clears_days=1e-6, generic_ok=1.0)
    policies = rehearsed(population, MONTHLY, ANNUAL.model_copy(update={"name": "a<b"})).policies
    assert marked_days(policies) == [0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45]
    svg = curve(policies, title="Recovered & shown")
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert svg.count("<polyline") == 2
    assert "Recovered &amp; shown" in svg
    assert "a&lt;b v1" in svg
    # The first policy: nothing on the first day, everything by the end of the second, at the top of the frame.
    assert '<polyline points="56.0,356.0 70.1,356.0 84.2,44.0 ' in svg
