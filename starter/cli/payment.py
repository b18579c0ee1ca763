"""`relance payment`: money that comes and goes outside the payment provider."""

from __future__ import annotations

import typer

from starter.cli import payment_records

app = typer.Typer(no_args_is_help=True)
app.add_typer(payment_records.app)


@app.callback()
def payment() -> None:
    """Payments by bank transfer: what came, and what it pays."""
