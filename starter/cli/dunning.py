"""`relance dunning`: the policies by which unpaid invoices are chased, and what comes of it."""

from __future__ import annotations

import typer

from starter.cli import dunning_policies, dunning_report

app = typer.Typer(no_args_is_help=True)
app.add_typer(dunning_policies.app, name="policy", help="The dunning policies, saved and default.")
app.command("report")(dunning_report.report)


@app.callback()
def dunning() -> None:
    """How unpaid invoices are chased, and what comes of it."""
