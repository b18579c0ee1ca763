"""What a person asks about money that we hold for a customer: send it back, or note that it was paid out. Once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing.errors import InvalidInput
from billing.refund import MoneySource
from billing.values import Value


class NotHeld(InvalidInput):
    """More than what we hold for the customer, or nothing at all.

    Attributes:
        requested_minor: what was asked for; None for all.
        held_minor: the most that can be given.
    """

    def __init__(
        self, requested_minor: int | None, held_minor: int, *, currency: str, source: MoneySource
    ) -> None:
        what = source.value.replace("_", " ")
        super().__init__(
            f"{held_minor} minor units of {what} in {currency} are held for this customer"
            + (
                f", and {requested_minor} are asked for. Ask for {held_minor} at most." if held_minor else "."
            ),
            field="amount",
        )
        self.requested_minor = requested_minor
        self.held_minor = held_minor


class BaseMoneyBack(Value):
    """What every such order carries."""

    command_id: str = Field(min_length=1, max_length=100)
    customer_id: str
    amount_minor: int | None = Field(default=None, gt=0)
    """None: all that is held."""
    currency: str | None = None
    """None: the one in which anything is held."""
    by: str = Field(default="api", max_length=100)
    """Who asked: an operator's or a key's name, never a customer's personal data."""
    reason: str = Field(min_length=1, max_length=200)


class SendBack(BaseMoneyBack):
    """Send money back on the payments of the customer, the newest first.

    Unapplied cash needs no credit note: no invoice claimed it (rules 11). A balance has had one.
    """

    kind: Literal["send_back"] = "send_back"
    source: MoneySource = MoneySource.UNAPPLIED


class PayOut(BaseMoneyBack):
    """Note that a person sent money back by other means than the payment provider."""

    kind: Literal["pay_out"] = "pay_out"
    source: MoneySource = MoneySource.BALANCE


MoneyBack = Annotated[SendBack | PayOut, Field(discriminator="kind")]
