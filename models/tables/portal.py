"""The tables of the portal: who may look at whose space and until when, and who is about to sign up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from models.columns import instant, json_list, json_object, value
from models.signup import SignupConsent

_UNFINISHED = text("ordered_at IS NOT NULL AND completed_at IS NULL")


class PortalSession(SQLModel, table=True):
    """A customer's way into the portal. Its links are signed, so that nothing secret is kept here.

    All instants are real time.
    """

    __tablename__ = "portal_session"

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    start: str
    """The page on which it opens."""
    return_url: str | None = None
    """Where the customer came from and is led back to."""
    by: str
    """Who asked for it: a key's or an operator's name."""
    created_at: datetime = instant(nullable=False)
    opened_at: datetime | None = instant()
    """When its link was used first."""
    ends_at: datetime = instant(nullable=False)
    revoked_at: datetime | None = instant()


class SignupSession(SQLModel, table=True):
    """A way to sign up for a plan by oneself, and what came of it. Its links are signed.

    All instants are real time.
    """

    __tablename__ = "signup_session"
    __table_args__ = (
        Index("unfinished_order", "ordered_at", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    )

    id: str = Field(primary_key=True)
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    plan_id: str = Field(foreign_key="plan.id")
    quantity: int | None = None
    coupons: list[str] = json_list()
    reference: str | None = Field(default=None, index=True)
    """That the subscription gets."""
    customer_reference: str | None = None
    """That the customer gets."""
    language: str | None = None
    """None: the browser's, until one is chosen."""
    timezone: str = "Europe/Paris"
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id")
    success_url: str
    cancel_url: str | None = None
    terms_url: str = ""
    terms_version: str = ""
    fields: dict[str, str] = json_object()
    """What the form holds: first what the seller knows, then what was typed in. Personal data."""
    is_filled_in: bool = False
    """Whether the form was sent, and was right."""
    vat_reply: dict[str, Any] = json_object()
    """What the register said of the VAT number in `fields`; empty where it was not asked."""
    provider_id: str | None = None
    """The customer to be, at the payment provider."""
    setup_page: str | None = None
    """The provider's page on which they save a payment method."""
    method: dict[str, Any] = json_object()
    """What came of it: the provider's id, and what may be shown; empty while there is none."""
    consent: SignupConsent | None = value(SignupConsent, nullable=True)
    """What was agreed to by ordering."""
    ordered_at: datetime | None = instant()
    completed_at: datetime | None = instant()
    """When the subscription was started."""
    customer_id: str | None = None
    subscription_id: str | None = Field(default=None, index=True)
    custom: dict[str, Any] = json_object()
    """The caller's metadata, for the subscription."""
    by: str
    """Who asked for it."""
    created_at: datetime = instant(nullable=False)
    expires_at: datetime = instant(nullable=False)
    """Until when it can be ordered."""
    revoked_at: datetime | None = instant()
