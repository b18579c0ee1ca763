"""Events and endpoints on the command line: what is printed, what is refused, and that nothing is done twice."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from support import factories
from support.event_crew import RULES, NoMail, happens
from support.terminal import Terminal

from activities.deliveries import Deliveries
from models.database import Database

URL = "http://127.0.0.1:9/events"


@pytest.fixture
def anna(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody to whom three things happened."""
    request.getfixturevalue("relance")  # makes the books
    monkeypatch.setenv("SECRET_KEY", "x" * 40)
    monkeypatch.setenv("RELANCE_PRIVATE_WEBHOOK_ADDRESSES", "true")
    return asyncio.run(_three_things())


async def _three_things() -> str:
    database = Database(os.environ["DATABASE_URL"].replace("sqlite:", "sqlite+aiosqlite:"))
    try:
        async with database.write() as session:
            someone = await factories.someone(session)
        await happens(database, someone.subscription.id, "invoice.issued", "invoice.paid", "access.changed")
        await Deliveries(database, NoMail(), RULES).publish()
        return someone.subscription.id
    finally:
        await database.close()


def answered(relance: Terminal, *words: str) -> Any:  # noqa: ANN401 - JSON
    status, answer = relance.json(*words)
    assert status == 0, answer
    return answer


def test_events_are_listed_from_a_cursor_and_shown(relance: Terminal, anna: str) -> None:
    page = answered(relance, "event", "list", "--after", "1")
    assert [(each["cursor"], each["type"]) for each in page["events"]] == [
        (2, "invoice.paid"),
        (3, "access.changed"),
    ]
    status, out, _ = relance("event", "list", "--limit", "2")
    assert status == 0
    assert "There are more: --after 2" in out
    status, out, _ = relance("event", "show", f"evt_{anna}_3")
    assert (status, "access.changed" in out) == (0, True)
    assert answered(relance, "event", "show", f"evt_{anna}_3")["sequence"] == 3
    assert relance.json("event", "list", "--type", "invoice.payed")[0] == 1
    assert relance.json("event", "show", "nonsense")[0] == 1


def test_an_endpoint_is_made_once_rotated_disabled_and_enabled(relance: Terminal, anna: str) -> None:
    create = ("webhook-endpoint", "create", URL, "--owner", "dev@example.com", "--id", "we_mine")
    made = answered(relance, *create)
    assert made["secret"].startswith("whsec_")
    assert answered(relance, *create) == made
    status, refusal = relance.json(*create, "--type", "invoice.*")
    assert (status, refusal["error"]["field"]) == (1, "id")  # type: ignore[index]

    (listed,) = answered(relance, "webhook-endpoint", "list")
    assert (listed["id"], listed["state"], listed["behind"]) == ("we_mine", "enabled", 0)
    rotated = answered(relance, "webhook-endpoint", "rotate-secret", "we_mine")
    assert rotated["secret"] != made["secret"]
    assert answered(relance, "webhook-endpoint", "secret", "we_mine")["secret"] == rotated["secret"]
    assert relance.json("webhook-endpoint", "rotate-secret", "we_mine")[0] == 1

    update = ("webhook-endpoint", "update", "we_mine")
    changed = answered(relance, *update, "--type", "access.*", "--description", "ours")
    assert (changed["types"], changed["description"], changed["url"]) == (["access.*"], "ours", URL)
    assert answered(relance, *update, "--all-types")["types"] == []
    assert not answered(relance, "webhook-endpoint", "test", "we_mine")["delivered"]
    assert answered(relance, "webhook-endpoint", "disable", "we_mine")["disabled_because"] == "person"
    assert (
        answered(relance, "webhook-endpoint", "replay", "we_mine", "--after", f"evt_{anna}_2")["behind"] == 1
    )
    status, out, _ = relance("webhook-endpoint", "enable", "we_mine")
    assert (status, out) == (0, "we_mine is enabled; events of 1 subscriptions wait to be sent.\n")
    assert answered(relance, "webhook-endpoint", "deliveries", "we_mine") == []
    assert relance.json("webhook-endpoint", "enable", "we_other")[0] == 1


REFUSED = [
    (["http://169.254.169.254/latest/meta-data", "--owner", "dev@example.com"], "url"),
    (["https://127.0.0.1/", "--owner", "dev@example.com"], "url"),
    (["https://user:word@example.com/", "--owner", "dev@example.com"], "url"),
    (["ftp://example.com/", "--owner", "dev@example.com"], "url"),
    (["https://127.0.0.1/", "--owner", "nobody"], "owner"),
    (["https://127.0.0.1/", "--owner", "a@example.com", "--type", "invoice.payed"], "types"),
]


def test_what_is_no_endpoint_is_refused_by_name(relance: Terminal) -> None:
    for words, field in REFUSED:
        status, answer = relance.json("webhook-endpoint", "create", *words)
        assert (status, answer["error"]["field"]) == (1, field)  # type: ignore[index]
    assert answered(relance, "webhook-endpoint", "list") == []
