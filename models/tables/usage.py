"""Tables of what was used, to be billed in arrears."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from billing.discounts import TakenOff
from billing.prices import Price
from models.columns import instant, value


class MeterStretch(SQLModel, table=True):
    """The time in which one metered price of one subscription counted; its usage is billed as one line."""

    __tablename__ = "meter_stretch"
    __table_args__ = (
        Index(
            "one_open_stretch",
            "subscription_id",
            "meter",
            unique=True,
            sqlite_where=text("end_at IS NULL"),
            postgresql_where=text("end_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    meter: str
    price: Price = value(Price)
    plan_name: str
    start_at: datetime = instant(nullable=False)
    end_at: datetime | None = instant()
    """Exclusive; None while it counts."""
    start_on: date
    end_on: date | None = None
    quantity: str = "0"
    """Everything reported for it, aggregated; a decimal, exact."""
    billed: str | None = None
    """How much of it is on an invoice; None before its first."""
    taken_off: TakenOff | None = value(TakenOff, nullable=True)
    """What was taken off there, and is off all that is reported later; None before that."""


class UsageEvent(SQLModel, table=True):
    """Something was used. Reported twice under one id it counts once."""

    __tablename__ = "usage_event"
    __table_args__ = (UniqueConstraint("subscription_id", "event_id"),)

    id: str = Field(primary_key=True)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    event_id: str
    """The caller's."""
    stretch_id: str = Field(foreign_key="meter_stretch.id", index=True)
    meter: str
    quantity: str
    """A decimal, exact; negative to correct an earlier event."""
    at: datetime = instant(nullable=False)
    received_at: datetime = instant(nullable=False)
