"""`relance dunning`: the policies by which unpaid invoices are chased."""

from __future__ import annotations

import typer

from starter.cli import dunning_policies

app = typer.Typer(no_args_is_help=True)
app.add_typer(dunning_policies.app, name="policy", help="The dunning policies, saved and default.")


@app.callback()
def dunning() -> None:
    """How unpaid invoices are chased."""
