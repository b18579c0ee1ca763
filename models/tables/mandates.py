"""Table of SEPA mandates: what a payer agreed to, and the proof of it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from billing.mandates import SCHEME_NOTICE_DAYS
from models.columns import instant


class MandateRow(SQLModel, table=True):
    """The consent to debits of one account. What was agreed never changes: another mandate takes its place.

    Address and browser are personal data that the scheme wants kept as proof, for 13 months after the last debit.
    """

    __tablename__ = "mandate"
    __table_args__ = (CheckConstraint(f"notice_days BETWEEN 1 AND {SCHEME_NOTICE_DAYS}", name="notice_days"),)

    id: str = Field(primary_key=True)
    method_id: str = Field(foreign_key="payment_method.id", index=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    provider_id: str = Field(unique=True)
    reference: str
    """Unique mandate reference (RUM), as on the payer's bank statement."""
    creditor_id: str
    """SEPA creditor identifier (ICS) of the seller when it was accepted."""
    notice_days: int
    """Calendar days of notice that the payer agreed to."""
    accepted_at: datetime = instant(nullable=False)
    text: str = ""
    """As it was shown when it was accepted, where we were told."""
    text_version: str = ""
    evidence: str = ""
    """Where the proof is of one that was accepted in another system."""
    ip_address: str = ""
    """Of whoever accepted it online."""
    user_agent: str = ""
    document_url: str = ""
    """The mandate as the provider shows it."""
    last_debit_on: date | None = None
    """Last collection date, whatever became of that debit."""
    ended_at: datetime | None = instant()
    ended_because: str = ""
    created_at: datetime = instant(nullable=False)
