"""Which saved policy an invoice is chased with, and what is refused when one is saved."""

from __future__ import annotations

import pytest

from billing.calendar import Interval
from billing.dunning import DunningPolicy
from billing.errors import InvalidInput
from billing.policy_choice import (
    AppliesTo,
    Chased,
    MethodKind,
    SavedPolicy,
    check_no_ties,
    check_suits,
    choose_policy,
    in_words,
    shortest_days,
)


def saved(name: str, applies_to: dict[str, object] | None, **fields: object) -> SavedPolicy:
    """Retries on days 1, 3 and 7, the last notice on day 7, the end on day 14."""
    days: dict[str, object] = {"retry_days": (1, 3, 7), "last_notice_day": 7, "end_day": 14}
    policy = DunningPolicy.model_validate({"name": name} | days | fields)
    to = None if applies_to is None else AppliesTo.model_validate(applies_to)
    return SavedPolicy(policy=policy, applies_to=to)


def transfer(name: str, applies_to: dict[str, object]) -> SavedPolicy:
    return saved(name, applies_to, charges=False, retry_days=(), reminder_days=(3,), end_day=40)


def invoice(interval: str = "1month", **facts: object) -> Chased:
    """Of a French customer with a card."""
    given = {"interval": Interval.parse(interval), "method": MethodKind.CARD, "country": "FR"}
    return Chased.model_validate(given | facts)


MANY = [
    saved("any", {}),
    saved("french", {"country": "FR"}),
    saved("vip", {"segment": "vip"}),
    saved("french-vip", {"country": "FR", "segment": "vip"}),
    saved("debit", {"method": "sepa_debit", "interval": ["1month", "1year"], "country": "FR"}),
    saved("first", {"first_payment": True}),
    saved("first-belgian", {"first_payment": True, "country": ["BE", "LU"]}),
    saved(
        "weekly", {"interval": "1week"}, retry_days=(1,), last_notice_day=2, end_day=6, minimum_notice_days=3
    ),
    saved("named", None),
    transfer("by-transfer", {}),
    transfer("belgian-transfer", {"method": "transfer", "country": "BE"}),
]


@pytest.mark.parametrize(
    ("chased", "name"),
    [
        (invoice(), "french"),
        (invoice(country="DE"), "any"),
        (invoice(country=None), "any"),
        (invoice(segment="vip"), "french-vip"),
        (invoice(segment="vip", country="DE"), "vip"),
        (invoice(segment="other"), "french"),
        (invoice(method="sepa_debit"), "debit"),
        (invoice("12month", method="sepa_debit"), "debit"),
        (invoice("3month", method="sepa_debit"), "french"),
        (invoice(method=None), "french"),
        (invoice(is_first_payment=True), "first"),
        (invoice(is_first_payment=True, country="LU"), "first-belgian"),
        (invoice("1week", country="DE"), "weekly"),
        (invoice("2week"), "short"),  # 14 days: a default, since none of the others is over before them
        (invoice("3week"), "french"),
        (invoice("1week", is_first_payment=True), "first_payment"),
        (invoice(method="transfer"), "by-transfer"),
        (invoice(method="transfer", country="BE"), "belgian-transfer"),
        (invoice(method="transfer", is_first_payment=True), "by-transfer"),
    ],
)
def test_the_most_specific_policy_that_fits_is_chosen(chased: Chased, name: str) -> None:
    check_no_ties(MANY)
    assert choose_policy(MANY, chased).name == name
    assert choose_policy(reversed(MANY), chased).name == name


@pytest.mark.parametrize(
    ("chased", "name"),
    [
        (invoice(), "monthly"),
        (invoice("1year"), "annual"),
        (invoice("1week"), "short"),
        (invoice(is_first_payment=True), "first_payment"),
        (invoice(method="transfer", is_first_payment=True), "transfer"),
    ],
)
def test_the_defaults_come_last(chased: Chased, name: str) -> None:
    assert choose_policy([], chased).name == name
    assert choose_policy([saved("named", None), saved("elsewhere", {"country": "US"})], chased).name == name


@pytest.mark.parametrize(
    ("interval", "days"),
    [
        ("1week", 7),
        ("2week", 14),
        ("1month", 28),
        ("2month", 59),
        ("3month", 89),
        ("6month", 181),
        ("1year", 365),
        ("12month", 365),
        ("4year", 1461),
    ],
)
def test_the_shortest_period_of_an_interval(interval: str, days: int) -> None:
    assert shortest_days(Interval.parse(interval)) == days


@pytest.mark.parametrize(
    ("applies_to", "fields", "field", "says"),
    [
        ({"interval": "1month"}, {"end_day": 28}, "end_day", "Set it to 27 or earlier"),
        ({"interval": ["1year", "2month"]}, {"end_day": 59}, "end_day", "2month can have 59 days"),
        ({"interval": "1week"}, {"end_day": 14}, "end_day", "1week can have 7 days"),
        (
            {"interval": "1month"},
            {"end_day": 13, "minimum_notice_days": 3},
            "end_day",
            "Set it to 14 or later",
        ),
        (None, {"end_day": 13, "minimum_notice_days": 3}, "end_day", "7 days must lie between"),
        (
            {"interval": ["2week", "1month"]},
            {"end_day": 10, "minimum_notice_days": 3},
            "end_day",
            "14 or later",
        ),
        ({"method": "transfer"}, {}, "applies_to.method", "Set charges to false"),
        (
            {"method": "card"},
            {"charges": False, "retry_days": (), "reminder_days": (3,)},
            "applies_to.method",
            "Set charges to true",
        ),
        (
            {"first_payment": True},
            {"charges": False, "retry_days": (), "reminder_days": (3,)},
            "applies_to.first_payment",
            "chased as every other",
        ),
    ],
)
def test_a_policy_that_does_not_suit_what_it_applies_to_is_refused(
    applies_to: dict[str, object] | None, fields: dict[str, object], field: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        check_suits(saved("mine", applies_to, **fields))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("applies_to", "fields"),
    [
        ({"interval": "1month"}, {"end_day": 27}),
        ({"interval": "2week"}, {"end_day": 13, "minimum_notice_days": 3}),
        ({"first_payment": True}, {"end_day": 10, "minimum_notice_days": 3}),
        # A transfer is due later and nothing is charged for it: the next invoice may come before the end.
        ({"interval": "1month"}, {"charges": False, "retry_days": (), "reminder_days": (3,), "end_day": 45}),
        (None, {"end_day": 45}),
    ],
)
def test_a_policy_that_suits_is_taken(
    applies_to: dict[str, object] | None, fields: dict[str, object]
) -> None:
    check_suits(saved("mine", applies_to, **fields))


@pytest.mark.parametrize("name", ["two words", "gentle@2", "été"])
def test_a_name_that_cannot_be_typed_as_one_word_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="without spaces") as refused:
        check_suits(saved(name, None))
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"country": "FR"}, {"country": ["BE", "FR"]}),
        ({"country": "FR"}, {"segment": "vip"}),
        ({"interval": "1year"}, {"interval": "12month"}),
        ({"interval": "1month"}, {"method": "card"}),
        ({"first_payment": True}, {"first_payment": True}),
    ],
)
def test_two_that_are_equally_right_are_refused(one: dict[str, object], other: dict[str, object]) -> None:
    with pytest.raises(
        InvalidInput, match="The policies one and other apply to the same invoices"
    ) as refused:
        check_no_ties([saved("one", one), saved("other", other)])
    assert refused.value.field == "applies_to"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"country": "FR"}, {"country": "BE"}),
        ({"country": "FR"}, {"country": "FR", "segment": "vip"}),
        ({"country": "FR"}, {"country": "FR", "first_payment": True}),
        ({"interval": "1month"}, {"interval": ["2month", "3month"]}),
        ({"country": "FR"}, None),
        # An end on day 14 leaves out a fortnight by itself.
        ({"interval": "2week"}, {"country": "FR"}),
    ],
)
def test_two_of_which_one_is_more_specific_or_that_never_meet_go_together(
    one: dict[str, object], other: dict[str, object] | None
) -> None:
    check_no_ties([saved("one", one), saved("other", other)])


def test_a_charge_and_a_transfer_never_meet() -> None:
    check_no_ties([saved("one", {"country": "FR"}), transfer("other", {"country": "FR"})])


def test_a_third_for_what_both_apply_to_decides_between_two() -> None:
    french, vip = saved("french", {"country": ["FR", "BE"]}), saved("vip", {"segment": "vip"})
    check_no_ties([french, vip, saved("both", {"country": ["FR", "BE", "LU"], "segment": ["vip", "new"]})])
    check_no_ties([french, vip, saved("all-vip", {"segment": "vip", "method": ["card", "sepa_debit"]}),
                   saved("both", {"country": ["FR", "BE"], "segment": "vip", "method": ["card", "sepa_debit"]}),
                   saved("rest", {"country": ["FR", "BE"], "segment": "vip"})])  # fmt: skip
    with pytest.raises(InvalidInput, match=r"french and vip .*\(FR or BE, segment vip\)"):
        check_no_ties([french, vip, saved("some", {"country": "FR", "segment": "vip"})])
    with pytest.raises(InvalidInput, match="french and vip"):  # it leaves out what is shorter than 28 days
        check_no_ties([french, vip, saved("long", {"country": ["FR", "BE"], "segment": "vip"}, end_day=28)])


def test_what_a_policy_applies_to_in_words() -> None:
    assert in_words(saved("a", None)) == "where terms name it"
    assert in_words(saved("a", {})) == "all"
    assert in_words(saved("a", {"first_payment": True})) == "first payments"
    assert in_words(transfer("a", {})) == "transfer"
    assert (
        in_words(
            saved("a", {"interval": ["1month", "1year"], "method": "card", "country": "FR", "segment": "vip"})
        )
        == "1month or 1year, card, FR, segment vip"
    )


def test_what_is_stored_reads_as_it_was_typed() -> None:
    to = AppliesTo.model_validate({"interval": "monthly", "country": ["FR", "BE"]})
    assert to.model_dump(mode="json") == {
        "interval": ["1month"],
        "method": [],
        "country": ["FR", "BE"],
        "segment": [],
        "first_payment": False,
    }
    assert AppliesTo.model_validate(to.model_dump(mode="json")) == to
