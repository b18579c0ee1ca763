"""PUT and PATCH: what may be another one afterwards, and what is refused with the call that changes it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from support.api import BASE, Api
from support.life import ClockedLife

from starter.api_keys import Scope
from starter.remote import ApiProblem, RelanceHttp
from starter.resources.catalogue import PlanUpdate
from starter.resources.subscriptions import Change, SubscriptionUpdate

ANNA: dict[str, Any] = {"name": "Anna", "contacts": [{"email": "anna@example.com"}]}
TEAM: dict[str, Any] = {
    "name": "Team",
    "currency": "EUR",
    "every": "1month",
    "amount": "9.00",
    "per_seat": True,
    "trial_days": 14,
    "metadata": {"tier": "1"},
}


async def test_a_plan_s_metadata_change_and_its_terms_do_not(admin: httpx.AsyncClient) -> None:
    first = (await admin.put("/v1/plans/ref:crew", json=TEAM)).json()
    again = await admin.put("/v1/plans/ref:crew", json={**TEAM, "metadata": {"tier": "2", "crm": "7"}})
    assert again.status_code == 200
    assert again.json() == {**first, "metadata": {"tier": "2", "crm": "7"}}
    assert (await admin.get("/v1/plans/ref:crew")).json() == again.json()

    for other, field in (
        ({"amount": "10.00"}, "amount"),
        ({"every": "1year"}, "every"),
        ({"name": "Squad"}, "name"),
        ({"features": [{"key": "export"}]}, "features"),
        ({"payment_terms": "30 days", "collection_method": "transfer"}, "collection_method"),
    ):
        refused = await admin.put("/v1/plans/ref:crew", json={**TEAM, **other})
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["field"]) == (409, "already_exists", field)
        assert "POST /v1/subscriptions/{subscription}/change" in problem["remedy"]
    posted = await admin.post("/v1/plans", json={**TEAM, "reference": "crew"})
    assert (posted.status_code, posted.json()["field"]) == (409, "metadata")
    assert "PATCH /v1/plans" in posted.json()["remedy"]
    assert (await admin.get("/v1/plans/ref:crew")).json() == again.json()
    by_id = await admin.put(f"/v1/plans/{first['id']}", json={**TEAM, "metadata": {}})
    assert (by_id.status_code, by_id.json()) == (200, {**first, "metadata": {}})
    for nowhere in ("plan_nowhere", "nowhere"):  # only a reference, said to be one, creates
        assert (await admin.put(f"/v1/plans/{nowhere}", json=TEAM)).status_code == 404


async def test_a_plan_goes_off_the_offer_and_back(admin: httpx.AsyncClient, api: Api) -> None:
    await admin.put("/v1/plans/ref:crew", json=TEAM)
    await admin.put("/v1/customers/ref:anna", json=ANNA)
    async with RelanceHttp(
        await api.key(Scope.ADMIN), base_url=BASE, transport=httpx.ASGITransport(api.app)
    ) as relance:
        gone = await relance.plans.update("ref:crew", PlanUpdate(archived=True))
        assert (gone.archived_at is not None, gone.metadata) == (True, {"tier": "1"})
        order = {"customer": "ref:anna", "plan": "ref:crew"}
        refused = await admin.put("/v1/subscriptions/ref:anna", json=order)
        assert (refused.status_code, refused.json()["field"]) == (422, "plan")
        back = await relance.plans.update("ref:crew", PlanUpdate(archived=False, metadata={}))
        assert (back.archived_at, back.metadata) == (None, {})
        assert (await admin.put("/v1/subscriptions/ref:anna", json=order)).status_code == 200


async def test_a_subscription_s_metadata_change_and_what_it_bills_by_change_alone(
    world: ClockedLife, admin: httpx.AsyncClient, api: Api
) -> None:
    await admin.put("/v1/plans/ref:crew", json=TEAM)
    await admin.put("/v1/customers/ref:anna", json={**ANNA, "test_clock": world.clock})
    order = {"customer": "ref:anna", "plan": "ref:crew", "quantity": 3, "metadata": {"crm": "1"}}
    started = (await admin.put("/v1/subscriptions/ref:anna", json=order)).json()
    told = await admin.put("/v1/subscriptions/ref:anna", json={**order, "metadata": {"crm": "2"}})
    assert (told.status_code, told.json()["id"], told.json()["metadata"]) == (
        200,
        started["id"],
        {"crm": "2"},
    )
    by_id = await admin.put(f"/v1/subscriptions/{started['id']}", json={**order, "metadata": {"crm": "2"}})
    assert (by_id.status_code, by_id.json()["id"]) == (200, started["id"])
    assert (await admin.put("/v1/subscriptions/sub_nowhere", json=order)).status_code == 404
    posted = await admin.post(
        "/v1/subscriptions", json={**order, "reference": "anna", "metadata": {"crm": "2"}}
    )
    assert (posted.status_code, posted.json()["field"]) == (409, "metadata")

    async with RelanceHttp(
        await api.key(Scope.ADMIN), base_url=BASE, transport=httpx.ASGITransport(api.app)
    ) as relance:
        patched = await relance.subscriptions.update("ref:anna", SubscriptionUpdate(metadata={"vip": "yes"}))
        assert (patched.metadata, patched.quantity) == ({"vip": "yes"}, 3)
        with pytest.raises(ApiProblem) as refusal:
            await relance.subscriptions.update("ref:nobody", SubscriptionUpdate(metadata={}))
        assert (refusal.value.status, refusal.value.field) == (404, "subscription")

        more = await admin.put("/v1/subscriptions/ref:anna", json={**order, "quantity": 5})
        assert (more.status_code, more.json()["code"], more.json()["field"]) == (
            409,
            "already_exists",
            "quantity",
        )
        assert "POST /v1/subscriptions/{subscription}/change" in more.json()["remedy"]
        assert (await relance.subscriptions.get("ref:anna")).metadata == {"vip": "yes"}
        await relance.subscriptions.change("ref:anna", Change(quantity=5))
        await world.settle()
    same = await admin.put("/v1/subscriptions/ref:anna", json={**order, "quantity": 5})
    assert (same.status_code, same.json()["quantity"], same.json()["metadata"]) == (200, 5, {"crm": "1"})
    moved = await admin.put("/v1/subscriptions/ref:anna", json={**order, "trial_days": 30})
    assert (moved.status_code, moved.json()["field"]) == (409, "trial_days")
    assert moved.json()["remedy"] == "Use another id and reference for another subscription."
