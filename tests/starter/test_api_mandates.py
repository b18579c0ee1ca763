"""SEPA mandates through the API: given with the account, read with their proof, taken back; what is wrong is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from support.api import BASE, Api
from support.life import ClockedLife

from models.parties import Contact
from starter.api_keys import Scope
from starter.remote import RelanceHttp
from starter.resources.customers import CustomerContent, NewMandate
from starter.resources.subscriptions import SubscriptionContent

ACCEPTED = "2041-01-31T09:00:00+01:00"
ONLINE = {"accepted_at": ACCEPTED, "ip_address": "203.0.113.7", "user_agent": "Firefox"}


@pytest.fixture
async def relance(api: Api, world: ClockedLife) -> AsyncIterator[RelanceHttp]:
    """The client for HTTP, with a customer `anna` who lives on the world's clock."""
    key = await api.key(Scope.ADMIN)
    async with RelanceHttp(key, base_url=BASE, transport=httpx.ASGITransport(api.app)) as client:
        anna = CustomerContent(
            name="Anna", contacts=(Contact(email="anna@example.com"),), test_clock=world.clock
        )
        await client.customers.put("ref:anna", anna)
        yield client


async def test_a_mandate_is_given_with_the_account_read_and_taken_back(
    world: ClockedLife, relance: RelanceHttp
) -> None:
    given = NewMandate(
        accepted_at=datetime(2041, 1, 31, 8, tzinfo=UTC),
        ip_address="203.0.113.7",
        user_agent="Firefox",
        notice_days=5,
        text="J’autorise Exemple SAS à débiter mon compte.",
        text_version="2041-01",
    )
    account = await world.new_account("anna", ["ok", "ok"])
    saved = await relance.payment_methods.save("ref:anna", account, mandate=given)
    assert (saved.kind, saved.last4, saved.is_default, saved.announced) == ("sepa_debit", "3201", True, True)
    order = SubscriptionContent(customer="ref:anna", plan="ref:pro", wait_for_payment=True)
    started = await relance.subscriptions.put("ref:anna", order)
    assert started.first_payment is not None
    assert started.first_payment.outcome == "processing"
    await world.settle()

    (mandate,) = (await relance.mandates.list("ref:anna")).data
    assert (mandate.customer, mandate.payment_method) == (saved.customer, saved.id)
    assert (mandate.account, mandate.creditor_id, mandate.notice_days) == ("SEPA 3201", "FR72ZZZ123456", 5)
    assert (mandate.accepted_at, mandate.ip_address) == (given.accepted_at, "203.0.113.7")
    assert (mandate.text, mandate.text_version) == (given.text, "2041-01")
    # In use since the first payment was ordered today.
    assert (mandate.last_debit_on, mandate.expires_on) == (date(2041, 1, 31), date(2044, 1, 31))
    assert mandate.in_force
    assert await relance.mandates.get(mandate.id) == mandate

    ended = await relance.mandates.revoke(mandate.id, "by letter of 3 May")
    assert (ended.in_force, ended.ended_because) == (False, "revoked: by letter of 3 May")
    # A second end changes nothing.
    assert await relance.mandates.revoke(mandate.id, "again") == ended
    await world.until("2041-03-01")
    invoices = await relance.invoices.list(subscription="ref:anna")
    assert [(str(one.issued_on), one.status) for one in invoices.data] == [
        ("2041-02-28", "open"),
        ("2041-01-31", "paid"),
    ]
    # Without a mandate there is nothing to debit: a mail asks for another method.
    assert (await relance.subscriptions.get("ref:anna")).status == "past_due"


@pytest.mark.parametrize(
    ("mandate", "field", "says"),
    [
        pytest.param(None, "mandate", "Nobody has agreed to debits of this account yet.", id="none"),
        pytest.param({}, "mandate", "Nobody has agreed to debits of this account yet.", id="empty"),
        pytest.param(
            {**ONLINE, "user_agent": ""}, "user_agent", "A consent online is proven by", id="half a proof"
        ),
        pytest.param({**ONLINE, "ip_address": "300.0.113.7"}, "ip_address", "is no IP address", id="address"),
        pytest.param({**ONLINE, "notice_days": 15}, "mandate.notice_days", "14", id="notice"),
        pytest.param({**ONLINE, "accepted_at": "2041-01-31"}, "accepted_at", "timezone", id="instant"),
        pytest.param({"ip_address": "203.0.113.7"}, "accepted_at", "Say when", id="no instant"),
    ],
)
async def test_what_is_wrong_with_a_mandate_is_named_and_saves_nothing(
    world: ClockedLife,
    relance: RelanceHttp,
    admin: httpx.AsyncClient,
    mandate: dict[str, Any] | None,
    field: str,
    says: str,
) -> None:
    body = {"customer": "ref:anna", "token": await world.new_account("anna", ["ok"])}
    answer = await admin.post("/v1/payment_methods", json={**body, "mandate": mandate})
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (422, field)
    assert says in problem["detail"]
    assert (await relance.payment_methods.list("ref:anna")).data == ()
    assert (await relance.mandates.list("ref:anna")).data == ()


async def test_support_takes_mandates_back_and_a_reader_does_not(
    api: Api, world: ClockedLife, relance: RelanceHttp, admin: httpx.AsyncClient
) -> None:
    card = await world.new_card("anna", ["ok"])
    refused = await admin.post(
        "/v1/payment_methods", json={"customer": "ref:anna", "token": card, "mandate": ONLINE}
    )
    assert (refused.status_code, refused.json()["field"]) == (422, "mandate")
    account = {"customer": "ref:anna", "token": await world.new_account("anna", ["ok"]), "mandate": ONLINE}
    assert (await admin.post("/v1/payment_methods", json=account)).status_code == 201
    (mandate,) = (await relance.mandates.list("ref:anna")).data
    answers = {}
    for scope in (Scope.READ, Scope.SUPPORT):
        headers = {"Authorization": f"Bearer {await api.key(scope)}"}
        path, body = f"/v1/mandates/{mandate.id}/revoke", {"reason": "by phone"}
        answers[scope] = (await admin.post(path, json=body, headers=headers)).status_code
    assert answers == {Scope.READ: 403, Scope.SUPPORT: 200}
    unknown = await admin.get("/v1/mandates/mdt_nowhere")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
