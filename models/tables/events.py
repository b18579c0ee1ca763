"""Tables of events out: the facts, where they are sent, how far each receiver is, and what was tried (engine 20)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.columns import BIG_KEY, instant, is_one_of, json_list, json_object, one_of, one_of_or_none
from models.deliveries import DeliveryOutcome, DisabledBecause, EndpointState

_NOT_PUBLISHED = text("cursor IS NULL")
_BEHIND = text("delivered_through < wanted_through")


class OutgoingEvent(SQLModel, table=True):
    """A business fact for the caller's systems, numbered per subscription without a gap."""

    __tablename__ = "outgoing_event"
    __table_args__ = (
        UniqueConstraint("subscription_id", "sequence"),
        UniqueConstraint("cursor"),
        Index("not_published", "id", sqlite_where=_NOT_PUBLISHED, postgresql_where=_NOT_PUBLISHED),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_KEY)
    subscription_id: str = Field(foreign_key="subscription.id", index=True)
    sequence: int
    cursor: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    """Its place among all events. Given by the publisher once the fact is committed: `id` is given before that, and
    may be overtaken."""
    name: str
    data: dict[str, Any] = json_object()
    status: str = ""
    """Of the subscription, as its plan and its right to the service: at the instant of the fact."""
    plan_id: str = ""
    entitled: bool
    reason: str = ""
    access_until: datetime | None = instant()
    at: datetime = instant(nullable=False)
    delivered_at: datetime | None = instant()
    """Not used any more; the next release drops it."""


class WebhookEndpoint(SQLModel, table=True):
    """An address of the caller's to which events are sent. Its secrets are derived and kept nowhere."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        is_one_of("state", EndpointState),
        is_one_of("disabled_because", DisabledBecause),
        CheckConstraint("generation >= 1", name="generation"),
    )

    id: str = Field(primary_key=True)
    url: str
    description: str = ""
    types: list[str] = json_list()
    """Names of events, or `invoice.*` for all of a group; none is all."""
    owner: str
    """Mail address of whoever looks after it: told when it is disabled."""
    locale: str
    state: EndpointState = one_of(EndpointState, EndpointState.ENABLED)
    disabled_at: datetime | None = instant()
    disabled_because: DisabledBecause | None = one_of_or_none(DisabledBecause)
    owner_told: bool = True
    """False while the mail about it is still to be sent."""
    failing_since: datetime | None = instant()
    """Real time of the first failure after its last success."""
    generation: int = 1
    """Of its secret."""
    previous_until: datetime | None = instant()
    """Real time until which the secret before is used as well."""
    created_at: datetime = instant(nullable=False)


class EventLane(SQLModel, table=True):
    """How far one endpoint is with the events of one subscription: they are sent one after the other."""

    __tablename__ = "event_lane"
    __table_args__ = (
        Index("lanes_behind", "endpoint_id", "leased_until", sqlite_where=_BEHIND, postgresql_where=_BEHIND),
    )

    endpoint_id: str = Field(primary_key=True, foreign_key="webhook_endpoint.id")
    subscription_id: str = Field(primary_key=True, foreign_key="subscription.id")
    delivered_through: int
    """Sequence up to which nothing is to be sent any more."""
    wanted_through: int
    """Sequence of the latest published event that the endpoint wants."""
    leased_until: datetime | None = instant()
    """Real time before which nobody else takes it up: it is being sent, or waits for its next try."""
    tries: int = 0
    """Of the event that is next."""
    failing_since: datetime | None = instant()


class EventDelivery(SQLModel, table=True):
    """The log: one row for each try."""

    __tablename__ = "event_delivery"
    __table_args__ = (
        is_one_of("outcome", DeliveryOutcome),
        Index("deliveries_of_an_endpoint", "endpoint_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG_KEY)
    endpoint_id: str = Field(foreign_key="webhook_endpoint.id")
    event_id: int = Field(foreign_key="outgoing_event.id", sa_type=BIG_KEY, index=True)
    at: datetime = instant(nullable=False, index=True)
    outcome: DeliveryOutcome = one_of(DeliveryOutcome)
    status_code: int | None = None
    took_ms: int
    detail: str = ""
    """Why it failed, with the beginning of the answer."""
