"""Everything that the command line prints: tables and sentences for people, JSON for programs, errors for both."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.errors import InvalidInput, RelanceError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from rich.console import RenderableType


class WrongUsage(RelanceError):
    """Options that do not go together, or one that is missing; `field` is its name without dashes. Status 2."""


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The `--json` option of every command that prints."""

REFUSED: Final = 1
"""Exit status of a refusal or an error."""
WRONG_USAGE: Final = 2
"""Exit status of a command line that can't be understood."""
_INTERRUPTED: Final = 130
_PIPED_WIDTH: Final = 200
_IN_WORDS: Final = {"missing": "is required", "extra_forbidden": "is not a known key. Leave it out"}
"""Pydantic's kinds of error for which there are better words."""

Row = Mapping[str, object]
"""Column title, or JSON key, to value."""


def show_json(value: object) -> None:
    """Prints `value` as one line of JSON; Pydantic models, dates, decimals and enums included."""
    from pydantic_core import to_jsonable_python

    typer.echo(json.dumps(to_jsonable_python(value), ensure_ascii=False))


def show_table(rows: Sequence[Row], *, title: str | None = None, empty: str = "Nothing to show.") -> None:
    """Prints one line per row under the keys of the first; None is left blank, `empty` stands for no rows."""
    if not rows:
        say(empty)
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column, value in rows[0].items():
        table.add_column(column, justify="right" if isinstance(value, int) else "left")
    for row in rows:
        table.add_row(*(Text(_plain(value)) for value in row.values()))
    _print(table)


def show_fields(fields: Row, *, title: str | None = None) -> None:
    """Prints one thing: a name and a value on each line; None is left blank."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        grid.add_row(Text(name, style="bold"), Text(_plain(value)))
    if title:
        _print(Text(title, style="bold underline"))
    _print(grid)


def say(sentence: str) -> None:
    """Prints a sentence for a person."""
    typer.echo(sentence)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _print(renderable: RenderableType) -> None:
    from rich.console import Console

    # Rich would cut to 80 columns what is piped into a file or grep.
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False).print(renderable)


@dataclass
class Result:
    """How a command line ended; 1 until it is known."""

    status: int = REFUSED


@contextmanager
def errors_reported(*, as_json: bool) -> Iterator[Result]:
    """Turns the errors that are to be expected into one message on standard error and an exit status.

    As JSON: `{"error": {"code", "field", "message"}}`. Anything else is a bug and keeps its traceback.
    """
    result = Result()
    try:
        yield result
    except RelanceError as error:
        result.status = WRONG_USAGE if isinstance(error, WrongUsage) else REFUSED
        _report(error.as_dict()["error"], as_json=as_json)
    except typer.TyperException as error:
        result.status = error.exit_code
        _report_usage(error, as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):
        result.status = _INTERRUPTED
        _report({"code": "interrupted", "field": None, "message": "Stopped."}, as_json=as_json)
    except ValueError as error:
        from pydantic import ValidationError

        if not isinstance(error, ValidationError):
            raise
        _report(invalid_input(error).as_dict()["error"], as_json=as_json)


def invalid_input(error: ValidationError) -> InvalidInput:
    """Pydantic's first complaint, in the shape of every other error of ours."""
    first, others = error.errors(include_url=False)[0], error.error_count() - 1
    field = ".".join(str(part) for part in first["loc"]) or None
    words = _IN_WORDS.get(first["type"])
    sentence = f"{field} {words}." if words else ": ".join(filter(None, (field, f"{first['msg']}.")))
    return InvalidInput(f"{sentence} And {others} more." if others else sentence, field=field)


def _report_usage(error: typer.TyperException, *, as_json: bool) -> None:
    # An error without a message is how Typer ends after it has printed help in place of a missing command.
    message = error.format_message().replace("Value error, ", "")  # Pydantic's word, of no use to a person
    if not message and not as_json:
        return
    problem = {"code": "wrong_usage", "field": _option_of(error), "message": message or "Name a command."}
    _report(problem, as_json=as_json)
    context = getattr(error, "ctx", None)
    if context is not None and not as_json:
        typer.echo(f"Try '{context.command_path} --help'.", err=True)


def _option_of(error: typer.TyperException) -> str | None:
    """The option that a usage error is about, as the key that it has in JSON."""
    name = getattr(getattr(error, "param", None), "name", None)
    named = name or getattr(error, "param_hint", None) or getattr(error, "option_name", None)
    return named.lstrip("-").replace("-", "_") if isinstance(named, str) else None


def _report(problem: Mapping[str, str | None], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"error": dict(problem)}, ensure_ascii=False), err=True)
    else:
        typer.secho(f"Error: {problem['message']}", err=True, fg="red")
