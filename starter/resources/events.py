"""What happened, and where it is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from models.deliveries import DeliveryOutcome, DisabledBecause, EndpointState
from starter.resources.common import Body, Resource, example

Types = Annotated[
    tuple[Annotated[str, Field(max_length=60)], ...],
    Field(max_length=50, description="Names of events, or `invoice.*` for a group.", examples=[["access.*"]]),
]
Place = Annotated[
    str,
    Field(
        min_length=1,
        max_length=110,
        description="A cursor, or the id of an event: what comes after it.",
        examples=["0"],
    ),
]


class Event(Resource):
    """One thing that happened, as it is sent to webhook endpoints."""

    id: str
    object: Literal["event"] = "event"
    type: str
    version: int
    """Of what `data` holds for this type."""
    timestamp: datetime
    """When it happened; on a test clock by the clock."""
    subscription: str
    reference: str | None
    """Your own name for the subscription."""
    customer: str
    clock: str | None
    sequence: int
    """Counts the events of this subscription from 1, without a gap."""
    cursor: int
    """Its place among all events."""
    status: str
    plan: str
    entitled: bool
    """Whether the customer may use the service."""
    access_until: datetime | None
    """Until when to let the customer in without having heard anything newer."""
    reason: str
    data: dict[str, Any]


class NewWebhookEndpoint(Body):
    """An address of yours that is told what happens."""

    model_config = example(
        url="https://example.com/relance-events", owner="dev@example.com", types=["access.*"]
    )

    url: Annotated[str, Field(max_length=2000, examples=["https://example.com/relance-events"])]
    """Over https, and public."""
    owner: Annotated[str, Field(max_length=200, examples=["dev@example.com"])]
    """Mail address of whoever is told when it is disabled."""
    types: Types = ()
    description: Annotated[str, Field(max_length=200)] = ""
    locale: Annotated[str, Field(max_length=20, examples=["en"])] = "en"
    """Of the owner: `fr`, or `en`, which all others read too."""


class WebhookEndpointUpdate(Body):
    """What is new about an endpoint. What is not sent stays."""

    model_config = example(types=["access.*", "invoice.paid"])

    url: Annotated[str, Field(max_length=2000)] | None = None
    """What had failed is tried there at once."""
    owner: Annotated[str, Field(max_length=200)] | None = None
    types: Types | None = None
    """In place of those that it has, from now on; `[]` is all."""
    description: Annotated[str, Field(max_length=200)] | None = None
    locale: Annotated[str, Field(max_length=20)] | None = None


class WebhookTest(Resource):
    """What an endpoint made of a delivery that was made to see whether it arrives."""

    object: Literal["webhook_test"] = "webhook_test"
    endpoint: str
    event: str
    """Its id, as in the header `webhook-id`; its type is `endpoint.test`, it is about no subscription."""
    delivered: bool
    status_code: int | None
    took_ms: int
    detail: str
    """Why it was not taken, with the beginning of the answer."""


class WebhookEndpoint(Resource):
    """Where events are sent. What deliveries are signed with is asked for by itself."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    description: str
    types: tuple[str, ...]
    owner: str
    state: EndpointState
    disabled_at: datetime | None
    disabled_because: DisabledBecause | None
    failing_since: datetime | None
    """Since when it takes nothing."""
    previous_secret_until: datetime | None
    behind: int
    """Subscriptions with events that it has not taken yet."""
    created_at: datetime


class WebhookSecret(Resource):
    """What deliveries are signed with, by Standard Webhooks."""

    object: Literal["webhook_secret"] = "webhook_secret"
    endpoint: str
    secret: Annotated[str, Field(examples=["whsec_..."])]
    previous_until: datetime | None
    """Until when the one before is used as well."""


class RotateSecret(Body):
    """Another secret."""

    model_config = example(keep_hours=24)

    keep_hours: Annotated[int, Field(ge=0, le=168)] = 24
    """For how long the one before is used as well; 0 where others know it."""


class EnableEndpoint(Body):
    """Send again."""

    model_config = example(skip_missed=False)

    skip_missed: bool = False
    """Leave out what happened meanwhile."""


class Replay(Body):
    """Send again what was sent before."""

    model_config = example(after="evt_sub_4q8m1v5c3b6n0z2w4t7k2d9x_7")

    after: Place = "0"
    subscription: Annotated[str, Field(min_length=1, max_length=110)] | None = None
    """Only events of this one, by id or `ref:...`."""


class WebhookDelivery(Resource):
    """One try to deliver an event."""

    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    at: datetime
    event: str
    type: str
    outcome: DeliveryOutcome
    status_code: int | None
    took_ms: int
    detail: str
    """Why it failed, with the beginning of the answer."""
