"""`relance dunning`: dunning policies, before and while they are used."""

from __future__ import annotations

import typer

from starter.cli import dunning_simulate

app = typer.Typer(no_args_is_help=True)


@app.callback()
def dunning() -> None:
    """Dunning policies: how failed payments are chased."""


app.command()(dunning_simulate.simulate)
