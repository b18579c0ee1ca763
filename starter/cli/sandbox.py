"""`relance sandbox`: all of Relance on this machine, without any account."""

from __future__ import annotations

import os
import sys

import typer

app = typer.Typer(no_args_is_help=True)

_ALL_ELSE_IS_THEIRS = {
    "allow_extra_args": True,
    "allow_interspersed_args": False,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


def _become(verb: str, arguments: list[str]) -> None:
    """Turns this process into the sandbox's own command, so that signals reach it once and directly."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", verb, *arguments])  # noqa: S606


@app.command(context_settings=_ALL_ELSE_IS_THEIRS)
def up(context: typer.Context) -> None:
    """Start everything and stay until Ctrl-C; see `up --help`."""
    _become("up", context.args)


@app.command(context_settings=_ALL_ELSE_IS_THEIRS)
def demo(context: typer.Context) -> None:
    """A year of billing in front of your eyes, checked to the cent; --keep leaves it running; see `demo --help`."""
    _become("demo", context.args)


@app.command(context_settings=_ALL_ELSE_IS_THEIRS)
def down(context: typer.Context) -> None:
    """Stop the sandbox that runs in this folder."""
    _become("down", context.args)


@app.command(context_settings=_ALL_ELSE_IS_THEIRS)
def status(context: typer.Context) -> None:
    """Say whether a sandbox runs here and where its doors are; 3 if none does."""
    _become("status", context.args)
