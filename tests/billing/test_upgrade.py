"""What an earlier release wrote about a subscription is understood by this one."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.recorded import STATES

from billing.subscription import Subscription
from billing.upgrade import SCHEMA_NUMBER, STEPS, upgraded

FILES = sorted(STATES.glob("*.json"))


def states_in(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return found


def test_every_number_has_its_step_and_its_examples() -> None:
    assert set(STEPS) == set(range(1, SCHEMA_NUMBER))
    assert [path.name for path in FILES] == [f"{number}.json" for number in range(1, SCHEMA_NUMBER + 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_states_of_each_schema_decode(path: Path) -> None:
    for name, state in states_in(path).items():
        assert state["schema_number"] == int(path.stem)
        subscription = Subscription.model_validate_json(json.dumps(state))
        assert subscription.schema_number == SCHEMA_NUMBER, name
        assert (subscription.id, subscription.status.value) == (state["id"], state["status"])


def test_nothing_is_lost_in_a_state_of_this_schema() -> None:
    """What a state was written with is still in it; fields that came since may stand beside it."""
    for name, state in states_in(STATES / f"{SCHEMA_NUMBER}.json").items():
        assert kept(state, Subscription.model_validate(state).model_dump(mode="json")) == state, name


def kept(written: object, read: object) -> object:
    """What was read, without the fields that were not written."""
    if isinstance(written, dict) and isinstance(read, dict):
        return {name: kept(value, read[name]) for name, value in written.items() if name in read}
    if isinstance(written, list) and isinstance(read, list):
        return [kept(*pair) for pair in zip(written, read, strict=True)]
    return read


def test_the_examples_stand_in_many_places() -> None:
    states = states_in(STATES / "1.json").values()
    assert {state["status"] for state in states} >= {
        "trialing", "incomplete", "active", "past_due", "unpaid", "paused", "canceled", "incomplete_expired",
    }  # fmt: skip
    for field in (
        "pending_terms",
        "cancel_at_end",
        "parked",
        "past_due_since",
        "open_invoices",
        "in_arrears",
    ):
        assert any(state[field] for state in states), field


def test_a_state_of_a_newer_release_is_refused() -> None:
    state = next(iter(states_in(STATES / f"{SCHEMA_NUMBER}.json").values()))
    newer = SCHEMA_NUMBER + 1
    with pytest.raises(ValidationError, match=f"schema number {newer}.*Run the release that wrote it"):
        Subscription.model_validate(state | {"schema_number": newer})


def test_what_is_made_in_code_has_the_present_number() -> None:
    state = next(iter(states_in(STATES / f"{SCHEMA_NUMBER}.json").values()))
    without = {name: value for name, value in state.items() if name != "schema_number"}
    assert Subscription.model_validate(without).schema_number == SCHEMA_NUMBER


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    return {"colour": state["color"], "schema_number": 2}


def split(state: dict[str, Any]) -> dict[str, Any]:
    first, last = state["colour"].split()
    return {"shade": first, "colour": last}


def test_steps_are_taken_one_after_the_other() -> None:
    steps = {1: renamed, 2: split}
    old = {"schema_number": 1, "color": "dark green"}
    assert upgraded(old, steps=steps, to=3) == {"shade": "dark", "colour": "green", "schema_number": 3}
    middle = {"schema_number": 2, "colour": "dark green"}
    assert upgraded(middle, steps=steps, to=3) == {"shade": "dark", "colour": "green", "schema_number": 3}
    assert old == {"schema_number": 1, "color": "dark green"}


@pytest.mark.parametrize("number", [0, 4, -1, "1", None])
def test_a_number_that_never_was_is_refused(number: object) -> None:
    with pytest.raises(ValueError, match="schema number"):
        upgraded({"schema_number": number}, steps={1: renamed, 2: split}, to=3)
