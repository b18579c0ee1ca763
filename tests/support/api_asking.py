"""Asking the API whatever its document allows, and what it forbids."""

from __future__ import annotations

import itertools
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from support.api_story import Told

EXAMPLES: Final = 3
"""Of each operation, and of each kind: what is allowed, and what is not."""
IMPATIENT: Final = {"wait_for_payment": False, "wait_seconds": 0}


def ask_anything(tell: Told, ids: dict[str, str]) -> None:
    """Every operation with generated requests, half of them about what really exists."""
    fill_in(tell, ids)
    for operation in tell.operations.values():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            ask(tell, operation.as_strategy(generation_mode=mode))


def ask(tell: Told, strategy: Any, *, examples: int = EXAMPLES) -> None:
    """Some requests; the same ones each time."""

    @given(case=strategy)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def each(case: Any) -> None:
        tell.tell(case)

    each()


def fill_in(tell: Told, ids: dict[str, str]) -> None:
    """Name what exists in every other request, in plain text and each under a key of its own; let none wait."""
    turns = itertools.count()

    @tell.schema.hook("map_path_parameters")
    def path_parameters(_: Any, found: Any) -> Any:
        return named(found, ids) if next(turns) % 2 else found

    @tell.schema.hook("map_headers")
    def headers(_: Any, found: Any) -> Any:
        turn = next(turns)
        return {"Idempotency-Key": f"turn-{turn}"} if turn % 2 else found

    @tell.schema.hook("map_body")
    def body(_: Any, found: Any) -> Any:
        if not isinstance(found, dict):
            return found
        impatient = found | {name: value for name, value in IMPATIENT.items() if name in found}
        return plain(named(impatient, ids)) if next(turns) % 2 else impatient


def named(found: Any, ids: dict[str, str]) -> Any:
    """Ids of what exists, at the places where such things are named."""
    return {name: ids.get(name, value) for name, value in (found or {}).items()}


def plain(value: Any) -> Any:
    """Without the characters that are refused before anything else is looked at."""
    match value:
        case str():
            return "".join(character if character.isprintable() else "x" for character in value)
        case list():
            return [plain(each) for each in value]
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case _:
            return value
