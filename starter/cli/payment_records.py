"""`relance payment record`, `import` and what becomes of them: transfers that came, and which invoices they pay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import output, words
from starter.cli.inputs import read_amount, read_date
from starter.cli.running import OPERATOR, By, CommandId, with_client

if TYPE_CHECKING:
    from activities.books.transfers import Booked
    from starter.client import RelanceClient
    from starter.transfers import Imported, Waiting

app = typer.Typer()

Invoices = Annotated[
    list[str] | None, typer.Argument(metavar="INVOICE", help="Ids or numbers of what it pays.")
]
OfCustomer = Annotated[
    str | None, typer.Option("--customer", help="Instead of invoices: pays what is open, oldest first.")
]
TransferId = Annotated[str, typer.Argument(metavar="TRANSFER", help="tr_...")]
Reason = Annotated[str, typer.Option(help="For the books.")]


@app.command()
def record(
    invoices: Invoices = None,
    *,
    amount: Annotated[str, typer.Option(help="What came, such as 588.00.")],
    on: Annotated[str, typer.Option(help="When the bank booked it, as 2027-01-31.")],
    customer: OfCustomer = None,
    currency: Annotated[str, typer.Option(help="With --customer: of the amount.")] = "EUR",
    bank_reference: Annotated[str, typer.Option(help="The bank's own reference for it.")] = "",
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Record a transfer that arrived. What no invoice asks for is kept as unapplied cash."""

    async def work(client: RelanceClient) -> Booked:
        of = currency if not invoices else (await client.invoice(invoices[0])).invoice.currency
        return await client.transfers.record(
            *(invoices or ()),
            amount_minor=read_amount(amount, of, field="amount"),
            received_on=read_date(on, field="on"),
            customer=customer,
            currency=of,
            bank_reference=bank_reference,
            command_id=command_id,
            by=by,
        )

    _show(with_client(work), as_json=as_json)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A bank's CAMT.053.", exists=True, dir_okay=False)],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what it would do.")] = False,
    entity: Annotated[
        str | None, typer.Option(help="Whose account it is, where its documents show another one.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Book the payments of a bank file. Each is booked once, however often a file is read."""
    content = _read(file)
    done = with_client(lambda client: client.transfers.import_file(content, check=check, entity=entity))
    if as_json:
        output.show_json(done)
        return
    _show_import(done)


@app.command("list")
def list_transfers(
    *,
    customer: Annotated[str | None, typer.Option(help="Id or reference: of one customer only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the newest transfers."""
    rows = with_client(lambda client: client.transfers.transfers(customer=customer, limit=limit))
    if as_json:
        output.show_json(rows)
    else:
        output.show_table([_line(row) for row in rows], empty="No transfer.")


@app.command()
def unmatched(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the transfers that wait for a person, each with whose it could be."""
    waiting = with_client(lambda client: client.transfers.unmatched(limit=limit))
    if as_json:
        output.show_json(waiting)
        return
    if not waiting:
        output.say("No transfer waits for a person.")
    for one in waiting:
        _show_waiting(one)


@app.command()
def match(
    transfer: TransferId,
    invoices: Invoices = None,
    *,
    customer: OfCustomer = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Say whose an unmatched transfer is: it pays these invoices."""
    done = with_client(
        lambda client: client.transfers.match(transfer, *(invoices or ()), customer=customer, by=by)
    )
    _show(done, as_json=as_json)


@app.command()
def dismiss(
    transfer: TransferId, *, reason: Reason, by: By = OPERATOR, as_json: output.JsonFlag = False
) -> None:
    """Set an unmatched transfer aside that is no payment of a customer, or was recorded before."""
    done = with_client(lambda client: client.transfers.dismiss(transfer, reason=reason, by=by))
    _show(done, as_json=as_json)


@app.command("take-back")
def take_back(
    transfer: TransferId, *, reason: Reason, by: By = OPERATOR, as_json: output.JsonFlag = False
) -> None:
    """Take back a payment that was recorded by mistake; its invoices are open again."""
    done = with_client(lambda client: client.transfers.take_back(transfer, reason=reason, by=by))
    _show(done, as_json=as_json)


def _read(file: Path) -> bytes:
    """The file, or one byte more than any may have.

    Raises:
        InvalidInput: it can't be read.
    """
    from activities.camt import MOST_BYTES

    try:
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as problem:
        raise InvalidInput(f"{file} cannot be read: {problem.strerror}.", field="file") from None


def _show(done: Booked, *, as_json: bool) -> None:
    if as_json:
        output.show_json(done)
        return
    amount = words.amount(done.amount_minor, done.currency)
    before = "" if done.is_new else ", recorded before"
    output.say(f"{done.transfer_id}: {amount} of {done.received_on}, {done.state.replace('_', ' ')}{before}.")
    if done.why:
        output.say(done.why)
    _show_invoices([done])


def _show_invoices(transfers: Iterable[Booked]) -> None:
    rows = [
        {
            "Invoice": paid.number or paid.invoice_id,
            "Paid": words.amount(paid.pays_minor, one.currency),
            "Small difference": _unless_zero(paid.small_difference_minor, one.currency),
            "Late claim": _unless_zero(paid.claim_minor, one.currency),
            "Unapplied": _unless_zero(paid.unapplied_minor, one.currency),
            "Status": paid.status,
            "Open": words.amount(paid.open_minor, one.currency),
        }
        for one in transfers
        for paid in one.invoices
    ]
    if rows:
        output.show_table(rows)


def _unless_zero(minor: int, currency: str) -> str | None:
    return words.amount(minor, currency) if minor else None


def _show_import(done: Imported) -> None:
    would = "would be " if done.only_looked else ""
    output.say(
        f"{len(done.booked)} payments {would}booked, {len(done.unmatched)} {would}left for a person, "
        f"{done.known} known from before."
    )
    _show_invoices(done.booked)
    for one in (*done.booked, *done.unmatched):
        if one.why:
            output.say(f"{one.transfer_id} {words.amount(one.amount_minor, one.currency)}: {one.why}")
    for why, count in Counter(passed.why for passed in done.passed).items():
        lines = _lines([passed.line for passed in done.passed if passed.why == why])
        output.say(f"Passed over, {why}: {count}{lines}.")
    if any("credit that was reversed" in passed.why for passed in done.passed):
        output.say("Where a reversed credit was a customer's payment: relance payment take-back")
    if done.unmatched and not done.only_looked:
        output.say("See whose they could be: relance payment unmatched")


def _lines(lines: Sequence[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:5])
    return f" (line {shown}{', ...' if len(lines) > 5 else ''})"  # noqa: PLR2004


def _show_waiting(waiting: Waiting) -> None:
    one = waiting.transfer
    output.show_fields(
        {
            "Amount": words.amount(one.amount_minor, one.currency),
            "Received on": one.received_on,
            "From": one.payer_name or None,
            "Wrote": one.remittance or None,
            "Waits since": one.why or None,
            **{
                f"Could be {number}": f"{proposal.customer_name}, {', '.join(proposal.numbers)}, "
                f"{words.amount(proposal.open_minor, one.currency)} open: {'; '.join(proposal.why)}"
                for number, proposal in enumerate(waiting.proposals, start=1)
            },
        },
        title=one.transfer_id,
    )


def _line(one: Booked) -> output.Row:
    return {
        "Transfer": one.transfer_id,
        "Received on": one.received_on,
        "Amount": words.amount(one.amount_minor, one.currency),
        "From": one.payer_name or None,
        "State": one.state.replace("_", " "),
        "Pays": ", ".join(paid.number or paid.invoice_id for paid in one.invoices) or None,
        "Unapplied": _unless_zero(one.unapplied_minor, one.currency),
    }
