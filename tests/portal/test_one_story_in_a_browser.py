"""One story with nothing but a browser and a mailbox: from signing up to a failed renewal, and out of it again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fakes import FakeStripe
from playwright.async_api import Browser, Page, expect
from sqlmodel import select
from support.browser import PHONE, in_a_browser, person
from support.ledgers import assert_books_agree
from support.life import APP, ClockedLife
from support.mailroom import Mailbox
from support.reachable import asking, reachable
from support.signing_up import ZOE, taken

from activities.messages import Messages, OutboxRules
from activities.sendgrid_mailer import SendGridMailer
from models.database import Database
from models.tables import Collection
from starter.client import RelanceClient
from starter.signup_sessions import NewSignup

pytestmark = in_a_browser


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


async def opens_mail(page: Page, world: ClockedLife, kind: str) -> None:
    """What waits is sent; then the newest mail of a kind to Zoé is opened in the mailbox."""
    settings = world.settings
    mailer = SendGridMailer(api_key="SG.test", api_base=settings.sendgrid_api_base)
    await Messages(world.database, mailer, OutboxRules.of(settings)).drain()
    async with httpx.AsyncClient(base_url=settings.sendgrid_api_base) as http:
        letters = (await http.get("/api/messages")).json()["messages"]
    mine = [each for each in letters if each["to"][0]["email"] == ZOE["email"]]
    assert kind in [each["custom_args"]["kind"] for each in mine]
    await page.goto(f"{settings.sendgrid_api_base}/?to={ZOE['email']}&kind={kind}")
    await page.locator("tbody a").first.click()


async def presses(page: Page, words: str) -> None:
    await page.get_by_role("button", name=words, exact=True).click()


async def test_from_sign_up_through_a_failed_renewal_to_all_is_well(
    world: ClockedLife, client: RelanceClient, chromium: Browser
) -> None:
    new = NewSignup(plan="pro", reference="zoe", clock=world.clock_id, success_url=f"{APP}/welcome")
    row = await client.signup_sessions.create(new)
    async with person(chromium, language="fr-FR", viewport=PHONE) as zoe:
        page = await zoe.new_page()

        await page.goto(client.signup_sessions.url_of(row))
        for name, value in ZOE.items():
            if name != "country":
                await page.locator(f"#{name}").fill(value)
        await presses(page, "Continuer")
        await presses(page, "4242 4242 4242 4242: Visa that works")
        await page.get_by_label("J’autorise Exemple SAS à débiter").check()
        await presses(page, "Commander avec obligation de paiement")
        await expect(page.get_by_role("heading", name="Merci pour votre commande")).to_be_visible()
        await opens_mail(page, world, "invoice_issued")

        card = (await client.signup_sessions.find(row.id)).method["id"]
        world.fake.post(f"script/{card}", {"outcomes": [], "then": "expired_card"})
        await world.until("2041-02-28")
        assert (await client.subscription("zoe")).status == "past_due"

        await opens_mail(page, world, "payment_failed")
        async with zoe.expect_page() as opened:
            await page.frame_locator("iframe").get_by_role("link", name="Régler").first.click()
        paying = await opened.value
        await expect(paying.get_by_text("58,80 €").first).to_be_visible()
        await presses(paying, "Utiliser un autre moyen de paiement")
        await presses(paying, "4000 0025 0000 3155: asks for 3-D Secure once, now")
        await presses(paying, "Complete authentication")
        await expect(paying.get_by_text("Merci, votre paiement a abouti.")).to_be_visible()
        await paying.close()

        await world.settle()
        await opens_mail(page, world, "receipt")
        await expect(page.frame_locator("iframe").get_by_text("58,80 €").first).to_be_visible()

    subscription = await client.subscription("zoe")
    assert (subscription.status, subscription.state.open_invoices) == ("active", ())
    assert [each.status for each in await client.list_invoices(subscription="zoe")] == ["paid", "paid"]
    async with world.database.read() as session:
        (collection,) = (await session.exec(select(Collection))).all()
    assert collection.closed_at is not None
    assert [amount for amount, _ in taken(world)] == [5880, 5880]
    await assert_books_agree(world.database, world.fake)
