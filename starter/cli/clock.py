"""`relance clock`: test clocks, on which a year is lived in seconds."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from starter.cli import output, words
from starter.cli.running import read_instant, with_client

app = typer.Typer(no_args_is_help=True)

At = Annotated[str, typer.Argument(help="2027-03-01T09:00:00Z, or a date.")]


@app.callback()
def clock() -> None:
    """Test clocks, on which a year is lived in seconds."""


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    now: Annotated[str, typer.Option(help="Where it stands: 2027-01-01T08:00:00Z, or a date.")],
    clock_id: Annotated[str | None, typer.Option("--id", help="clk_...")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Create a clock that stands still until it is advanced. Create customers on it with --clock."""
    at = read_instant(now, field="now")
    row = with_client(lambda client: client.create_clock(name, at, clock_id=clock_id))
    if as_json:
        output.show_json(row.model_dump())
    else:
        output.say(f"The clock {row.id} stands at {words.instant(row.now)}.")


@app.command()
def advance(
    clock_id: Annotated[str, typer.Argument(metavar="CLOCK")], to: At, *, as_json: output.JsonFlag = False
) -> None:
    """Move a clock on, and wait until everything due until then is done, in order."""
    target = read_instant(to, field="to")
    progress = None if as_json or not sys.stderr.isatty() else _progress
    now = with_client(lambda client: client.advance_clock(clock_id, target, progress=progress))
    if as_json:
        output.show_json({"id": clock_id, "now": now})
    else:
        output.say(f"The clock {clock_id} stands at {words.instant(now)}.")


def _progress(now: datetime) -> None:
    typer.echo(f"\r{words.instant(now)} ", err=True, nl=False)


@app.command("list")
def list_clocks(*, as_json: output.JsonFlag = False) -> None:
    """List the clocks."""
    rows = with_client(lambda client: client.list_clocks())
    if as_json:
        output.show_json([row.model_dump() for row in rows])
        return
    output.show_table(
        [
            {
                "Clock": row.id,
                "Name": row.name,
                "Now": words.instant(row.now),
                "On its way to": words.instant(row.advancing_to),
                "Problem": row.problem or None,
            }
            for row in rows
        ],
        empty="No test clock. Create one: relance clock create --now 2027-01-01",
    )
