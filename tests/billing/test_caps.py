"""What the card networks allow, over all invoices that are charged to one card (rules 26, 27)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from chase_walk import Walk, answered, at, driving

from billing.asking import Refused, may_ask
from billing.caps import hold_on, is_busy
from billing.case import Attempt, Case, Role
from billing.chase import StepKind, next_step
from billing.payment import AttemptState, DeclineClass, Trigger

PARIS = "Europe/Paris"
AUTOMATIC_REPEATS = [Trigger.RETRY, Trigger.REPEAT, Trigger.PROMISE]
PERSONS = [Trigger.CUSTOMER, Trigger.METHOD_REPLACED, Trigger.SUPPORT]


def tried(begun_at: str, answer: str = "do_not_honor", trigger: Trigger = Trigger.RETRY) -> Attempt:
    return answered(1, trigger, at(begun_at), answer)


def held_until(tries: list[Attempt], trigger: Trigger) -> datetime | None:
    hold = hold_on(tries, trigger, PARIS)
    return hold.until if hold is not None else None


# One repeat in 24 hours


@pytest.mark.parametrize("trigger", AUTOMATIC_REPEATS)
@pytest.mark.parametrize("earlier", AUTOMATIC_REPEATS)
def test_a_card_is_tried_again_once_in_24_hours(earlier: Trigger, trigger: Trigger) -> None:
    assert held_until([tried("2027-02-02T08:00", trigger=earlier)], trigger) == at("2027-02-03T08:00")


@pytest.mark.parametrize("trigger", [Trigger.FIRST, *PERSONS])
def test_a_first_charge_and_a_person_are_not_held_by_it(trigger: Trigger) -> None:
    assert held_until([tried("2027-02-02T08:00")], trigger) is None


@pytest.mark.parametrize("earlier", [Trigger.FIRST, *PERSONS])
def test_the_decline_of_a_first_charge_or_of_a_person_holds_nobody(earlier: Trigger) -> None:
    """Else the first retry, and the repeat two hours after a technical decline, could never be made."""
    assert held_until([tried("2027-02-02T08:00", trigger=earlier)], Trigger.RETRY) is None


@pytest.mark.parametrize("answer", ["paid", "processing"])
def test_successes_are_not_counted(answer: str) -> None:
    """Twelve subscriptions on one good card are twelve charges."""
    tries = [tried("2027-02-02T08:00", answer)] * 12
    assert held_until(tries, Trigger.RETRY) is None
    assert held_until(tries, Trigger.FIRST) is None


@pytest.mark.parametrize(
    ("begun_at", "again_at"),
    [
        ("2027-02-02T08:00:00", "2027-02-03T08:00"),
        # Tomorrow's morning is not put off because today's was late by a moment.
        ("2027-02-02T08:00:07", "2027-02-03T08:00"),
        ("2027-02-02T13:59:59", "2027-02-03T13:00"),
        # Nor because the clocks go forward in the night: 09:00 in Paris both times.
        ("2027-03-27T08:00:00", "2027-03-28T07:00"),
        ("2027-10-30T07:00:00", "2027-10-31T08:00"),
    ],
)
def test_a_day_is_counted_from_the_full_local_hour(begun_at: str, again_at: str) -> None:
    assert held_until([tried(begun_at)], Trigger.RETRY) == at(again_at)


def test_what_asks_for_the_payer_and_what_has_no_answer_count_as_declines() -> None:
    asked = tried("2027-02-02T08:00", "authentication_required")
    left = asked.model_copy(update={"state": AttemptState.ABANDONED, "settled_at": at("2027-02-05T08:00")})
    lost = tried("2027-02-02T08:00", "unknown")
    for attempt in (asked, left, lost):
        assert held_until([attempt], Trigger.RETRY) == at("2027-02-03T08:00")
    never_ran = tried("2027-02-02T08:00", "abandoned").model_copy(
        update={"decline_class": DeclineClass.RETRY}
    )
    assert held_until([never_ran], Trigger.RETRY) is None


# Waits that the network names


def waits(answer: Attempt, hours: int) -> Attempt:
    return answer.model_copy(update={"not_before": answer.begun_at + timedelta(hours=hours)})


@pytest.mark.parametrize(
    ("hours", "again_at"),
    [(1, "2027-02-02T09:00"), (24, "2027-02-03T08:00"), (96, "2027-02-06T08:00")],
)
def test_a_wait_that_the_network_names_takes_the_place_of_the_24_hours(hours: int, again_at: str) -> None:
    assert held_until([waits(tried("2027-02-02T08:00"), hours)], Trigger.RETRY) == at(again_at)


def test_a_wait_holds_after_a_first_charge_too_and_no_person() -> None:
    first = waits(tried("2027-02-02T08:00", trigger=Trigger.FIRST), 48)
    assert held_until([first], Trigger.RETRY) == at("2027-02-04T08:00")
    for trigger in (Trigger.FIRST, *PERSONS):
        assert held_until([first], trigger) is None


def test_the_hour_that_mastercard_asks_for_lets_the_next_morning_be() -> None:
    """Renewed at 10:00, repeated at noon: by the 24 hours the retry of the next morning would be put off."""
    walk = Walk(
        driving("processing_error", begun_at="2027-02-01T09:00"), "2027-02-01T09:00", ["do_not_honor"]
    )
    walk.until("2027-02-01T12:00")
    *others, repeat = walk.case.attempts
    assert repeat.trigger is Trigger.REPEAT
    assert next_step(walk.case, walk.now).due == at("2027-02-03T08:00")
    hour = walk.case.model_copy(update={"attempts": (*others, waits(repeat, 1))})
    assert next_step(hour, walk.now).due == at("2027-02-02T08:00")


# Ten declines in 30 days


@pytest.mark.parametrize("trigger", Trigger)
def test_after_ten_declines_in_30_days_nobody_charges_the_card(trigger: Trigger) -> None:
    """Whoever caused them; the eleventh waits until the first of the ten is 30 days old."""
    by = [Trigger.FIRST, Trigger.CUSTOMER, Trigger.SUPPORT]
    ten = [tried(f"2027-02-{day:02}T10:00", trigger=by[day % 3]) for day in range(1, 11)]
    assert held_until(ten, trigger) == at("2027-03-03T10:00")
    assert held_until(ten[1:], trigger) is None
    eleven = [*ten, tried("2027-02-11T10:00", trigger=Trigger.FIRST)]
    assert held_until(eleven, trigger) == at("2027-03-04T10:00")


def test_persons_are_told_that_the_card_was_declined_too_often() -> None:
    ten = tuple(tried(f"2027-02-{day:02}T10:00", trigger=Trigger.FIRST) for day in range(1, 11))
    case = driving("do_not_honor", begun_at="2027-02-12T00:30").model_copy(update={"elsewhere": ten})
    refused = may_ask(case, Trigger.CUSTOMER, at("2027-02-12T12:00"))
    assert refused is not None
    # Nine of the ten, and its own: the second of February is the first that counts.
    assert (refused.reason, refused.not_before) == (Refused.CARD_FULL, at("2027-03-04T10:00"))
    assert may_ask(case, Trigger.CUSTOMER, at("2027-03-04T10:00")) is None
    assert (
        may_ask(
            case.model_copy(update={"method": "pm_2", "elsewhere": ()}),
            Trigger.CUSTOMER,
            at("2027-02-12T12:00"),
        )
        is None
    )


def test_a_wish_that_the_card_cannot_meet_now_waits_for_it() -> None:
    ten = tuple(tried(f"2027-02-{day:02}T10:00", trigger=Trigger.FIRST) for day in range(1, 11))
    case = driving("do_not_honor", begun_at="2027-02-12T00:30").model_copy(
        update={"elsewhere": ten, "asked": (Trigger.METHOD_REPLACED,), "role": Role.JOINED}
    )
    step = next_step(case, at("2027-02-12T12:00"))
    assert (step.kind, step.trigger, step.due) == (
        StepKind.CHARGE,
        Trigger.METHOD_REPLACED,
        at("2027-03-04T10:00"),
    )


# Never again


def test_after_a_ban_of_the_network_only_first_charges_and_persons_go_on() -> None:
    walk = Walk(driving("insufficient_funds"), "2027-02-01T00:30", ["paid"])
    walk.change("2027-02-01T12:00", repeats_forbidden=True)
    assert walk.until("2027-02-05") == ["02-01 00:30 mail payment_failed", "02-04 08:00 mail reminder:3"]
    assert next_step(walk.case, walk.now).why.sentence() == (
        "insufficient funds; reminder on 8 February 2027 (day 7 of policy monthly v1); "
        "not charged: the card's network allows no repeat"
    )
    assert may_ask(walk.case, Trigger.CUSTOMER, walk.now) is None
    first = driving("paid").model_copy(
        update={"attempts": (), "done_through_day": -1, "repeats_forbidden": True}
    )
    step = next_step(first, at("2027-02-01T00:30"))
    assert (step.kind, step.trigger) == (StepKind.CHARGE, Trigger.FIRST)


def test_a_card_that_was_stopped_for_fraud_elsewhere_is_charged_by_nobody() -> None:
    case = driving("insufficient_funds").model_copy(update={"method_stopped": True})
    step = next_step(case.model_copy(update={"noticed_through_day": 0}), at("2027-02-01T12:00"))
    assert step.why.no_charge == "the payment method was stopped for good"
    refused = may_ask(case, Trigger.CUSTOMER, at("2027-02-01T12:00"))
    assert refused is not None
    assert refused.reason is Refused.METHOD_STOPPED


# Charges that are being answered


def test_repeats_on_a_card_go_one_after_the_other() -> None:
    now = at("2027-02-02T08:00")
    sent = tried("2027-02-02T08:00").model_copy(update={"state": AttemptState.STARTED, "settled_at": None})
    assert is_busy([sent], Trigger.RETRY, now)
    assert not is_busy([sent], Trigger.FIRST, now)
    assert not is_busy([sent], Trigger.CUSTOMER, now)
    assert not is_busy([sent.model_copy(update={"trigger": Trigger.FIRST})], Trigger.RETRY, now)


def test_no_more_charges_are_sent_at_a_time_than_may_be_declined() -> None:
    now = at("2027-02-02T08:00")
    sent = tried("2027-02-02T08:00", trigger=Trigger.FIRST).model_copy(update={"state": AttemptState.STARTED})
    declined = tried("2027-01-20T08:00", trigger=Trigger.FIRST)
    assert not is_busy([sent] * 9, Trigger.FIRST, now)
    assert is_busy([sent] * 10, Trigger.FIRST, now)
    assert is_busy([declined] * 6 + [sent] * 4, Trigger.CUSTOMER, now)
    long_ago = tried("2026-12-20T08:00", trigger=Trigger.FIRST)
    assert not is_busy([long_ago] * 6 + [sent] * 4, Trigger.CUSTOMER, now)


# The order of a morning


def in_turn(turn: int) -> Case:
    return driving("insufficient_funds").model_copy(update={"turn": turn})


def test_the_charges_of_a_customer_go_a_minute_apart_each_with_its_mail() -> None:
    walk = Walk(in_turn(2), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    assert walk.until("2027-03-01") == [
        "02-01 00:30 mail payment_failed",
        "02-02 08:02 retry: insufficient_funds",
        "02-04 08:02 retry: insufficient_funds",
        "02-04 08:02 mail reminder:3",
        "02-08 08:02 retry: insufficient_funds",
        "02-08 08:02 mail reminder:7",
        "02-15 08:02 retry: insufficient_funds",
        "02-15 08:02 mail last_notice",
        "02-22 08:00 end: suspend, leave_open",
    ]


def test_a_promise_is_charged_once_although_an_older_invoice_is_opened_again_since() -> None:
    walk = Walk(in_turn(0), "2027-02-01T00:30", ["insufficient_funds"] * 4)
    walk.change("2027-02-01T12:00", promise_on=at("2027-02-05T00:00").date())
    walk.change("2027-02-05T12:00", turn=1)
    assert walk.until("2027-02-09") == [
        "02-01 00:30 mail payment_failed",
        "02-05 08:00 promise: insufficient_funds",
        "02-08 08:01 retry: insufficient_funds",
        "02-08 08:01 mail reminder:7",
    ]
