"""`relance dunning`: how unpaid invoices are chased, by which policies, and what comes of it."""

from __future__ import annotations

import typer

from starter.cli import dunning_policies, dunning_report, dunning_simulate, dunning_steering

app = typer.Typer(no_args_is_help=True)
app.add_typer(dunning_policies.app, name="policy", help="The dunning policies, saved and default.")
app.command("report")(dunning_report.report)
app.command("simulate")(dunning_simulate.simulate)


@app.callback()
def dunning() -> None:
    """How unpaid invoices are chased."""


for _verb, _steer in dunning_steering.COMMANDS.items():
    app.command(_verb)(_steer)
