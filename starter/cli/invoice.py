"""`relance invoice`: what was billed, and what was tried to collect it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import invoice_corrections, invoice_late, output, words
from starter.cli.inputs import read_date
from starter.cli.running import OPERATOR, CommandId, with_client

if TYPE_CHECKING:
    from models.boundary import WishAccepted
    from starter.client import RelanceClient
    from starter.transfer_views import TransferView

app = typer.Typer(no_args_is_help=True)
app.add_typer(invoice_corrections.app)
app.add_typer(invoice_late.app)

Key = Annotated[str, typer.Argument(metavar="INVOICE", help="Id or number.")]


@app.callback()
def invoice() -> None:
    """What was billed, and what was tried to collect it."""


@app.command("list")
def list_invoices(
    *,
    status: Annotated[str | None, typer.Option(help="draft, open, paid, uncollectible or void.")] = None,
    subscription: Annotated[str | None, typer.Option(help="Id or reference of a subscription.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the newest invoices."""
    rows = with_client(
        lambda client: client.list_invoices(status=status, subscription=subscription, limit=limit)
    )
    if as_json:
        output.show_json([{**row.model_dump(), "open_minor": row.open_minor} for row in rows])
        return
    output.show_table(
        [
            {
                "Number": row.number or row.id,
                "Customer": row.buyer.name,
                "Issued on": row.issued_on,
                "Period": f"{row.period_start} to {row.period_end}",
                "Total": words.amount(row.total_minor, row.currency),
                "Open": words.amount(row.open_minor, row.currency),
                "Status": row.status.value,
                "Payment": _payment(row.payment_state.value) or None,
            }
            for row in rows
        ],
        empty="No invoice.",
    )


@app.command()
def show(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """Show an invoice with its lines and every attempt to collect it."""
    found = with_client(lambda client: client.invoice(key))
    if as_json:
        output.show_json(found)
        return
    view = found.invoice
    payment, arrears = _payment(view.payment_state), "in arrears" if view.in_arrears else ""
    disputed = "disputed" if view.disputed else ""
    facts: dict[str, object] = {
        "Id": view.id,
        "Status": ", ".join(filter(None, (view.status, payment and f"payment {payment}", arrears, disputed))),
        "Customer": found.customer_name,
        "Subscription": found.subscription_reference or found.subscription_id,
        "Period": f"{view.period_start} to {view.period_end} (not included)",
        "Issued on": view.issued_on,
        "Due on": view.due_on,
        "Net": words.amount(found.net_minor, view.currency),
        "VAT": words.amount(found.vat_minor, view.currency),
        "Total": words.amount(view.total_minor, view.currency),
        "Credited": words.amount(view.credited_minor, view.currency) if view.credited_minor else None,
        "Paid": words.amount(view.paid_minor, view.currency),
        "Open": words.amount(view.open_minor, view.currency),
        "Closed by": view.closed_by or None,
        **invoice_late.late_facts(found.late, view.currency),
    }
    output.show_fields(
        {name: fact for name, fact in facts.items() if fact is not None}, title=view.number or "Draft"
    )
    output.show_table(
        [
            {
                "Line": f"{line.plan_name} {line.description}".strip(),
                "From": line.start,
                "To": line.end,
                "Quantity": line.quantity,
                "Unit price": line.unit_amount,
                "Net": words.amount(line.net_minor, view.currency),
            }
            for line in found.lines
        ]
    )
    output.show_table(
        [
            {
                "#": attempt.number,
                "On": attempt.on,
                "Why": words.trigger(attempt.trigger),
                "Amount": words.amount(attempt.amount_minor, view.currency),
                "Outcome": attempt.decline_words or attempt.state,
            }
            for attempt in view.attempts
        ],
        empty="No attempt to charge it.",
    )
    if found.transfers:
        output.show_table([_transfer(one, view.currency) for one in found.transfers])


def _transfer(one: TransferView, currency: str) -> output.Row:
    amounts = {
        "Paid": one.pays_minor,
        "Small difference": one.small_difference_minor,
        "Late claim": one.claim_minor,
        "Unapplied": one.unapplied_minor,
    }
    return {
        "Transfer": one.transfer_id,
        "Received on": one.received_on,
        **{name: words.amount(minor, currency) if minor else None for name, minor in amounts.items()},
        "Taken back": words.instant(one.taken_back_at),
    }


def _payment(state: str) -> str:
    return "" if state == "none" else state.replace("_", " ")


@app.command("pay-now")
def pay_now(key: Key, *, command_id: CommandId = None, as_json: output.JsonFlag = False) -> None:
    """Charge an open invoice at once, as if the customer had asked."""

    async def work(client: RelanceClient) -> WishAccepted:
        found = await client.invoice(key)
        return await client.pay_now(found.invoice.id, command_id=command_id, by=OPERATOR)

    accepted = with_client(work)
    if as_json:
        output.show_json(accepted)
    else:
        output.say(f"Accepted: invoice {accepted.invoice_id} is charged in a moment.")


@app.command()
def pdf(
    key: Annotated[str, typer.Argument(metavar="DOCUMENT", help="Id or number; a credit note's too.")],
    *,
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where to write it.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Write one invoice or credit note as PDF: Factur-X where it is for a business."""
    found = with_client(lambda client: client.documents.file(key))
    _make_folder(to.parent)
    to.write_bytes(found.content)
    if as_json:
        output.show_json({"file": to, **found.model_dump(exclude={"content"})})
    else:
        output.say(f"{found.number} is in {to} ({found.form}).")


@app.command()
def export(
    *,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Made if it is not there.")],
    since: Annotated[str | None, typer.Option(help="First day of issue, as 2027-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day of issue.")] = None,
    customer: Annotated[str | None, typer.Option(help="Id or reference: of one customer only.")] = None,
    clock: Annotated[str | None, typer.Option(help="Of a test clock; by default of real life.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Write invoices and credit notes, each into the folder of its kind: facturx-fr, facturx or plain."""
    first = None if since is None else read_date(since, field="since")
    last = None if until is None else read_date(until, field="until")
    _make_folder(to)
    done = with_client(
        lambda client: client.documents.export(to, since=first, until=last, customer=customer, clock=clock)
    )
    if as_json:
        output.show_json(done)
    else:
        output.say(f"{len(done.files)} documents are in {to}.")
        for failure in done.failed:
            output.say(f"Not {failure}")
    if done.failed:
        raise typer.Exit(output.REFUSED)


def _make_folder(folder: Path) -> None:
    """Make the folder.

    Raises:
        InvalidInput: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InvalidInput(f"{folder} is no folder to write to: {problem.strerror}.", field="to") from None
