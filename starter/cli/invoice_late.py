"""`relance invoice claim-interest` and `waive-interest`: what late payment costs a business, asked for by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output, words
from starter.cli.running import OPERATOR, By, CommandId, with_client

if TYPE_CHECKING:
    from activities.books.late_claims import ClaimStanding
    from activities.books.late_payment import LatePayment
    from starter.client import RelanceClient

app = typer.Typer()

Key = Annotated[str, typer.Argument(metavar="INVOICE", help="Id or number.")]


@app.command("claim-interest")
def claim_interest(
    key: Key, *, command_id: CommandId = None, by: By = OPERATOR, as_json: output.JsonFlag = False
) -> None:
    """Claim statutory interest up to today and the fixed 40 EUR from a business that pays late. Outside VAT."""

    async def work(client: RelanceClient) -> ClaimStanding:
        found = await client.invoice(key)
        return await client.late_payments.claim(found.invoice.id, command_id=command_id, by=by)

    _show(with_client(work), as_json=as_json)


@app.command("waive-interest")
def waive_interest(
    key: Key,
    *,
    reason: Annotated[str, typer.Option(help="For the books.")],
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Let go of what was claimed for an invoice and is not paid."""

    async def work(client: RelanceClient) -> ClaimStanding:
        found = await client.invoice(key)
        return await client.late_payments.waive(found.invoice.id, reason=reason, by=by)

    _show(with_client(work), as_json=as_json)


def late_facts(late: LatePayment | None, currency: str) -> dict[str, object]:
    """What the page of an invoice says of its lateness."""
    if late is None:
        return {}
    facts: dict[str, object] = {"Late": f"{late.days} days, due on {late.due_on}, until {late.until_on}"}
    if not late.bears_interest:
        return facts
    if late.interest_minor is None:
        facts["Late interest"] = late.problem
    else:
        facts["Late interest"] = f"{words.amount(late.interest_minor, currency)}, outside VAT"
    facts["Recovery costs"] = words.amount(late.recovery_minor, currency)
    claimed = late.claimed_interest_minor + late.claimed_recovery_minor
    if claimed:
        left = sum(claim.open_minor for claim in late.claims)
        facts["Claimed"] = (
            f"{words.amount(claimed, currency)}, of which {words.amount(left, currency)} is open"
        )
    return facts


def _show(done: ClaimStanding, *, as_json: bool) -> None:
    if as_json:
        output.show_json(done)
        return
    amounts = {
        "Interest": done.interest_minor,
        "Recovery costs": done.recovery_minor,
        "Paid": done.paid_minor,
        "Waived": done.waived_minor,
        "Open": done.open_minor,
    }
    output.show_fields(
        {name: words.amount(minor, done.currency) for name, minor in amounts.items()},
        title=f"Claimed for {done.number}",
    )
