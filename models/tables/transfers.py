"""Tables of bank transfers: what came in, which invoices it paid, and what was claimed for late payment."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from billing.transfers import ClaimState, TransferSource, TransferState
from models.columns import instant, is_one_of, json_list, minor, never_negative, one_of
from models.tables.documents import InvoiceStatus


class Transfer(SQLModel, table=True):
    """Money that came by bank transfer: an entry of a bank file, or a payment that a person recorded.

    An entry's id is made of what makes it unique at the bank, so that a file that is read again books nothing again.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        is_one_of("source", TransferSource),
        is_one_of("state", TransferState),
        CheckConstraint("amount_minor > 0", name="amount"),
        # Whose it is has to be known before any of it is booked.
        CheckConstraint("state <> 'matched' OR customer_id IS NOT NULL", name="whose"),
    )

    id: str = Field(primary_key=True)
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    customer_id: str | None = Field(default=None, foreign_key="customer.id", index=True)
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id", index=True)
    source: TransferSource = one_of(TransferSource)
    state: TransferState = one_of(TransferState, index=True)
    why: str = ""
    """Why it is not matched, what it was dismissed for, or why it was taken back."""
    amount_minor: int = minor(None)
    currency: str
    received_on: date
    """When the bank booked it: its accounting date, and the day on which an invoice counts as paid."""
    value_on: date | None = None
    bank_reference: str = Field(default="", index=True)
    payer_name: str = ""
    payer_account: str = Field(default="", index=True)
    remittance: str = ""
    """What the payer wrote with it."""
    statement: str = ""
    """Of the bank, that it stood on first."""
    same_as_id: str | None = Field(default=None, foreign_key="transfer.id", index=True)
    """The payment that a person had recorded before, of which this is the bank's own entry."""
    turn: int = 0
    """How often it was matched: an entry that was matched wrongly is matched again."""
    command_id: str = ""
    by: str = ""
    recorded_at: datetime = instant(nullable=False)


class TransferShare(SQLModel, table=True):
    """What a transfer did to one invoice. Taken back it stays, dated."""

    __tablename__ = "transfer_share"
    __table_args__ = (
        UniqueConstraint("transfer_id", "turn", "invoice_id"),
        never_negative("pays_minor", "small_difference_minor", "claim_minor", "unapplied_minor"),
        is_one_of("status_before", InvoiceStatus),
    )

    id: str = Field(primary_key=True)
    transfer_id: str = Field(foreign_key="transfer.id", index=True)
    turn: int
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    pays_minor: int = minor(None)
    small_difference_minor: int = minor()
    """What was too little to be asked for, and closed the invoice (rules 17)."""
    claim_minor: int = minor()
    """The part that paid what was claimed for late payment."""
    unapplied_minor: int = minor()
    """The part that no invoice claimed, booked beside this one."""
    status_before: InvoiceStatus = one_of(InvoiceStatus)
    at: datetime = instant(nullable=False)
    taken_back_at: datetime | None = instant()


class LateClaim(SQLModel, table=True):
    """Interest and recovery costs that a person claimed for one invoice: a debt without a document, outside VAT."""

    __tablename__ = "late_claim"
    __table_args__ = (
        UniqueConstraint("invoice_id", "command_id"),
        is_one_of("state", ClaimState),
        never_negative("interest_minor", "recovery_minor", "paid_minor", "waived_minor"),
        CheckConstraint(
            "paid_minor + waived_minor <= interest_minor + recovery_minor", name="no_more_than_claimed"
        ),
    )

    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    entity_id: str = Field(foreign_key="legal_entity.id")
    customer_id: str = Field(foreign_key="customer.id", index=True)
    command_id: str
    state: ClaimState = one_of(ClaimState)
    until_on: date
    """Last day whose interest is in it."""
    interest_minor: int = minor(None)
    recovery_minor: int = minor(None)
    """The fixed compensation for recovery costs, once per invoice."""
    paid_minor: int = minor()
    waived_minor: int = minor()
    """What a person let go of."""
    currency: str
    parts: list[dict[str, Any]] = json_list()
    """How the interest to that day was worked out, stretch by stretch."""
    by: str = ""
    reason: str = ""
    """Why it was waived."""
    at: datetime = instant(nullable=False)
    closed_at: datetime | None = instant()

    @property
    def open_minor(self) -> int:
        """What of it is still owed."""
        return self.interest_minor + self.recovery_minor - self.paid_minor - self.waived_minor
