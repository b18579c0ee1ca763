"""`relance subscription change-...`: plan, seats, or anything agreed; now or later, looked at first or taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from billing.agreed import Agreed
from billing.commands import AddCoupon, ChangePlan, ChangeQuantity, ChangeTerms, UndoChange, When
from billing.errors import InvalidInput
from models.ids import new_id
from starter.changes import How
from starter.cli import output
from starter.cli.discounts import AmountOff, Coupon, ForPeriods, PercentOff, discount_of
from starter.cli.inputs import read_date
from starter.cli.paying import PaymentTermsOption, by_transfer
from starter.cli.running import OPERATOR, By, CommandId
from starter.cli.telling import Key, Preview, Wait, WhenOption, tell

Prorate = Annotated[
    bool,
    typer.Option(
        "--prorate/--no-prorate", help="With --when now: bill and give back the days from today on."
    ),
]
IfPaid = Annotated[bool, typer.Option("--if-paid", help="With --when now: only when what it bills is paid.")]
KeepAnchor = Annotated[
    bool, typer.Option("--keep-anchor", help="With another rhythm now: count from the old anchor.")
]
PreviewedOn = Annotated[
    str | None, typer.Option(help="Date of the preview that this follows; refused on another day.")
]


def change_plan(
    key: Key,
    plan: Annotated[str, typer.Argument(help="Id or reference of the new plan.")],
    *,
    quantity: Annotated[int | None, typer.Option(help="Seats, where they change too.")] = None,
    when: WhenOption = When.PERIOD_END,
    prorate: Prorate = True,
    if_paid: IfPaid = False,
    keep_anchor: KeepAnchor = False,
    previewed_on: PreviewedOn = None,
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Change the plan, now or at the period's end."""
    command = ChangePlan(
        command_id=command_id or new_id("cmd"),
        by=by,
        plan_id=plan,
        quantity=quantity,
        **_how(when, prorate=prorate, if_paid=if_paid, keep_anchor=keep_anchor, previewed_on=previewed_on),
    )
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


def change_quantity(
    key: Key,
    quantity: Annotated[int, typer.Argument(help="Seats.")],
    *,
    when: WhenOption = When.PERIOD_END,
    prorate: Prorate = True,
    if_paid: IfPaid = False,
    previewed_on: PreviewedOn = None,
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Change the number of seats, now or at the period's end."""
    command = ChangeQuantity(
        command_id=command_id or new_id("cmd"),
        by=by,
        quantity=quantity,
        **_how(when, prorate=prorate, if_paid=if_paid, keep_anchor=False, previewed_on=previewed_on),
    )
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


def change_terms(
    key: Key,
    *,
    amount: Annotated[str | None, typer.Option(help="Another price, as 19.00.")] = None,
    every: Annotated[str | None, typer.Option(help="Another rhythm, as 1month or 1year.")] = None,
    billing_day: Annotated[int | None, typer.Option(help="Day of the month on which periods start.")] = None,
    payment_terms: PaymentTermsOption = None,
    policy: Annotated[str | None, typer.Option(help="Another dunning policy.")] = None,
    agreed: Annotated[
        Path | None, typer.Option(help="JSON file with anything else: prices, features, payment terms ...")
    ] = None,
    percent_off: PercentOff = None,
    amount_off: AmountOff = None,
    for_periods: ForPeriods = None,
    coupon: Coupon = "discount",
    remove_discount: Annotated[str | None, typer.Option(help="Coupon whose discount ends.")] = None,
    when: WhenOption = When.PERIOD_END,
    prorate: Prorate = True,
    if_paid: IfPaid = False,
    keep_anchor: KeepAnchor = False,
    previewed_on: PreviewedOn = None,
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Change what was agreed with this one customer; the plan stays as it is."""
    own = {"amount": amount, "interval": every, "billing_day": billing_day, "dunning_policy": policy}
    given = {name: value for name, value in own.items() if value is not None} | by_transfer(payment_terms)
    discount = discount_of(percent_off, amount_off, for_periods, coupon)
    if agreed is None and not given and discount is None and remove_discount is None:
        raise InvalidInput(
            "Say what changes: --amount, --every, --billing-day, --payment-terms, --policy, --agreed, --percent-off, "
            "--amount-off or --remove-discount.",
            field="agreed",
        )
    command = ChangeTerms(
        command_id=command_id or new_id("cmd"),
        by=by,
        agreed=Agreed.model_validate({**_read(agreed), **given}),
        add_discount=discount,
        remove_discount=remove_discount,
        **_how(when, prorate=prorate, if_paid=if_paid, keep_anchor=keep_anchor, previewed_on=previewed_on),
    )
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


def add_coupon(
    key: Key,
    code: Annotated[str, typer.Argument(help="Of a coupon on offer, as the customer typed it.")],
    *,
    preview: Preview = False,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Give a coupon, from the next billed period on; change-terms --remove-discount CODE takes it off again."""
    command = AddCoupon(command_id=command_id or new_id("cmd"), by=by, code=code)
    tell(key, command, preview=preview, wait=wait, as_json=as_json)


def undo_change(
    key: Key,
    *,
    command_id: CommandId = None,
    by: By = OPERATOR,
    wait: Wait = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Take back a change that has not taken effect: for the period's end, or waiting for its payment."""
    tell(key, UndoChange(command_id=command_id or new_id("cmd"), by=by), wait=wait, as_json=as_json)


COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    "change-plan": change_plan,
    "change-quantity": change_quantity,
    "change-terms": change_terms,
    "add-coupon": add_coupon,
    "undo-change": undo_change,
}
"""By the verb under which `relance subscription` has them."""


def _how(when: When, *, prorate: bool, if_paid: bool, keep_anchor: bool, previewed_on: str | None) -> How:
    how = How(when=when, prorate=prorate, if_paid=if_paid, keep_anchor=keep_anchor)
    if previewed_on is not None:
        how["previewed_on"] = _date(previewed_on)
    return how


def _date(text: str) -> date:
    return read_date(text, field="previewed_on")


def _read(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as problem:
        raise InvalidInput(f"{path} cannot be read as JSON: {problem}.", field="agreed") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} holds no JSON object.", field="agreed")
    return found
