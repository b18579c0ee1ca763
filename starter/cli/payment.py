"""`relance payment`: money that came by transfer, is held, goes back, is disputed, or fits nowhere in the books."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from billing.errors import InvalidInput
from billing.money_back import MoneyBack, PayOut, SendBack
from billing.refund import MoneySource
from models.ids import new_id
from starter.cli import output, payment_records, words
from starter.cli.inputs import read_amount
from starter.cli.payment_settling import settle
from starter.cli.running import OPERATOR, By, CommandId, with_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from activities.books.giving_back import GivenBack
    from models.tables import Refund
    from starter.client import RelanceClient

app = typer.Typer(no_args_is_help=True)
app.add_typer(payment_records.app)
app.command()(settle)

CustomerKey = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id or reference.")]
RefundKey = Annotated[str, typer.Argument(metavar="REFUND", help="Its id, as in relance payment refunds.")]
MatterKey = Annotated[str, typer.Argument(metavar="MATTER", help="Its id, as in relance payment matters.")]
Reason = Annotated[str, typer.Option(help="For the books.")]
Amount = Annotated[str | None, typer.Option(help="Such as 12.50. By default all that is held.")]
Currency = Annotated[
    str | None, typer.Option(help="Where money is held in several: such as EUR.", metavar="CODE")
]


@app.callback()
def payment() -> None:
    """Money that came by transfer, is held, goes back, is disputed, or fits nowhere."""


@app.command()
def held(key: CustomerKey, *, as_json: output.JsonFlag = False) -> None:
    """Show what is held for a customer: the balance, and money that no invoice claimed."""
    found = with_client(lambda client: client.payments.held(key))
    if as_json:
        output.show_json(found)
        return
    output.show_table(
        [
            {
                "Currency": one.currency,
                "Balance": words.amount(one.balance_minor, one.currency),
                "Set aside for drafts": words.amount(one.set_aside_minor, one.currency),
                "Claimed by no invoice": words.amount(one.unapplied_minor, one.currency),
            }
            for one in found
        ],
        empty="Nothing is held.",
    )


@app.command()
def refund(
    key: CustomerKey,
    *,
    reason: Reason,
    amount: Amount = None,
    currency: Currency = None,
    source: Annotated[MoneySource, typer.Option(help="What it is taken out of.")] = MoneySource.UNAPPLIED,
    by: By = OPERATOR,
    command_id: CommandId = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Send held money back on the customer's payments, the newest first.

    No credit note is needed: no invoice claimed it. What one has claimed goes back by: relance invoice credit
    --then refund.
    """
    order = partial(
        SendBack, command_id=command_id or new_id("cmd"), customer_id=key, source=source, by=by, reason=reason
    )
    _give_back(order, key, amount, currency, as_json=as_json, done="Goes back")


@app.command("pay-out")
def pay_out(
    key: CustomerKey,
    *,
    reason: Reason,
    amount: Amount = None,
    currency: Currency = None,
    source: Annotated[MoneySource, typer.Option(help="What it is taken out of.")] = MoneySource.BALANCE,
    by: By = OPERATOR,
    command_id: CommandId = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Note that you paid held money out by other means, such as a transfer from your bank."""
    order = partial(
        PayOut, command_id=command_id or new_id("cmd"), customer_id=key, source=source, by=by, reason=reason
    )
    _give_back(order, key, amount, currency, as_json=as_json, done="Noted as paid out")


@app.command()
def refunds(
    *,
    customer: Annotated[str | None, typer.Option(help="Id or reference.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """List the newest refunds, whoever asked for them."""
    rows = with_client(lambda client: client.payments.refunds(customer=customer, limit=limit))
    if as_json:
        output.show_json(rows)
        return
    output.show_table(
        [
            {
                "Id": row.id,
                "On": f"{row.at:%Y-%m-%d}",
                "Amount": words.amount(row.amount_minor, row.currency),
                "State": row.state.value,
                "Asked by": row.by or ("relance" if row.command_id else "at the provider"),
                "Why": row.reason,
                "Problem": row.failure or row.last_error or None,
            }
            for row in rows
        ],
        empty="No refund.",
    )


@app.command()
def send(key: RefundKey, *, as_json: output.JsonFlag = False) -> None:
    """Let a refund be made anew that never left and whose key is too old; it is looked for at the provider first."""
    _show_refund(with_client(lambda client: client.payments.send_again(key)), as_json=as_json)


@app.command()
def drop(key: RefundKey, *, reason: Reason, by: By = OPERATOR, as_json: output.JsonFlag = False) -> None:
    """Give up on a refund that never left: its money is held for the customer again."""
    _show_refund(with_client(lambda client: client.payments.drop(key, by=by, reason=reason)), as_json=as_json)


@app.command()
def disputes(
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not decided.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """List the newest disputes."""
    rows = with_client(lambda client: client.payments.disputes(only_open=only_open))
    if as_json:
        output.show_json(rows)
        return
    output.show_table(
        [
            {
                "At the provider": row.provider_id,
                "Since": f"{row.opened_at:%Y-%m-%d}",
                "Invoice": row.invoice_id,
                "Amount": words.amount(row.amount_minor, row.currency),
                "Why": row.reason.replace("_", " "),
                "State": row.state.value,
                "Answer by": words.instant(row.answer_by),
            }
            for row in rows
        ],
        empty="No dispute.",
    )


@app.command()
def matters(*, as_json: output.JsonFlag = False) -> None:
    """List what waits for a person: facts at the provider that fit nowhere, and warnings of fraud."""
    rows = with_client(lambda client: client.payments.matters())
    if as_json:
        output.show_json(rows)
        return
    output.show_table(
        [
            {
                "Id": row.id,
                "Kind": row.kind.value.replace("_", " "),
                "At the provider": row.provider_id,
                "Amount": None if row.amount_minor is None else words.amount(row.amount_minor, row.currency),
                "What": row.says,
            }
            for row in rows
        ],
        empty="Nothing waits for a person.",
    )


@app.command()
def link(
    key: MatterKey,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Id or number.")],
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """Book a refund or dispute that fitted nowhere on the payment of the invoice that it belongs to."""
    taken = with_client(lambda client: client.payments.link(key, invoice))
    if as_json:
        output.show_json({"matter": key, "invoice": invoice, "note": taken.note})
    else:
        output.say(f"Done: {taken.note}.")


@app.command()
def resolve(key: MatterKey, *, reason: Reason, by: By = OPERATOR, as_json: output.JsonFlag = False) -> None:
    """Say that a matter is dealt with, and how; nothing is booked by that."""
    row = with_client(lambda client: client.payments.resolve(key, by=by, reason=reason))
    if as_json:
        output.show_json(row)
    else:
        output.say(f"Resolved by {row.resolved_by}: {row.resolution}")


def _give_back(
    order: Callable[..., MoneyBack],
    key: str,
    amount: str | None,
    currency: str | None,
    *,
    as_json: bool,
    done: str,
) -> None:
    async def work(client: RelanceClient) -> GivenBack:
        if amount is None:
            return await client.payments.give_back(order(amount_minor=None, currency=currency))
        code = currency or await _currency(client, key)
        minor = read_amount(amount, code, field="amount")
        return await client.payments.give_back(order(amount_minor=minor, currency=code))

    given = with_client(work)
    if as_json:
        output.show_json(given)
        return
    output.say(f"{done}: {words.amount(given.amount_minor, given.currency)}.")
    output.say(f"Still held there: {words.amount(given.held_minor, given.currency)}.")


async def _currency(client: RelanceClient, key: str) -> str:
    """The one currency in which anything is held for the customer.

    Raises:
        InvalidInput: there is none, or there are several; field `currency`.
    """
    held = await client.payments.held(key)
    if len(held) != 1:
        raise InvalidInput(
            "Give --currency beside --amount: money is held in "
            f"{', '.join(one.currency for one in held) or 'no currency'}.",
            field="currency",
        )
    return held[0].currency


def _show_refund(row: Refund, *, as_json: bool) -> None:
    if as_json:
        output.show_json(row)
    else:
        output.say(f"Refund {row.id} of {words.amount(row.amount_minor, row.currency)}: {row.state.value}.")
