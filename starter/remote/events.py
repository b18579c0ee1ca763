"""What happened, and where it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starter.remote.transport import Transport, at
from starter.resources.common import Page
from starter.resources.events import (
    EnableEndpoint,
    Event,
    NewWebhookEndpoint,
    Replay,
    RotateSecret,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointUpdate,
    WebhookSecret,
    WebhookTest,
)


class Events:
    """`/v1/events`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def list(
        self,
        *,
        starting_after: str = "0",
        subscription: str | None = None,
        type: str | None = None,  # noqa: A002 - as the API calls it
        limit: int = 10,
    ) -> Page[Event]:
        """Events after a cursor or another event, oldest first."""
        return await self._through.get(
            Page[Event],
            "/v1/events",
            starting_after=starting_after,
            subscription=subscription,
            type=type,
            limit=limit,
        )

    async def after(self, place: str = "0", *, limit: int = 100) -> AsyncIterator[Event]:
        """Every event after a place that there is by now, in order; go on with the id of the last one."""
        has_more = True
        while has_more:
            page = await self.list(starting_after=place, limit=limit)
            for event in page.data:
                yield event
            has_more, place = page.has_more, page.data[-1].id if page.data else place

    async def get(self, event: str) -> Event:
        """Look an event up."""
        return await self._through.get(Event, at("events", event))


class WebhookEndpoints:
    """`/v1/webhook_endpoints`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(
        self, body: NewWebhookEndpoint, *, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Have events sent to an address."""
        return await self._through.send(
            WebhookEndpoint, "POST", "/v1/webhook_endpoints", body, idempotency_key=idempotency_key
        )

    async def get(self, webhook_endpoint: str) -> WebhookEndpoint:
        """How an endpoint stands."""
        return await self._through.get(WebhookEndpoint, at("webhook_endpoints", webhook_endpoint))

    async def list(self, *, limit: int = 10, starting_after: str | None = None) -> Page[WebhookEndpoint]:
        """A page of endpoints, newest first."""
        return await self._through.get(
            Page[WebhookEndpoint], "/v1/webhook_endpoints", limit=limit, starting_after=starting_after
        )

    async def update(
        self, webhook_endpoint: str, body: WebhookEndpointUpdate, *, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Change where events are sent, which, or who is written to."""
        path = at("webhook_endpoints", webhook_endpoint)
        return await self._through.send(WebhookEndpoint, "PATCH", path, body, idempotency_key=idempotency_key)

    async def test(self, webhook_endpoint: str, *, idempotency_key: str | None = None) -> WebhookTest:
        """Send a test now, and say what the endpoint made of it."""
        path = at("webhook_endpoints", webhook_endpoint, "test")
        return await self._through.send(WebhookTest, "POST", path, idempotency_key=idempotency_key)

    async def secret(self, webhook_endpoint: str) -> WebhookSecret:
        """What deliveries are signed with."""
        return await self._through.get(WebhookSecret, at("webhook_endpoints", webhook_endpoint, "secret"))

    async def rotate_secret(
        self, webhook_endpoint: str, body: RotateSecret, *, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Sign by a new secret, and for a while by the one before as well."""
        path = at("webhook_endpoints", webhook_endpoint, "rotate-secret")
        return await self._through.send(WebhookEndpoint, "POST", path, body, idempotency_key=idempotency_key)

    async def disable(self, webhook_endpoint: str, *, idempotency_key: str | None = None) -> WebhookEndpoint:
        """Send nothing more."""
        path = at("webhook_endpoints", webhook_endpoint, "disable")
        return await self._through.send(WebhookEndpoint, "POST", path, idempotency_key=idempotency_key)

    async def enable(
        self, webhook_endpoint: str, body: EnableEndpoint, *, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Send again: what waits first, in order."""
        path = at("webhook_endpoints", webhook_endpoint, "enable")
        return await self._through.send(WebhookEndpoint, "POST", path, body, idempotency_key=idempotency_key)

    async def replay(
        self, webhook_endpoint: str, body: Replay, *, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Send again, in order, what came after an event."""
        path = at("webhook_endpoints", webhook_endpoint, "replay")
        return await self._through.send(WebhookEndpoint, "POST", path, body, idempotency_key=idempotency_key)

    async def deliveries(
        self, webhook_endpoint: str, *, limit: int = 10, starting_after: str | None = None
    ) -> Page[WebhookDelivery]:
        """A page of what was tried, newest first."""
        path = at("webhook_endpoints", webhook_endpoint, "deliveries")
        return await self._through.get(
            Page[WebhookDelivery], path, limit=limit, starting_after=starting_after
        )
