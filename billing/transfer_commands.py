"""What a person says about transfers: one that came, whose it is, that it is none of a customer's, or was a mistake."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from billing.values import Value


class RecordPayment(Value):
    """A transfer that a person saw on the account."""

    command_id: str = Field(min_length=1, max_length=100)
    invoices: tuple[str, ...] = Field(min_length=1, max_length=100)
    """Ids of what it pays, all of one customer."""
    amount_minor: int = Field(gt=0)
    received_on: date
    bank_reference: str = Field(default="", max_length=140)
    by: str = Field(default="api", max_length=100)


class MatchTransfer(Value):
    """Whose an unmatched transfer is."""

    transfer_id: str
    invoices: tuple[str, ...] = Field(min_length=1, max_length=100)
    by: str = Field(default="api", max_length=100)


class DismissTransfer(Value):
    """An unmatched entry that is no payment of a customer, or was recorded before."""

    transfer_id: str
    reason: str = Field(min_length=1, max_length=200)
    by: str = Field(default="api", max_length=100)


class TakeBackPayment(Value):
    """A payment that was recorded by mistake, or for the wrong invoice."""

    transfer_id: str
    reason: str = Field(min_length=1, max_length=200)
    by: str = Field(default="api", max_length=100)
