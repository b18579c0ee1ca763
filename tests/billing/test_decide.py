"""Every command in every status, and the corners U1 to U14 of the rules: what it does, or why it is refused."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from support.subscriptions import (
    DOLLAR,
    JUNE,
    MAY,
    NOW,
    PRO,
    TEAM,
    YEAR,
    a_subscription,
    in_paid_time,
    told,
)

from billing.commands import (
    Cancel,
    ChangePlan,
    ChangeQuantity,
    Command,
    CreditTo,
    KeepSubscription,
    Pause,
    Resume,
    RetryNow,
    When,
)
from billing.decide import accept, check
from billing.errors import InvalidInput
from billing.lifecycle import pause_now
from billing.refusal import Refused
from billing.subscription import Parked, Status, Subscription
from billing.terms import Terms

TO_PRO = ChangePlan(command_id="c", plan_id="plan_pro", terms=PRO)
SEATS = ChangeQuantity(command_id="c", quantity=8)
CANCEL_NOW = Cancel(command_id="c", when=When.NOW)
CANCEL = Cancel(command_id="c")
KEEP = KeepSubscription(command_id="c")
PAUSE = Pause(command_id="c")
PAUSE_NOW = Pause(command_id="c", when=When.NOW)
PAUSE_CREDIT = Pause(command_id="c", when=When.NOW, credit=True)
RESUME = Resume(command_id="c")
RETRY = RetryNow(command_id="c")

PRO_SCHEDULED = ["pending_terms: Pro x1", "event subscription.change_scheduled"]
SEATS_SCHEDULED = ["pending_terms: Team x8", "event subscription.change_scheduled"]
ENDED_AT = ["ended_at: 2041-06-10 10:00", "end_reason: canceled now"]
END = ["event subscription.canceled", "mail subscription_canceled 2041-06-10"]
PAY_OR_CANCEL = "status: The first payment is still open: pay it or cancel before changing the plan."
NOTHING_TO_TAKE_BACK = "status: There is no cancel or pause to take back."
NOTHING_OPEN = "status: Nothing is open: there is nothing to retry."
ENDED = (
    "subscription: Subscription sub_1 ended on 2041-06-01 (canceled at the end of the period). "
    "Start a new subscription instead."
)
EXPIRED = (
    "subscription: Subscription sub_1 ended on 2041-06-02 (the first payment never came). "
    "Start a new subscription instead."
)


def not_paused(status: str) -> str:
    return f"status: A subscription that is {status} cannot be paused."


def not_resumed(status: str) -> str:
    return f"status: A subscription that is {status} has nothing to resume."


TABLE: dict[Status, dict[str, tuple[Command, list[str] | str]]] = {
    Status.SCHEDULED: {
        "change": (
            TO_PRO,
            ["terms: Pro x1", "mail plan_changed 2041-07-01:c", "event subscription.plan_changed"],
        ),
        "seats": (
            SEATS,
            ["terms: Team x8", "mail plan_changed 2041-07-01:c", "event subscription.plan_changed"],
        ),
        "cancel now": (CANCEL_NOW, ["status: canceled", *ENDED_AT, *END, "settle the debt"]),
        "cancel": (CANCEL, ["status: canceled", *ENDED_AT, *END, "settle the debt"]),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, not_paused("scheduled")),
        "pause now": (PAUSE_NOW, not_paused("scheduled")),
        "resume": (RESUME, not_resumed("scheduled")),
        "retry": (RETRY, NOTHING_OPEN),
    },
    Status.TRIALING: {
        "change": (
            TO_PRO,
            ["terms: Pro x1", "mail plan_changed 2041-06-10:c", "event subscription.plan_changed"],
        ),
        "seats": (
            SEATS,
            ["terms: Team x8", "mail plan_changed 2041-06-10:c", "event subscription.plan_changed"],
        ),
        "cancel now": (CANCEL_NOW, ["status: canceled", *ENDED_AT, *END, "settle the debt"]),
        "cancel": (
            CANCEL,
            [
                "cancel_at_end: True",
                "event subscription.cancel_scheduled",
                "mail cancel_scheduled 2041-06-15",
            ],
        ),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, ["pause_at_end: True", "event subscription.pause_scheduled"]),
        "pause now": (PAUSE_NOW, ["pause_at_end: True", "event subscription.pause_scheduled"]),
        "resume": (RESUME, not_resumed("trialing")),
        "retry": (RETRY, NOTHING_OPEN),
    },
    Status.INCOMPLETE: {
        "change": (TO_PRO, PAY_OR_CANCEL),
        "seats": (SEATS, PAY_OR_CANCEL),
        "cancel now": (CANCEL_NOW, ["status: canceled", *ENDED_AT, "drop the gated draft", *END]),
        "cancel": (CANCEL, ["status: canceled", *ENDED_AT, "drop the gated draft", *END]),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, not_paused("incomplete")),
        "pause now": (PAUSE_NOW, not_paused("incomplete")),
        "resume": (RESUME, not_resumed("incomplete")),
        "retry": (RETRY, []),
    },
    Status.ACTIVE: {
        "change": (TO_PRO, PRO_SCHEDULED),
        "seats": (SEATS, SEATS_SCHEDULED),
        "cancel now": (
            CANCEL_NOW,
            ["status: canceled", *ENDED_AT, "credit from 2041-06-11: canceled now", *END, "settle the debt"],
        ),
        "cancel": (
            CANCEL,
            [
                "cancel_at_end: True",
                "event subscription.cancel_scheduled",
                "mail cancel_scheduled 2041-07-01",
            ],
        ),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, ["pause_at_end: True", "event subscription.pause_scheduled"]),
        "pause now": (
            PAUSE_NOW,
            [
                "status: paused",
                "access_ends_at: 2041-06-30 22:00",
                "event subscription.paused",
                "mail paused 2041-06-10",
            ],
        ),
        "pause with credit": (
            PAUSE_CREDIT,
            [
                "status: paused",
                "credit from 2041-06-11: paused",
                "event subscription.paused",
                "mail paused 2041-06-10",
            ],
        ),
        "resume": (RESUME, not_resumed("active")),
        "retry": (RETRY, NOTHING_OPEN),
    },
    Status.PAST_DUE: {
        "change": (TO_PRO, PRO_SCHEDULED),
        "seats": (SEATS, SEATS_SCHEDULED),
        "cancel now": (
            CANCEL_NOW,
            [
                "status: canceled",
                "past_due_since: None",
                "policy_ends_at: None",
                *ENDED_AT,
                "credit from 2041-06-11: canceled now",
                *END,
                "settle the debt",
            ],
        ),
        "cancel": (
            CANCEL,
            [
                "cancel_at_end: True",
                "event subscription.cancel_scheduled",
                "mail cancel_scheduled 2041-07-01",
            ],
        ),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, ["pause_at_end: True", "event subscription.pause_scheduled"]),
        "pause now": (
            PAUSE_NOW,
            [
                "status: paused",
                "access_ends_at: 2041-06-30 22:00",
                "past_due_since: None",
                "event subscription.paused",
                "mail paused 2041-06-10",
            ],
        ),
        "resume": (RESUME, not_resumed("past_due")),
        "retry": (RETRY, []),
    },
    Status.UNPAID: {
        "change": (TO_PRO, PRO_SCHEDULED),
        "seats": (SEATS, SEATS_SCHEDULED),
        "cancel now": (
            CANCEL_NOW,
            [
                "status: canceled",
                "unpaid_since: None",
                *ENDED_AT,
                "credit from 2041-06-11: canceled now",
                *END,
                "settle the debt",
            ],
        ),
        "cancel": (
            CANCEL,
            [
                "status: canceled",
                "unpaid_since: None",
                *ENDED_AT,
                "credit from 2041-06-11: canceled now",
                *END,
                "settle the debt",
            ],
        ),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, not_paused("unpaid")),
        "pause now": (PAUSE_NOW, not_paused("unpaid")),
        "resume": (
            RESUME,
            "status: Something is still owed: the subscription comes back by itself once it is paid.",
        ),
        "retry": (RETRY, []),
    },
    Status.PAUSED: {
        "change": (TO_PRO, PRO_SCHEDULED),
        "seats": (SEATS, SEATS_SCHEDULED),
        "cancel now": (CANCEL_NOW, ["status: canceled", *ENDED_AT, *END, "settle the debt"]),
        "cancel": (CANCEL, ["status: canceled", *ENDED_AT, *END, "settle the debt"]),
        "keep": (KEEP, NOTHING_TO_TAKE_BACK),
        "pause": (PAUSE, not_paused("paused")),
        "pause now": (PAUSE_NOW, not_paused("paused")),
        "resume": (
            RESUME,
            [
                "status: active",
                "period: 2041-06-10 to 2041-07-01",
                "event subscription.resumed",
                "issue resume Team 2041-06-10 to 2041-07-01",
                "mail resumed 2041-06-10",
            ],
        ),
        "retry": (RETRY, NOTHING_OPEN),
    },
}
COMMANDS: dict[str, Command] = {
    "change": TO_PRO,
    "seats": SEATS,
    "cancel now": CANCEL_NOW,
    "cancel": CANCEL,
    "keep": KEEP,
    "pause": PAUSE,
    "pause now": PAUSE_NOW,
    "pause with credit": PAUSE_CREDIT,
    "resume": RESUME,
    "retry": RETRY,
}
CASES = [
    pytest.param(status, command, expected, id=f"{status.value}, {name}")
    for status, row in TABLE.items()
    for name, (command, expected) in row.items()
]


def refusal(sub: Subscription, command: Command, at: datetime = NOW) -> str:
    """Field and sentence with which a command is refused."""
    with pytest.raises((Refused, InvalidInput)) as refused:
        accept(sub, command, at)
    return f"{refused.value.field}: {refused.value.message}"


@pytest.mark.parametrize(("status", "command", "expected"), CASES)
def test_the_table(status: Status, command: Command, expected: list[str] | str) -> None:
    sub = a_subscription(status)
    if isinstance(expected, str):
        assert refusal(sub, command) == expected
    else:
        assert told(sub, accept(sub, command, NOW)) == expected


def test_the_table_leaves_nothing_out() -> None:
    for row in TABLE.values():
        assert row.keys() | {"pause with credit"} == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_u6_an_ended_subscription_takes_no_command(command: Command) -> None:
    assert refusal(a_subscription(Status.CANCELED), command) == ENDED
    assert refusal(a_subscription(Status.INCOMPLETE_EXPIRED), command) == EXPIRED
    with pytest.raises(Refused):
        check(a_subscription(Status.CANCELED), command, NOW)


def test_an_end_without_a_date_is_still_told() -> None:
    sub = a_subscription(Status.CANCELED, ended_at=None)
    assert refusal(sub, CANCEL) == ENDED.replace(" on 2041-06-01", "")


# Plan and seats


def test_a_plan_in_another_currency_is_refused() -> None:
    to_dollar = ChangePlan(command_id="c", plan_id="plan_dollar", terms=DOLLAR)
    assert refusal(a_subscription(), to_dollar) == (
        "plan: The plan plan_dollar bills in USD, this subscription in EUR. "
        "Start a new subscription to change currency."
    )


def test_seats_of_a_plan_without_seats_are_refused() -> None:
    expected = (
        "quantity: The plan plan_pro has no price per unit, so a quantity changes nothing. Leave it at 1."
    )
    assert refusal(a_subscription(terms=PRO), SEATS) == expected
    two_of_pro = ChangePlan(command_id="c", plan_id="plan_pro", terms=PRO, quantity=2)
    assert refusal(a_subscription(), two_of_pro) == expected


def test_a_change_whose_plan_nobody_looked_up() -> None:
    """It passes the check before history, which has no plans at hand; the books look the plan up."""
    unknown = ChangePlan(command_id="c", plan_id="plan_pro")
    check(a_subscription(), unknown, NOW)
    assert refusal(a_subscription(), unknown) == "plan: The plan's terms were not looked up."


@pytest.mark.parametrize(
    ("sub", "expected"),
    [
        (a_subscription(Status.CANCELED), ENDED),
        (a_subscription(Status.INCOMPLETE), PAY_OR_CANCEL),
        (
            a_subscription(cancel_at_end=True),
            "status: A cancel at the period's end is pending. Take it back before changing the plan.",
        ),
    ],
)
def test_a_change_is_refused_also_before_its_plan_is_known(sub: Subscription, expected: str) -> None:
    with pytest.raises(Refused) as refused:
        check(sub, ChangePlan(command_id="c", plan_id="plan_pro"), NOW)
    assert f"{refused.value.field}: {refused.value.message}" == expected


def to(terms: Terms) -> ChangePlan:
    return ChangePlan(command_id="c", plan_id=terms.plan_id, terms=terms)


def test_the_last_change_counts() -> None:
    sub = accept(a_subscription(), to(PRO), NOW).after
    assert told(sub, accept(sub, to(YEAR), NOW)) == [
        "pending_terms: Year x1",
        "event subscription.change_scheduled",
    ]


def test_changing_back_undoes_a_change() -> None:
    """Also the seats that the plan in between knew nothing of."""
    sub = accept(a_subscription(), to(PRO), NOW).after
    back = accept(sub, to(TEAM.model_copy(update={"quantity": 1})), NOW)
    assert told(sub, back) == ["pending_terms: None", "event subscription.change_scheduled"]


def test_changing_back_keeps_what_was_agreed_for_this_subscription() -> None:
    agreed = TEAM.model_copy(update={"dunning_policy": "patient"})
    sub = accept(a_subscription(terms=agreed), to(PRO), NOW).after
    assert accept(sub, to(TEAM), NOW).after.pending_terms is None


def test_seats_are_changed_of_the_plan_that_was_asked_for() -> None:
    bigger = TEAM.model_copy(update={"plan_id": "plan_big", "plan_name": "Big", "quantity": 1})
    sub = accept(a_subscription(), to(bigger), NOW).after
    assert sub.pending_terms is not None
    assert (sub.pending_terms.plan_name, sub.pending_terms.quantity) == ("Big", 5)
    sub = accept(sub, SEATS, NOW).after
    assert sub.pending_terms is not None
    assert (sub.pending_terms.plan_name, sub.pending_terms.quantity) == ("Big", 8)
    again = accept(sub, to(bigger), NOW).after.pending_terms
    assert again is not None
    assert again.quantity == 8


def test_a_change_in_a_trial_keeps_its_end() -> None:
    sub = a_subscription(Status.TRIALING, terms=TEAM.model_copy(update={"trial_days": 14}))
    after = accept(sub, to(PRO.model_copy(update={"trial_days": 30})), NOW).after
    assert (after.terms.plan_name, after.terms.trial_days, after.trial_end_on) == (
        "Pro",
        14,
        date(2041, 6, 15),
    )


# A cancel or a pause that is pending (U6)

PENDING_CANCEL = "status: A cancel at the period's end is pending. Take it back before {}."


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (TO_PRO, PENDING_CANCEL.format("changing the plan")),
        (SEATS, PENDING_CANCEL.format("changing the plan")),
        (PAUSE, PENDING_CANCEL.format("pausing")),
        (PAUSE_NOW, PENDING_CANCEL.format("pausing")),
        (RESUME, not_resumed("active")),
        (CANCEL, []),
        (
            CANCEL_NOW,
            [
                "status: canceled",
                "cancel_at_end: False",
                *ENDED_AT,
                "credit from 2041-06-11: canceled now",
                *END,
                "settle the debt",
            ],
        ),
        (KEEP, ["cancel_at_end: False", "event subscription.kept"]),
    ],
)
def test_u6_with_a_cancel_pending(command: Command, expected: list[str] | str) -> None:
    sub = a_subscription(cancel_at_end=True)
    if isinstance(expected, str):
        assert refusal(sub, command) == expected
    else:
        assert told(sub, accept(sub, command, NOW)) == expected


def test_a_cancel_takes_the_place_of_a_pause_and_a_change() -> None:
    sub = a_subscription(pause_at_end=True, pending_terms=PRO)
    assert told(sub, accept(sub, CANCEL, NOW)) == [
        "pending_terms: None",
        "cancel_at_end: True",
        "pause_at_end: False",
        "event subscription.cancel_scheduled",
        "mail cancel_scheduled 2041-07-01",
    ]


@pytest.mark.parametrize("command", [KEEP, RESUME])
def test_a_pending_pause_is_taken_back(command: Command) -> None:
    sub = a_subscription(pause_at_end=True)
    assert told(sub, accept(sub, command, NOW)) == ["pause_at_end: False", "event subscription.kept"]


def test_a_second_pause_at_the_end_answers_the_same() -> None:
    sub = a_subscription(pause_at_end=True)
    assert told(sub, accept(sub, PAUSE, NOW)) == []


def test_a_credit_at_the_periods_end_is_refused() -> None:
    command = Pause(command_id="c", credit=True)
    assert refusal(a_subscription(), command) == ("credit: Unused days can be credited by a pause now only.")


# While paused: U8 and U12


@pytest.mark.parametrize("command", [CANCEL_NOW, CANCEL])
def test_u12_a_cancel_while_paused_waits_for_the_end_of_the_paid_time(command: Command) -> None:
    sub = in_paid_time()
    transition = accept(sub, command, NOW)
    assert told(sub, transition) == [
        "cancel_at_end: True",
        "event subscription.cancel_scheduled",
        "mail cancel_scheduled 2041-07-01",
    ]
    assert told(transition.after, accept(transition.after, command, NOW)) == []
    assert told(transition.after, accept(transition.after, KEEP, NOW)) == [
        "cancel_at_end: False",
        "event subscription.kept",
    ]


def test_resume_inside_the_paid_time_bills_nothing() -> None:
    sub = in_paid_time()
    assert told(sub, accept(sub, RESUME, NOW)) == [
        "status: active",
        "access_ends_at: None",
        "event subscription.resumed",
        "mail resumed 2041-06-10",
    ]


def test_u12_a_change_applies_at_the_resume() -> None:
    sub = a_subscription(Status.PAUSED, pending_terms=PRO)
    assert told(sub, accept(sub, RESUME, NOW)) == [
        "status: active",
        "terms: Pro x1",
        "period: 2041-06-10 to 2041-07-01",
        "pending_terms: None",
        "mail plan_changed 2041-06-10",
        "event subscription.plan_changed",
        "event subscription.resumed",
        "issue resume Pro 2041-06-10 to 2041-07-01",
        "mail resumed 2041-06-10",
    ]


def test_a_change_of_rhythm_at_the_resume_starts_an_anchor_of_its_own() -> None:
    sub = a_subscription(Status.PAUSED, pending_terms=YEAR)
    after = accept(sub, RESUME, NOW)
    assert after.after.anchor == date(2041, 6, 10)
    assert "issue resume Year 2041-06-10 to 2042-06-10" in told(sub, after)


def test_a_change_waits_for_the_end_of_the_time_that_is_paid_already() -> None:
    sub = in_paid_time(pending_terms=PRO)
    after = accept(sub, RESUME, NOW).after
    assert (after.terms, after.pending_terms) == (TEAM, PRO)


def test_resume_after_a_credit_bills_what_was_given_back() -> None:
    """Paused on the 10th with credit: the 10th was used, the days from the 11th on went back."""
    paused = pause_now(a_subscription(), NOW, credit_to=CreditTo.BALANCE).after
    sub = paused.model_copy(update={"covered_until": date(2041, 6, 11)})
    assert told(sub, accept(sub, RESUME, NOW)) == [
        "status: active",
        "period: 2041-06-11 to 2041-07-01",
        "event subscription.resumed",
        "issue resume Team 2041-06-11 to 2041-07-01",
        "mail resumed 2041-06-10",
    ]


def test_u8_a_suspended_pause_is_not_resumed() -> None:
    sub = a_subscription(Status.PAUSED, suspended=True)
    expected = "status: Something is in arrears: it has to be paid before the service resumes."
    assert refusal(sub, RESUME) == expected


def test_a_pause_out_of_a_trial_resumes_into_the_first_paid_period() -> None:
    sub = a_subscription(Status.PAUSED, anchor=None, period=None, covered_until=None)
    assert told(sub, accept(sub, RESUME, NOW)) == [
        "status: active",
        "anchor: 2041-06-10",
        "period: 2041-06-10 to 2041-07-10",
        "event subscription.started",
        "issue signup Team 2041-06-10 to 2041-07-10 first_payment",
        "mail resumed 2041-06-10",
    ]


# While unpaid: U10 and U11


def test_u11_what_was_written_off_is_owed_too() -> None:
    sub = a_subscription(Status.UNPAID, open_invoices=(), in_arrears=(), owed=1)
    assert refusal(sub, RESUME) == (
        "status: Something is still owed: the subscription comes back by itself once it is paid."
    )


def test_u11_resume_brings_back_what_the_end_credited() -> None:
    sub = a_subscription(Status.UNPAID, open_invoices=(), in_arrears=(), owed=0)
    assert told(sub, accept(sub, RESUME, NOW)) == [
        "status: active",
        "period: 2041-06-10 to 2041-07-01",
        "unpaid_since: None",
        "event subscription.resumed",
        "issue resume Team 2041-06-10 to 2041-07-01",
        "mail resumed 2041-06-10",
    ]


# While parked: U14


@pytest.mark.parametrize(
    ("command", "drafts"),
    [
        (RESUME, "issue all drafts"),
        (
            Resume(command_id="c", issue=(date(2041, 5, 1), date(2041, 6, 1))),
            "issue the drafts of 2041-05-01, 2041-06-01",
        ),
    ],
)
def test_resume_unparks(command: Command, drafts: str) -> None:
    sub = a_subscription(parked=Parked(reason="r", since=NOW, remedy="m"))
    assert told(sub, accept(sub, command, NOW)) == ["parked: None", drafts, "event subscription.unparked"]


@pytest.mark.parametrize("day", [date(2041, 4, 1), date(2041, 5, 2), date(2041, 7, 1)])
def test_resume_names_only_periods_that_have_begun(day: date) -> None:
    sub = a_subscription(parked=Parked(reason="r", since=NOW, remedy="m"))
    assert refusal(sub, Resume(command_id="c", issue=(date(2041, 5, 1), day))) == (
        f"issue: No period that has begun starts on {day}. Name the first days of the drafts to issue."
    )


def test_the_periods_are_those_of_the_samples() -> None:
    """The samples lie on the calendar on which they say they lie."""
    assert a_subscription().schedule.periods(2) == [MAY, JUNE]
