"""Tables of subscriptions and of what was asked of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from billing.effects import TermsChange
from billing.subscription import Status, Subscription
from models.columns import instant, is_one_of, json_object, value


class SubscriptionRow(SQLModel, table=True):
    """A subscription. `state` is the whole of it; the columns beside are copies for lists and locks."""

    __tablename__ = "subscription"
    __table_args__ = (UniqueConstraint("entity_id", "reference"), is_one_of("status", Status))

    id: str = Field(primary_key=True)
    reference: str | None = None
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    plan_id: str = Field(index=True)
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id", index=True)
    status: str = Field(index=True)
    entitled: bool = False
    access_until: datetime | None = instant()
    next_billing_at: datetime | None = instant(index=True)
    state: Subscription = value(Subscription)
    version: int = 0
    """Counts the changes of `state`, so that a collection tells the workflow of a change, and of nothing else."""
    digest: str = ""
    """Of `state` at `version`."""
    automatic_collecting: bool = True
    """False from the moment a cancel *now* was accepted until it is carried out; then each invoice says (engine 4)."""
    conditional: TermsChange | None = value(TermsChange, nullable=True)
    """A change that waits for its payment; applied in the transaction that books it (engine 16)."""
    event_seq: int = 0
    custom: dict[str, Any] = json_object()
    created_at: datetime = instant(nullable=False)
    updated_at: datetime = instant(nullable=False)


class CommandRow(SQLModel, table=True):
    """A command that was taken, with its effect: the id is unique here, not in workflow state (engine 14)."""

    __tablename__ = "command"

    id: str = Field(primary_key=True)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    kind: str
    payload: dict[str, Any] = json_object()
    by: str = ""
    reason: str = ""
    outcome: str
    """`applied`, or the sentence with which it was refused."""
    at: datetime = instant(nullable=False)
