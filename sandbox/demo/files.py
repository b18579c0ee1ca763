"""Reading the two files that a person may edit; what is wrong in them is said with file, entry and remedy."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from billing.errors import InvalidInput
from sandbox.problems import SandboxProblem

Content = TypeVar("Content", bound=BaseModel)


def read(file: Path, content: type[Content]) -> Content:
    """Reads a TOML file.

    Raises:
        SandboxProblem: it is not there, is not TOML, or says something that cannot be; names the place.
    """
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
        return content.model_validate(raw)
    except OSError as problem:
        raise SandboxProblem(f"{file} cannot be read: {problem.strerror}.") from None
    except tomllib.TOMLDecodeError as problem:
        raise SandboxProblem(f"{file} is not valid TOML: {problem}.") from None
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        raise SandboxProblem(f"{file}, {_place(raw, first['loc'])}: {said}.") from None
    except InvalidInput as problem:
        raise SandboxProblem(f"{file}, {problem.field}: {problem.message}") from None


def _place(raw: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """`customer anna, event 1, plan` for ("customer", 0, "event", 0, "plan")."""
    words: list[str] = []
    here: Any = raw
    for step in location:
        if isinstance(step, int) and words:
            here = here[step] if isinstance(here, list) and step < len(here) else None
            name = here.get("reference") if isinstance(here, dict) else None
            words[-1] += f" {name or step + 1}"
            continue
        if isinstance(here, dict) and step in here:
            here = here[step]
        words.append(str(step))
    return ", ".join(words) or "the whole file"
