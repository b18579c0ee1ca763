"""The `relance` command: one sub-command per noun, one file per noun.

Exit status: 0 done, 1 refused or failed (the message says why and what to do), 2 wrong usage.
With `--json` results go to standard output and errors, as one JSON object, to standard error.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import typer
from typer.main import get_command

from starter.cli import output


class Noun(NamedTuple):
    """Where a noun's commands are, and the line that `relance --help` shows without importing them."""

    module: str
    """Has an `app: typer.Typer`."""
    help: str


NOUNS: Final[dict[str, Noun]] = {
    "entity": Noun("starter.cli.entity", "The legal entities that sell."),
    "plan": Noun("starter.cli.plan", "What is on offer."),
    "coupon": Noun("starter.cli.coupon", "Discounts on offer, with an end and a limit."),
    "customer": Noun("starter.cli.customer", "Who buys, and how they pay."),
    "subscription": Noun("starter.cli.subscription", "Start subscriptions, steer them, see how they stand."),
    "usage": Noun("starter.cli.usage", "What customers used, to be billed in arrears."),
    "invoice": Noun("starter.cli.invoice", "What was billed, and what was tried to collect it."),
    "dunning": Noun("starter.cli.dunning", "How unpaid invoices are chased, and what comes of it."),
    "payment": Noun(
        "starter.cli.payment", "Money by transfer, without an answer, held, going back, disputed."
    ),
    "import": Noun("starter.cli.imports", "Customers and subscriptions from another billing system."),
    "books": Noun("starter.cli.books", "Customers, invoices, payments and the journal as CSV."),
    "tax": Noun("starter.cli.tax", "VAT: who is taxed how and why, VAT numbers, the one stop shop."),
    "clock": Noun("starter.cli.clock", "Test clocks, on which a year is lived in seconds."),
    "event": Noun("starter.cli.event", "What happened, as a backend hears of it."),
    "webhook-endpoint": Noun("starter.cli.webhook_endpoint", "Where events are sent, and what was tried."),
    "api-key": Noun("starter.cli.api_key", "Keys to the HTTP API, and what was done with them."),
    "doctor": Noun("starter.cli.doctor", "What is wrong, and mending what is safe to mend."),
    "ops": Noun("starter.cli.ops", "Steering running workflows."),
    "worker": Noun("starter.cli.worker", "The process that runs workflows and activities."),
    "quote": Noun("starter.cli.quote", "What a change or a cancel costs, without any database."),
    "schedule": Noun("starter.cli.schedule", "Billing periods on the calendar."),
    "db": Noun("starter.cli.db", "The database of the books."),
    "sandbox": Noun("starter.cli.sandbox", "All of Relance on this machine, without any account."),
}
"""Every noun, in the order of `relance --help`. A new one is a file beside this one and a line here."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line, by default the process's own, and gives its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    with output.errors_reported(as_json="--json" in arguments) as result:
        command = get_command(_root(arguments))
        status = command.main(arguments or ["--help"], prog_name="relance", standalone_mode=False)
        result.status = status if isinstance(status, int) else 0
    return result.status


def _root(arguments: Sequence[str]) -> typer.Typer:
    """The command tree, with only the noun that is asked for imported; every one for shell completion."""
    root = typer.Typer(name="relance", help="Automatic billing and dunning for SaaS subscriptions.")
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    completing = "_RELANCE_COMPLETE" in os.environ
    for name, noun in NOUNS.items():
        wanted = completing or name == asked
        app = importlib.import_module(noun.module).app if wanted else typer.Typer()
        root.add_typer(app, name=name, help=noun.help)
    return root
