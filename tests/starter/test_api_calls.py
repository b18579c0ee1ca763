"""Asking again is asking once: the same key gets the same answer, whatever happened to the first call."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select
from support.api import Api, api_settings, opened
from support.life import ClockedLife
from support.mortal import DEATH_SECONDS, environment_of, stop, was_killed
from support.servers import free_port

from models.tables import ApiCall, CommandRow, Customer, SubscriptionRow
from settings import Settings
from starter.api_calls import Asked, Begun
from starter.api_keys import Scope

Acme = dict[str, Any]


@pytest.fixture
def acme(world: ClockedLife) -> Acme:
    return {
        "name": "Acme",
        "contacts": [{"email": "billing@acme.example"}],
        "test_clock": world.clock,
    }


async def calls(world: ClockedLife) -> list[ApiCall]:
    async with world.database.read() as session:
        found = await session.exec(select(ApiCall).where(ApiCall.method != "").order_by(ApiCall.at))  # type: ignore[arg-type]
        return list(found.all())


async def count(world: ClockedLife, table: type[Any]) -> int:
    async with world.database.read() as session:
        return len((await session.exec(select(table))).all())


async def test_fifty_equal_creations_at_once_are_one_subscription_and_fifty_equal_answers(
    world: ClockedLife, admin: httpx.AsyncClient, acme: Acme
) -> None:
    await admin.put("/v1/customers/ref:acme", json=acme)
    asked = {"customer": "ref:acme", "plan": "ref:pro"}
    answers = await asyncio.gather(
        *(
            admin.post("/v1/subscriptions", json=asked, headers={"Idempotency-Key": "start-acme"})
            for _ in range(50)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 49
    assert await count(world, SubscriptionRow) == 1
    assert [call.action for call in await calls(world)] == ["put_customer", "create_subscription"]


async def test_a_key_belongs_to_one_request(admin: httpx.AsyncClient, acme: Acme) -> None:
    key = {"Idempotency-Key": "once"}
    first = await admin.post("/v1/customers", json=acme, headers=key)
    again = await admin.post("/v1/customers", json=dict(reversed(acme.items())), headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    for answer in (
        await admin.post("/v1/customers", json={**acme, "name": "Other"}, headers=key),
        await admin.post("/v1/setup_intents", json=acme, headers=key),
        await admin.post("/v1/customers?limit=1", json=acme, headers=key),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
        assert answer.json()["field"] == "Idempotency-Key"
    listed = await admin.get("/v1/customers")
    assert [customer["name"] for customer in listed.json()["data"]] == ["Acme"]


async def test_keys_of_different_callers_have_nothing_to_do_with_each_other(
    api: Api, world: ClockedLife, acme: Acme
) -> None:
    ids = set()
    for name in ("one", "two"):
        async with api.with_key(await api.key(Scope.WRITE, name=name)) as http:
            made = await http.post("/v1/customers", json=acme, headers={"Idempotency-Key": "same"})
            ids.add(made.json()["id"])
    assert len(ids) == 2
    assert [(call.by, call.idempotency_key) for call in await calls(world)] == [
        ("one", "same"),
        ("two", "same"),
    ]


async def test_what_was_refused_before_it_began_leaves_the_key_free(
    api: Api, admin: httpx.AsyncClient, acme: Acme
) -> None:
    key = {"Idempotency-Key": "typo"}
    wrong = await admin.post("/v1/customers", json={**acme, "name": ""}, headers=key)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_input")
    assert (await admin.post("/v1/customers", json=acme, headers=key)).status_code == 201
    async with api.with_key(await api.key(Scope.READ)) as reader:
        answer = await reader.post("/v1/customers", json=acme, headers=key)
        assert answer.status_code == 403


async def test_a_refusal_is_an_answer_and_is_kept(
    admin: httpx.AsyncClient, acme: Acme, world: ClockedLife
) -> None:
    key = {"Idempotency-Key": "start"}
    asked = {"customer": "ref:acme", "plan": "ref:pro"}
    first = await admin.post("/v1/subscriptions", json=asked, headers=key)
    assert (first.status_code, first.json()["field"]) == (404, "customer")
    await admin.put("/v1/customers/ref:acme", json=acme)
    again = await admin.post("/v1/subscriptions", json=asked, headers=key)
    assert (again.status_code, again.json()) == (404, first.json())
    assert again.headers["content-type"] == "application/problem+json"
    assert await count(world, SubscriptionRow) == 0


async def test_a_key_out_of_shape_is_refused(admin: httpx.AsyncClient, acme: Acme) -> None:
    for key in ("", "two words", "x" * 256, "tab\t"):
        answer = await admin.post("/v1/customers", json=acme, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key"), key
    assert (await admin.get("/v1/customers")).json()["data"] == []


async def test_a_process_killed_between_commit_and_answer_is_no_loss(
    world: ClockedLife, acme: Acme, tmp_path: Path
) -> None:
    settings, url = (
        api_settings(world.settings, str(world.database.engine.url)),
        str(world.database.engine.url),
    )
    key = {"Idempotency-Key": "cancel-acme"}
    cancel = "/v1/subscriptions/ref:acme/cancel"
    async with opened(settings, world.client) as lasting:
        token = await lasting.key(Scope.ADMIN)
        async with doomed_api(settings, url, tmp_path, action="cancel_subscription") as (process, address):
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as http:
                await http.put("/v1/customers/ref:acme", json=acme)
                started = {"customer": "ref:acme", "plan": "ref:trial"}
                await http.put("/v1/subscriptions/ref:acme", json=started)
                with pytest.raises(httpx.TransportError):
                    await http.post(cancel, json={}, headers=key)
            await was_killed(process)
        (told,) = [row for row in await _commands(world) if row.kind == "cancel"]
        async with world.database.read() as session:
            call = await session.get_one(ApiCall, told.id)
        assert (call.status, call.answer, call.idempotency_key) == (None, None, "cancel-acme")

        async with lasting.with_key(token) as http:  # waits until nobody works on it any more
            answer = await http.post(cancel, json={}, headers=key)
            assert answer.status_code == 200
            assert (answer.json()["command"], answer.json()["cancel_at_period_end"]) == (told.id, True)
            again = await http.post(cancel, json={}, headers=key)
            assert (again.content, again.headers["idempotent-replayed"]) == (answer.content, "true")
    assert [row.id for row in await _commands(world) if row.kind == "cancel"] == [told.id]


@asynccontextmanager
async def doomed_api(
    settings: Settings, url: str, folder: Path, *, action: str
) -> AsyncIterator[tuple[Process, str]]:
    """The HTTP process on a port of its own, and its address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.doomed_api", str(port), action),
        env=environment_of(settings, url),
        cwd=folder,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(DEATH_SECONDS), httpx.AsyncClient(base_url=address) as http:
            while True:
                if await _is_alive(http):
                    break
                await asyncio.sleep(0.1)
        yield process, address
    finally:
        await stop(process)


async def _is_alive(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def _commands(world: ClockedLife) -> list[CommandRow]:
    async with world.database.read() as session:
        return list((await session.exec(select(CommandRow))).all())


async def test_without_a_worker_the_call_is_safe_to_repeat(
    world: ClockedLife, admin: httpx.AsyncClient, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.put("/v1/customers/ref:acme", json=acme)
    await admin.put("/v1/subscriptions/ref:acme", json={"customer": "ref:acme", "plan": "ref:trial"})
    await world.settle()
    key = {"Idempotency-Key": "cancel-acme"}
    async with world.without_workers():
        with monkeypatch.context() as patch:
            patch.setattr("starter.sending.send_command.__kwdefaults__", {"patience": 1.0})
            answer = await admin.post("/v1/subscriptions/ref:acme/cancel", json={}, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (503, "no_worker")
        assert answer.json()["remedy"] == (
            "Repeat the call with the same Idempotency-Key: it is carried out once."
        )
        assert answer.headers["retry-after"] == "5"
        stands = (await admin.get("/v1/subscriptions/ref:acme")).json()
        assert (stands["source"], stands["cancel_at_period_end"]) == ("books", False)
    done = await admin.post("/v1/subscriptions/ref:acme/cancel", json={}, headers=key)
    assert (done.status_code, done.json()["cancel_at_period_end"]) == (200, True)
    assert (await admin.get("/v1/subscriptions/ref:acme")).json()["source"] == "workflow"


async def test_after_a_day_keys_and_answers_are_forgotten_and_the_record_stays(
    api: Api, admin: httpx.AsyncClient, acme: Acme, world: ClockedLife
) -> None:
    key = {"Idempotency-Key": "monday"}
    first = await admin.post("/v1/customers", json=acme, headers=key)
    now = datetime.now(UTC)
    assert await api.door.calls.forget(now + timedelta(hours=23, minutes=59)) == 0
    assert await api.door.calls.forget(now + timedelta(hours=24, minutes=1)) == 1
    (call,) = await calls(world)
    assert (call.by, call.action, call.status) == ("backend", "create_customer", 201)
    assert (call.idempotency_key, call.answer) == (None, None)
    again = await admin.post("/v1/customers", json=acme, headers=key)
    assert again.json()["id"] != first.json()["id"]
    assert await count(world, Customer) == 2


async def test_a_repeated_call_waits_and_is_then_told_that_the_first_still_runs(
    api: Api, admin: httpx.AsyncClient, acme: Acme
) -> None:
    await admin.post("/v1/customers", json=acme)  # a key that calls are kept for
    (key,) = await api.door.relance.api_keys.list()
    asked = Asked(
        key_id=key.id,
        by=key.name,
        action="create_customer",
        method="POST",
        path="/v1/customers",
        idempotency_key="slow",
        fingerprint="f",
    )
    begun = await api.door.calls.begin(asked)
    assert isinstance(begun, Begun)
    with pytest.raises(Exception, match="still being carried out"):
        await api.door.calls.begin(asked, wait_seconds=0.2)
