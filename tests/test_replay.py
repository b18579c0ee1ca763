"""Histories recorded by an earlier release replay on this one, and hold nothing that identifies a person."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import recorded
from support.altered import HastySubscription
from support.typical_lives import LIVES, PEOPLE
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from worker import WORKFLOWS, workflow_runner

FILES = recorded.files()


def replayer(*workflows: type) -> Replayer:
    """What a worker would make of these histories."""
    return Replayer(
        workflows=workflows, data_converter=pydantic_data_converter, workflow_runner=workflow_runner()
    )


def events_of(path: Path) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(recorded.text_of(path))["events"]
    return events


def kinds_of(path: Path) -> set[str]:
    return {event["eventType"].removeprefix("EVENT_TYPE_") for event in events_of(path)}


def is_asleep(path: Path) -> bool:
    """Whether the run waited for time or news when it was recorded."""
    last = events_of(path)[-1]["eventType"]
    return "WORKFLOW_EXECUTION_" not in last or last.endswith(("_SIGNALED", "_UPDATE_COMPLETED"))


def test_every_life_was_recorded() -> None:
    assert {path.name.split("-")[0] for path in FILES} >= set(LIVES)


@pytest.mark.parametrize("life", LIVES)
def test_each_life_has_a_run_that_sleeps(life: str) -> None:
    mine = [path for path in FILES if path.name.startswith(f"{life}-")]
    assert any(is_asleep(path) for path in mine), "a new release meets runs that wait, not finished ones"


def test_between_them_they_show_everything_that_workflows_do() -> None:
    shown = set().union(*(kinds_of(path) for path in FILES))
    assert {
        "ACTIVITY_TASK_COMPLETED",
        "MARKER_RECORDED",  # local activities, and the release's own marker
        "TIMER_STARTED",
        "TIMER_CANCELED",
        "TIMER_FIRED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
        "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        "WORKFLOW_EXECUTION_COMPLETED",
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        "WORKFLOW_EXECUTION_SIGNALED",
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
    } <= shown


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", FILES, ids=recorded.name_of)
async def test_it_replays(path: Path) -> None:
    await replayer(*WORKFLOWS).replay_workflow(recorded.read(path))


@pytest.mark.parametrize("name", ["happy-1-subscription-run2", "retries-1-subscription-run3"])
async def test_a_changed_order_of_commands_is_seen(name: str) -> None:
    """The guard bites: in a finished run, and in one that sleeps."""
    path = recorded.FOLDER / f"{name}{recorded.ENDING}"
    others = [kind for kind in WORKFLOWS if kind is not HastySubscription.__base__]
    with pytest.raises(NondeterminismError):
        await replayer(HastySubscription, *others).replay_workflow(recorded.read(path))


# Nothing that identifies a person is in a history (design 5)


def words_in(value: object) -> Iterator[str]:
    """Every text in a history: payloads as they read once decoded, and everything else."""
    if isinstance(value, dict):
        if isinstance(value.get("data"), str) and "metadata" in value:
            yield base64.b64decode(value["data"]).decode(errors="replace")
            return
        for name, inner in value.items():
            yield name
            yield from words_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words_in(inner)
    elif isinstance(value, str):
        yield value


def all_words(path: Path) -> str:
    return "\n".join(words_in(events_of(path))).lower()


@pytest.mark.parametrize("path", FILES, ids=recorded.name_of)
def test_it_names_nobody(path: Path) -> None:
    words = all_words(path)
    assert not [name for name in PEOPLE if name in words]
    assert not re.findall(r"[\w.+-]+@[\w-]+\.[\w.]+", words), "a mail address"
    assert "4242" not in re.findall(r"\b\d{4}\b", words), "digits of a card"


def test_payloads_are_looked_into() -> None:
    words = all_words(recorded.FOLDER / f"happy-1-subscription-run2{recorded.ENDING}")
    assert '"plan_name":"pro"' in words
    assert '"customer_id":"cus_' in words
