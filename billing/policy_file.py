"""Dunning policies in a file: TOML with a `[[policy]]` for each, whose keys are the fields of `DunningPolicy`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from billing.dunning import DunningPolicy
from billing.errors import InvalidInput


def read_policy_file(text: str, *, source: str) -> tuple[DunningPolicy, ...]:
    """The policies of a file, in its order.

    Args:
        text: what is in it.
        source: its name, for errors.

    Raises:
        InvalidInput: it is no such file, or a policy contradicts itself; the message names policy, field and remedy.
    """
    try:
        entries = tomllib.loads(text).get("policy")
    except tomllib.TOMLDecodeError as problem:
        raise InvalidInput(f"{source} is no TOML: {problem}", field="file") from None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput(f"{source} has no [[policy]].", field="file")
    return tuple(_policy(number, entry, source) for number, entry in enumerate(entries, start=1))


def _policy(number: int, entry: Mapping[str, Any], source: str) -> DunningPolicy:
    named = f"{source}, policy {entry.get('name', f'number {number}')}"
    try:
        return DunningPolicy.model_validate(entry)
    except InvalidInput as error:
        raise InvalidInput(f"{named}: {error.message}", field=error.field) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        words = {
            "missing": "is missing. Give it a value",
            "extra_forbidden": "is no field of a policy. Leave it out",
        }
        remedy = words.get(first["type"], f"is wrong: {first['msg']}")
        raise InvalidInput(f"{named}: {field} {remedy}.", field=field) from None
