"""Signing up in a real browser: on a phone without scripts, as a company elsewhere, and with the bank's word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes import FakeStripe
from playwright.async_api import Browser, Page, expect
from support.browser import PHONE, in_a_browser, person
from support.life import APP, ClockedLife
from support.mailroom import Mailbox
from support.reachable import asking, reachable
from support.signing_up import VISA, ZOE, subscriptions, taken

from models.database import Database
from starter.client import RelanceClient
from starter.signup_sessions import NewSignup

pytestmark = in_a_browser

TERMS = "https://example.com/terms"


@pytest.fixture
async def world(
    temporal_server: str, sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with reachable(temporal_server, sqlite_database, fake_stripe, mailbox) as life:
        yield life


@pytest.fixture
async def client(world: ClockedLife) -> AsyncIterator[RelanceClient]:
    async with asking(world) as client:
        yield client


async def a_page_for(client: RelanceClient, world: ClockedLife) -> str:
    new = NewSignup(
        plan="pro",
        clock=world.clock_id,
        success_url=f"{APP}/welcome",
        terms_url=TERMS,
        terms_version="2041-01",
    )
    return client.signup_sessions.url_of(await client.signup_sessions.create(new))


async def fills_in(page: Page, **details: str) -> None:
    filled = {**ZOE, **details}
    await page.locator("#country").select_option(filled.pop("country"))
    for name, value in filled.items():
        await page.locator(f"#{name}").fill(value)


async def presses(page: Page, words: str) -> None:
    await page.get_by_role("button", name=words, exact=True).click()


async def test_a_consumer_signs_up_on_a_phone_without_scripts(
    world: ClockedLife, client: RelanceClient, chromium: Browser
) -> None:
    url = await a_page_for(client, world)
    async with person(chromium, language="fr-FR", viewport=PHONE, java_script_enabled=False) as somebody:
        page = await somebody.new_page()
        await page.goto(url)
        await fills_in(page)
        await presses(page, "English")
        await expect(page.get_by_role("heading", name="Your details")).to_be_visible()
        await presses(page, "Français")
        await page.get_by_label("Ville").press("Enter")  # goes on, with what was filled in before
        await presses(page, VISA)
        await expect(page.get_by_role("row", name="Total TTC 58,80 €")).to_be_visible()
        boxes = await page.get_by_role("checkbox").all()
        assert [await box.is_checked() for box in boxes] == [False, False, False]
        await page.get_by_label("J’ai lu les conditions générales de vente").check()
        await page.get_by_label("J’autorise Exemple SAS à débiter").check()
        await presses(page, "Commander avec obligation de paiement")
        await expect(page.get_by_role("heading", name="Merci pour votre commande")).to_be_visible()
        await expect(page.get_by_role("link", name="Continuer chez Exemple SAS")).to_have_attribute(
            "href", f"{APP}/welcome"
        )
        assert await somebody.cookies() == []
    (subscription,) = await subscriptions(world)
    (invoice,) = await client.list_invoices(subscription=subscription.id)
    assert (invoice.total_minor, invoice.status, taken(world)) == (5880, "paid", [(5880, "eur")])


async def test_a_company_of_another_member_state_gets_reverse_charge(
    world: ClockedLife, client: RelanceClient, chromium: Browser
) -> None:
    url = await a_page_for(client, world)
    async with person(chromium) as somebody:
        page = await somebody.new_page()
        await page.goto(url)
        await expect(page.get_by_label("VAT number")).to_be_hidden()  # of companies only
        await page.get_by_label("a company or professional").check()
        await fills_in(page, name="Acme GmbH", city="Berlin", country="DE", vat_number="DE136695976")
        await presses(page, "Update the total")
        await expect(page.get_by_role("row", name="Total including VAT €49.00")).to_be_visible()
        await expect(page.get_by_text("Reverse charge: VAT is due by the customer")).to_be_visible()
        await presses(page, "Continue")
        await presses(page, VISA)
        await expect(page.get_by_role("row", name="Total including VAT €49.00")).to_be_visible()
        await presses(page, "Order with an obligation to pay")
        terms = page.get_by_label("I have read the terms of sale")
        assert not await terms.evaluate("box => box.validity.valid")  # the browser holds it back
        await terms.check()
        await page.get_by_label("I authorise Exemple SAS to debit").check()
        await presses(page, "Order with an obligation to pay")
        await expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    assert taken(world) == [(4900, "eur")]


async def test_the_bank_is_asked_when_the_card_is_saved_and_when_it_is_charged(
    world: ClockedLife, client: RelanceClient, chromium: Browser
) -> None:
    url = await a_page_for(client, world)
    async with person(chromium, java_script_enabled=False) as somebody:
        page = await somebody.new_page()
        await page.goto(url)
        await fills_in(page)
        await presses(page, "Continue")
        await presses(page, "4000 0025 0000 3155: asks for 3-D Secure once, now")
        await presses(page, "Complete authentication")
        await page.get_by_label("I have read the terms of sale").check()
        await page.get_by_label("I authorise Exemple SAS to debit").check()
        session = url.rpartition("/")[2].partition(".")[0]
        method = (await client.signup_sessions.find(session)).method["id"]
        world.fake.post(f"script/{method}", {"outcomes": [], "then": "authentication_required"})
        await presses(page, "Order with an obligation to pay")
        await presses(page, "Complete authentication")  # the pay page goes there by itself
        await expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    (subscription,) = await subscriptions(world)
    assert taken(world)[-1] == (5880, "eur")
    await world.settle()
    assert (await client.subscription(subscription.id)).status == "active"
