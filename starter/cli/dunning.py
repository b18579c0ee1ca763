"""`relance dunning`: the chase of what is not paid."""

from __future__ import annotations

import typer

from starter.cli import dunning_steering

app = typer.Typer(no_args_is_help=True)


@app.callback()
def dunning() -> None:
    """The chase of what is not paid: steered by hand."""


for _verb, _steer in dunning_steering.COMMANDS.items():
    app.command(_verb)(_steer)
