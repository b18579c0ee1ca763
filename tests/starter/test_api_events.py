"""Events and endpoints over HTTP: followed to the end, kept from those who may not, and never sent inwards."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from sqlmodel import select
from support.api import BASE, Api, api_settings, opened
from support.event_crew import NoMail, happens
from support.life import ClockedLife

from activities.deliveries import Deliveries, DeliveryRules
from models.tables import ApiCall, WebhookEndpoint
from starter.api_keys import Scope
from starter.remote import ApiProblem, RelanceHttp
from starter.resources.events import (
    EnableEndpoint,
    NewWebhookEndpoint,
    Replay,
    RotateSecret,
    WebhookEndpointUpdate,
)

NOWHERE = "http://127.0.0.1:9/events"
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_backend_follows_and_steers_its_endpoint(world: ClockedLife, api: Api) -> None:
    person = await world.signs_up("anna")
    transport = httpx.ASGITransport(api.app)
    async with RelanceHttp(await api.key(Scope.ADMIN), base_url=BASE, transport=transport) as relance:
        first = [event async for event in relance.events.after(limit=2)]
        assert [event.type for event in first] == [
            "subscription.incomplete", "invoice.issued", "invoice.paid", "subscription.started", "access.granted",
        ]  # fmt: skip
        endpoint = await relance.webhook_endpoints.create(
            NewWebhookEndpoint(url=NOWHERE, owner="dev@example.com"), idempotency_key="mine"
        )
        await happens(world.database, person.subscription_id, "invoice.issued")
        deliveries = Deliveries(world.database, NoMail(), DeliveryRules.of(world.settings))
        await deliveries.publish()
        (new,) = [event async for event in relance.events.after(first[-1].id)]
        assert (new.sequence, new.reference) == (6, "anna")
        assert (await relance.events.list(type="access.*")).data == (first[-1],)
        assert await relance.events.get(new.id) == new
        with pytest.raises(ApiProblem, match="no event"):
            await relance.events.get("evt_sub_1_7")

        await deliveries.deliver()  # nobody is there, and this address is not allowed here
        (tried,) = (await relance.webhook_endpoints.deliveries(endpoint.id)).data
        assert (tried.event, tried.outcome) == (new.id, "failed")
        assert "private address" in tried.detail or "no address" in tried.detail
        again = await relance.webhook_endpoints.deliveries(endpoint.id, starting_after=tried.id)
        assert (again.data, again.has_more) == ((), False)

        changed = await relance.webhook_endpoints.update(
            endpoint.id, WebhookEndpointUpdate(types=("access.*",), owner="ops@example.com")
        )
        assert (changed.types, changed.owner, changed.url) == (("access.*",), "ops@example.com", NOWHERE)
        tested = await relance.webhook_endpoints.test(endpoint.id)
        assert (tested.delivered, tested.status_code) == (False, None)
        assert (
            await relance.webhook_endpoints.update(endpoint.id, WebhookEndpointUpdate(types=()))
        ).types == ()
        secret = (await relance.webhook_endpoints.secret(endpoint.id)).secret
        rotated = await relance.webhook_endpoints.rotate_secret(endpoint.id, RotateSecret())
        assert rotated.previous_secret_until is not None
        assert (await relance.webhook_endpoints.disable(endpoint.id)).state == "disabled"
        assert (await relance.webhook_endpoints.replay(endpoint.id, Replay(after=first[0].id))).behind == 1
        enabled = await relance.webhook_endpoints.enable(endpoint.id, EnableEndpoint(skip_missed=True))
        assert (enabled.state, enabled.behind) == ("enabled", 0)
        assert (await relance.webhook_endpoints.list()).data == (enabled,)
    async with world.database.read() as session:
        answers = [call.answer or "" for call in (await session.exec(select(ApiCall))).all()]
    assert answers
    assert not any("whsec_" in answer or secret in answer for answer in answers)  # none is kept


async def test_who_may_only_read_hears_and_sets_nothing(world: ClockedLife, api: Api) -> None:
    await world.signs_up("anna")
    body = {"url": NOWHERE, "owner": "dev@example.com"}
    async with api.with_key(await api.key(Scope.ADMIN)) as admin:
        key = (await admin.post("/v1/webhook_endpoints", json=body)).json()["id"]
    for scopes in ((Scope.READ,), (Scope.WRITE,), (Scope.SUPPORT,)):
        async with api.with_key(await api.key(*scopes, name=scopes[0].value)) as http:
            assert (await http.get("/v1/events")).status_code == 200
            refused = [
                await http.post("/v1/webhook_endpoints", json=body),
                await http.get(f"/v1/webhook_endpoints/{key}/secret"),
                await http.post(f"/v1/webhook_endpoints/{key}/rotate-secret", json={}),
                await http.post(f"/v1/webhook_endpoints/{key}/disable"),
                await http.patch(f"/v1/webhook_endpoints/{key}", json={"types": []}),
                await http.post(f"/v1/webhook_endpoints/{key}/test"),
                await http.post(f"/v1/webhook_endpoints/{key}/replay", json={}),
            ]
            assert [answer.status_code for answer in refused] == [403] * 7
    for path in ("/v1/events", f"/v1/webhook_endpoints/{key}/secret"):
        async with api.with_key("rlk_test_nobody") as http:
            assert (await http.get(path)).status_code == 401


INWARDS = (
    "169.254.169.254", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "10.0.0.1:8000",
)  # fmt: skip


async def test_no_endpoint_leads_inwards(world: ClockedLife) -> None:
    settings = api_settings(world.settings, str(world.database.engine.url))
    closed = settings.model_copy(update={"private_webhook_addresses": False})
    async with world.database.write() as session:
        there = WebhookEndpoint(
            id="we_1", url="https://example.com/", owner="dev@example.com", locale="en", created_at=BEFORE
        )
        session.add(there)
    async with opened(closed, world.client) as api, api.with_key(await api.key(Scope.ADMIN)) as http:
        for host in INWARDS:
            for scheme in ("https", "http"):
                body = {"url": f"{scheme}://{host}/latest/meta-data", "owner": "dev@example.com"}
                answer = await http.post("/v1/webhook_endpoints", json=body)
                assert (answer.status_code, answer.json()["field"]) == (422, "url"), body
                moved = await http.patch("/v1/webhook_endpoints/we_1", json={"url": body["url"]})
                assert (moved.status_code, moved.json()["field"]) == (422, "url"), body
    async with world.database.read() as session:
        (row,) = (await session.exec(select(WebhookEndpoint))).all()
        assert row.url == "https://example.com/"
