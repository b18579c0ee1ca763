"""Tables of what can be bought and how debts are chased."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from billing.discounts import Discount
from billing.dunning import DunningPolicy
from billing.policy_choice import AppliesTo
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


class Coupon(SQLModel, table=True):
    """A discount on offer. Subscriptions that were given it have their own snapshot."""

    __tablename__ = "coupon"
    __table_args__ = (
        UniqueConstraint("entity_id", "reference"),
        CheckConstraint("max_redemptions IS NULL OR redemptions <= max_redemptions", name="limit"),
    )

    id: str = Field(primary_key=True)
    reference: str | None = None
    """The code that a customer types."""
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    discount: Discount = value(Discount)
    currency: str | None = None
    """Of a fixed amount."""
    expires_on: date | None = None
    """Last day on which it is given."""
    max_redemptions: int | None = None
    redemptions: int = 0
    archived_at: datetime | None = instant()
    created_at: datetime = instant(nullable=False)


class CouponRedemption(SQLModel, table=True):
    """A coupon was given to a subscription, once."""

    __tablename__ = "coupon_redemption"

    coupon_id: str = Field(primary_key=True, foreign_key="coupon.id")
    subscription_id: str = Field(primary_key=True, foreign_key="subscription.id", index=True)
    at: datetime = instant(nullable=False)


class DunningPolicyVersion(SQLModel, table=True):
    """One version of a policy, never changed: each chase keeps the version that it began with."""

    __tablename__ = "dunning_policy_version"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: str = Field(primary_key=True)
    name: str
    version: int
    policy: DunningPolicy = value(DunningPolicy)
    applies_to: AppliesTo | None = value(AppliesTo, nullable=True)
    """None is used where terms name it, as the default policies are."""
    created_at: datetime = instant(nullable=False)
    by: str | None = None
    """Who saved it; None for a default policy."""
    retired_at: datetime | None = instant()
    """On the latest version: since then it is neither chosen nor named anew."""
