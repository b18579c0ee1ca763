"""Where events are sent. Whoever sets that hears everything, so the scope is `admin`."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path

from models.ids import derived_id
from starter import webhook_endpoints as doors
from starter.http.calling import Administers, Reads, ReadsSecrets
from starter.http.problems import MEDIA_TYPE
from starter.http.v1.common import Paging, api_router
from starter.resources.common import Page, built
from starter.resources.events import (
    EnableEndpoint,
    NewWebhookEndpoint,
    Replay,
    RotateSecret,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointUpdate,
    WebhookSecret,
    WebhookTest,
)

router = api_router("webhook_endpoints", "Webhook endpoints")

EndpointKey = Annotated[str, Path(max_length=70, description="Id of the endpoint.")]
_SCOPE: Final[dict[int | str, dict[str, Any]]] = {
    403: {
        "description": "The key has not the scope.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


@router.post("", status_code=201)
async def create_webhook_endpoint(body: NewWebhookEndpoint, call: Administers) -> WebhookEndpoint:
    """Have events sent to an address of yours, from now on."""
    order = built(doors.NewEndpoint, id=derived_id("we", call.id), **body.model_dump())
    return _show(await call.relance.webhook_endpoints.create(order))


@router.get("")
async def list_webhook_endpoints(call: Reads, paging: Paging) -> Page[WebhookEndpoint]:
    """List endpoints, newest first."""
    found = await call.relance.listing.webhook_endpoints(paging)
    shown = [_show(await call.relance.webhook_endpoints.find(row.id)) for row in found.rows]
    return Page[WebhookEndpoint](data=tuple(shown), has_more=found.has_more)


@router.get("/{webhook_endpoint}")
async def get_webhook_endpoint(webhook_endpoint: EndpointKey, call: Reads) -> WebhookEndpoint:
    """An endpoint, and whether it takes what it is sent."""
    return _show(await call.relance.webhook_endpoints.find(webhook_endpoint))


@router.patch("/{webhook_endpoint}")
async def update_webhook_endpoint(
    webhook_endpoint: EndpointKey, body: WebhookEndpointUpdate, call: Administers
) -> WebhookEndpoint:
    """Change where events are sent, which, or who is written to. Its secret stays.

    Other types are sent from now on; of a subscription of which something waits, from there on.
    """
    change = built(doors.EndpointChange, **body.model_dump())
    return _show(await call.relance.webhook_endpoints.change(webhook_endpoint, change))


@router.post("/{webhook_endpoint}/test")
async def test_webhook_endpoint(webhook_endpoint: EndpointKey, call: Administers) -> WebhookTest:
    """Send a test now, signed as events are, and answer what the endpoint made of it; also while it is disabled."""
    endpoints = call.relance.webhook_endpoints
    return WebhookTest.model_validate(await endpoints.test(webhook_endpoint, test_id=call.id))


@router.get("/{webhook_endpoint}/secret", responses=_SCOPE)
async def get_webhook_secret(webhook_endpoint: EndpointKey, call: ReadsSecrets) -> WebhookSecret:
    """What deliveries are signed with; for a library of Standard Webhooks."""
    return _secret(await call.relance.webhook_endpoints.secret(webhook_endpoint))


@router.post("/{webhook_endpoint}/rotate-secret")
async def rotate_webhook_secret(
    webhook_endpoint: EndpointKey, body: RotateSecret, call: Administers
) -> WebhookEndpoint:
    """Sign by a new secret, and for a while by the one before as well. Then ask for it."""
    await call.relance.webhook_endpoints.rotate_secret(webhook_endpoint, keep_hours=body.keep_hours)
    return _show(await call.relance.webhook_endpoints.find(webhook_endpoint))


@router.post("/{webhook_endpoint}/disable")
async def disable_webhook_endpoint(webhook_endpoint: EndpointKey, call: Administers) -> WebhookEndpoint:
    """Send nothing more. What happens waits for the endpoint to be enabled again."""
    return _show(await call.relance.webhook_endpoints.disable(webhook_endpoint))


@router.post("/{webhook_endpoint}/enable")
async def enable_webhook_endpoint(
    webhook_endpoint: EndpointKey, body: EnableEndpoint, call: Administers
) -> WebhookEndpoint:
    """Send again: what waits first, in order."""
    endpoints = call.relance.webhook_endpoints
    return _show(await endpoints.enable(webhook_endpoint, skip_missed=body.skip_missed))


@router.post("/{webhook_endpoint}/replay")
async def replay_events(webhook_endpoint: EndpointKey, body: Replay, call: Administers) -> WebhookEndpoint:
    """Send again, in order, what came after an event. Events keep their ids."""
    endpoints = call.relance.webhook_endpoints
    return _show(await endpoints.replay(webhook_endpoint, after=body.after, subscription=body.subscription))


@router.get("/{webhook_endpoint}/deliveries")
async def list_webhook_deliveries(
    webhook_endpoint: EndpointKey, call: Reads, paging: Paging
) -> Page[WebhookDelivery]:
    """List what was tried, newest first."""
    found = await call.relance.webhook_endpoints.deliveries(
        webhook_endpoint, before=paging.starting_after, limit=paging.limit + 1
    )
    shown = tuple(map(WebhookDelivery.model_validate, found[: paging.limit]))
    return Page[WebhookDelivery](data=shown, has_more=len(found) > paging.limit)


def _show(endpoint: doors.Endpoint) -> WebhookEndpoint:
    return WebhookEndpoint.model_validate(endpoint)


def _secret(known: doors.EndpointSecret) -> WebhookSecret:
    return WebhookSecret.model_validate(known)
