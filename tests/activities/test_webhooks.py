"""What a delivery proves to its receiver, and where it never goes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from support.serving import serving

from activities.addresses import AddressRefused, check_url, is_public, resolve
from activities.webhooks import Delivered, NotDelivered, Postman, Secrets, signed_headers
from billing.errors import InvalidInput

BODY = '{"id":"evt_sub_1_7","type":"invoice.paid","data":{"amount_minor":5880}}'
SECRETS = Secrets("x" * 40)
NOW = SECRETS.of("we_1", 2)
BEFORE = SECRETS.of("we_1", 1)


def headers(*, at: datetime | None = None, secrets: tuple[str, ...] = (NOW,)) -> dict[str, str]:
    return signed_headers("evt_sub_1_7", BODY, secrets=secrets, at=at or datetime.now(UTC))


def test_a_receiver_takes_what_we_signed() -> None:
    assert Webhook(NOW).verify(BODY, headers())["type"] == "invoice.paid"


def test_during_a_rotation_both_secrets_are_good() -> None:
    both = headers(secrets=(NOW, BEFORE))
    assert both["webhook-signature"].count("v1,") == 2
    for secret in (NOW, BEFORE):
        assert Webhook(secret).verify(BODY, both)["id"] == "evt_sub_1_7"


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (BODY.replace("5880", "1"), {}),
        (BODY, {"webhook-id": "evt_sub_1_8"}),
        (BODY, {"webhook-timestamp": str(int(time.time()) + 1)}),
        (BODY, {"webhook-signature": ""}),
        (BODY, {"webhook-signature": "v1,AAAA"}),
        (BODY, {"webhook-signature": headers(secrets=(BEFORE,))["webhook-signature"]}),
        (BODY, {"webhook-signature": headers(secrets=(SECRETS.of("we_2", 2),))["webhook-signature"]}),
    ],
)
def test_what_is_forged_is_refused(body: str, changes: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NOW).verify(body, headers() | changes)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_what_is_repeated_later_is_refused(minutes: int) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(WebhookVerificationError, match=r"too (old|new)"):
        Webhook(NOW).verify(BODY, headers(at=at))


def test_secrets_differ_by_endpoint_generation_and_installation() -> None:
    other = Secrets("y" * 40)
    made = [SECRETS.of("we_1", 1), SECRETS.of("we_1", 2), SECRETS.of("we_2", 1), other.of("we_1", 1)]
    assert len(set(made)) == 4
    assert all(each.startswith("whsec_") for each in made)


# Where events never go

PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104
    "100.64.0.1", "198.18.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_known(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0",
        "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1%25lo]",
    ],
)  # fmt: skip
async def test_no_form_of_a_private_address_gets_through(host: str) -> None:
    url = f"https://{host}/events"
    with pytest.raises((AddressRefused, InvalidInput)):
        await resolve(url, allow_private=False)
    outcome = await Postman(allow_private=False).post(url, BODY, headers())
    assert isinstance(outcome, NotDelivered)
    assert outcome.status_code is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "example.com",
        "https://", "https:///path", "https://user:word@example.com/", "https://example.com/#part", "",
        "https://example.com:99999/", "https://example.com:0/", "https://exa mple.com/", "https://example.com/\r\nx: y",
        "https://ex\u00e4mple.com/", "https://example.com/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_address_for_events_is_refused_by_name(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_url(url, allow_private=False)
    assert refused.value.field == "url"


Answers = list[list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the resolver says, one answer after the other: a name that changes its mind."""
    answers: Answers = []

    def resolver(_: str, port: int, *__: object, **___: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return answers


async def test_a_name_with_one_private_address_among_others_is_refused(names: Answers) -> None:
    names.append(["1.1.1.1", "10.0.0.7"])
    with pytest.raises(AddressRefused, match="private address"):
        await resolve("https://rebind.example/", allow_private=False)


async def test_a_name_is_asked_once_and_its_answer_is_where_we_go(names: Answers) -> None:
    names.extend([["1.1.1.1"], ["127.0.0.1"]])
    target = await resolve("https://rebind.example:8443/a?b=c", allow_private=False)
    assert target.pinned == "https://1.1.1.1:8443/a?b=c"
    assert (target.host, target.url.netloc) == ("rebind.example", "rebind.example:8443")
    assert names == [["127.0.0.1"]]


async def test_the_connection_goes_to_the_address_that_was_looked_at(names: Answers, place: Place) -> None:
    """The resolver would send a second question nowhere."""
    names.append(["127.0.0.1"])
    port = place.base.rpartition(":")[2]
    outcome = await Postman(allow_private=True).post(f"http://backend.example:{port}/ok", BODY, headers())
    assert isinstance(outcome, Delivered)
    assert place.asked == [("/ok", f"backend.example:{port}")]


# How an answer is read


class Place:
    """A receiver that behaves as its path says."""

    def __init__(self) -> None:
        self.base = ""
        self.asked: list[tuple[str, str]] = []
        self.sent = 0

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.url.path, request.headers["host"]))
        match request.url.path:
            case "/redirect":
                return RedirectResponse("/ok", status_code=307)
            case "/endless":
                return StreamingResponse(self._endless(), status_code=500)
            case "/slow":
                await asyncio.sleep(60)
        return Response("thanks", status_code=200)

    async def _endless(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1
            yield b"no\x00\n" * 1000
            await asyncio.sleep(0.001)


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    app = Starlette(routes=[Route("/{path:path}", place.answer, methods=["GET", "POST"])])
    with serving(app) as base:
        place.base = base
        yield place


async def test_a_redirect_is_not_followed(place: Place) -> None:
    outcome = await Postman(allow_private=True).post(f"{place.base}/redirect", BODY, headers())
    assert isinstance(outcome, NotDelivered)
    assert (outcome.status_code, outcome.detail) == (307, "answered 307; redirects are not followed")
    assert [path for path, _ in place.asked] == ["/redirect"]


async def test_of_a_long_answer_only_the_beginning_is_read(place: Place) -> None:
    outcome = await Postman(allow_private=True).post(f"{place.base}/endless", BODY, headers())
    assert isinstance(outcome, NotDelivered)
    assert outcome.detail.startswith("answered 500: no no no")
    assert len(outcome.detail) < 400


async def test_an_answer_is_not_waited_for_for_ever(place: Place) -> None:
    postman = Postman(allow_private=True, seconds=0.2)
    outcome = await postman.post(f"{place.base}/slow", BODY, headers())
    assert isinstance(outcome, NotDelivered)
    assert (outcome.unreachable, outcome.detail) == (True, "no answer within 0.2 seconds")


async def test_nobody_there_is_an_outcome(place: Place) -> None:
    host, _, _ = place.base.rpartition(":")
    outcome = await Postman(allow_private=True).post(f"{host}:1/", BODY, headers())
    assert isinstance(outcome, NotDelivered)
    assert (outcome.unreachable, outcome.status_code) == (True, None)
