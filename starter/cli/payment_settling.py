"""`relance payment settle`: a payment whose answer was lost and that could not be found out."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import output
from starter.cli.running import OPERATOR, By, CommandId, with_client


def settle(
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Id or number.")],
    *,
    reason: Annotated[str, typer.Option(help="For the record.")],
    payment_intent: Annotated[
        str | None, typer.Option(metavar="PI", help="Where you found the payment at Stripe, pi_...")
    ] = None,
    nothing_charged: Annotated[
        bool, typer.Option("--nothing-charged", help="Stripe has no payment for it.")
    ] = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Close a payment that has had no answer, as you saw it at Stripe; Stripe is asked whether it is so."""
    if (payment_intent is None) != nothing_charged:
        raise InvalidInput(
            "Say either --payment-intent, where you found the payment, or --nothing-charged.",
            field="payment_intent",
        )
    done = with_client(
        lambda client: client.settle_payment(
            invoice, payment_intent=payment_intent, command_id=command_id, by=by, reason=reason
        )
    )
    if as_json:
        output.show_json(done.model_dump())
    else:
        output.say(f"Attempt {done.attempt} of {invoice}: {done.outcome.replace('_', ' ')}.")
