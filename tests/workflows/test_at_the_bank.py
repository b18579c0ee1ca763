"""A customer confirms a payment at their bank (3-D Secure), in a browser without scripts: yes, no, or not now.

The mail's link, the forms of the pay page and of the fake bank, and back: as a person goes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import col, select
from support.diaries import joined
from support.ledgers import assert_books_agree
from support.life import ClockedLife, Person
from typing_extensions import override

from models.tables import Invoice, PaymentAttempt
from starter.api import create_app

SHOP = "http://127.0.0.1:8000"


class _Forms(HTMLParser):
    """The links and buttons of a page, the fields of its form, and where it goes by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, dict[str, str]] = {}
        self.links: dict[str, str] = {}
        self.goes_to: str | None = None
        self._inside: tuple[str, dict[str, str]] | None = None
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input":
            self.fields[given["name"]] = given["value"]
        if tag == "meta" and given.get("http-equiv") == "refresh":
            self.goes_to = given["content"].partition("url=")[2]
        if tag in ("button", "a"):
            self._inside = tag, given

    @override
    def handle_data(self, data: str) -> None:
        if self._inside is None:
            return
        tag, given = self._inside
        if tag == "a":
            self.links[data.strip()] = given["href"]
        else:
            self.buttons[data.strip()] = {given["name"]: given["value"]} if "name" in given else {}
        self._inside = None


@dataclass
class Browser:
    """A person with a browser that runs no scripts; the shop's door and the bank are two servers."""

    shop: httpx.AsyncClient
    bank: httpx.AsyncClient
    at: str = ""
    page: str = ""
    seen: list[str] = field(default_factory=list)

    @property
    def forms(self) -> _Forms:
        return _Forms(self.page)

    @property
    def says(self) -> str:
        """The notices of the page, as plain text."""
        found = re.findall(r'<p class="notice"[^>]*>(.*?)</p>', self.page, re.DOTALL)
        return " ".join(unescape(" ".join(found)).split())

    async def goes(self, url: str) -> None:
        self._shows(
            await self._server(url).get(url, headers={"accept-language": "fr"}, follow_redirects=False)
        )
        await self._is_led_on()

    async def presses(self, button: str) -> None:
        content = {**self.forms.fields, **self.forms.buttons[button]}
        self._shows(await self._server(self.at).post(self.at, data=content, follow_redirects=False))
        await self._is_led_on()

    async def follows(self, link: str) -> None:
        await self.goes(urljoin(self.at, self.forms.links[link]))

    def _shows(self, answer: httpx.Response) -> None:
        self.at, self.page, self._answer = str(answer.request.url), answer.text, answer
        self.seen.append(f"{answer.status_code} {urlsplit(self.at).path.split('/')[1]}")

    async def _is_led_on(self) -> None:
        while self._answer.is_redirect:
            url = urljoin(self.at, self._answer.headers["location"])
            self._shows(await self._server(url).get(url, follow_redirects=False))
        assert self._answer.is_success, self.page

    def _server(self, url: str) -> httpx.AsyncClient:
        return self.shop if url.startswith(SHOP) else self.bank


@asynccontextmanager
async def a_browser(world: ClockedLife) -> AsyncIterator[Browser]:
    url = str(world.database.engine.url)
    settings = world.settings.model_copy(
        update={"database_url": url, "stripe_webhook_secret": (SecretStr("whsec_x"),)}
    )
    app = create_app(settings, temporal=world.client)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SHOP) as shop,
        httpx.AsyncClient(base_url=world.fake.base) as bank,
    ):
        yield Browser(shop, bank)


async def mailed_link(person: Person, kind: str = "authentication_required") -> str:
    """The link in the last mail of a kind."""
    letter = [letter for letter in await person.letters() if letter.kind == kind][-1]
    (link,) = {match[0] for match in re.finditer(rf"{SHOP}/pay/[\w.-]+", letter.text)}
    return link


async def tries(world: ClockedLife, person: Person) -> list[tuple[str, str, str | None]]:
    """Every attempt on the renewal; that they are of one PaymentIntent is asserted."""
    async with world.database.read() as session:
        invoices = select(Invoice.id).where(Invoice.subscription_id == person.subscription_id)
        newest = (await session.exec(invoices.order_by(col(Invoice.period_start).desc()))).first()
        query = select(PaymentAttempt).where(PaymentAttempt.invoice_id == newest)
        found = (await session.exec(query.order_by(col(PaymentAttempt.number)))).all()
    assert len({attempt.payment_intent for attempt in found}) == 1
    return [(a.trigger.value, a.state.value, a.decline_code) for a in found]


@pytest.fixture
async def anna(world: ClockedLife) -> Person:
    """Her bank asks on 28 February for her word, and again whenever she pays on the page."""
    card = {"outcomes": ["ok"], "then": "authentication_required"}
    person = await world.signs_up("anna", card=card)
    await world.until("2041-03-01")
    return person


async def test_what_waits_is_confirmed_and_paid(world: ClockedLife, anna: Person) -> None:
    async with a_browser(world) as browser:
        await browser.goes(await mailed_link(anna))
        assert browser.says.startswith("Votre banque vous demande de confirmer ce paiement.")
        await browser.presses("Confirmer le paiement")
        assert browser.forms.goes_to == browser.forms.links["Continuer vers votre banque"]
        await browser.follows("Continuer vers votre banque")
        assert "5880 EUR" in browser.page
        await browser.presses("Complete authentication")
        assert browser.says == "Merci, votre paiement a abouti."
        assert set(parse_qs(urlsplit(browser.at).query)) == {"asked", "back"}
        await world.settle()
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 status past_due",
            "2041-02-28 mail authentication_required",
            "2041-02-28 mail invoice_issued",
            "2041-03-01 charge abandoned",
            "2041-03-01 charge paid 58.80",
            "2041-03-01 status active",
            "2041-03-01 mail receipt",
        ]
        assert await tries(world, anna) == [
            ("first", "abandoned", "authentication_required"),
            ("customer", "succeeded", None),
        ]
        await browser.goes(await mailed_link(anna))
        assert browser.says == "C’est réglé. Vous n’avez rien à faire."
    await assert_books_agree(world.database, world.fake)


async def test_who_refuses_may_try_again(world: ClockedLife, anna: Person) -> None:
    async with a_browser(world) as browser:
        await browser.goes(await mailed_link(anna))
        await browser.presses("Confirmer le paiement")
        await browser.follows("Continuer vers votre banque")
        await browser.presses("Fail authentication")
        assert browser.says.startswith("Le paiement n’a pas abouti avec Visa •••• 4242.")
        await browser.presses("Payer maintenant")
        await browser.follows("Continuer vers votre banque")
        await browser.presses("Complete authentication")
        assert browser.says == "Merci, votre paiement a abouti."
    assert await tries(world, anna) == [
        ("first", "abandoned", "authentication_required"),
        ("customer", "declined", "payment_intent_authentication_failure"),
        ("customer", "succeeded", None),
    ]
    await assert_books_agree(world.database, world.fake)


async def test_who_walks_away_finds_it_waiting_and_the_chase_goes_on(
    world: ClockedLife, anna: Person
) -> None:
    link = await mailed_link(anna)
    async with a_browser(world) as browser:
        await browser.goes(link)
        await browser.presses("Confirmer le paiement")
        await browser.follows("Continuer vers votre banque")
        bank_page = browser.at
        await browser.goes(link)
        assert browser.says.startswith("Votre banque vous demande de confirmer ce paiement.")
        await world.until("2041-03-04")
        await browser.goes(link)
        await browser.presses("Confirmer le paiement")
        assert browser.forms.links["Continuer vers votre banque"] == bank_page
        await browser.follows("Continuer vers votre banque")
        await browser.presses("Complete authentication")
        assert browser.says == "Merci, votre paiement a abouti."
        await browser.goes(bank_page)
        assert "It waits for nobody any more." in browser.page
    assert "2041-03-03 mail payment_reminder" in await anna.diary()
    # What was left at the bank was no decline: nothing counts against the card but what the bank said without her.
    assert await tries(world, anna) == [
        ("first", "abandoned", "authentication_required"),
        ("customer", "abandoned", None),
        ("customer", "succeeded", None),
    ]
    await assert_books_agree(world.database, world.fake)


async def test_the_end_closes_what_waits_at_the_bank(world: ClockedLife, anna: Person) -> None:
    link = await mailed_link(anna)
    async with a_browser(world) as browser:
        await browser.goes(link)
        await browser.presses("Confirmer le paiement")
        await browser.follows("Continuer vers votre banque")
        bank_page = browser.at
        await world.until("2041-03-25")
        await browser.goes(bank_page)
        assert "It waits for nobody any more." in browser.page
    assert (await anna.diary())[-3:] == [
        "2041-03-21 status unpaid",
        "2041-03-21 access ends",
        "2041-03-21 mail subscription_suspended",
    ]
    await assert_books_agree(world.database, world.fake)


async def test_a_sign_up_gets_its_number_when_the_bank_has_its_answer(world: ClockedLife) -> None:
    ben = await world.signs_up("ben", card={"then": "authentication_required"})
    async with a_browser(world) as browser:
        await browser.goes(await mailed_link(ben, "complete_payment"))
        await browser.presses("Confirmer le paiement")
        await browser.follows("Continuer vers votre banque")
        await browser.presses("Complete authentication")
        assert browser.says == "Merci, votre paiement a abouti."
    await world.settle()
    (invoice,) = await ben.invoices()
    assert (invoice.status.value, (invoice.number or "")[-8:]) == ("paid", "F-000001")
    assert (await ben.state()).subscription.status.value == "active"
    await assert_books_agree(world.database, world.fake)
