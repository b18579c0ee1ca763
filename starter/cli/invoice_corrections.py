"""`relance invoice credit`, `write-off`, `apply` and `rectify`: an issued invoice is corrected, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from billing.corrections import (
    ApplyMoney,
    Correction,
    Credit,
    LineCredit,
    NewBuyer,
    PayBackAs,
    Rectify,
    WriteOff,
)
from billing.refund import MoneySource
from models.ids import new_id
from starter.cli import output, words
from starter.cli.inputs import read_amount
from starter.cli.running import OPERATOR, CommandId, with_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from activities.books.correcting import Corrected
    from activities.books.rectifying import Rectified
    from starter.client import RelanceClient
    from starter.overview import InvoiceView

app = typer.Typer()

Key = Annotated[str, typer.Argument(metavar="INVOICE", help="Id or number.")]
Reason = Annotated[str, typer.Option(help="For the books.")]


@app.command()
def credit(
    key: Key,
    *,
    reason: Reason,
    amount: Annotated[
        str | None, typer.Option(help="Tax included, such as 12.50. By default all that is left.")
    ] = None,
    line: Annotated[
        list[int] | None, typer.Option(help="A whole line, by its number from 0; may be repeated.")
    ] = None,
    then: Annotated[PayBackAs, typer.Option(help="Where paid money goes.")] = PayBackAs.BALANCE,
    command_id: CommandId = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Issue a credit note. It closes what is open first; only paid money goes to the balance or back."""

    def asked(invoice: InvoiceView) -> Correction:
        return Credit(
            command_id=command_id or new_id("cmd"),
            invoice_id=invoice.id,
            by=OPERATOR,
            reason=reason,
            amount_minor=None if amount is None else read_amount(amount, invoice.currency, field="amount"),
            lines=tuple(LineCredit(position=position) for position in line or ()),
            then=then,
        )

    _carry_out(key, asked, as_json=as_json)


@app.command("write-off")
def write_off(
    key: Key, *, reason: Reason, command_id: CommandId = None, as_json: output.JsonFlag = False
) -> None:
    """Stop asking for an open invoice. The debt and the document remain; a later payment still pays it."""

    def asked(invoice: InvoiceView) -> Correction:
        return WriteOff(
            command_id=command_id or new_id("cmd"), invoice_id=invoice.id, by=OPERATOR, reason=reason
        )

    _carry_out(key, asked, as_json=as_json)


@app.command()
def apply(
    key: Key,
    *,
    amount: Annotated[
        str | None, typer.Option(help="Such as 12.50. By default as much as there is and is open.")
    ] = None,
    source: Annotated[MoneySource, typer.Option(help="What it is taken out of.")] = MoneySource.UNAPPLIED,
    command_id: CommandId = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Pay an open invoice with money that is held for the customer."""

    def asked(invoice: InvoiceView) -> Correction:
        return ApplyMoney(
            command_id=command_id or new_id("cmd"),
            invoice_id=invoice.id,
            by=OPERATOR,
            amount_minor=None if amount is None else read_amount(amount, invoice.currency, field="amount"),
            source=source,
        )

    _carry_out(key, asked, as_json=as_json)


@app.command()
def rectify(
    key: Key,
    *,
    name: Annotated[str | None, typer.Option(help="The buyer's right name.")] = None,
    vat_number: Annotated[str | None, typer.Option(help="The buyer's right VAT number.")] = None,
    siren: Annotated[str | None, typer.Option(help="The buyer's right SIREN.")] = None,
    update_customer: Annotated[
        bool, typer.Option("--update-customer", help="Keep it for later invoices too.")
    ] = False,
    reason: Reason = "",
    command_id: CommandId = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Replace an invoice by one with the buyer's corrected data; what was paid moves over."""

    async def work(client: RelanceClient) -> Rectified:
        found = await client.invoice(key)
        asked = Rectify(
            command_id=command_id or new_id("cmd"),
            invoice_id=found.invoice.id,
            by=OPERATOR,
            reason=reason,
            buyer=NewBuyer(name=name, vat_number=vat_number, siren=siren),
            update_customer=update_customer,
        )
        return await client.corrections.rectify(asked)

    done = with_client(work)
    if as_json:
        output.show_json(done)
    else:
        output.say(f"Credit note {done.credit_note} takes it back; {done.new_number} stands in its place.")


def _carry_out(key: str, asked: Callable[[InvoiceView], Correction], *, as_json: bool) -> None:
    async def work(client: RelanceClient) -> Corrected:
        found = await client.invoice(key)
        return await client.corrections.carry_out(asked(found.invoice))

    done = with_client(work)
    if as_json:
        output.show_json(done)
        return
    if done.waits:
        output.say("A payment is under way. This is carried out with its outcome.")
    moved = {
        f"Credit note {done.credit_note}": done.credited_minor,
        "Closes what was open": done.closed_minor,
        "To the balance": done.balance_minor,
        "Sent back": done.refund_minor,
        "Paid from what was held": done.applied_minor,
    }
    shown = {name: words.amount(minor, done.currency) for name, minor in moved.items() if minor}
    output.show_fields(
        {**shown, "Invoice": done.status, "Open": words.amount(done.open_minor, done.currency)}
    )
