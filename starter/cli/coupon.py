"""`relance coupon`: discounts on offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output
from starter.cli.inputs import read_date
from starter.cli.running import with_client

if TYPE_CHECKING:
    from models.tables import Coupon

app = typer.Typer(no_args_is_help=True)

Code = Annotated[str, typer.Argument(metavar="CODE", help="What a customer types.")]


@app.callback()
def coupon() -> None:
    """Discounts on offer."""


@app.command()
def create(
    code: Code,
    *,
    percent: Annotated[str | None, typer.Option(help="Percent off, as 20.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="Or a fixed amount off each billed period, before tax.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Of the amount, as EUR.")] = None,
    periods: Annotated[
        int | None, typer.Option(help="Billed periods; 1 is once, by default for ever.")
    ] = None,
    name: Annotated[str, typer.Option(help="As customers read it; by default the code.")] = "",
    expires_on: Annotated[str | None, typer.Option(help="Last day on which it is given.")] = None,
    max_redemptions: Annotated[int | None, typer.Option(help="How often it is given at most.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Put a coupon on offer; the same twice is one."""
    from starter.orders import NewCoupon

    order = NewCoupon.model_validate(
        {
            "code": code,
            "percent": percent,
            "amount": amount,
            "currency": currency,
            "periods": periods,
            "name": name,
            "expires_on": read_date(expires_on, field="expires_on") if expires_on else None,
            "max_redemptions": max_redemptions,
        }
    )
    row = with_client(lambda client: client.coupons.create(order))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"The coupon {row.reference} is on offer.")


@app.command("list")
def list_coupons(*, as_json: output.JsonFlag = False) -> None:
    """List the coupons, newest first."""
    rows = with_client(lambda client: client.coupons.list())
    facts = [_facts(row) for row in rows]
    if as_json:
        output.show_json(facts)
    else:
        output.show_table(facts, empty="No coupon.")


@app.command()
def archive(code: Code, *, as_json: output.JsonFlag = False) -> None:
    """Take a coupon off the offer. Subscriptions that have it keep it."""
    row = with_client(lambda client: client.coupons.archive(code))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"The coupon {row.reference} is no longer on offer.")


def _facts(row: Coupon) -> dict[str, object]:
    discount = row.discount
    return {
        "code": row.reference,
        "percent": discount.percent,
        "amount": discount.amount,
        "currency": row.currency,
        "periods": discount.periods,
        "expires_on": row.expires_on,
        "redemptions": row.redemptions,
        "max_redemptions": row.max_redemptions,
        "archived_at": row.archived_at,
    }
