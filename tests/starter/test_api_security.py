"""What somebody may try at the API's door, and how it is refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlmodel import select
from support.api import Api
from support.life import ClockedLife

from models.tables import ApiCall, Customer
from starter.api_keys import Scope

ACME: dict[str, Any] = {"name": "Acme", "contacts": [{"email": "billing@acme.example"}]}


async def customers(world: ClockedLife) -> list[Customer]:
    async with world.database.read() as session:
        return list((await session.exec(select(Customer))).all())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "invalid_input"),
        (b"\xff\xfe", "invalid_input"),
        (b"[]", "invalid_input"),
        (b"null", "invalid_input"),
        (b'"text"', "invalid_input"),
        (b"[" * 200_000, "invalid_input"),
        (b'{"name": NaN}', "invalid_input"),
        (b'{"name": ' + b"9" * 5_000 + b"}", "invalid_input"),
        (json.dumps({**ACME, "admin": True}).encode(), "invalid_input"),
        (json.dumps({**ACME, "name": "A\r\nBcc: everybody@example.com"}).encode(), "invalid_input"),
        (json.dumps({**ACME, "name": "A\nB"}).encode(), "invalid_input"),
        (json.dumps({**ACME, "name": "nul \x00"}).encode(), "invalid_input"),
        (json.dumps({**ACME, "name": "half \ud800"}).encode(), "invalid_input"),
        (json.dumps({**ACME, "contacts": [{"email": "a@b.c\r\nBcc: d@e.f"}]}).encode(), "invalid_input"),
        (json.dumps({**ACME, "metadata": {"a\nb": "c"}}).encode(), "invalid_input"),
        (json.dumps({**ACME, "metadata": {str(n): "" for n in range(51)}}).encode(), "invalid_input"),
        (json.dumps({**ACME, "metadata": {"nested": {}}}).encode(), "invalid_input"),
        (b"x" * 1_000_001, "request_too_large"),
    ],
    ids=range(18),
)
async def test_malformed_and_oversize_bodies_change_nothing(
    world: ClockedLife, admin: httpx.AsyncClient, content: bytes, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await admin.post("/v1/customers", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413 if "large" in code else 422, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await customers(world) == []


SQL = "ref:' OR 1=1; DROP TABLE customer; --"


async def test_sql_in_filters_and_paths_is_a_name_that_nobody_has(
    world: ClockedLife, admin: httpx.AsyncClient
) -> None:
    await admin.put("/v1/customers/ref:acme", json=ACME)
    for path, query in (
        (f"/v1/customers/{SQL}", {}),
        ("/v1/subscriptions", {"customer": SQL}),
        ("/v1/subscriptions", {"plan": SQL}),
        ("/v1/invoices", {"customer": SQL}),
        ("/v1/payment_methods", {"customer": SQL}),
        ("/v1/usage", {"subscription": SQL}),
    ):
        answer = await admin.get(path, params=query)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    for query in ({"starting_after": SQL}, {"limit": "1; DROP TABLE customer"}, {"limit": "101"}):
        answer = await admin.get("/v1/customers", params=query)
        assert answer.status_code == 422
    assert (await admin.get("/v1/customers", params={"test_clock": SQL})).json()["data"] == []
    assert (await admin.get("/v1/invoices", params={"status": SQL})).status_code == 422
    for path in ("/v1/customers/ref:a%00b", "/v1/customers?test_clock=%00"):
        assert (await admin.get(path)).status_code == 422
    assert [row.reference for row in await customers(world)] == ["acme"]


async def test_one_customers_method_is_not_anothers(world: ClockedLife, admin: httpx.AsyncClient) -> None:
    token = await world.new_card("acme", ("ok",))
    for name in ("acme", "mallory"):
        await admin.put(f"/v1/customers/ref:{name}", json=ACME)
    mine = {"customer": "ref:acme", "token": token}
    assert (await admin.post("/v1/payment_methods", json=mine)).status_code == 201
    stolen = await admin.post("/v1/payment_methods", json={**mine, "customer": "ref:mallory"})
    assert stolen.status_code == 422
    assert stolen.json()["code"] == "provider_refused"
    owners = {
        name: [
            method["last4"]
            for method in (await admin.get("/v1/payment_methods", params={"customer": f"ref:{name}"})).json()[
                "data"
            ]
        ]
        for name in ("acme", "mallory")
    }
    assert owners == {"acme": ["4242"], "mallory": []}
    (method,) = (await admin.get("/v1/payment_methods", params={"customer": "ref:acme"})).json()["data"]
    for verb in ("make-default", "make-backup", "drop-backup", "detach"):
        theirs = {"customer": "ref:mallory"} | ({"agreed": True} if verb == "make-backup" else {})
        for key in (method["id"], method["provider_id"]):
            refused = await admin.post(f"/v1/payment_methods/{key}/{verb}", json=theirs)
            assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), verb
    assert (await admin.get("/v1/payment_methods", params={"customer": "ref:acme"})).json()["data"] == [
        method
    ]


async def test_invoices_of_two_customers_are_not_paid_by_one_transfer(
    world: ClockedLife, admin: httpx.AsyncClient
) -> None:
    invoices = []
    for name in ("acme", "bolt"):
        await admin.put(f"/v1/customers/ref:{name}", json={**ACME, "test_clock": world.clock})
        token = await world.new_card(name, {"outcomes": ["ok"], "then": "insufficient_funds"})
        await admin.post("/v1/payment_methods", json={"customer": f"ref:{name}", "token": token})
        asked = {"customer": f"ref:{name}", "plan": "ref:fortnight", "wait_for_payment": True}
        await admin.put(f"/v1/subscriptions/ref:{name}", json=asked)
    await world.until("2041-02-14")
    for name in ("acme", "bolt"):
        found = await admin.get("/v1/invoices", params={"customer": f"ref:{name}", "status": "open"})
        invoices += [invoice["id"] for invoice in found.json()["data"]]
    assert len(invoices) == 2
    paid = {"invoices": invoices, "amount_minor": 4800, "received_on": "2041-02-14"}
    answer = await admin.post("/v1/payments", json=paid)
    assert answer.status_code == 422
    for invoice in invoices:
        assert (await admin.get(f"/v1/invoices/{invoice}")).json()["paid_minor"] == 0


async def test_support_gives_back_up_to_its_limit(
    api: Api, world: ClockedLife, admin: httpx.AsyncClient
) -> None:
    await admin.put("/v1/customers/ref:acme", json={**ACME, "test_clock": world.clock})
    token = await world.new_card("acme", ("ok",))
    await admin.post("/v1/payment_methods", json={"customer": "ref:acme", "token": token})
    asked = {"customer": "ref:acme", "plan": "ref:pro", "wait_for_payment": True}
    await admin.put("/v1/subscriptions/ref:acme", json=asked)
    (invoice,) = (await admin.get("/v1/invoices")).json()["data"]
    refund = f"/v1/invoices/{invoice['id']}/refund"
    credit = f"/v1/invoices/{invoice['id']}/credit"
    async with api.with_key(await api.key(Scope.SUPPORT, limits={"EUR": 3000})) as desk:

        async def asks(path: str, minor: int | None, key: str) -> int:
            body = {"reason": "goodwill"} | ({} if minor is None else {"amount_minor": minor})
            answer = await desk.post(path, json=body, headers={"Idempotency-Key": key})
            return answer.status_code

        assert await asks(refund, 2000, "first") == 201
        assert await asks(refund, 2000, "first") == 201  # the same call, given once
        assert await asks(credit, 1001, "too-much") == 403
        assert await asks(refund, None, "all") == 403
        over = await desk.post("/v1/subscriptions/ref:acme/cancel", json={"when": "now"})
        assert (over.status_code, over.json()["code"]) == (403, "limit_exceeded")
        assert over.json()["detail"].startswith("This gives back 3880 minor units of EUR, and 1000 of 3000")
        assert await asks(credit, 1000, "rest") == 201
        at_the_end = await desk.post("/v1/subscriptions/ref:acme/cancel", json={})
        assert at_the_end.status_code == 200
    async with api.with_key(await api.key(Scope.SUPPORT)) as without:
        nothing = await without.post(refund, json={"reason": "x", "amount_minor": 1})
        assert (nothing.status_code, nothing.json()["code"]) == (403, "limit_exceeded")
    after = (await admin.get(f"/v1/invoices/{invoice['id']}")).json()
    refunds = (await admin.get("/v1/refunds")).json()["data"]
    balance = (await admin.get("/v1/customers/ref:acme/balances")).json()["balances"]
    assert [refund["amount_minor"] for refund in refunds] == [2000]
    assert [held["balance_minor"] for held in balance] == [1000]
    assert after["status"] == "paid"
    async with world.database.read() as session:
        calls = (await session.exec(select(ApiCall).where(ApiCall.currency == "EUR"))).all()
    assert sorted(call.amount_minor or 0 for call in calls) == [1000, 2000]
