"""On which day a retry is made, and what the step says about it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from chase_walk import Walk, answered, at, driving
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.case import Attempt, Case
from billing.chase import NextStep, StepKind, next_step
from billing.dunning import ANNUAL, MONTHLY, SHORT, DunningPolicy
from billing.errors import InvalidInput
from billing.payment import Trigger
from billing.progress import timeline
from billing.reason import Move, MovedBy

OCTOBER = date(2027, 10, 1)
"""When a charge of this payer went through after a decline: on the first of the month."""
PLAIN = MONTHLY.model_copy(update={"good_days": False})


def failed(day0: str, *later: str, policy: DunningPolicy = MONTHLY, code: str = "insufficient_funds") -> Case:
    """Declined at half past nine in Paris on day 0, and again on the mornings of `later`."""
    case = driving(code, begun_at=f"{day0}T08:30", policy=policy)
    retries = [answered(n, Trigger.RETRY, at(f"{day}T08:00"), code) for n, day in enumerate(later, start=2)]
    done = max((date.fromisoformat(day) - case.day0).days for day in (day0, *later))
    return case.model_copy(
        update={
            "attempts": (*case.attempts, *retries),
            "done_through_day": done,
            "noticed_through_day": done,
            "country": "FR",
        }
    )


def charges(case: Case, now: str) -> list[str]:
    """The days of the charges that lie ahead."""
    ahead = timeline(case, at(now))
    return [f"{step.due:%m-%d %H:%M}" for step in ahead if step.kind is StepKind.CHARGE]


def knows(case: Case, **facts: object) -> Case:
    return case.model_copy(update=facts)


# The payer's own good days


def test_a_retry_waits_for_the_day_on_which_the_card_worked_before() -> None:
    """Day 7 is 30 November; on 1 October a charge of this customer went through after a decline."""
    case = failed("2027-11-23", "2027-11-24", "2027-11-26")
    assert charges(case, "2027-11-27T00:00") == ["11-30 08:00", "12-07 08:00"]
    # Of the last one, on day 14, the last notice is the same day: it cannot wait.
    assert charges(knows(case, good_days=(OCTOBER,)), "2027-11-27T00:00") == ["12-01 08:00", "12-07 08:00"]


def test_the_mail_and_the_end_stay_and_the_mail_names_the_better_day() -> None:
    case = knows(failed("2027-11-23", "2027-11-24", "2027-11-26"), good_days=(OCTOBER,))
    walk = Walk(case, "2027-11-27T00:00", ["insufficient_funds", "insufficient_funds"])
    assert walk.until("2028-01-01") == [
        "11-30 08:00 mail reminder:7",
        "12-01 08:00 retry: insufficient_funds",
        "12-07 08:00 retry: insufficient_funds",
        "12-07 08:00 mail last_notice",
        "12-14 08:00 end: suspend, leave_open",
    ]
    reminder = walk.steps[0][1]
    assert reminder.why.sentence() == (
        "insufficient funds; reminder on 30 November 2027 (day 7 of policy monthly v1); not charged before "
        "1 December 2027: the day of the month on which this customer's card worked in October"
    )


@pytest.mark.parametrize(
    ("good_day", "due"),
    [
        ("2027-10-30", "11-30 08:00"),  # its own day is a good one
        ("2027-10-05", "12-05 08:00"),
        ("2027-10-06", "12-06 08:00"),  # the day before the last retry
        ("2027-10-07", "11-30 08:00"),  # beyond the window: it would meet the last retry
        ("2027-10-29", "11-30 08:00"),  # never earlier than its own day
        ("2027-10-31", "11-30 08:00"),  # the last day of the month, which November ends with
    ],
)
def test_a_retry_waits_only_within_its_window(good_day: str, due: str) -> None:
    case = failed("2027-11-23", "2027-11-24", "2027-11-26")
    known = knows(case, good_days=(date.fromisoformat(good_day),))
    assert charges(known, "2027-11-27T00:00")[0] == due


def test_the_nearest_of_several_good_days_is_taken() -> None:
    case = failed("2027-11-23", "2027-11-24", "2027-11-26")
    known = knows(case, good_days=(date(2027, 10, 5), OCTOBER, date(2027, 8, 3)))
    assert charges(known, "2027-11-27T00:00")[0] == "12-01 08:00"


def test_other_declines_know_no_good_days() -> None:
    case = knows(failed("2027-11-23", "2027-11-24", "2027-11-26", code="do_not_honor"), good_days=(OCTOBER,))
    assert charges(case, "2027-11-27T00:00")[0] == "11-30 08:00"


def test_a_policy_may_leave_them_alone() -> None:
    case = knows(failed("2027-11-23", "2027-11-24", "2027-11-26", policy=PLAIN), good_days=(OCTOBER,))
    assert charges(case, "2027-11-27T00:00")[0] == "11-30 08:00"


def test_a_good_day_that_passed_while_nobody_worked_is_made_up_at_once() -> None:
    case = knows(failed("2027-11-23", "2027-11-24", "2027-11-26"), good_days=(OCTOBER,))
    step = next_step(knows(case, noticed_through_day=7), at("2027-12-03T15:00"))
    assert (step.kind, step.due) == (StepKind.CHARGE, at("2027-11-30T08:00"))
    assert step.why.sentence() == (
        "insufficient funds; retry 3 of 4 on 3 December 2027 (day 7 of policy monthly v1)"
    )


# Paydays, Sundays, public holidays


def with_rules(**rules: object) -> DunningPolicy:
    return DunningPolicy.model_validate({**MONTHLY.model_dump(), **rules})


@pytest.mark.parametrize(
    ("rules", "due"),
    [
        ({"paydays": (5,)}, "12-05 08:00"),
        ({"paydays": (6,)}, "11-30 08:00"),  # six days are more than five
        ({"paydays": (6,), "payday_within_days": 6}, "12-06 08:00"),
        ({"paydays": (31,)}, "11-30 08:00"),  # 30 November is the last day of its month
        ({"paydays": (28, 31)}, "11-30 08:00"),
        ({"paydays": ()}, "11-30 08:00"),
    ],
)
def test_a_retry_waits_for_a_payday_that_is_near(rules: dict[str, Any], due: str) -> None:
    case = failed("2027-11-23", "2027-11-24", "2027-11-26", policy=with_rules(**rules))
    assert charges(case, "2027-11-27T00:00")[0] == due


def test_ones_own_good_day_goes_before_everybodys_payday() -> None:
    policy = with_rules(paydays=(3,))
    case = knows(
        failed("2027-11-23", "2027-11-24", "2027-11-26", policy=policy), good_days=(date(2027, 9, 5),)
    )
    assert charges(case, "2027-11-27T00:00")[0] == "12-05 08:00"


def test_sundays_are_avoided_where_the_policy_says_so() -> None:
    """Declined on Sunday 14 November: day 7 is a Sunday as well."""
    for code in ("insufficient_funds", "do_not_honor"):
        case = failed("2027-11-14", "2027-11-15", "2027-11-17", code=code)
        assert charges(case, "2027-11-18T00:00") == ["11-21 08:00", "11-28 08:00"]
        picky = failed(
            "2027-11-14", "2027-11-15", "2027-11-17", code=code, policy=with_rules(avoid_sundays=True)
        )
        # Day 14 is a Sunday too, and that of the last notice: nothing is left to choose.
        assert charges(picky, "2027-11-18T00:00") == ["11-22 08:00", "11-28 08:00"]


def test_a_retry_that_was_missed_is_not_made_up_on_a_sunday() -> None:
    """Day 7 is Saturday 20 November, when nobody worked; on Sunday somebody does."""
    case = failed("2027-11-13", "2027-11-14", "2027-11-16", policy=with_rules(avoid_sundays=True))
    step = next_step(knows(case, noticed_through_day=7), at("2027-11-21T10:00"))
    assert (step.kind, step.due) == (StepKind.CHARGE, at("2027-11-22T08:00"))


def test_public_holidays_of_the_customers_country_are_avoided() -> None:
    """Day 7 is Saturday 25 December; in France the 26th is none, in Germany it is, and a Sunday anyway."""
    policy = with_rules(avoid_public_holidays=True)
    case = failed("2027-12-18", "2027-12-19", "2027-12-21", policy=policy)
    assert charges(knows(case, country="FR"), "2027-12-22T00:00")[0] == "12-26 08:00"
    assert charges(knows(case, country="DE"), "2027-12-22T00:00")[0] == "12-27 08:00"
    assert charges(knows(case, country=""), "2027-12-22T00:00")[0] == "12-25 08:00"
    both = failed(
        "2027-12-18",
        "2027-12-19",
        "2027-12-21",
        policy=with_rules(avoid_public_holidays=True, avoid_sundays=True),
    )
    assert charges(both, "2027-12-22T00:00")[0] == "12-27 08:00"


def test_a_good_day_that_is_avoided_is_none() -> None:
    """1 December 2030 is a Sunday; the first after it on which money came is the third."""
    policy = with_rules(avoid_sundays=True)
    case = failed("2030-11-22", "2030-11-23", "2030-11-25", policy=policy)
    known = knows(case, good_days=(date(2030, 10, 1), date(2030, 9, 3)))
    assert charges(known, "2030-11-26T00:00")[0] == "12-03 08:00"


@pytest.mark.parametrize(
    ("field", "value"),
    [("paydays", (0,)), ("paydays", (32,)), ("payday_within_days", 0)],
)
def test_a_policy_that_makes_no_sense_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        with_rules(**{"paydays": (28,), field: value})
    assert refused.value.field == field


# What the step says


def asked_to_wait(case: Case, hours: int) -> Case:
    """What Mastercard said with the last decline."""
    *earlier, last = case.attempts
    wait: Attempt = last.model_copy(update={"not_before": last.begun_at + timedelta(hours=hours)})
    return knows(case, attempts=(*earlier, wait))


def next_charge(case: Case, now: str) -> NextStep:
    return next(step for step in timeline(case, at(now)) if step.kind is StepKind.CHARGE)


def test_the_reason_is_made_of_rule_date_and_input() -> None:
    """The third retry is day 5 of this policy, Sunday 28 November; the second was declined on the 26th."""
    policy = with_rules(retry_days=(1, 3, 5, 14))
    case = asked_to_wait(failed("2027-11-23", "2027-11-24", "2027-11-26", policy=policy), 96)
    case = knows(case, good_days=(OCTOBER,))
    step = next_charge(case, "2027-11-27T00:00")
    assert step.due == at("2027-12-01T08:00")
    assert step.why.sentence() == (
        "insufficient funds; retry 3 of 4 on 1 December 2027, moved from 28 November: the day of the month on which "
        "this customer's card worked in October; Mastercard asks to wait 4 days (day 5 of policy monthly v1)"
    )
    assert [(move.by, move.rule) for move in step.why.moves] == [
        ("good_day", "policy"),
        ("network", "rules 27"),
    ]
    assert step.why.moved_from == date(2027, 11, 28)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"good_days": (date(2027, 9, 2),)},
            (
                "insufficient funds; retry 3 of 4 on 2 December 2027, moved from 30 November: the day of the month on "
                "which this customer's card worked in September (day 7 of policy monthly v1)"
            ),
        ),
        (
            {"good_days": (date(2026, 9, 2),)},
            (
                "insufficient funds; retry 3 of 4 on 2 December 2027, moved from 30 November: the day of the month on "
                "which this customer's card worked in September 2026 (day 7 of policy monthly v1)"
            ),
        ),
        (
            {"good_days": ()},
            "insufficient funds; retry 3 of 4 on 30 November 2027 (day 7 of policy monthly v1)",
        ),
        (
            {"policy": with_rules(paydays=(1,)), "good_days": ()},
            (
                "insufficient funds; retry 3 of 4 on 1 December 2027, moved from 30 November: the payday of the policy "
                "(day 7 of policy monthly v1)"
            ),
        ),
        (
            {
                "elsewhere": (answered(1, Trigger.RETRY, at("2027-11-29T10:00"), "do_not_honor"),),
                "good_days": (),
            },
            (
                "insufficient funds; retry 3 of 4 on 1 December 2027, moved from 30 November: a card is tried again "
                "once in 24 hours, and another try was declined on 29 November (day 7 of policy monthly v1)"
            ),
        ),
        (
            {
                "elsewhere": tuple(
                    answered(1, Trigger.FIRST, at("2027-11-01T10:00"), "do_not_honor") for _ in range(7)
                )
            },
            # With its own three they are ten; the first is 30 days old on 1 December at 11:00 in Paris.
            (
                "insufficient funds; retry 3 of 4 on 2 December 2027, moved from 30 November: 10 charges of the card "
                "were declined within 30 days (day 7 of policy monthly v1)"
            ),
        ),
    ],
)
def test_changing_one_input_changes_the_sentence(change: dict[str, Any], sentence: str) -> None:
    case = knows(failed("2027-11-23", "2027-11-24", "2027-11-26"), good_days=(OCTOBER,))
    before = next_charge(case, "2027-11-29T12:00").why.sentence()
    assert before == (
        "insufficient funds; retry 3 of 4 on 1 December 2027, moved from 30 November: the day of the month on which "
        "this customer's card worked in October (day 7 of policy monthly v1)"
    )
    after = next_charge(knows(case, **change), "2027-11-29T12:00").why.sentence()
    assert after == sentence
    assert after != before


@pytest.mark.parametrize(
    ("hours", "words"),
    [(1, "1 hour"), (24, "24 hours"), (48, "2 days"), (72, "3 days"), (240, "10 days")],
)
def test_a_wait_is_told_as_mastercard_names_it(hours: int, words: str) -> None:
    move = Move(by=MovedBy.NETWORK, hours=hours)
    assert move.words(date(2027, 12, 1)) == f"Mastercard asks to wait {words}"


def test_sundays_and_holidays_are_named() -> None:
    sunday = failed("2027-11-14", "2027-11-15", "2027-11-17", policy=with_rules(avoid_sundays=True))
    assert next_charge(sunday, "2027-11-18T00:00").why.sentence() == (
        "insufficient funds; retry 3 of 4 on 22 November 2027, moved from 21 November: no charge on a Sunday "
        "(day 7 of policy monthly v1)"
    )
    holiday = failed("2027-12-25", "2027-12-26", "2027-12-28", policy=with_rules(avoid_public_holidays=True))
    assert next_charge(holiday, "2027-12-29T00:00").why.sentence() == (
        "insufficient funds; retry 3 of 4 on 2 January 2028, moved from 1 January: no charge on a public holiday in "
        "FR (day 7 of policy monthly v1)"
    )


# Whatever the rules and the inputs


@settings(deadline=None)
@given(
    policy=st.sampled_from([MONTHLY, ANNUAL, SHORT]),
    starts=st.integers(0, 800),
    paydays=st.lists(st.integers(1, 31), max_size=4).map(tuple),
    good_days=st.lists(st.dates(date(2026, 1, 1), date(2027, 1, 1)), max_size=6).map(tuple),
    avoids=st.tuples(st.booleans(), st.booleans()),
    within=st.integers(1, 31),
)
def test_a_moved_retry_never_leaves_its_window(
    policy: DunningPolicy,
    starts: int,
    paydays: tuple[int, ...],
    good_days: tuple[date, ...],
    avoids: tuple[bool, bool],
    within: int,
) -> None:
    rules = {
        "paydays": paydays,
        "payday_within_days": within,
        "avoid_sundays": avoids[0],
        "avoid_public_holidays": avoids[1],
    }
    moving = DunningPolicy.model_validate({**policy.model_dump(), **rules})
    day0 = date(2027, 1, 2) + timedelta(days=starts)
    case = driving("insufficient_funds", begun_at=f"{day0}T08:30", policy=moving)
    case = knows(case, good_days=good_days, country="FR")
    ahead = timeline(case, at(f"{day0}T08:30"))
    planned = [day0 + timedelta(days=day) for day in policy.retry_days]
    made = [step.why.on for step in ahead if step.kind is StepKind.CHARGE]
    assert len(made) == len(planned)
    for n, (own, on) in enumerate(zip(planned, made, strict=True)):
        assert on is not None
        assert on >= own
        after = planned[n + 1] if n + 1 < len(planned) else day0 + timedelta(days=policy.last_notice_day + 1)
        assert on < after
    end = ahead[-1]
    assert end.kind is StepKind.END
    assert end.why.on == day0 + timedelta(days=policy.end_day)
