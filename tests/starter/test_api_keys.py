"""Keys to the API: shown once, kept as hashes, for one mode, with scopes, and every call of theirs on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlmodel import select
from support.api import Api, opened
from support.mailroom import KEY
from support.terminal import Terminal

from billing.errors import InvalidInput
from models.database import Database
from models.tables import ApiKey
from settings import Settings
from starter.api_keys import Caller, KeyOfOtherMode, KeyUnknown, Scope


def settings_for(database: Database, **others: object) -> Settings:
    given = {
        "database_url": str(database.engine.url),
        "secret_key": KEY,
        "stripe_webhook_secret": "whsec_1",
        "stripe_api_key": SecretStr("sk_test_1"),
    }
    return Settings.model_validate(given | others)


@pytest.fixture
async def api(sqlite_database: Database) -> AsyncIterator[Api]:
    async with opened(settings_for(sqlite_database), None) as api:
        yield api


async def rows(database: Database) -> list[ApiKey]:
    async with database.read() as session:
        return list((await session.exec(select(ApiKey))).all())


async def test_a_key_opens_the_door_and_its_secret_is_nowhere(api: Api, sqlite_database: Database) -> None:
    made = await api.door.relance.api_keys.create("shop", [Scope.READ])
    assert made.key.startswith("rlk_test_")
    (row,) = await rows(sqlite_database)
    secret = made.key.rpartition("_")[2]
    assert secret not in str(row.model_dump())
    async with api.with_key(made.key) as http:
        assert (await http.get("/v1/customers")).json() == {"object": "list", "data": [], "has_more": False}
    (row,) = await rows(sqlite_database)
    assert row.last_used_at is not None
    assert datetime.now(UTC) - row.last_used_at < timedelta(minutes=5)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer rlk_test_" + "0" * 24 + "_" + "a" * 43},
        {"Authorization": "Bearer sk_test_123"},
        {"Authorization": "Basic cmxrOg=="},
        {"Authorization": "Bearer é".encode()},
        {"Authorization": "Bearer " + "x" * 10_000},
    ],
)
async def test_without_a_key_that_is_known_the_door_stays_shut(
    api: Api, header: dict[str, str | bytes]
) -> None:
    async with api.with_key("none") as http:
        http.headers.pop("Authorization")
        answer = await http.post("/v1/customers", content=b"{}", headers=header)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_right_id_with_another_secret_opens_nothing(api: Api) -> None:
    one, other = await api.key(Scope.ADMIN), await api.key(Scope.ADMIN)
    swapped = one[: -len("x" * 43)] + other[-43:]
    async with api.with_key(swapped) as http:
        assert (await http.get("/v1/customers")).status_code == 401


async def test_a_revoked_key_opens_nothing_from_the_next_call_on(api: Api) -> None:
    keys = api.door.relance.api_keys
    made = await keys.create("shop", [Scope.READ])
    async with api.with_key(made.key) as http:
        assert (await http.get("/v1/plans")).status_code == 200
        await keys.revoke(made.id)
        assert (await http.get("/v1/plans")).status_code == 401
    assert await keys.list() == []
    assert [row.id for row in await keys.list(revoked=True)] == [made.id]
    with pytest.raises(InvalidInput, match="was revoked"):
        await keys.rotate(made.id)


async def test_a_rotated_key_has_two_secrets_for_a_while(api: Api, sqlite_database: Database) -> None:
    keys = api.door.relance.api_keys
    old = await keys.create("shop", [Scope.READ])
    new = await keys.rotate(old.id)
    assert (new.id, new.key != old.key) == (old.id, True)
    for made in (old, new):
        assert await keys.identify(made.key) == Caller(
            key_id=old.id, name="shop", scopes=frozenset({Scope.READ})
        )
    async with sqlite_database.write() as session:
        row = await session.get_one(ApiKey, old.id)
        row.previous_until = datetime.now(UTC) - timedelta(seconds=1)
    assert (await keys.identify(new.key)).key_id == old.id
    with pytest.raises(KeyUnknown):
        await keys.identify(old.key)


async def test_test_and_live_never_mix(api: Api, sqlite_database: Database) -> None:
    test_key = await api.key(Scope.ADMIN)
    live = settings_for(sqlite_database, stripe_api_key=SecretStr("sk_live_1"))
    async with opened(live, None) as live_api:
        live_key = await live_api.key(Scope.ADMIN)
        assert live_key.startswith("rlk_live_")
        with pytest.raises(KeyOfOtherMode, match="the API here is live"):
            await live_api.door.relance.api_keys.identify(test_key)
        with pytest.raises(KeyUnknown):  # the same key, relabelled
            await live_api.door.relance.api_keys.identify(test_key.replace("_test_", "_live_"))
    with pytest.raises(KeyOfOtherMode, match="This is a live key"):
        await api.door.relance.api_keys.identify(live_key)


async def test_without_its_database_the_door_says_that_the_call_may_be_repeated(api: Api) -> None:
    key = await api.key(Scope.ADMIN)
    nowhere = Settings(
        database_url="sqlite:////nowhere/relance.db", secret_key=KEY, stripe_webhook_secret=("whsec_1",)
    )
    async with opened(nowhere, None) as shut, shut.with_key(key) as http:
        for answer in (await http.get("/v1/plans"), await http.post("/v1/customers", json={})):
            assert (answer.status_code, answer.json()["code"]) == (503, "database_unreachable")
            assert answer.json()["remedy"].startswith("Repeat the call with the same Idempotency-Key")
            assert "nowhere" not in answer.text


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        (Scope.READ, "POST", "/v1/customers", {"name": "A", "contacts": [{"email": "a@example.com"}]}),
        (Scope.READ, "POST", "/v1/subscriptions/sub_1/cancel", {}),
        (
            Scope.WRITE,
            "POST",
            "/v1/plans",
            {"name": "A", "currency": "EUR", "every": "1month", "amount": "1"},
        ),
        (Scope.WRITE, "POST", "/v1/invoices/in_1/refund", {"reason": "why"}),
        (Scope.WRITE, "POST", "/v1/payments/settle", {"invoice": "in_1", "reason": "why"}),
        (Scope.SUPPORT, "POST", "/v1/subscriptions/sub_1/change", {"quantity": 2}),
        (Scope.SUPPORT, "POST", "/v1/invoices/in_1/write-off", {"reason": "why"}),
        (Scope.SUPPORT, "POST", "/v1/invoices/in_1/rectify", {}),
    ],
)
async def test_a_scope_that_is_missing_is_said_and_recorded(
    api: Api, scope: Scope, method: str, path: str, body: dict[str, object]
) -> None:
    async with api.with_key(await api.key(scope, name="limited")) as http:
        answer = await http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert answer.json()["detail"].startswith("The key limited may not do this: it needs the scope ")
    calls = await api.door.relance.api_keys.calls()
    assert [(call.by, call.path, call.status, call.code) for call in calls if call.method] == [
        ("limited", path, 403, "not_allowed")
    ]


WRONG = [
    (["create", "desk", "--scope", "everything"], "scope"),
    (["create", "", "--scope", "read"], "name"),
    (["create", "two\nlines", "--scope", "read"], "name"),
    (["create", "desk", "--scope", "read", "--limit", "EUR=1"], "limit"),
    (["create", "desk", "--scope", "support", "--limit", "100"], "limit"),
    (["revoke", "key_nobody"], "key"),
    (["rotate", "key_nobody"], "key"),
]


def test_keys_are_managed_from_the_command_line(relance: Terminal) -> None:
    for words, field in WRONG:
        status, answer = relance.json("api-key", *words)
        assert status == 1
        assert isinstance(answer, dict)
        assert answer["error"]["field"] == field
    assert relance.json("api-key", "list", "--revoked") == (0, [])

    status, made = relance.json(
        "api-key", "create", "desk", "--scope", "read", "--scope", "support", "--limit", "EUR=100.00"
    )
    assert status == 0
    assert isinstance(made, dict)
    _, listed = relance.json("api-key", "list")
    assert isinstance(listed, list)
    (row,) = listed
    assert (row["name"], row["mode"], row["scopes"], row["limits"]) == (
        "desk",
        "test",
        "read, support",
        "EUR 10000",
    )
    assert made["key"] not in str(listed)
    _, rotated = relance.json("api-key", "rotate", made["id"], "--overlap-hours", "0")
    assert isinstance(rotated, dict)
    assert rotated["key"] != made["key"]
    assert relance("api-key", "revoke", made["id"], "--by", "grace")[1] == "The key desk is revoked.\n"
    assert relance.json("api-key", "list") == (0, [])
    _, log = relance.json("api-key", "log")
    assert isinstance(log, list)
    assert [(line["action"], line["by"]) for line in log] == [
        ("revoke_api_key", "grace"),
        ("rotate_api_key", "cli"),
        ("create_api_key", "cli"),
    ]
