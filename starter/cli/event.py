"""`relance event`: what happened, as a backend hears of it."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli import output, words
from starter.cli.running import with_client

app = typer.Typer(no_args_is_help=True)

After = Annotated[str, typer.Option("--after", help="A cursor, or the id of an event: what comes after it.")]
Of = Annotated[str | None, typer.Option("--subscription", help="Only of this one, by id or reference.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="Only these, or invoice.* for a group; several times.")
]


@app.callback()
def event() -> None:
    """What happened, as a backend hears of it."""


@app.command("list")
def list_events(
    *,
    after: After = "0",
    subscription: Of = None,
    types: Types = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List events in their order. Go on with --after and the last cursor."""
    page = with_client(
        lambda client: client.events.list(
            after=after, subscription=subscription, types=types or (), limit=limit
        )
    )
    if as_json:
        output.show_json(page)
        return
    output.show_table(
        [
            {
                "Cursor": each.cursor,
                "At": words.instant(each.timestamp),
                "Event": each.type,
                "Subscription": each.reference or each.subscription,
                "Sequence": each.sequence,
                "Entitled": each.entitled,
                "Access until": words.instant(each.access_until),
            }
            for each in page.events
        ]
    )
    if page.has_more:
        output.say(f"There are more: --after {page.next_cursor}")


@app.command("example")
def show_example(
    name: Annotated[str, typer.Argument(metavar="TYPE", help="As in the catalogue: invoice.paid.")],
) -> None:
    """Print what is sent for an event of this type, made up, as JSON."""
    from billing.events import example

    output.show_json(example(name))


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="EVENT", help="evt_...")], *, as_json: output.JsonFlag = False
) -> None:
    """Show an event with all that is told."""
    found = with_client(lambda client: client.events.find(key))
    if as_json:
        output.show_json(found)
        return
    told = found.model_dump(mode="json")
    output.show_fields(told.pop("data") | told, title=found.type)
