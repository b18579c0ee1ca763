"""`relance dunning report`: what dunning brought back, and what is owed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output, words
from starter.cli.inputs import read_date
from starter.cli.running import with_client

if TYPE_CHECKING:
    from activities.books.receivables import AgeFigures, DaysOutstanding
    from activities.books.recovery import AttemptFigures, Recovery, RecoveryFigures
    from starter.reports import DunningReport


def report(
    *,
    from_on: Annotated[
        str | None, typer.Option("--from", help="First day of issue; by default 90 days with the last.")
    ] = None,
    to_on: Annotated[
        str | None, typer.Option("--to", help="Last day of issue; by default today, where the seller is.")
    ] = None,
    entity: Annotated[str | None, typer.Option(help="Id of one seller; by default all.")] = None,
    clock: Annotated[str | None, typer.Option(help="Test clock; by default real life.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Show what was recovered of the invoices of some days, days sales outstanding, and what is open by age."""
    first = None if from_on is None else read_date(from_on, field="from")
    last = None if to_on is None else read_date(to_on, field="to")
    found = with_client(
        lambda client: client.reports.dunning(from_on=first, to_on=last, entity=entity, clock=clock)
    )
    if as_json:
        output.show_json(found)
        return
    _print(found)


def _print(found: DunningReport) -> None:
    output.say(f"Invoices issued from {found.from_on} to {found.to_on}.")
    _print_recovery("Renewals", found.renewals)
    _print_recovery("First payments", found.first_payments)
    output.show_table(
        [_outstanding(one) for one in found.outstanding],
        title="Days sales outstanding",
        empty="Nothing was billed and nothing is owed.",
    )
    output.show_table(
        [_age(one) for one in found.ageing], title="Open now, by days late", empty="Nothing is open."
    )


def _print_recovery(name: str, found: Recovery) -> None:
    if not found.total and not found.attempts:
        output.say(f"{name}: none.")
        return
    output.show_table([_attempt(one) for one in found.attempts], title=f"{name}: attempts")
    for by, column, figures, none in (
        ("all that was chased", "", found.total, "all"),
        ("by first decline", "Code", found.decline_codes, "no decline"),
        ("by method", "Method", found.methods, "no method"),
        ("by policy", "Policy", found.policies, ""),
    ):
        _print_figures(f"{name}: {by}", column, figures, none)


def _print_figures(title: str, column: str, figures: Sequence[RecoveryFigures], none: str) -> None:
    rows = [
        {
            column: one.of or none,
            "Chased": one.chased,
            "Recovered": one.recovered,
            "Running": one.running,
            "Lost": one.lost,
            "Rate": _percent(one.rate_percent),
            "Asked": words.amount(one.asked_minor, one.currency),
            "Came in": words.amount(one.recovered_minor, one.currency),
        }
        for one in figures
    ]
    output.show_table(rows, title=title, empty=f"{title}: none.")


def _attempt(one: AttemptFigures) -> output.Row:
    return {
        "Attempt": "asked for" if one.number is None else str(one.number),
        "Made": one.made,
        "Paid": one.paid,
        "Under way": one.under_way,
        "Rate": _percent(one.rate_percent),
        "Came in": words.amount(one.paid_minor, one.currency),
    }


def _outstanding(one: DaysOutstanding) -> output.Row:
    return {
        "Seller": one.entity_id,
        "Owed": words.amount(one.receivable_minor, one.currency),
        "Billed": words.amount(one.billed_minor, one.currency),
        "In days": one.days,
        "DSO": None if one.dso_days is None else f"{one.dso_days} days",
    }


def _age(one: AgeFigures) -> output.Row:
    return {
        "Seller": one.entity_id,
        "On": one.on,
        "Days late": one.age.replace("_", " "),
        "Invoices": one.invoices,
        "Open": words.amount(one.open_minor, one.currency),
    }


def _percent(rate: object) -> str | None:
    return None if rate is None else f"{rate} %"
