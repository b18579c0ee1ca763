"""What is hidden behind a failed charge: paydays, reactions to mails, results of debits, and the dice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from support.rehearsing import FAILED_AT, everybody

from rehearsal.dice import Dice
from rehearsal.payers import Payer, draw_payers
from rehearsal.population import Cause, Population, presets

PATIENT: dict[str, Any] = {
    "chronic": 0.0,
    "topup_days": 1e9,
    "window_days": 1e9,
    "funds_ok": 1.0,
    "funds_missing_ok": 0.0,
}
"""Money comes on the payday only, and stays for ever."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def who_is_paid_on(day: int, failed_at: datetime) -> Payer:
    population = everybody(Cause.INSUFFICIENT_FUNDS, **PATIENT)
    payers = (Payer(population, seed=1, number=n, failed_at=failed_at) for n in range(1000))
    return next(payer for payer in payers if payer.payday == day)


def test_dice_fall_as_splitmix64_does() -> None:
    """The generator's first answer to seed 0 is E220A8397B1DCDAF; its upper 53 bits are the fraction."""
    assert Dice().nth(0) == 0x1C4415072F63B9 / 2**53
    dice = Dice(1, 2)
    assert [dice.throw(), dice.throw()] == [Dice(1, 2).nth(0), Dice(1, 2).nth(1)]
    throws = [Dice(1, n).throw() for n in range(2000)]
    assert all(0 <= throw < 1 for throw in throws)
    assert 0.48 < sum(throws) / 2000 < 0.52


def test_money_is_there_from_the_first_instant_of_the_payday() -> None:
    payer = who_is_paid_on(28, failed_at=at("2027-02-10T01:00"))
    assert not payer.pays(1, at("2027-02-27T22:59"))
    assert payer.pays(1, at("2027-02-27T23:00"))
    assert payer.pays(1, at("2027-04-01T00:00"))


def test_a_payday_that_a_short_month_lacks_is_its_last_day() -> None:
    payer = who_is_paid_on(30, failed_at=at("2027-02-10T01:00"))
    assert not payer.pays(1, at("2027-02-27T22:59"))
    assert payer.pays(1, at("2027-02-27T23:00"))


def test_a_payday_on_the_day_of_the_failure_has_brought_nothing() -> None:
    payer = who_is_paid_on(3, failed_at=at("2027-02-03T01:00"))
    assert not payer.pays(1, at("2027-03-02T22:59"))
    assert payer.pays(1, at("2027-03-02T23:00"))


def test_money_is_spent_after_a_while_and_comes_again() -> None:
    population = everybody(Cause.INSUFFICIENT_FUNDS, **{**PATIENT, "window_days": 1e-6})
    payers = (Payer(population, seed=1, number=n, failed_at=at("2027-02-10T01:00")) for n in range(1000))
    payer = next(payer for payer in payers if payer.payday == 28)
    there = [f"2027-{month:02}-{day}T23:00" for month, day in ((2, 27), (3, 27))]
    assert not payer.pays(1, at("2027-03-01T12:00"))
    assert [payer.pays(1, at(text)) for text in there] == [True, True]


def test_paydays_are_at_the_end_of_the_month_for_45_in_100_and_at_its_start_for_30() -> None:
    population = everybody(Cause.INSUFFICIENT_FUNDS)
    days = Counter(payer.payday for payer in draw_payers(population, seed=3, size=6000))
    at_end = sum(days[day] for day in range(25, 31)) / 6000
    at_start = sum(days[day] for day in range(1, 6)) / 6000
    assert abs(at_end - (0.45 + 0.25 * 6 / 30)) < 0.02
    assert abs(at_start - (0.30 + 0.25 * 5 / 30)) < 0.02


def test_a_bank_that_hides_the_reason_hides_it_for_two_causes_only() -> None:
    says = {
        cause: next(draw_payers(everybody(cause, hidden_share=1.0), seed=1, size=1)).code for cause in Cause
    }
    assert says == {
        Cause.INSUFFICIENT_FUNDS: "do_not_honor",
        Cause.GENERIC: "generic_decline",
        Cause.EXPIRED: "expired_card",
        Cause.CLOSED: "do_not_honor",
        Cause.TECHNICAL: "processing_error",
        Cause.AUTHENTICATION: "authentication_required",
    }


def share_that_acts(population: Population, *, day: float, since_last: float | None = None) -> float:
    written_at = FAILED_AT + timedelta(days=day)
    since = None if since_last is None else timedelta(days=since_last)
    payers = [Payer(population, seed=1, number=n, failed_at=FAILED_AT) for n in range(4000)]
    return sum(payer.acts_on(0, written_at, since) is not None for payer in payers) / len(payers)


def test_a_mail_moves_as_many_as_its_day_says() -> None:
    population = everybody(Cause.CLOSED, acts_on_mail={0: 0.8, 10: 0.4}, new_method_ok=1.0)
    assert abs(share_that_acts(population, day=0) - 0.8) < 0.02
    assert abs(share_that_acts(population, day=5) - 0.6) < 0.02
    assert abs(share_that_acts(population, day=40) - 0.4) < 0.02
    assert abs(share_that_acts(population, day=5, since_last=3) - 0.6) < 0.02
    assert abs(share_that_acts(population, day=5, since_last=1) - 0.2) < 0.02
    broken = everybody(Cause.CLOSED, acts_on_mail={0: 0.8}, new_method_ok=0.5)
    assert abs(share_that_acts(broken, day=0) - 0.4) < 0.02
    soft = everybody(Cause.GENERIC, acts_on_mail={0: 0.8}, new_method_ok=1.0, acts_if_soft=0.6)
    assert abs(share_that_acts(soft, day=0) - 0.48) < 0.02


def test_half_of_those_who_act_do_within_the_median_delay() -> None:
    population = everybody(Cause.CLOSED, acts_on_mail={0: 1.0}, new_method_ok=1.0)
    payers = [Payer(population, seed=1, number=n, failed_at=FAILED_AT) for n in range(2000)]
    came = [payer.acts_on(0, FAILED_AT, None) for payer in payers]
    soon = sum(when is not None and when - FAILED_AT <= timedelta(days=0.4) for when in came)
    assert abs(soon / 2000 - 0.5) < 0.03


def test_the_hour_counts_where_the_population_says_so() -> None:
    """A chance of 0.5 at nine in Paris, and three in a hundred more of it on one day of the week."""
    usual: dict[str, Any] = {"generic_permanent": 0.0, "generic_clears_days": 1e-6, "generic_ok": 0.5}
    at_nine = FAILED_AT + timedelta(days=1, hours=7)
    shares = []
    for effects in ({}, {"weekday_effects": {"tuesday": 0.03}}, {"hour_effects": {9: 0.03, 10: -0.03}}):
        population = everybody(Cause.GENERIC, **usual, **effects)
        payers = [Payer(population, seed=1, number=n, failed_at=FAILED_AT) for n in range(4000)]
        shares.append(sum(payer.pays(1, at_nine) for payer in payers) / 4000)
    none, weekday, hour = shares
    assert 0.008 < weekday - none < 0.022
    assert hour == weekday


def test_a_debit_is_answered_on_a_business_day() -> None:
    population = everybody(Cause.CLOSED, preset="sepa", result_business_days=(2, 2))
    payer = Payer(population, seed=1, number=1)
    thursday, friday = at("2027-02-04T08:00"), at("2027-02-05T08:00")
    assert payer.result_at(1, thursday) == at("2027-02-08T06:00")
    assert payer.result_at(1, friday) == at("2027-02-09T06:00")
    whole = presets()["sepa"]
    days = {payer.result_at(1, at("2027-02-01T08:00")).day for payer in draw_payers(whole, seed=1, size=200)}
    assert days == {3, 4, 5, 8}


def test_the_same_seed_draws_the_same_payers() -> None:
    population = presets()["card-global"]

    def drawn(seed: int) -> list[tuple[object, ...]]:
        payers = draw_payers(population, seed=seed, size=50)
        return [(p.cause, p.code, p.failed_at, p.payday, p.renewed_at, p.leaves) for p in payers]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
