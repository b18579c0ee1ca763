"""Tables of what starts at the bank or at the payment provider: disputes, and what waits for a person."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from billing.dispute import DisputeState
from models.columns import instant, is_one_of, minor, minor_or_none, one_of


class Dispute(SQLModel, table=True):
    """A payment that its payer disputes at their bank.

    While it is open nothing goes back on the payment, and its card is not charged (U17).
    """

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        is_one_of("state", DisputeState),
    )

    id: str = Field(primary_key=True)
    provider_id: str = Field(unique=True)
    attempt_id: str = Field(foreign_key="payment_attempt.id", index=True)
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    """The invoice of the payment, or the one that replaces it; the payment may have paid others too."""
    customer_id: str = Field(foreign_key="customer.id", index=True)
    method_id: str = Field(foreign_key="payment_method.id", index=True)
    fingerprint: str | None = Field(default=None, index=True)
    """Of the card, which the customer may have saved more than once."""
    amount_minor: int = minor(None)
    currency: str
    state: DisputeState = one_of(DisputeState, index=True)
    reason: str = ""
    """Why the payer disputes, in the provider's word."""
    answer_by: datetime | None = instant()
    """Real time until which the provider waits for evidence; None where it waits for none."""
    opened_at: datetime = instant(nullable=False)
    withdrawn_at: datetime | None = instant()
    """When the money was booked as taken from our account."""
    reinstated_at: datetime | None = instant()
    """When it was booked as come back."""
    closed_at: datetime | None = instant()


class MatterKind(StrEnum):
    """What a person has to look at."""

    PAYMENT = "payment"
    """Money came for an invoice on which no charge of ours was under way."""
    REFUND = "refund"
    """Money went back on a payment that the books do not know."""
    DISPUTE = "dispute"
    """A payment that the books do not know is disputed."""
    FRAUD_WARNING = "fraud_warning"
    """A card's issuer warns of a payment. The customer never hears of it."""


class Matter(SQLModel, table=True):
    """A fact at the payment provider that fits nowhere in the books, or a warning: parked for a person (rules 33)."""

    __tablename__ = "matter"
    __table_args__ = (is_one_of("kind", MatterKind),)

    id: str = Field(primary_key=True)
    kind: MatterKind = one_of(MatterKind)
    provider_id: str
    """Of the refund, dispute, warning or PaymentIntent."""
    charge: str | None = None
    payment_intent: str | None = None
    attempt_id: str | None = Field(default=None, foreign_key="payment_attempt.id")
    """The payment that it is about, where that is known."""
    amount_minor: int | None = minor_or_none()
    currency: str = ""
    says: str
    at: datetime = instant(nullable=False)
    """Real time at which it was first heard of."""
    resolved_at: datetime | None = instant()
    resolved_by: str = ""
    resolution: str = ""
    """What was done about it."""
