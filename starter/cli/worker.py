"""`relance worker`: the process that runs workflows and activities."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.callback(invoke_without_command=True)
def run() -> None:
    """Run the worker until it is told to stop; the same as `python worker.py`."""
    import worker

    raise typer.Exit(worker.main())
