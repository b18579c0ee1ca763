"""Tables of mails, and of the webhooks of others."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import instant, is_one_of, json_list, json_object, one_of


class MessageState(StrEnum):
    """Where a mail stands."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERY_UNKNOWN = "delivery_unknown"
    """The provider's answer was lost; a reminder is not sent again (rules 29)."""
    REFUSED = "refused"
    """The provider will not take it, or it could not be written; `last_error` says why."""
    WITHDRAWN = "withdrawn"
    """What it asks for was settled before it could be sent."""


class Message(SQLModel, table=True):
    """A mail: written in the transaction of its fact, sent from the outbox, kept as sent (engine 19)."""

    __tablename__ = "message"
    __table_args__ = (UniqueConstraint("scope", "step", "occurrence"), is_one_of("state", MessageState))

    id: str = Field(primary_key=True)
    scope: str
    """The invoice or subscription that it is about."""
    step: str
    occurrence: str
    kind: str
    customer_id: str = Field(foreign_key="customer.id", index=True)
    subscription_id: str | None = Field(default=None, foreign_key="subscription.id", index=True)
    invoice_id: str | None = Field(default=None, foreign_key="invoice.id", index=True)
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id")
    locale: str
    recipients: list[str] = json_list()
    context: dict[str, Any] = json_object()
    state: MessageState = one_of(MessageState, MessageState.QUEUED, index=True)
    at: datetime = instant(nullable=False)
    leased_until: datetime | None = instant()
    """Real time before which nobody else takes it up: it is being sent, or waits for its next try."""
    tries: int = 0
    last_error: str = ""
    sent_at: datetime | None = instant()
    provider_id: str | None = None
    delivery: str = ""
    """What the provider last said became of it: `TAKEN`, `DELIVERED`, `BOUNCED` ...; empty where it said nothing."""
    delivery_at: datetime | None = instant()
    delivery_detail: str = ""
    subject: str = ""
    body_text: str = ""
    body_html: str = ""


class MailAddress(SQLModel, table=True):
    """Whether mails arrive at an address, once the provider said so. One row an address, in lower case."""

    __tablename__ = "mail_address"

    address: str = Field(primary_key=True)
    arrives: bool
    reason: str = ""
    """`bounced`, `blocked`, `dropped`, `called spam`; empty where mails arrive."""
    detail: str = ""
    """What the reader's server said."""
    since: datetime = instant(nullable=False)
    as_of: datetime = instant(nullable=False)
    """Of the event that says so; an older one changes nothing."""


class EventCursor(SQLModel, table=True):
    """How far a provider's events were read back, so that what was missed while we were down is found."""

    __tablename__ = "event_cursor"

    provider: str = Field(primary_key=True)
    read_until: datetime = instant(nullable=False)
    """Everything that the provider made before this instant of real time is in the inbox."""


class IncomingEvent(SQLModel, table=True):
    """A webhook, stored before it is answered; the provider's id is the key (engine 21)."""

    __tablename__ = "incoming_event"

    id: str = Field(primary_key=True)
    provider: str
    kind: str
    payload: dict[str, Any] = json_object()
    received_at: datetime = instant(nullable=False)
    handed_on_at: datetime | None = instant()
    note: str = ""
