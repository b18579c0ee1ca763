"""`relance books`: the books for an accountant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import output
from starter.cli.running import with_client

app = typer.Typer(no_args_is_help=True)


@app.callback()
def books() -> None:
    """The books: customers, invoices, credit notes, payments, refunds and the journal."""


@app.command()
def export(
    *,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Made if it is not there.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Write the books as CSV, one file a table. Amounts are in minor units; the lines of an entry sum to zero."""
    try:
        done = with_client(lambda client: client.books.write(to))
    except OSError as problem:
        raise InvalidInput(f"{to} is no folder to write to: {problem.strerror}.", field="to") from None
    if as_json:
        output.show_json(done)
    else:
        output.show_table([{"File": f"{name}.csv", "Rows": rows} for name, rows in done.rows.items()])
