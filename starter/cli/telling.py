"""Telling a subscription what is asked, or looking at what that would bill: shared by all its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.commands import Command, CreditTo, When
from starter.cli import output, words
from starter.cli.running import with_client

if TYPE_CHECKING:
    from activities.books.previewing import Preview as WhatItBills
    from activities.books.previewing import PreviewDocument
    from models.boundary import Accepted
    from starter.client import RelanceClient
    from starter.overview import Overview
    from starter.reading import CommandOutcome

Key = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Id or reference.")]
WhenOption = Annotated[When, typer.Option(help="Now, or when the period that is paid ends.")]
Wait = Annotated[
    bool,
    typer.Option("--wait/--no-wait", help="Whether to wait until it was carried out, not only accepted."),
]
CreditOption = Annotated[
    CreditTo, typer.Option(help="With --when now: where days that were paid and are not used go.")
]
Preview = Annotated[
    bool, typer.Option("--preview", help="Show what it would bill and give back today, and do nothing.")
]

_TITLES: Final = {"invoice": "Invoice", "draft": "Taken off the invoice that waits for usage"}
_GOES: Final = {
    CreditTo.BALANCE: "is kept as balance and pays the next invoices",
    CreditTo.REFUND: "is refunded",
    CreditTo.NONE: "is kept",
}


def tell(
    key: str, command: Command, *, preview: bool = False, wait: bool = True, as_json: bool = False
) -> None:
    """Send a command, wait for its effect, and say how the subscription stands then; or only look at it."""
    if preview:
        _look(key, command, as_json=as_json)
        return

    async def work(client: RelanceClient) -> tuple[Accepted, CommandOutcome | None, Overview]:
        accepted = await client.tell(key, command)
        outcome = await client.wait_for(accepted.command_id) if wait else None
        return accepted, outcome, await client.show(key)

    accepted, outcome, view = with_client(work)
    if outcome is not None and not outcome.applied:
        from starter.problems import CommandRefused

        raise CommandRefused("overtaken", outcome.outcome)
    if as_json:
        output.show_json({**accepted.model_dump(), "outcome": outcome})
        return
    output.say(f"{'Done' if outcome else 'Accepted'}: {accepted.command_id}")
    output.say(f"Status {view.status}{'' if view.reason == view.status else f': {view.reason}'}.")
    for pending in view.pending:
        output.say(f"To come: {pending}.")


def _look(key: str, command: Command, *, as_json: bool) -> None:
    found = with_client(lambda client: client.preview(key, command))
    if as_json:
        output.show_json(found)
        return
    for document in found.documents:
        _print_document(document, found.currency)
    for sentence in _sentences(found):
        output.say(sentence)


def _print_document(document: PreviewDocument, currency: str) -> None:
    title = f"Credit note to {document.corrects}" if document.corrects else _TITLES[document.kind]
    rows = [
        {
            "What": f"{line.plan_name} {line.description}".strip(),
            "Why": line.kind.replace("_", " "),
            "From": line.start,
            "Until": line.end,
            "Days": f"{line.days} of {line.whole_days}",
            "Net": words.amount(line.net_minor, currency),
            "VAT": f"{line.vat_percent.normalize():f} %",
        }
        for line in document.lines
    ]
    output.show_table(rows, title=title)
    net, vat, total = (
        words.amount(amount, currency)
        for amount in (document.net_minor, document.vat_minor, document.total_minor)
    )
    output.say(f"Net {net}, VAT {vat}, total {total}.")


def _sentences(found: WhatItBills) -> list[str]:
    said = []
    if not found.documents:
        said.append("Nothing is billed now.")
    if found.from_balance_minor:
        said.append(f"Paid from the balance: {words.amount(found.from_balance_minor, found.currency)}.")
    if found.due_minor:
        applies = "; it takes effect only when that is paid" if found.if_paid else ""
        said.append(f"To pay now: {words.amount(found.due_minor, found.currency)}{applies}.")
    if found.credit_to is not None:
        amount = words.amount(found.credited_minor, found.currency)
        said.append(
            f"Credited: {amount}. It closes what is open first; what was paid {_GOES[found.credit_to]}."
        )
    if found.next_invoice is not None:
        amount = words.amount(found.next_invoice.total_minor, found.currency)
        said.append(f"Then {amount} on {found.next_invoice.on}.")
    if found.ends_on is not None:
        said.append(f"It ends on {found.ends_on}, the first day without service.")
    return [*said, f"The subscription is {found.status.value} then. This holds on {found.on}."]
