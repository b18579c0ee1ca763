"""`relance customer mandate`: what a customer agreed to for debits of their account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output
from starter.cli.running import CommandId, with_client

if TYPE_CHECKING:
    from starter.mandates import MandateView

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id or reference.")]


@app.callback()
def mandate() -> None:
    """SEPA mandates: the customer's consent to debits of their account."""


@app.command("set")
def set_mandate(
    key: Key,
    token: Annotated[
        str, typer.Argument(metavar="PAYMENT_METHOD", help="Stripe's payment method of the account, pm_...")
    ],
    *,
    accepted_at: Annotated[
        str | None,
        typer.Option(
            help="When the mandate was accepted, 2027-03-15T10:00+01:00, where Stripe has none yet."
        ),
    ] = None,
    ip_address: Annotated[str, typer.Option(help="Of whoever accepted it online; none for paper.")] = "",
    user_agent: Annotated[str, typer.Option(help="Their browser.")] = "",
    notice_days: Annotated[
        int | None, typer.Option(help="Days of notice before each debit, as its text agrees.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="File with the text that was shown.", exists=True, dir_okay=False)
    ] = None,
    text_version: Annotated[str, typer.Option(help="Your own name for that text.")] = "",
    command_id: CommandId = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Save a SEPA account with its mandate, make it the default, and announce debits of what is open."""
    from starter.mandates import MandateGiven

    consent = {"accepted_at": accepted_at, "ip_address": ip_address, "user_agent": user_agent}
    if accepted_at is None and (ip_address or user_agent):
        raise output.WrongUsage("Say when it was accepted: --accepted-at.", field="accepted_at")
    given = MandateGiven.model_validate(
        {
            "consent": None if accepted_at is None else consent,
            "notice_days": notice_days,
            "text": text.read_text(encoding="utf-8") if text is not None else "",
            "text_version": text_version,
        }
    )
    saved = with_client(
        lambda client: client.set_payment_method(key, token, mandate=given, command_id=command_id)
    )
    if as_json:
        output.show_json(saved)
        return
    output.say(f"Saved: {saved.label}.")
    if saved.charging:
        output.say(f"Debits are announced for what is open: {', '.join(saved.charging)}")


@app.command("list")
def list_mandates(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """List a customer's mandates, newest first, those that have ended too."""
    found = with_client(lambda client: client.mandates.of(key))
    if as_json:
        output.show_json(found)
        return
    output.show_table([_line(one) for one in found], empty="No mandate.")


@app.command()
def revoke(
    mandate_id: Annotated[str, typer.Argument(metavar="MANDATE", help="Id, mdt_...")],
    *,
    reason: Annotated[str, typer.Option(help="Who took it back, and how.")],
    as_json: output.JsonFlag = False,
) -> None:
    """End a mandate that the customer took back: nothing is debited under it any more."""
    ended = with_client(lambda client: client.mandates.revoke(mandate_id, reason=reason))
    if as_json:
        output.show_json(ended)
        return
    output.say(f"Mandate {ended.reference} is over: {ended.ended_because}.")


def _line(one: MandateView) -> output.Row:
    last_day = (
        f"valid to {one.expires_on}" if one.in_force else one.ended_because or f"unused to {one.expires_on}"
    )
    return {
        "Mandate": one.id,
        "Reference": one.reference,
        "Account": one.account,
        "Creditor": one.creditor_id,
        "Accepted": one.accepted_on,
        "Text": one.text_version or ("kept" if one.text else one.evidence or None),
        "Notice": f"{one.notice_days} days",
        "Last debit": one.last_debit_on,
        "Standing": last_day,
    }
