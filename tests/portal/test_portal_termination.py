"""Ending a contract without signing in: done where it fits, and the same answer to everybody."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Request
from limits import parse
from support.api import Api
from support.life import ClockedLife
from support.portal import Shop
from support.reader import PUBLIC, Reader

from portal.limiting import Limiter, Limits, address_of, network_of
from starter.client import RelanceClient

PAGE = f"{PUBLIC}/portal/terminate"
FRENCH = {"Accept-Language": "fr-FR,fr"}


async def sends(reader: Reader, name: str, mail: str, contract: str = "", on: str = "") -> str:
    """The three clicks; what the page answers, but for its instant."""
    await reader.opens(PAGE)
    await reader.presses("Continue", name=name, email=mail, contract=contract, on=on)
    assert reader.heading == "Cancel your contract"
    assert name.strip() in reader.text
    await reader.presses("Confirm the cancellation")
    assert reader.page.status_code == 200
    return re.sub(r"Received on [^.]*\.", "", reader.text)


async def test_the_contract_ends_where_it_fits_and_the_answer_is_the_same(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna", plan="trial", card=None)
    await world.signs_up("bob")
    answers = [
        await sends(reader, "Anna", "nobody@example.com"),
        await sends(reader, "Somebody", "anna@example.com"),
        await sends(reader, "Anna", "bob@example.com"),
        await sends(reader, "Anna", "%@example.com"),
        await sends(reader, "Anna", "anna@example.com", "another"),
    ]
    assert not any([(await client.subscription(name)).state.cancel_at_end for name in ("anna", "bob")])
    answers.append(await sends(reader, " ANNA ", "Anna@Example.com"))
    answers.append(await sends(reader, "The household", "bob@example.com", "bob"))
    assert len(set(answers)) == 1
    await world.settle()
    for name in ("anna", "bob"):
        assert (await client.subscription(name)).state.cancel_at_end
    letters = [letter for letter in await anna.letters() if letter.kind == "cancel_scheduled"]
    assert len(letters) == 1
    assert "13 février 2041" in letters[0].text


async def test_it_speaks_the_browser_s_language_and_says_what_is_missing(reader: Reader) -> None:
    await reader.opens(PAGE, headers=FRENCH)
    assert reader.heading == "Résilier votre contrat"
    action, fields = reader.form_of("Continuer")
    for wrong, says in (
        ({"name": "", "email": "a@example.com"}, "Indiquez le nom"),
        ({"name": "Anna", "email": "nowhere"}, "Indiquez l’adresse"),
        ({"name": "Anna", "email": "anna@example.com", "on": "soon"}, "Choisissez un jour à partir"),
        ({"name": "Anna", "email": "anna@example.com", "on": "2026-01-31"}, "Choisissez un jour à partir"),
    ):
        await reader.opens(action, fields={**fields, **wrong}, headers=FRENCH)
        assert reader.page.status_code == 422
        assert says in reader.text
    said = {"name": "Anna", "email": "anna@example.com", "contract": "anna", "on": "2041-04-10"}
    await reader.opens(action, fields={**fields, **said}, headers=FRENCH)
    assert "Jour souhaité 10 avril 2041" in reader.text
    again, filled_in = reader.form_of("Corriger")
    await reader.opens(again, fields=filled_in, headers=FRENCH)
    assert said.items() <= reader.form_of("Continuer")[1].items()
    await reader.opens(
        action, fields={"form": "x", "name": "Anna", "email": "anna@example.com"}, headers=FRENCH
    )
    assert reader.page.status_code == 403


async def test_a_day_may_be_wished_and_the_mail_names_the_end(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    """10 April falls into the period that ends on 30 April. 30 January is over where Bob lives: his period's end."""
    anna, bob = await world.signs_up("anna"), await world.signs_up("bob")
    answers = [
        await sends(reader, "Nobody", "nobody@example.com", on="2041-04-10"),
        await sends(reader, "Anna", "anna@example.com", on="2041-04-10"),
        await sends(reader, "Bob", "bob@example.com", on="2041-01-30"),
    ]
    assert len(set(answers)) == 1
    await world.settle()
    assert (await client.subscription("anna")).state.cancel_on == date(2041, 4, 10)
    assert (await client.subscription("bob")).state.cancel_at_end
    for person, last_day in ((anna, "29 avril 2041"), (bob, "27 février 2041")):
        (letter,) = [each for each in await person.letters() if each.kind == "cancel_scheduled"]
        assert last_day in letter.subject
        assert f"Référence du contrat : {person.reference}" in letter.text.replace("\u00a0", " ")


async def answered_before_it_is_done(app: FastAPI, client: RelanceClient, fields: dict[str, str]) -> bool:
    """Send the last form, and look at Anna's contract at the moment when the whole answer is out."""
    body = urlencode(fields).encode()
    pending: list[bool] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            pending.append((await client.subscription("anna")).state.cancel_is_pending)

    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"host", b"127.0.0.1:8000")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/portal/terminate",
        "raw_path": b"/portal/terminate",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.1", 40000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    return pending == [False]


async def test_the_answer_takes_no_longer_where_there_is_something_to_do(
    world: ClockedLife, client: RelanceClient, reader: Reader, api: Api
) -> None:
    """It is out before the books are asked who is meant, so its time can tell nothing."""
    await world.signs_up("anna")
    await reader.opens(PAGE)
    await reader.presses("Continue", name="Anna", email="anna@example.com")
    _, fields = reader.form_of("Confirm the cancellation")
    assert await answered_before_it_is_done(api.app, client, fields)
    await world.settle()
    assert (await client.subscription("anna")).state.cancel_at_end


def limited(shop: Shop, from_one: str, in_all: str, *, proxies: int = 1) -> Reader:
    """Somebody in front of a door that lets little through."""
    limits = Limits(from_one=parse(from_one), in_all=parse(in_all))
    shop.app.state.limiter = Limiter(trusted_proxies=proxies, limits=limits)
    return Reader(shop.app)


async def sends_from(reader: Reader, address: str) -> int:
    """All three clicks through one proxy; the last answer's status."""
    through = {"X-Forwarded-For": f"203.0.113.250, {address}"}
    await reader.opens(PAGE)
    action, fields = reader.form_of("Continue")
    await reader.opens(
        action, fields={**fields, "name": "Anna", "email": "nobody@example.com"}, headers=through
    )
    action, fields = reader.form_of("Confirm the cancellation")
    await reader.opens(action, fields=fields, headers=through)
    return reader.page.status_code


async def test_who_asks_too_often_is_told_when_to_come_again(shop: Shop) -> None:
    reader = limited(shop, "2/hour", "100/hour")
    assert [await sends_from(reader, "192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert 3500 < int(reader.page.headers["retry-after"]) <= 3600
    assert reader.heading == "Please wait a little"
    assert "Please send it again in 60 min, or write to factures@example.com." in reader.text
    _, fields = reader.form_of("Confirm the cancellation")
    assert (fields["name"], fields["email"], fields["step"]) == ("Anna", "nobody@example.com", "send")
    assert await sends_from(reader, "192.0.2.2") == 200
    network = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2::3", "2001:db8:1:3::1"]
    assert [await sends_from(reader, address) for address in network] == [200, 200, 429, 200]
    await reader.close()


async def test_all_together_are_limited_too(shop: Shop) -> None:
    reader = limited(shop, "2/hour", "3/hour")
    addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert [await sends_from(reader, address) for address in addresses] == [200, 200, 200, 429]
    assert 3500 < int(reader.page.headers["retry-after"]) <= 3600
    await reader.close()


async def test_without_a_trusted_proxy_what_a_visitor_writes_does_not_count(shop: Shop) -> None:
    reader = limited(shop, "1/hour", "100/hour", proxies=0)
    assert [await sends_from(reader, address) for address in ("192.0.2.1", "192.0.2.2")] == [200, 429]
    await reader.close()


@pytest.mark.parametrize(
    ("proxies", "said", "address"),
    [
        (0, ["198.51.100.7"], "192.0.2.1"),
        (1, [], "192.0.2.1"),
        (1, ["198.51.100.7"], "198.51.100.7"),
        (1, ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        (2, ["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        (2, ["203.0.113.9", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
        (2, ["10.0.0.2"], "10.0.0.2"),
        (1, ["203.0.113.9,"], "203.0.113.9"),
    ],
)
def test_an_address_is_what_our_own_proxies_say(proxies: int, said: list[str], address: str) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in said]
    request = Request({"type": "http", "client": ("192.0.2.1", 40000), "headers": headers})
    assert address_of(request, proxies) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_connection_has_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
