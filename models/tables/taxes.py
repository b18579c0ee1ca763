"""Tables of taxes: what registers said of VAT numbers, and exchange rates."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Numeric
from sqlmodel import Field, SQLModel

from models.columns import instant, is_one_of, one_of


class RegisterAnswer(StrEnum):
    """What a register of VAT numbers said."""

    VALID = "valid"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


class VatCheck(SQLModel, table=True):
    """One inquiry about a customer's VAT number, kept as proof. The newest for the number that they have counts."""

    __tablename__ = "vat_check"
    __table_args__ = (
        Index("ix_vat_check_of_number", "customer_id", "number", "checked_at"),
        is_one_of("answer", RegisterAnswer),
    )

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id")
    number: str
    answer: RegisterAnswer = one_of(RegisterAnswer)
    source: str
    """`vies`, or `offline`: judged by the check digits alone."""
    counts_as_valid: bool
    """What follows for the tax: without an answer an earlier one may still hold."""
    needs_review: bool = False
    """Nobody vouches for it but its check digits, although a register was asked."""
    checked_at: datetime = instant(nullable=False)
    consultation: str = ""
    """The register's own number for the inquiry, which proves it."""
    name: str = ""
    """Of the business, as the register has it."""
    detail: str = ""
    """Why there was no answer."""


class ExchangeRate(SQLModel, table=True):
    """What one euro was worth on a day."""

    __tablename__ = "exchange_rate"
    __table_args__ = (CheckConstraint("per_eur > 0", name="positive"),)

    currency: str = Field(primary_key=True)
    on: date = Field(primary_key=True)
    per_eur: Decimal = Field(sa_type=Numeric(18, 8))
    """Units of the currency for one euro, as the European Central Bank publishes it."""
    source: str
