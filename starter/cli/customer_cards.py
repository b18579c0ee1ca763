"""`relance customer card`: the payment methods of a customer: which is charged, and which stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output
from starter.cli.running import OPERATOR, By, CommandId, with_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.tables import Customer, PaymentMethod
    from starter.client import RelanceClient
    from starter.payment_methods import MethodSet

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id or reference.")]
Token = Annotated[str, typer.Argument(metavar="PAYMENT_METHOD", help="Stripe's payment method, pm_...")]
MethodKey = Annotated[
    str, typer.Argument(metavar="PAYMENT_METHOD", help="One of theirs, as in relance customer card list.")
]


@app.callback()
def card() -> None:
    """The payment methods of a customer: which is charged, and which stands in."""


@app.command("set")
def set_card(
    key: Key, token: Token, *, command_id: CommandId = None, as_json: output.JsonFlag = False
) -> None:
    """Save a payment method, make it the default, and charge with it what is open."""
    _show(with_client(lambda client: client.methods.add(key, token, command_id=command_id)), as_json=as_json)


@app.command()
def add(key: Key, token: Token, *, command_id: CommandId = None, as_json: output.JsonFlag = False) -> None:
    """Save one more payment method; nothing is charged with it, unless it is the first."""
    added = with_client(
        lambda client: client.methods.add(key, token, as_default=False, command_id=command_id)
    )
    _show(added, as_json=as_json)


@app.command("list")
def list_cards(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """List the payment methods of a customer, newest first."""
    owner, methods = with_client(lambda client: _read(client, key))
    if as_json:
        output.show_json(methods)
        return
    from starter.payment_methods import method_label, role_of

    output.show_table(
        [
            {
                "Id": method.id,
                "Method": method_label(method),
                "Role": role_of(owner, method) or None,
                "State": _state(method),
            }
            for method in methods
        ],
        empty="No payment method. Add one: relance customer card set",
    )


@app.command()
def default(
    key: Key, method: MethodKey, *, command_id: CommandId = None, as_json: output.JsonFlag = False
) -> None:
    """Charge one of the customer's methods from now on, and with it what is open."""
    chosen = with_client(lambda client: client.methods.make_default(key, method, command_id=command_id))
    _show(chosen, as_json=as_json)


@app.command()
def backup(
    key: Key,
    method: MethodKey,
    *,
    agreed: Annotated[
        bool, typer.Option("--agreed", help="The customer agreed that it is charged where the default fails.")
    ] = False,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Let a card stand in where the default method is dead or needs the customer."""
    chosen = with_client(lambda client: client.methods.make_backup(key, method, agreed=agreed, by=by))
    _show(chosen, as_json=as_json)


@app.command("no-backup")
def no_backup(key: Key) -> None:
    """Let nothing stand in for the default method any more."""
    with_client(lambda client: client.methods.drop_backup(key))
    output.say("There is no backup.")


@app.command()
def remove(key: Key, method: MethodKey, *, as_json: output.JsonFlag = False) -> None:
    """Take a payment method away, here and at Stripe; a backup takes the place of a default."""
    removed = with_client(lambda client: client.methods.remove(key, method))
    if as_json:
        output.show_json(removed)
        return
    output.say(f"Removed: {removed.label}.")
    if removed.takes_over:
        output.say(f"The default is now the backup: {removed.takes_over}.")


async def _read(client: RelanceClient, key: str) -> tuple[Customer, Sequence[PaymentMethod]]:
    return await client.customer(key), await client.methods.list(key)


def _state(method: PaymentMethod) -> str:
    if method.detached_at is not None:
        return "taken away"
    return "stopped for good" if method.stopped else "usable"


def _show(chosen: MethodSet, *, as_json: bool) -> None:
    if as_json:
        output.show_json(chosen)
        return
    output.say(f"Saved: {chosen.label}{f' ({chosen.role})' if chosen.role else ''}.")
    if chosen.charging and chosen.announced:
        output.say(f"Debits are announced for what is open: {', '.join(chosen.charging)}")
    elif chosen.charging:
        open_ = "invoice" if len(chosen.charging) == 1 else f"{len(chosen.charging)} invoices, oldest first"
        output.say(f"It is charged now for the open {open_}: {', '.join(chosen.charging)}")
