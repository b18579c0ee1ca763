"""`relance ops`: steering running workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output
from starter.cli.running import with_client

if TYPE_CHECKING:
    from starter.client import RelanceClient
    from starter.recycling import Recycled

app = typer.Typer(no_args_is_help=True)


@app.callback()
def ops() -> None:
    """Steering running workflows."""


@app.command()
def recycle(
    *,
    older_than: Annotated[
        str,
        typer.Option(help="The build that is rolled out (RELANCE_BUILD_ID of its workers).", metavar="BUILD"),
    ],
    per_second: Annotated[float, typer.Option(min=0.1, max=200, help="Signals a second.")] = 20.0,
    as_json: output.JsonFlag = False,
) -> None:
    """Let sleeping subscriptions and collections begin a new run, so that they take up new code."""

    async def work(client: RelanceClient) -> Recycled:
        from starter.recycling import recycle_older_than

        return await recycle_older_than(
            await client.connections.temporal(), older_than, per_second=per_second
        )

    done = with_client(work)
    if as_json:
        output.show_json(done)
    else:
        output.say(f"{done.asked} told to begin a new run, {done.up_to_date} were on {older_than} already.")
