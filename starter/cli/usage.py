"""`relance usage`: what customers used, to be billed in arrears."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import output
from starter.cli.running import read_instant, with_client

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Id or reference.")]


@app.callback()
def usage() -> None:
    """What customers used."""


@app.command()
def report(
    key: Key,
    *,
    meter: Annotated[str, typer.Option(help="As the plan names it.")],
    quantity: Annotated[str, typer.Option(help="How much; negative to correct an earlier event.")],
    event_id: Annotated[str, typer.Option("--id", help="Your own id: the same event twice counts once.")],
    at: Annotated[str | None, typer.Option(help="When, as 2027-01-31T15:00:00Z; by default now.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Report one event."""
    from activities.books.metering import UsageReport

    event = UsageReport(
        event_id=event_id,
        meter=meter,
        quantity=_decimal(quantity),
        at=None if at is None else read_instant(at, field="at"),
    )
    new = with_client(lambda client: client.usage.report(key, [event]))
    if as_json:
        output.show_json({"new": new})
    else:
        output.say("Counted." if new else "It was reported before: nothing changed.")


@app.command()
def show(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """Show what was counted, newest first."""
    counted = with_client(lambda client: client.usage.show(key))
    if as_json:
        output.show_json(counted)
        return
    output.show_table(
        [
            {
                "Meter": each.meter,
                "Plan": each.plan_name,
                "Used": each.quantity,
                "From": each.start_on,
                "Until": each.end_on,
                "Billed": each.billed,
            }
            for each in counted
        ],
        empty="No meter counts for this subscription.",
    )


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidInput(
            f"{text!r} is no quantity. Give a number such as 12.5.", field="quantity"
        ) from None
