"""Dunning policies in a file: what is read, and how what is wrong is named."""

from __future__ import annotations

import pytest

from billing.calendar import Interval
from billing.dunning import DunningPolicy, EndForInvoice, EndForSubscription
from billing.errors import InvalidInput
from billing.policy_choice import AppliesTo, MethodKind, SavedPolicy
from billing.policy_file import read_policy_file

GENTLE = """
[[policy]]
name = "gentle"
retry_days = [2, 5, 9]
quiet_days = 4
last_notice_day = 12
end_day = 25
end_for_subscription = "cancel"
end_for_invoice = "credit"
applies_to = { interval = "monthly", method = "card", country = ["FR", "BE"], segment = "vip" }
"""
FIRST = """
[[policy]]
name = "first"
retry_days = [1]
last_notice_day = 2
end_day = 5
applies_to = { first_payment = true }
"""
NAMED = """
[[policy]]
name = "named"
retry_days = [1]
last_notice_day = 7
end_day = 14
"""


def test_a_file_is_read_in_its_order() -> None:
    gentle, first, named = read_policy_file(GENTLE + FIRST + NAMED, source="policies.toml")
    assert gentle == SavedPolicy(
        policy=DunningPolicy(
            name="gentle",
            retry_days=(2, 5, 9),
            quiet_days=4,
            last_notice_day=12,
            end_day=25,
            end_for_subscription=EndForSubscription.CANCEL,
            end_for_invoice=EndForInvoice.CREDIT,
        ),
        applies_to=AppliesTo(
            interval=(Interval.parse("1month"),),
            method=(MethodKind.CARD,),
            country=("FR", "BE"),
            segment=("vip",),
        ),
    )
    # Three days are enough for a first payment, and nobody has to say so twice.
    assert (first.policy.minimum_notice_days, first.policy.end_day) == (3, 5)
    assert named.applies_to is None
    assert named.policy.minimum_notice_days == 7


@pytest.mark.parametrize(
    ("was", "given", "field", "says"),
    [
        (
            "retry_days = [1]",
            "retry_day = [1]",
            "retry_day",
            "retry_day is not a known key. Did you mean retry_days?",
        ),
        (
            "retry_days = [1]",
            "colour = 1",
            "colour",
            "colour is not a known key. Known are name, charges, retry_days",
        ),
        (
            "retry_days = [1]",
            "",
            "retry_days",
            "retry_days is missing. Give days as whole numbers in a list, such as",
        ),
        (
            "[1]",
            '["1"]',
            "retry_days",
            "retry_days is '1'. Give days as whole numbers in a list, such as [1, 3, 7].",
        ),
        (
            "[1]",
            "[3, 1]",
            "retry_days",
            "retry_days must increase: (3, 1). Put the days in order, each once.",
        ),
        ("14", '"14"', "end_day", "end_day is '14'. Give a whole number."),
        ("14", "true", "end_day", "end_day is True. Give a whole number."),
        (
            "14",
            "13",
            "end_day",
            "end_day is 13, 6 days after the last notice. Set it to 14 or later, so that 7 days",
        ),
        ("14", "14\ncharges = 1", "charges", "charges is 1. Give true or false."),
        (
            "14",
            '14\nend_for_invoice = "gone"',
            "end_for_invoice",
            "end_for_invoice is 'gone'. Give \"leave_open\",",
        ),
        (
            "14",
            "14\nversion = 2",
            "version",
            "version is counted when a policy is saved, and grows with each change.",
        ),
        ("14", '14\napplies_to = "FR"', "applies_to", "applies_to is a table. Give one such as { interval"),
        (
            "14",
            "14\napplies_to = { land = 1 }",
            "applies_to.land",
            "applies_to.land is not a known key. Known are",
        ),
        (
            "14",
            '14\napplies_to = { country = "fr" }',
            "applies_to.country",
            "applies_to.country is 'fr'. Give two cap",
        ),
        (
            "14",
            '14\napplies_to = { method = "cash" }',
            "applies_to.method",
            "applies_to.method is 'cash'. Give \"card",
        ),
        (
            "14",
            '14\napplies_to = { interval = "often" }',
            "applies_to.interval",
            "applies_to.interval: 'often' is not an interval. Give a count",
        ),
        (
            "14",
            '14\napplies_to = { interval = "1week" }',
            "end_day",
            "end_day is 14, and a period of 1week can have 7",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_policy_field_and_remedy(
    was: str, given: str, field: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_policy_file(FIRST + NAMED.replace(was, given), source="policies.toml")
    assert refused.value.field == field
    assert refused.value.message.startswith(f"policies.toml, policy named: {says}")


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("[[policy", "file", "policies.toml is no TOML: "),
        ("", "file", "policies.toml has no [[policy]]. Write one for each policy."),
        ("policy = 3", "file", "policies.toml has no [[policy]]."),
        (f"title = 'mine'\n{NAMED}", "title", "policies.toml has title beside its [[policy]]. Leave it out."),
        (NAMED + NAMED, "name", "policies.toml: two policies are named named. Give each its own name."),
        (NAMED.replace('name = "named"', ""), "name", "policies.toml, policy number 1: name is missing."),
        (NAMED.replace('"named"', '"my own"'), "name", "policies.toml, policy my own: name is 'my own'."),
    ],
)
def test_a_file_that_holds_no_policies_is_refused(text: str, field: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_policy_file(text, source="policies.toml")
    assert refused.value.field == field
    assert refused.value.message.startswith(says)


def test_a_file_may_hold_two_that_are_to_be_compared() -> None:
    """Whether they go together is looked at when they are saved."""
    assert len(read_policy_file(FIRST + FIRST.replace('"first"', '"other"'), source="policies.toml")) == 2
