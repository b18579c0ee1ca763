"""Tables of documents: invoices, their lines, credit notes, and the counters that number them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from sqlalchemy import CheckConstraint, Index, Numeric, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from billing.effects import InvoiceReason
from billing.lines import Line
from billing.tax import TaxRate, Totals
from billing.taxation import TaxTreatment
from models.columns import instant, is_one_of, minor, minor_or_none, never_negative, one_of, value
from models.parties import Buyer, Seller

ELSEWHERE: Final = "elsewhere"
"""Owner of an invoice that another billing system collects: nobody here charges it or asks for it."""


class InvoiceStatus(StrEnum):
    """`void` is for drafts only: an issued document never disappears."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"


class PaymentState(StrEnum):
    """Where the payment of an open invoice stands."""

    NONE = "none"
    PROCESSING = "processing"
    ACTION_REQUIRED = "action_required"
    DECLINED = "declined"
    UNKNOWN = "unknown"


NOTHING_TO_BILL: Final = "nothing to bill"
"""Why a draft without a line was dropped."""
_NOT_DROPPED = text("status <> 'void'")


class Invoice(SQLModel, table=True):
    """A claim for one period. Once issued, its amounts, parties and dates never change (design 4.3)."""

    __tablename__ = "invoice"
    __table_args__ = (
        # Design 4.4: one invoice per subscription, period and reason, over all but dropped drafts.
        Index(
            "one_invoice_per_period",
            "subscription_id",
            "period_start",
            "reason",
            "command_id",
            unique=True,
            sqlite_where=_NOT_DROPPED,
            postgresql_where=_NOT_DROPPED,
        ),
        UniqueConstraint("entity_id", "number"),
        is_one_of("status", InvoiceStatus),
        is_one_of("payment_state", PaymentState),
        never_negative("net_minor", "vat_minor", "total_minor", "credited_minor", "paid_minor"),
        CheckConstraint("net_minor + vat_minor = total_minor", name="adds_up"),
        CheckConstraint(
            "credited_minor + paid_minor + small_difference_minor <= total_minor", name="not_more_than_total"
        ),
        CheckConstraint("small_difference_minor >= 0", name="small_difference"),
        CheckConstraint("balance_minor BETWEEN 0 AND paid_minor", name="balance"),
        CheckConstraint("period_start < period_end", name="period"),
        # A number is given when it is issued and never before; only drafts are dropped (rules 11, 13).
        CheckConstraint("(number IS NULL) = (status IN ('draft', 'void'))", name="numbered"),
    )

    id: str = Field(primary_key=True)
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id", index=True)
    reason: str
    command_id: str = ""
    period_index: int
    period_start: date
    period_end: date
    covers_until: date
    """First day that this invoice does not cover: the period's end, or earlier where unused days were credited."""
    status: InvoiceStatus = one_of(InvoiceStatus, InvoiceStatus.DRAFT, index=True)
    payment_state: PaymentState = one_of(PaymentState, PaymentState.NONE)
    gated: bool = False
    gate_closes_at: datetime | None = instant()
    waits_for_usage: bool = False
    """A draft that is issued when late usage of the period before is in."""
    series: str = ""
    number: str | None = None
    issued_on: date | None = None
    issued_at: datetime | None = instant()
    due_on: date | None = None
    currency: str
    tax_included: bool = False
    treatment: TaxTreatment | None = value(TaxTreatment, nullable=True)
    """How its lines are taxed and why; invoices of the first release knew the seller's own rate only."""
    totals: Totals = value(Totals)
    net_minor: int = minor(None)
    vat_minor: int = minor(None)
    total_minor: int = minor(None)
    vat_eur_minor: int | None = minor_or_none()
    """The VAT in EUR cents, where the document is in another currency."""
    exchange_rate: Decimal | None = Field(default=None, sa_type=Numeric(18, 8), nullable=True)
    """Units of its currency for one euro, by which that was converted."""
    exchange_rate_on: date | None = None
    tax_kind: str | None = None
    """Kind of its tax treatment, beside the treatment itself to be counted by."""
    consumed_in: str | None = Field(default=None, index=True)
    """Member state of a buyer who is no business and not in the seller's state; sales of the one stop shop."""
    credited_minor: int = minor()
    """Of what was open: by credit notes, and what was too little to be asked for (rules 17)."""
    paid_minor: int = minor()
    """By charges, transfers, the customer's balance, or money moved over from the invoice that it replaces. On a
    gated draft what is set aside of the balance."""
    balance_minor: int = minor()
    """The part of `paid_minor` that came from the customer's balance: after tax, never a line (rules 11)."""
    small_difference_minor: int = minor()
    """What a transfer was short of, too little to be asked for (rules 17)."""
    replaces_id: str | None = Field(default=None, foreign_key="invoice.id", index=True)
    """The invoice that this one rectifies; what was charged for that one counts as paid here (rules 11)."""
    seller: Seller = value(Seller)
    buyer: Buyer = value(Buyer)
    owner: str = "subscription"
    """`subscription` for one inline try, then `collection` until it is settled (engine 5); or `ELSEWHERE`."""
    first_payment: bool = False
    delay_days: int = 0
    chase: int = 1
    """Which chase of this invoice is running; counted up when it is opened again."""
    in_arrears: bool = False
    generation: int = 1
    payment_intent: str | None = Field(default=None, index=True)
    superseded_intent: str | None = None
    """PaymentIntent of an earlier generation for another amount: seen cancelled before the next one is made."""
    automatic_collecting: bool = True
    frozen: bool = False
    paid_at: datetime | None = instant()
    closed_by: str = ""
    """Who ended it and why, where it did not end by a payment."""

    @property
    def is_brought_in(self) -> bool:
        """Whether it is a debt of another billing system: no document of ours, and no sale."""
        return self.reason == InvoiceReason.BROUGHT_IN

    @property
    def awaits_usage(self) -> bool:
        """Whether it bills a period that has begun, and is a draft only until late usage is in."""
        return self.status is InvoiceStatus.DRAFT and self.waits_for_usage

    @property
    def awaits_decision(self) -> bool:
        """Whether it is the draft of a missed period, which a person lets be issued or drops (rules 4)."""
        return self.status is InvoiceStatus.DRAFT and not (self.gated or self.waits_for_usage)

    @property
    def bills_nothing(self) -> bool:
        """Whether it was dropped since it would have had no line: its period is billed afterwards, or not used."""
        return self.status is InvoiceStatus.VOID and self.closed_by == NOTHING_TO_BILL

    @property
    def open_minor(self) -> int:
        """What is still owed: on a draft what will be asked for, on an uncollectible one the debt that remains."""
        return (
            0
            if self.status is InvoiceStatus.VOID
            else self.total_minor - self.credited_minor - self.paid_minor - self.small_difference_minor
        )


class InvoiceLine(SQLModel, table=True):
    """A line of an invoice or of a credit note, in the order printed."""

    __tablename__ = "invoice_line"
    __table_args__ = (UniqueConstraint("document_id", "position"),)

    id: str = Field(primary_key=True)
    document_id: str = Field(index=True)
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    """The invoice itself, or the one that the credit note corrects."""
    position: int
    line: Line = value(Line)
    rate: TaxRate = value(TaxRate)
    net_minor: int = minor(None)
    covers_until: date | None = None
    """Of a line that bills days: the first one that it does not, earlier than its end once days were given back."""


CREDIT_PARTS = (
    "closes_minor",
    "balance_minor",
    "refund_minor",
    "moved_minor",
    "made_good_minor",
    "unfunded_minor",
)
"""Where the total of a credit note goes, each unit once (rules 12)."""


class CreditNote(SQLModel, table=True):
    """A correction that names its invoice and keeps its tax treatment (rules 11). Amounts are positive."""

    __tablename__ = "credit_note"
    __table_args__ = (
        UniqueConstraint("entity_id", "number"),
        UniqueConstraint("invoice_id", "command_id"),
        never_negative("net_minor", "vat_minor", "total_minor", "closes_minor", "balance_minor"),
        CheckConstraint(" AND ".join(f"{part} >= 0" for part in CREDIT_PARTS), name="parts"),
        CheckConstraint("net_minor + vat_minor = total_minor", name="adds_up"),
        CheckConstraint(f"{' + '.join(CREDIT_PARTS)} = total_minor", name="all_used"),
    )

    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    entity_id: str = Field(foreign_key="legal_entity.id")
    customer_id: str = Field(foreign_key="customer.id", index=True)
    command_id: str
    """What asked for it: a command's id, or the step that made it."""
    series: str
    number: str
    issued_on: date
    issued_at: datetime = instant(nullable=False)
    currency: str
    totals: Totals = value(Totals)
    """Negative, as the credit note takes them from its invoice."""
    net_minor: int = minor(None)
    vat_minor: int = minor(None)
    total_minor: int = minor(None)
    vat_eur_minor: int | None = minor_or_none()
    """The VAT in EUR cents, where the document is in another currency."""
    exchange_rate: Decimal | None = Field(default=None, sa_type=Numeric(18, 8), nullable=True)
    """Units of its currency for one euro, by which that was converted."""
    exchange_rate_on: date | None = None
    closes_minor: int = minor(None)
    """The part that closed what was still open on the invoice."""
    balance_minor: int = minor(None)
    """The part that became the customer's balance."""
    refund_minor: int = minor()
    """The part that goes back on the payments."""
    moved_minor: int = minor()
    """The part that pays the invoice which replaces this one (rules 11)."""
    made_good_minor: int = minor()
    """The part that had gone back already, by a refund that was made at the provider without a credit note."""
    unfunded_minor: int = minor()
    """The part that was neither open nor paid, such as a small difference: no money moves."""
    reason: str
    seller: Seller = value(Seller)
    buyer: Buyer = value(Buyer)


class NumberSeries(SQLModel, table=True):
    """The counter of a series; its row is the last lock that a transaction takes (engine 17)."""

    __tablename__ = "number_series"
    __table_args__ = (UniqueConstraint("entity_id", "series"), never_negative("last_number"))

    id: str = Field(primary_key=True)
    entity_id: str = Field(foreign_key="legal_entity.id")
    series: str
    last_number: int = 0
    last_issued_on: date | None = None
