"""Tables of money in motion: attempts, refunds, the chase of an invoice, and the journal."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from billing.payment import AttemptState, DeclineClass, Trigger
from billing.refund import MoneySource, RefundState
from models.columns import (
    BIG_KEY,
    instant,
    is_one_of,
    json_list,
    json_object,
    minor,
    one_of,
    one_of_or_none,
)

_LIVE = text("state IN ('queued', 'started', 'processing', 'action_required', 'unknown')")
_SUCCEEDED = text("state = 'succeeded'")


class PaymentAttempt(SQLModel, table=True):
    """One authorisation, written before it is sent (engine 1). Its request is frozen with it."""

    __tablename__ = "payment_attempt"
    __table_args__ = (
        UniqueConstraint("invoice_id", "number"),
        Index("one_live_attempt", "invoice_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        # A generation is one PaymentIntent, which can succeed once; one that is open again is paid by the next.
        Index(
            "one_succeeded_attempt",
            "invoice_id",
            "generation",
            unique=True,
            sqlite_where=_SUCCEEDED,
            postgresql_where=_SUCCEEDED,
        ),
        # Rules 27: what was tried on a card, whichever invoice it was for.
        Index("tries_of_a_card", "fingerprint", "begun_at"),
        is_one_of("trigger", Trigger),
        is_one_of("state", AttemptState),
        is_one_of("decline_class", DeclineClass),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("number >= 1", name="number"),
    )

    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    number: int
    chase: int
    generation: int
    trigger: Trigger = one_of(Trigger)
    state: AttemptState = one_of(AttemptState)
    method_id: str = Field(foreign_key="payment_method.id")
    fingerprint: str | None = None
    """Of the card; where the provider gives none, the method's id."""
    amount_minor: int = minor(None)
    currency: str
    also: list[dict[str, Any]] = json_list()
    """Other invoices that it pays as well, too small to be charged alone: `{"invoice", "amount_minor"}`, included in
    `amount_minor` (rules 10)."""
    idempotency_key: str = Field(unique=True)
    request: dict[str, Any] = json_object()
    """The exact request to the provider; the same key always goes with the same parameters."""
    payment_intent: str | None = Field(default=None, index=True)
    charge: str | None = Field(default=None, index=True)
    decline_code: str | None = None
    decline_class: DeclineClass | None = one_of_or_none(DeclineClass)
    not_before: datetime | None = instant()
    card_renewed: bool = False
    """The method's card was renewed since, while the invoice was chased: its answer says nothing of the card now."""
    never_again: bool = False
    """The card's network allows no repeat on it (rules 27)."""
    asked_by: str = ""
    """The command that asked for it, where a person did."""
    begun_at: datetime = instant(nullable=False)
    """Business time: on a test clock, the clock's."""
    settled_at: datetime | None = instant()
    returned_at: datetime | None = instant()
    """When the money of a success was taken back (rules 16)."""
    looked_at: datetime | None = instant()
    """Business time at which the provider was last asked what became of it."""
    expected_on: date | None = None
    """When the provider expects a direct debit on the payer's account."""
    sent_at: datetime | None = instant()
    """Real time of the first sending: the age of the idempotency key."""


class Refund(SQLModel, table=True):
    """Money going back. Written before it is sent; its id is the idempotency key."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        is_one_of("state", RefundState),
        is_one_of("source", MoneySource),
    )

    id: str = Field(primary_key=True)
    attempt_id: str | None = Field(default=None, foreign_key="payment_attempt.id", index=True)
    """The payment that it goes back on; None for what a person paid out by other means."""
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    """The invoice of that payment; else the one whose credit made the balance."""
    customer_id: str = Field(foreign_key="customer.id", index=True)
    credit_note_id: str | None = Field(default=None, foreign_key="credit_note.id", index=True)
    command_id: str = Field(default="", index=True)
    """What asked for it; empty for one that began at the provider (rules 33)."""
    source: MoneySource = one_of(MoneySource)
    """What it was taken out of, and returns to if it fails."""
    provider_id: str | None = Field(default=None, unique=True)
    amount_minor: int = minor(None)
    currency: str
    state: RefundState = one_of(RefundState, index=True)
    reason: str = ""
    by: str = ""
    failure: str = ""
    """Why the provider or the bank did not take it."""
    at: datetime = instant(nullable=False)
    settled_at: datetime | None = instant()
    sent_at: datetime | None = instant()
    """Real time of the first sending: the age of the idempotency key."""
    leased_until: datetime | None = instant()
    """Real time before which nobody else takes it up: it is being sent, or waits for its next try."""
    tries: int = 0
    last_error: str = ""


class Collection(SQLModel, table=True):
    """The chase of one invoice. The step index is stored, never derived from a count of payments."""

    __tablename__ = "collection"
    __table_args__ = (UniqueConstraint("invoice_id", "chase"),)

    id: str = Field(primary_key=True)
    invoice_id: str = Field(foreign_key="invoice.id", index=True)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id", index=True)
    chase: int
    role: str
    """`driving`, `joined` or `gated` (engine 8)."""
    policy_version_id: str = Field(foreign_key="dunning_policy_version.id")
    day0: date
    debit_on: date | None = None
    """The day of a direct debit that the payer was told of and that was not made yet (rules 28)."""
    timezone: str
    done_through_day: int = -1
    noticed_through_day: int = -1
    last_notice_on: date | None = None
    end_on: date | None = None
    promise_on: date | None = None
    held_until: date | None = None
    asked: list[dict[str, Any]] = json_list()
    """Wishes of people that wait to be charged: `{"trigger", "command_id", "at"}`."""
    ended: bool = False
    started_at: datetime | None = instant()
    """When its workflow took it over; None while the subscription still has to start it."""
    closed_at: datetime | None = instant()
    outcome: str = ""


class JournalLine(SQLModel, table=True):
    """One side of an entry. Append-only; the lines of an entry sum to zero. Debits are positive."""

    __tablename__ = "journal_line"
    __table_args__ = (
        UniqueConstraint("entry", "account"),
        CheckConstraint("amount_minor <> 0", name="amount"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_KEY)
    entry: str = Field(index=True)
    """What happened, named so that it can be booked once only, such as `invoice/in_...`."""
    kind: str
    account: str
    amount_minor: int = minor(None)
    currency: str
    entity_id: str = Field(foreign_key="legal_entity.id")
    customer_id: str = Field(foreign_key="customer.id", index=True)
    invoice_id: str | None = Field(default=None, foreign_key="invoice.id", index=True)
    on: date
    """Accounting date, local to the legal entity."""
    at: datetime = instant(nullable=False)
