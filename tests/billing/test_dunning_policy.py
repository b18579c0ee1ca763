from __future__ import annotations

from datetime import date

import pytest

from billing.calendar import Interval, Unit
from billing.dunning import (
    ANNUAL,
    FIRST_PAYMENT,
    GATED,
    MONTHLY,
    SHORT,
    TRANSFER,
    AfterCancel,
    DunningPolicy,
    EndForInvoice,
    EndForSubscription,
    default_policy,
)
from billing.errors import InvalidInput


def test_the_defaults_are_those_of_rule_24() -> None:
    schedules = {p.name: (p.retry_days, p.last_notice_day, p.end_day) for p in (MONTHLY, ANNUAL, SHORT)}
    assert schedules == {
        "monthly": ((1, 3, 7, 14), 14, 21),
        "annual": ((3, 7, 14, 28), 28, 45),
        "short": ((1, 2, 3), 3, 6),
    }
    for policy in (MONTHLY, ANNUAL, SHORT):
        assert policy.end_for_subscription is EndForSubscription.SUSPEND
        assert policy.end_for_invoice is EndForInvoice.LEAVE_OPEN
        assert policy.after_cancel is AfterCancel.ASK
        assert policy.repeat_after_hours == 2
    assert (FIRST_PAYMENT.retry_days, FIRST_PAYMENT.last_notice_day, FIRST_PAYMENT.end_day) == ((1, 3), 3, 7)
    assert FIRST_PAYMENT.end_for_subscription is EndForSubscription.CANCEL
    assert FIRST_PAYMENT.end_for_invoice is EndForInvoice.CREDIT
    assert (GATED.retry_days, GATED.most_retries) == ((), 0)


def test_mails_go_on_each_retry_day_but_the_first() -> None:
    assert MONTHLY.mail_days == (3, 7, 14)
    assert ANNUAL.mail_days == (7, 14, 28)
    assert SHORT.mail_days == (2, 3)
    assert FIRST_PAYMENT.mail_days == (3,)
    assert TRANSFER.mail_days == (3, 15, 30)


@pytest.mark.parametrize(
    ("unit", "count", "name"),
    [
        (Unit.WEEK, 1, "short"),
        (Unit.WEEK, 2, "short"),
        (Unit.WEEK, 3, "monthly"),
        (Unit.MONTH, 1, "monthly"),
        (Unit.MONTH, 2, "monthly"),
        (Unit.MONTH, 6, "monthly"),
        (Unit.MONTH, 12, "annual"),
        (Unit.YEAR, 1, "annual"),
    ],
)
def test_the_interval_gives_the_policy(unit: Unit, count: int, name: str) -> None:
    assert default_policy(Interval(unit=unit, count=count)).name == name


def test_a_first_payment_and_a_transfer_have_their_own() -> None:
    year = Interval(unit=Unit.YEAR, count=1)
    assert default_policy(year, is_first_payment=True) is FIRST_PAYMENT
    assert default_policy(year, by_transfer=True) is TRANSFER


def test_k7_a_transfer_is_past_due_after_the_tolerance() -> None:
    assert TRANSFER.past_due_on(date(2027, 3, 2)) == date(2027, 3, 13)
    assert MONTHLY.past_due_on(date(2027, 3, 2)) == date(2027, 3, 2)


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"retry_days": (1, 2, 3, 4, 5)}, "retry_days", "at most 4"),
        ({"retry_days": (1, 7, 3)}, "retry_days", "must increase"),
        ({"retry_days": (1, 3, 3)}, "retry_days", "must increase"),
        ({"retry_days": (0, 3)}, "retry_days", "1 or later"),
        ({"reminder_days": (5, 2)}, "reminder_days", "must increase"),
        ({"last_notice_day": 13}, "last_notice_day", "Set it to 14 or later"),
        ({"end_day": 20}, "end_day", "Set it to 21 or later"),
        ({"quiet_days": -1}, "quiet_days", "0 or more"),
        ({"quiet_days": 14}, "quiet_days", "less than 14"),
        (
            {"quiet_days": 3, "charges": False, "retry_days": (), "reminder_days": (5,)},
            "quiet_days",
            "does not charge",
        ),
        ({"minimum_notice_days": 2}, "minimum_notice_days", "at least 3"),
        ({"repeat_after_hours": 0}, "repeat_after_hours", "1 to 24"),
        ({"tolerance_days": -1}, "tolerance_days", "0 to 366"),
        ({"tolerance_days": 367}, "tolerance_days", "0 to 366"),
        ({"end_day": 367}, "end_day", "at most 366"),
        ({"payday_within_days": 367}, "payday_within_days", "1 to 366"),
        ({"retry_days": (), "last_notice_day": 0, "end_day": 7}, "last_notice_day", "Give 1 or more"),
        ({"charges": False, "retry_days": ()}, "reminder_days", "day 14 would be the first mail"),
        (
            {"charges": False, "retry_days": (), "reminder_days": (14,)},
            "reminder_days",
            "Name a reminder before it",
        ),
        ({"hour": 24}, "hour", "0 to 23"),
        ({"charges": False}, "retry_days", "does not charge"),
        ({"end_for_invoice": "uncollectible"}, "end_for_invoice", "leave_open or credit"),
    ],
)
def test_days_that_contradict_each_other_are_refused(wrong: dict[str, object], field: str, says: str) -> None:
    good: dict[str, object] = {"name": "mine", "retry_days": (1, 14), "last_notice_day": 14, "end_day": 21}
    with pytest.raises(InvalidInput, match=says) as refused:
        DunningPolicy.model_validate(good | wrong)
    assert refused.value.field == field


def test_a_policy_survives_json() -> None:
    assert DunningPolicy.model_validate_json(FIRST_PAYMENT.model_dump_json()) == FIRST_PAYMENT
