"""The options with which a discount is given on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from billing.discounts import Discount
from billing.errors import InvalidInput

PercentOff = Annotated[str | None, typer.Option(help="Give a discount: percent off, as 20.")]
AmountOff = Annotated[
    str | None, typer.Option(help="Or a fixed discount: off each billed period, as 15.00, before tax.")
]
ForPeriods = Annotated[
    int | None, typer.Option(help="Billed periods that it lasts; 1 is once, by default for ever.")
]
Coupon = Annotated[
    str, typer.Option(help="What the customer reads beside it, and the name to take it back by.")
]


def discount_of(percent: str | None, amount: str | None, periods: int | None, coupon: str) -> Discount | None:
    """The discount that the options ask for, if they ask for one.

    Raises:
        InvalidInput: they contradict each other, or a value is out of range; `field` is the option.
    """
    if percent is None and amount is None:
        if periods is not None:
            raise InvalidInput("Say what is taken off: --percent-off or --amount-off.", field="for_periods")
        return None
    return Discount.model_validate(
        {"coupon_id": coupon, "name": coupon, "percent": percent, "amount": amount, "periods": periods}
    )
