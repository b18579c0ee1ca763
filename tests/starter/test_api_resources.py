"""The API in the words of a backend: outcomes of first payments, references, lists, what is refused and how."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest
from support.api import BASE, Api
from support.life import ClockedLife, Script

from billing.commands import CreditTo, When
from models.parties import Contact
from starter.api_keys import Scope
from starter.remote import ApiProblem, RelanceHttp
from starter.resources.customers import CustomerContent, CustomerUpdate
from starter.resources.invoices import Credit
from starter.resources.subscriptions import Cancel, Change, SubscriptionContent

ANNA: dict[str, Any] = {"name": "Anna", "contacts": [{"email": "anna@example.com"}]}


@pytest.fixture
async def relance(api: Api) -> AsyncIterator[RelanceHttp]:
    """The client for HTTP, on the API of the world."""
    key = await api.key(Scope.ADMIN)
    async with RelanceHttp(key, base_url=BASE, transport=httpx.ASGITransport(api.app)) as client:
        yield client


async def customer_with_card(world: ClockedLife, relance: RelanceHttp, name: str, script: Script) -> None:
    body = CustomerContent(
        name=name, contacts=(Contact(email=f"{name}@example.com"),), test_clock=world.clock
    )
    await relance.customers.put(f"ref:{name}", body)
    await relance.payment_methods.save(f"ref:{name}", await world.new_card(name, script))


async def test_a_creation_tells_what_came_of_its_first_payment(
    world: ClockedLife, relance: RelanceHttp
) -> None:
    scripts: dict[str, Script] = {
        "paid": ("ok",),
        "strong": {"outcomes": [], "then": "authentication_required"},
        "poor": {"outcomes": [], "then": "insufficient_funds"},
    }
    told = {}
    for name, script in scripts.items():
        await customer_with_card(world, relance, name, script)
        order = SubscriptionContent(customer=f"ref:{name}", plan="ref:pro", wait_for_payment=True)
        started = await relance.subscriptions.put(f"ref:{name}", order)
        payment = started.first_payment
        assert payment is not None
        told[name] = (started.status, payment.outcome, payment.decline_code, payment.pay_url is not None)
    assert told == {
        "paid": ("active", "paid", None, False),
        "strong": ("incomplete", "action_required", None, True),
        "poor": ("incomplete", "declined", "insufficient_funds", True),
    }
    bare = CustomerContent(name="Bare", contacts=(Contact(email="b@example.com"),), test_clock=world.clock)
    await relance.customers.put("ref:bare", bare)
    order = SubscriptionContent(customer="ref:bare", plan="ref:trial", wait_for_payment=True)
    trial = await relance.subscriptions.put("ref:bare", order)
    assert trial.first_payment is not None
    assert (trial.status, trial.first_payment.outcome) == ("trialing", "not_due")


async def test_put_creates_or_updates_and_refuses_what_does_not_change(
    world: ClockedLife, relance: RelanceHttp, admin: httpx.AsyncClient
) -> None:
    first = await admin.put("/v1/customers/ref:anna", json=ANNA)
    again = await admin.put(
        "/v1/customers/ref:anna", json={**ANNA, "name": "Anna B", "metadata": {"crm": "7"}}
    )
    assert (first.status_code, again.status_code) == (200, 200)
    now = await relance.customers.update("ref:anna", CustomerUpdate(segment="small"))
    assert (now.id, now.name, now.metadata, now.segment) == (
        first.json()["id"],
        "Anna B",
        {"crm": "7"},
        "small",
    )
    assert (await relance.customers.get(now.id)) == now

    moved = await admin.put("/v1/customers/ref:anna", json={**ANNA, "timezone": "Asia/Tokyo"})
    assert (moved.status_code, moved.json()["code"], moved.json()["field"]) == (
        409,
        "already_exists",
        "timezone",
    )
    dearer = {"name": "Pro", "currency": "EUR", "every": "1month", "amount": "59.00"}
    plan = await admin.put("/v1/plans/ref:pro", json=dearer)
    assert (plan.status_code, plan.json()["code"]) == (409, "already_exists")
    order = SubscriptionContent(customer="ref:anna", plan="ref:trial")
    started = await relance.subscriptions.put("ref:s", order)
    assert (await relance.subscriptions.put("ref:s", order)).id == started.id
    with pytest.raises(ApiProblem, match="was started with another plan") as refusal:
        await relance.subscriptions.put("ref:s", SubscriptionContent(customer="ref:anna", plan="ref:year"))
    assert (refusal.value.status, refusal.value.code) == (409, "already_exists")
    await world.settle()


async def test_a_reference_may_look_like_an_id(admin: httpx.AsyncClient) -> None:
    one = (await admin.post("/v1/customers", json=ANNA)).json()["id"]
    other = (await admin.put(f"/v1/customers/ref:{one}", json={**ANNA, "name": "Other"})).json()["id"]
    assert one != other
    assert (await admin.get(f"/v1/customers/{one}")).json()["id"] == one
    assert (await admin.get(f"/v1/customers/ref:{one}")).json()["id"] == other


async def test_lists_are_paged_without_gap_or_repeat(relance: RelanceHttp, admin: httpx.AsyncClient) -> None:
    made = [(await admin.put(f"/v1/customers/ref:{number}", json=ANNA)).json()["id"] for number in range(5)]
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    for more in (True, True, False):
        page = (await admin.get("/v1/customers", params=query)).json()
        assert (page["object"], page["has_more"]) == ("list", more)
        seen += [customer["id"] for customer in page["data"]]
        query["starting_after"] = seen[-1]
    assert sorted(seen) == sorted(made)
    assert [customer.id async for customer in relance.customers.all()] == seen


async def test_a_change_a_refund_and_a_payment_by_the_typed_client(
    world: ClockedLife, relance: RelanceHttp
) -> None:
    await customer_with_card(world, relance, "anna", ("ok", "insufficient_funds", "ok"))
    order = SubscriptionContent(customer="ref:anna", plan="ref:pro", wait_for_payment=True)
    await relance.subscriptions.put("ref:anna", order)
    change = Change(plan="ref:max")
    seen = await relance.subscriptions.preview_change("ref:anna", change)
    assert (str(seen.on), seen.due_minor, seen.documents) == ("2041-01-31", 0, ())
    changed = await relance.subscriptions.change("ref:anna", change)
    assert changed.pending_plan is not None
    (paid,) = (await relance.invoices.list(customer="ref:anna")).data
    assert (await relance.invoices.pdf(paid.id)).startswith(b"%PDF-")
    back = await relance.invoices.refund(paid.id, Credit(amount_minor=588, reason="goodwill"))
    assert (back.refund_minor, back.status) == (588, "paid")

    await world.until("2041-02-28")
    (owed,) = (await relance.invoices.list(subscription="ref:anna", status="open")).data
    assert (owed.total_minor, owed.payment_state) == (11880, "declined")
    asked = await relance.invoices.pay(owed.id)
    assert asked.invoice == owed.id
    await world.settle()
    invoice = await relance.invoices.get(owed.number or "")
    assert (invoice.status, [attempt.state for attempt in invoice.attempts or ()]) == (
        "paid",
        ["declined", "succeeded"],
    )
    with pytest.raises(ApiProblem, match="Nothing is owed") as refusal:
        await relance.invoices.pay(owed.id)
    assert (refusal.value.status, refusal.value.code) == (409, "not_open")
    with pytest.raises(ApiProblem, match="Nothing is owed"):
        await relance.invoices.dunning.retry(owed.id)
    ended = await relance.subscriptions.cancel("ref:anna", Cancel(when=When.NOW, credit_to=CreditTo.NONE))
    assert (ended.status, ended.entitled) == ("canceled", False)
    with pytest.raises(ApiProblem) as over:
        await relance.subscriptions.cancel("ref:anna")
    assert (over.value.status, over.value.code) == (409, "already_ended")


async def test_a_cancel_for_a_date_by_the_typed_client(world: ClockedLife, relance: RelanceHttp) -> None:
    await customer_with_card(world, relance, "anna", ())
    order = SubscriptionContent(customer="ref:anna", plan="ref:pro", wait_for_payment=True)
    await relance.subscriptions.put("ref:anna", order)
    with pytest.raises(ApiProblem, match="2041-01-30 has passed: today is 2041-01-31") as past:
        await relance.subscriptions.cancel("ref:anna", Cancel(on=date(2041, 1, 30)))
    assert (past.value.status, past.value.code, past.value.field) == (409, "invalid_input", "on")
    with pytest.raises(ApiProblem, match="A cancel now has no date") as now:
        await relance.subscriptions.cancel("ref:anna", Cancel(when=When.NOW, on=date(2041, 5, 10)))
    assert (now.value.status, now.value.field) == (409, "on")
    asked = await relance.subscriptions.cancel("ref:anna", Cancel(on=date(2041, 4, 10)))
    assert (asked.cancel_at_period_end, asked.cancel_on, asked.ends_on) == (
        False,
        date(2041, 4, 10),
        date(2041, 4, 30),
    )
    await world.settle()
    told = (await relance.events.list(subscription="ref:anna", type="subscription.cancel_scheduled")).data
    assert [event.data for event in told] == [{"ends_on": "2041-04-30"}]
    with pytest.raises(ApiProblem, match="it ends on 2041-04-30") as later:
        await relance.subscriptions.cancel("ref:anna", Cancel(on=date(2041, 5, 10)))
    assert (later.value.status, later.value.code) == (409, "refused")
    seats = await relance.subscriptions.preview_change("ref:anna", Change(plan="ref:max"))
    assert seats.ends_on == date(2041, 4, 30)
    kept = await relance.subscriptions.reactivate("ref:anna")
    assert (kept.cancel_on, kept.ends_on) == (None, None)
    await world.settle()
    at_end = await relance.subscriptions.cancel("ref:anna", Cancel(on=date(2041, 2, 10)))
    assert (at_end.cancel_at_period_end, at_end.cancel_on, at_end.ends_on) == (True, None, date(2041, 2, 28))


async def test_the_typed_client_repeats_what_may_pass() -> None:
    keys: list[str] = []

    async def sometimes(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx.ConnectError("refused")
        if len(keys) == 2:
            return httpx.Response(503, json={"code": "no_worker", "detail": "Nobody answered."})
        return httpx.Response(409, json={"code": "refused", "detail": "No.", "remedy": "Look first."})

    transport = httpx.MockTransport(sometimes)
    async with RelanceHttp("rlk_test_1", base_url=BASE, transport=transport) as relance:
        with pytest.raises(ApiProblem, match="No") as refusal:
            await relance.subscriptions.cancel("ref:a/b")
    assert (refusal.value.code, refusal.value.remedy) == ("refused", "Look first.")
    assert len(keys) == 3
    assert len(set(keys)) == 1
