"""Tables of what can be bought and how debts are chased."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from billing.dunning import DunningPolicy
from billing.terms import Terms
from models.columns import instant, json_object, value


class Plan(SQLModel, table=True):
    """A plan on offer. Running subscriptions have their own snapshot, their terms."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("entity_id", "reference"),)

    id: str = Field(primary_key=True)
    reference: str | None = None
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    name: str
    currency: str
    terms: Terms = value(Terms)
    archived_at: datetime | None = instant()
    custom: dict[str, Any] = json_object()
    created_at: datetime = instant(nullable=False)


class DunningPolicyVersion(SQLModel, table=True):
    """One version of a policy; an invoice keeps the version it started with."""

    __tablename__ = "dunning_policy_version"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: str = Field(primary_key=True)
    name: str
    version: int
    policy: DunningPolicy = value(DunningPolicy)
    created_at: datetime = instant(nullable=False)
