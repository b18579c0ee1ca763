"""Invoices, what corrects them, the chase of what is not paid, and money."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from models.parties import Address
from starter.resources.common import (
    Body,
    CurrencyCode,
    Day,
    Instant,
    Key,
    MinorUnits,
    Reason,
    Resource,
    example,
)

InvoiceKey = Annotated[
    str,
    Field(min_length=1, max_length=110, description="Its id, or its number.", examples=["F-2027-0001"]),
]
NeededReason = Annotated[Reason, Field(min_length=1)]


class InvoiceLine(Resource):
    """A line as it was issued."""

    plan_name: str
    description: str
    start: str
    end: str
    quantity: int
    unit_amount: str
    net_minor: int


class Attempt(Resource):
    """One try to charge it."""

    number: int
    at: datetime
    trigger: str
    state: str
    amount_minor: int
    decline_code: str | None
    decline_words: str


class Invoice(Resource):
    """An invoice, or a draft of one."""

    id: Annotated[str, Field(examples=["in_01k6xhz8m2q4v7w9y1b3d5f7"])]
    object: Literal["invoice"] = "invoice"
    number: str | None
    """None for a draft."""
    subscription: str
    customer: str
    status: Literal["draft", "open", "paid", "uncollectible", "void"]
    payment_state: Literal["none", "processing", "action_required", "declined", "unknown"]
    in_arrears: bool
    period_start: date
    period_end: date
    """Exclusive."""
    issued_on: date | None
    due_on: date | None
    currency: str
    net_minor: int
    vat_minor: int
    total_minor: int
    credited_minor: int
    paid_minor: int
    open_minor: int
    lines: tuple[InvoiceLine, ...] | None = None
    """Of a single invoice; a list leaves them out."""
    attempts: tuple[Attempt, ...] | None = None
    """Likewise."""


class Asked(Resource):
    """A charge that was taken down, and is tried in a moment; look at the invoice for what comes of it."""

    object: Literal["charge_request"] = "charge_request"
    invoice: str
    command: str


class LineToCredit(Body):
    """A line of the invoice to give back."""

    position: Annotated[int, Field(ge=0, le=10_000)]
    amount_minor: MinorUnits | None = None
    """All of it, if not given."""


class Credit(Body):
    """A credit note: over an amount, over lines, or over all that is left. It closes what is open first."""

    model_config = example(amount_minor=1200, reason="two days without service")

    amount_minor: MinorUnits | None = None
    """Tax included."""
    lines: Annotated[tuple[LineToCredit, ...], Field(max_length=100)] = ()
    reason: NeededReason


class WriteOff(Body):
    """We stop asking; the debt and the document remain."""

    reason: NeededReason


class Corrected(Resource):
    """What became of a correction."""

    object: Literal["correction"] = "correction"
    invoice: str
    waits: bool
    """A payment is under way that could not be cancelled: it is carried out with its outcome."""
    status: str
    """Of the invoice."""
    currency: str
    open_minor: int
    credit_note: str | None
    """Its number."""
    credited_minor: int
    closed_minor: int
    balance_minor: int
    refund_minor: int
    refunds: tuple[str, ...]


class BuyerData(Body):
    """The buyer's corrected data; what is not sent stays."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    address: Address | None = None
    vat_number: Annotated[str, Field(max_length=20)] | None = None
    siren: Annotated[str, Field(max_length=14)] | None = None


class Rectify(Body):
    """Replace an invoice by one with the buyer's corrected data; what was paid moves over."""

    model_config = example(buyer={"name": "Acme SAS"}, reason="asked by phone")

    buyer: BuyerData = BuyerData()
    """Beside what the customer's own data say now."""
    update_customer: bool = False
    """Keep it for later invoices too."""
    reason: Reason = ""


class Rectified(Resource):
    """An invoice was replaced."""

    object: Literal["rectification"] = "rectification"
    invoice: str
    credit_note: str
    new_invoice: str
    new_number: str
    status: str
    currency: str
    moved_minor: int
    open_minor: int


class Promise(Body):
    """The customer promised to pay: everything waits for that day, and one charge is made on it."""

    on: Day
    reason: Reason = ""


class Hold(Body):
    """No charge, no mail and no end before a day."""

    until: Day
    reason: Reason = ""


class Extend(Body):
    """The end comes later."""

    end_on: Day
    reason: Reason = ""


class Why(Body):
    """Why, for the record."""

    reason: Reason = ""


class Chase(Resource):
    """The chase of an invoice after what was asked."""

    object: Literal["chase"] = "chase"
    invoice: str
    """That whose chase runs: an older one, where the one named only joined it."""
    next: str
    next_at: datetime | None
    attempts: int
    last_decline: str
    open_minor: int
    currency: str


class RecordPayment(Body):
    """A transfer that arrived."""

    model_config = example(invoices=["F2027-000131"], amount_minor=5880, received_on="2027-02-15")

    invoices: Annotated[tuple[InvoiceKey, ...], Field(max_length=100)] = ()
    """What it pays, the oldest first; all of one customer."""
    customer: Key | None = None
    """In place of invoices: pays what is open."""
    amount_minor: MinorUnits
    currency: CurrencyCode | None = None
    received_on: Day
    bank_reference: Annotated[str, Field(max_length=140)] = ""


class PaidInvoice(Resource):
    """What a transfer pays of one invoice."""

    invoice: str
    paid_minor: int


class Payment(Resource):
    """A transfer as the books have it."""

    id: str
    object: Literal["payment"] = "payment"
    state: str
    customer: str | None
    amount_minor: int
    currency: str
    received_on: date
    bank_reference: str
    unapplied_minor: int
    """What no invoice claimed."""
    invoices: tuple[PaidInvoice, ...]


class Settle(Body):
    """A payment that has had no answer, as a person found it at Stripe. Stripe is asked whether it is so."""

    model_config = example(
        invoice="F2027-000131", payment_intent="pi_3PqZ2b", reason="found in the dashboard"
    )

    invoice: InvoiceKey
    payment_intent: Annotated[str, Field(pattern="^pi_[A-Za-z0-9_]{1,90}$")] | None = None
    """Where it was found; if not given, nothing was charged."""
    reason: NeededReason


class Settled(Resource):
    """What became of it."""

    object: Literal["settlement"] = "settlement"
    invoice: str
    attempt: int
    outcome: str


class Refund(Resource):
    """Money going back."""

    id: str
    object: Literal["refund"] = "refund"
    customer: str
    invoice: str
    amount_minor: int
    currency: str
    state: str
    reason: str
    failure: str
    created_at: datetime


class NewTestClock(Body):
    """A clock that stands still until it is advanced."""

    name: Annotated[str, Field(max_length=100, examples=["a year of acme"])] = ""
    now: Instant


class AdvanceTestClock(Body):
    """Where to."""

    model_config = example(to="2027-03-01T12:00:00Z")

    to: Instant
    """At most 366 days ahead."""
    wait_seconds: Annotated[int, Field(ge=0, le=60)] = 30
    """How long to wait until everything up to then is done; after that the clock goes on by itself."""


class TestClock(Resource):
    """A test clock, on which a year is lived in seconds."""

    id: str
    object: Literal["test_clock"] = "test_clock"
    name: str
    now: datetime
    advancing_to: datetime | None
    status: Literal["ready", "advancing", "stuck"]
    problem: str
    created_at: datetime
