"""An invoice or credit note as it is printed: every fact on it, and nothing that is not.

Amounts are what the reader sees: a credit note's are positive, and a line of an invoice that gives something back is
negative. Amounts are in minor units of the document's currency unless they say otherwise.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from billing.lines import LineKind
from billing.money import check_currency, exponent
from billing.subscription import CustomerKind
from billing.tax import TaxRate
from billing.values import Value
from mails.formats import Language
from models.parties import Buyer, Seller

EN16931_DECIMALS = 2
"""Most decimals of an amount in an EN 16931 invoice (its rules BR-DEC-*)."""
FRENCH = frozenset({"FR", "GP", "MQ", "GF", "RE", "YT", "MF", "BL", "PM"})
"""Countries of addresses whose businesses have a SIREN: France with its overseas departments and collectivities."""
BUSINESSES = (CustomerKind.BUSINESS, CustomerKind.PUBLIC_BODY)


class DocumentKind(StrEnum):
    """What a document does."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class DocumentForm(StrEnum):
    """In which form a document leaves; by whom it is for (rules 18). Also the folder of an export."""

    FACTURX_FR = "facturx-fr"
    """Factur-X under EN 16931 and the rules of the French reform."""
    FACTURX = "facturx"
    """Factur-X under EN 16931."""
    PLAIN = "plain"
    """A PDF without structured data."""

    @property
    def has_xml(self) -> bool:
        """Whether a machine can read it."""
        return self is not DocumentForm.PLAIN


class PaymentMeans(StrEnum):
    """How the amount due is paid."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"
    TRANSFER = "transfer"
    OPEN = "open"
    """As the payer likes, by the pay link."""


class DocumentLine(Value):
    """One line, with the facts that its sentence is made of."""

    kind: LineKind
    name: str
    """The plan; empty where the line is an amount on an earlier document and no more."""
    description: str = ""
    quantity: Decimal
    unit_amount: Decimal | None
    """Per unit and whole period, or per package, in major units, with or without tax as the prices are; None where
    the line is an amount and no more."""
    package_size: int | None = None
    is_average: bool = False
    """Whether the unit amount is the average over tiers."""
    start: date | None
    end: date | None
    """Exclusive."""
    whole_days: int | None = None
    """Days of the whole period that prices the line, where it bills days (rules 8)."""
    discounts: tuple[str, ...] = ()
    list_minor: int
    """Net before discounts."""
    net_minor: int
    list_gross_minor: int | None = None
    """With tax, before discounts."""
    gross_minor: int | None = None
    """With tax, where the document shows prices with tax."""
    rate: TaxRate
    late: bool = False
    """Usage that came after its period was billed."""

    @property
    def days(self) -> int | None:
        """Days that the line covers."""
        return (self.end - self.start).days if self.start and self.end else None

    @property
    def is_part(self) -> bool:
        """Whether the line bills a part of the period that prices it."""
        return self.whole_days is not None and self.days != self.whole_days

    @property
    def last_on(self) -> date | None:
        """Last day that the line covers."""
        return self.end - timedelta(days=1) if self.end else None


class RateLine(Value):
    """What the document bills at one rate."""

    rate: TaxRate
    base_minor: int
    vat_minor: int
    mention: str = ""
    """Key of the sentence that says why there is no VAT; empty where there is."""


class Corrected(Value):
    """The invoice that a credit note corrects."""

    number: str
    issued_on: date


class Document(Value):
    """Everything that is printed on one invoice or credit note."""

    kind: DocumentKind
    language: Language
    number: str = Field(min_length=1, max_length=35)
    issued_on: date
    due_on: date | None = None
    """None on a credit note."""
    seller: Seller
    buyer: Buyer
    currency: str
    tax_included: bool = False
    """Whether unit amounts and the amounts of lines are shown with tax."""
    lines: tuple[DocumentLine, ...] = Field(min_length=1)
    per_rate: tuple[RateLine, ...] = Field(min_length=1)
    vat_eur_minor: int | None = None
    """The VAT in euro cents, where the document is in another currency."""
    exchange_rate: Decimal | None = None
    """Units of its currency for one euro, by which that was converted."""
    exchange_rate_on: date | None = None
    from_balance_minor: int = Field(default=0, ge=0)
    """What the customer's balance pays: after tax, under the total, never a line (rules 11)."""
    paid_minor: int = Field(default=0, ge=0)
    """What was paid when the document was issued."""
    means: PaymentMeans = PaymentMeans.OPEN
    method_label: str = ""
    """The card or account that is charged: `Visa •••• 4242`."""
    mandate_reference: str = ""
    """Of a SEPA debit: the unique mandate reference (BT-89) under which it will be made."""
    creditor_id: str = ""
    """Likewise: the creditor identifier (BT-90) that the payer's bank statement names."""
    corrects: Corrected | None = None
    to_open_minor: int = Field(default=0, ge=0)
    """Of a credit note: what it takes off the invoice that was still open."""
    to_customer_minor: int = Field(default=0, ge=0)
    """Of a credit note: what the customer gets back, as balance or refund."""
    is_test: bool = False
    """Made on a test clock: it says so, since its number is in no real series (rules 14)."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_currency(self.currency)
        if sum(line.net_minor for line in self.lines) != self.net_minor:
            raise ValueError("the lines do not sum to the net total")
        if self.tax_included and sum(line.gross_minor or 0 for line in self.lines) != self.total_minor:
            raise ValueError("prices are shown with tax, and the lines do not sum to the total")
        groups = [part.rate.group for part in self.per_rate]
        if len(set(groups)) != len(groups) or {line.rate.group for line in self.lines} != set(groups):
            raise ValueError("every rate of the lines has one total, and no other rate has any")
        if self.from_balance_minor + self.paid_minor > max(self.total_minor, 0):
            raise ValueError("more is paid than the total")
        if (self.kind is DocumentKind.CREDIT_NOTE) != (self.corrects is not None):
            raise ValueError("a credit note, and no other document, names the invoice that it corrects")
        return self

    @property
    def net_minor(self) -> int:
        """Without VAT."""
        return sum(part.base_minor for part in self.per_rate)

    @property
    def vat_minor(self) -> int:
        """The VAT of all rates."""
        return sum(part.vat_minor for part in self.per_rate)

    @property
    def total_minor(self) -> int:
        """With VAT."""
        return self.net_minor + self.vat_minor

    @property
    def due_minor(self) -> int:
        """What is to be paid; of a credit note, its total."""
        return self.total_minor - self.from_balance_minor - self.paid_minor

    @property
    def is_for_a_business(self) -> bool:
        """Whether the law of late payment between professionals applies; unknown buyers are consumers."""
        return self.buyer.kind in BUSINESSES

    @property
    def start(self) -> date | None:
        """First day of the time that the lines cover."""
        return min((line.start for line in self.lines if line.start), default=None)

    @property
    def last_on(self) -> date | None:
        """Last day of the time that the lines cover."""
        return max((line.last_on for line in self.lines if line.last_on), default=None)

    @property
    def form(self) -> DocumentForm:
        """In which form it leaves (rules 18)."""
        return form_for(self.seller, self.buyer, self.currency)


def form_for(seller: Seller, buyer: Buyer, currency: str) -> DocumentForm:
    """The form of a document (rules 18); unknown kinds of customers count as consumers.

    A currency with three decimals has no place in EN 16931, so such a document has no structured data.
    """
    if buyer.kind not in BUSINESSES or buyer.address is None or exponent(currency) > EN16931_DECIMALS:
        return DocumentForm.PLAIN
    if is_domestic_business(seller, buyer):
        return DocumentForm.FACTURX_FR
    return DocumentForm.FACTURX


def is_domestic_business(seller: Seller, buyer: Buyer) -> bool:
    """Whether the reform's rules for invoices between French businesses apply: a SIREN on both sides."""
    return is_domestic_sale(seller, buyer) and bool(seller.siren and buyer.siren)


def is_domestic_sale(seller: Seller, buyer: Buyer) -> bool:
    """Whether a French business sells to another one."""
    return (
        buyer.kind == CustomerKind.BUSINESS
        and buyer.address is not None
        and {seller.address.country, buyer.address.country} <= FRENCH
    )
