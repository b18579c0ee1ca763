"""Tables of the parties: legal entities, customers, payment methods."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Numeric, UniqueConstraint
from sqlmodel import Field, SQLModel

from billing.subscription import CustomerKind
from billing.taxation import LocationEvidence
from models.columns import instant, is_one_of, json_list, json_object, value
from models.parties import Address


class LegalEntity(SQLModel, table=True):
    """The seller. Its local date is the date of its documents (rules 1)."""

    __tablename__ = "legal_entity"
    __table_args__ = (CheckConstraint("vat_percent BETWEEN 0 AND 100", name="vat_percent"),)

    id: str = Field(primary_key=True)
    name: str
    legal_form: str = ""
    capital: str = ""
    siren: str = ""
    registration: str = ""
    """Where it is registered, as printed beside the SIREN: `RCS Paris`."""
    vat_number: str = ""
    vat_on_debits: bool = False
    """Its VAT is due on invoicing and not, as for services by default, when it is paid."""
    address: Address = value(Address)
    timezone: str = "Europe/Paris"
    iban: str = ""
    bic: str = ""
    creditor_id: str = ""
    """SEPA creditor identifier (ICS), under which its customers' accounts are debited."""
    invoice_series: str = "F"
    credit_series: str = "A"
    vat_percent: Decimal | None = Field(default=None, sa_type=Numeric(6, 3), nullable=True)
    """Replaces the standard rate of its own place in the table of rates; None: the table's."""
    small_business: bool = False
    """Exempt as a small business: in France `franchise en base`."""
    oss_opted_in: bool = False
    """Taxes consumers of other member states at their rates from the first euro on."""
    sender: str
    locale: str = "fr"
    live_since: datetime | None = instant()
    """When it was found ready to issue real documents; None: it bills on test clocks and with test keys only."""
    created_at: datetime = instant(nullable=False)


class Customer(SQLModel, table=True):
    """The buyer; the only table with personal data beside messages, documents, bank transfers and mandates."""

    __tablename__ = "customer"
    __table_args__ = (UniqueConstraint("entity_id", "reference"), is_one_of("kind", CustomerKind))

    id: str = Field(primary_key=True)
    reference: str | None = None
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    kind: str = "consumer"
    name: str
    locale: str = "fr"
    timezone: str = "Europe/Paris"
    vat_number: str = ""
    siren: str = ""
    segment: str | None = None
    """The seller's own word for a group of customers, by which dunning policies differ."""
    purchase_order: str = ""
    """Printed on their documents."""
    address: Address | None = value(Address, nullable=True)
    evidence: LocationEvidence | None = value(LocationEvidence, nullable=True)
    """Where they seem to be, beside the address."""
    contacts: list[dict[str, Any]] = json_list()
    """Several billing contacts: `{"email", "name"}`."""
    provider_id: str | None = None
    """The customer at the payment provider."""
    default_method_id: str | None = None
    """No foreign key: methods name their customer, and tables that name each other cannot be made in order."""
    backup_method_id: str | None = None
    """Charged automatically in the place of the default one, where that is dead or needs the customer."""
    backup_agreed_at: datetime | None = instant()
    """When the customer agreed to that. Never charged without."""
    backup_agreed_by: str | None = None
    """Who took the agreement down."""
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id", index=True)
    custom: dict[str, Any] = json_object()
    """The caller's own metadata."""
    created_at: datetime = instant(nullable=False)


class PaymentMethod(SQLModel, table=True):
    """A card or a mandate that the customer gave us to charge."""

    __tablename__ = "payment_method"

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    provider_id: str = Field(unique=True)
    kind: str
    brand: str = ""
    last4: str = ""
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str | None = Field(default=None, index=True)
    stopped: bool = False
    """Never charge it again (a decline of class `fraud_stop`)."""
    detached_at: datetime | None = instant()
    told_at: datetime | None = instant()
    """When the provider said by event what is kept here, by its clock: events come in any order."""
    created_at: datetime = instant(nullable=False)
