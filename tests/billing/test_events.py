"""The catalogue names exactly what happens, and nothing personal leaves the house with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.dispute import DisputeState
from billing.errors import InvalidInput
from billing.events import CATALOGUE, check_types, example, is_wanted, told
from billing.refund import RefundState
from starter.event_page import PAGE, TITLES, written

ROOT = Path(__file__).parents[2]
PERSONAL = {
    "name",
    "email",
    "by",
    "address",
    "line1",
    "city",
    "iban",
    "last4",
    "vat_number",
    "phone",
    "contact",
}


def words_that_name_events() -> Iterator[str]:
    """Every literal of the code that looks like the name of an event, where facts are written."""
    groups = {name.partition(".")[0] for name in CATALOGUE}
    for folder in ("activities/books", "billing"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            if file.name == "events.py":
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    group, dot, rest = node.value.partition(".")
                    if dot and group in groups and rest.replace("_", "").isalpha() and rest.islower():
                        yield node.value


AT_STRIPE = {"payment_method.attached", "payment_method.detached"}
"""Kinds of Stripe's events, which are read there."""


def test_the_catalogue_has_what_the_code_emits_and_nothing_else() -> None:
    emitted = set(words_that_name_events()) - AT_STRIPE
    emitted |= {f"refund.{state.value}" for state in RefundState if state is not RefundState.QUEUED}
    assert {"access.granted", "invoice.paid", "dispute.lost", "dunning.ended"} <= emitted
    assert emitted == set(CATALOGUE)
    assert {"dispute.won", "dispute.lost", "dispute.closed"} == {
        f"dispute.{state.value}" for state in DisputeState if state.is_over
    }


def test_the_page_is_current() -> None:
    """If not: `make catalogue`."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page)
    for name in CATALOGUE:
        assert f"### {name}\n" in page
    assert len(TITLES) == len({name.partition(".")[0] for name in CATALOGUE})


def test_nothing_personal_is_told() -> None:
    fields = {field for kind in CATALOGUE.values() for field in kind.data}
    assert fields.isdisjoint(PERSONAL)
    amounts = {field for field in fields if "amount" in field or "total" in field}
    assert amounts == {"amount_minor", "total_minor"}


def test_what_the_catalogue_does_not_name_stays_inside() -> None:
    facts = {"invoice": "in_1", "directive": "promise", "by": "anna@example.com", "until": "2027-02-20"}
    assert told("dunning.steered", facts) == {
        "invoice": "in_1",
        "directive": "promise",
        "until": "2027-02-20",
        "ends_on": None,
    }
    assert told("an.event.of.an.earlier.release", facts) == {}


def test_an_example_of_each() -> None:
    for name in CATALOGUE:
        made = example(name)
        assert (made.type, made.entitled) == (name, made.access_until is not None)
    with pytest.raises(InvalidInput, match="no event"):
        example("invoice.payed")


def test_types_are_names_or_groups() -> None:
    assert check_types(["invoice.*", "access.granted", "invoice.*"]) == ("invoice.*", "access.granted")
    for wrong in ("invoice", "*", "invoice.", "Invoice.paid", ".*", ""):
        with pytest.raises(InvalidInput) as refused:
            check_types([wrong])
        assert refused.value.field == "types"


def test_who_asks_for_nothing_in_particular_wants_everything() -> None:
    assert is_wanted("invoice.paid", [])
    assert is_wanted("invoice.paid", ["invoice.*"])
    assert is_wanted("invoice.paid", ["dunning.step", "invoice.paid"])
    assert not is_wanted("payment_method.replaced", ["payment.*"])
