"""What a person asks of an issued invoice: credit, write-off, rectify, money applied. Asking twice is asking once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from billing.refund import MoneySource
from billing.values import Value


class PayBackAs(StrEnum):
    """What becomes of the part of a credit that was really paid; the caller chooses (rules 12)."""

    BALANCE = "balance"
    REFUND = "refund"
    """As far as it was charged; what was paid from the balance returns there."""


class BaseCorrection(Value):
    """What every correction carries."""

    kind: str
    command_id: str = Field(min_length=1, max_length=100)
    invoice_id: str
    by: str = Field(default="api", max_length=100)
    """Who asked: an operator's or a key's name, never a customer's personal data."""
    reason: str = Field(default="", max_length=200)


class LineCredit(Value):
    """A line of the invoice to give back."""

    position: int = Field(ge=0)
    amount_minor: int | None = Field(default=None, gt=0)
    """As the line is printed: net, or gross where its price contains the tax. None is all of it."""


class Credit(BaseCorrection):
    """A credit note: over an amount, over lines, or over all that is left."""

    kind: Literal["credit"] = "credit"
    reason: str = Field(min_length=1, max_length=200)
    amount_minor: int | None = Field(default=None, gt=0)
    """Tax included. None, without lines: all that is left."""
    lines: tuple[LineCredit, ...] = ()
    then: PayBackAs = PayBackAs.BALANCE

    @model_validator(mode="after")
    def _amount_or_lines(self) -> Self:
        if self.amount_minor is not None and self.lines:
            raise ValueError("a credit is over an amount or over lines, not both")
        if len({line.position for line in self.lines}) != len(self.lines):
            raise ValueError("each line is named once")
        return self


class WriteOff(BaseCorrection):
    """We stop asking; the debt and the document remain (rules 11)."""

    kind: Literal["write_off"] = "write_off"
    reason: str = Field(min_length=1, max_length=200)


class ApplyMoney(BaseCorrection):
    """Pay an open invoice with money that we hold for the customer."""

    kind: Literal["apply"] = "apply"
    amount_minor: int | None = Field(default=None, gt=0)
    """None: as much as there is and as is open."""
    source: MoneySource = MoneySource.UNAPPLIED


Correction = Annotated[Credit | WriteOff | ApplyMoney, Field(discriminator="kind")]
"""What has to wait for the outcome of a payment that is under way (U16)."""
CORRECTION: TypeAdapter[Correction] = TypeAdapter(Correction)


class NewBuyer(Value):
    """The buyer's corrected data; what is None stays."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    address: dict[str, Any] | None = None
    """`{"line1", "line2", "postal_code", "city", "country"}`."""
    vat_number: str | None = Field(default=None, max_length=20)
    siren: str | None = Field(default=None, max_length=14)

    @property
    def given(self) -> dict[str, Any]:
        """What is to be changed."""
        return self.model_dump(exclude_none=True)


class Rectify(BaseCorrection):
    """Full credit note and a new invoice with the buyer's corrected data, the payment moved over (rules 11)."""

    kind: Literal["rectify"] = "rectify"
    buyer: NewBuyer = NewBuyer()
    """Beside what the customer's own data say now."""
    update_customer: bool = False
    """Keep the corrected data for later invoices too."""
