"""A few stories with nothing but a browser: the portal works in a real one, on a phone and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from support.browser import PATIENCE_MS, PHONE, in_a_browser, person, portal_of
from support.life import ClockedLife
from support.serving import serving

from starter.client import RelanceClient
from starter.orders import CustomerChange

pytestmark = in_a_browser


async def signs_in(page: Page, client: RelanceClient, customer: str) -> None:
    await page.goto((await client.portal_sessions.create(customer)).url)


async def presses(page: Page, words: str) -> None:
    await page.get_by_role("button", name=words, exact=True).click()


async def test_a_customer_signs_in_by_link_and_changes_plan_without_scripts(
    world: ClockedLife, open_portal: RelanceClient, chromium: Browser
) -> None:
    anna = await world.signs_up("anna")
    await open_portal.change_customer("anna", CustomerChange(locale="en"))
    async with person(chromium, java_script_enabled=False) as somebody:
        page = await somebody.new_page()
        await signs_in(page, open_portal, "anna")
        await expect(page.get_by_text("All is well")).to_be_visible()
        await page.get_by_role("link", name="Change", exact=True).click()
        await page.get_by_label("Max").check()
        await page.get_by_label("Now", exact=True).check()
        await presses(page, "See what it costs")
        await presses(page, "Confirm and pay €60.00")
        await expect(page.get_by_text("Your change was taken.")).to_be_visible()
    await world.settle()
    assert [row.total_minor for row in await anna.invoices()] == [5880, 6000]


async def test_a_failed_card_is_replaced_on_a_phone_and_all_is_paid(
    world: ClockedLife, open_portal: RelanceClient, chromium: Browser
) -> None:
    bob = await world.signs_up("bob", card={"outcomes": ["ok"], "then": "expired_card"})
    await world.until("2041-02-28")
    async with person(chromium, language="fr-FR", viewport=PHONE) as somebody:
        page = await somebody.new_page()
        await signs_in(page, open_portal, "bob")
        await expect(
            page.get_by_role("heading", name="Un paiement de 58,80 € n’a pas abouti")
        ).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await presses(page, "Remplacer le moyen de paiement")
        await presses(page, "4000 0025 0000 3155: asks for 3-D Secure once, now")
        await presses(page, "Complete authentication")
        await expect(page.get_by_text("et sert tout de suite pour ce qui restait à payer")).to_be_visible()
        for link in ("Factures", "Coordonnées de facturation"):
            await page.get_by_role("link", name=link, exact=True).click()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await world.settle()
        await page.get_by_role("link", name="Aperçu", exact=True).click()
        await expect(page.get_by_text("Tout va bien")).to_be_visible()
    assert [row.status for row in await bob.invoices()] == ["paid", "paid"]


@contextmanager
def application() -> Iterator[str]:
    """The seller's own application, on another site: it frames what it is told to."""

    async def framing(request: Request) -> Response:
        return HTMLResponse(
            f'<iframe src="{request.query_params["what"]}" width="800" height="900"></iframe>'
        )

    with serving(Starlette(routes=[Route("/", framing)])) as address:
        yield address.replace("127.0.0.1", "localhost")


async def test_it_works_inside_another_site_that_may_frame_it(world: ClockedLife, chromium: Browser) -> None:
    await world.signs_up("anna")
    with application() as address:
        async with portal_of(world, address) as client, person(chromium, language="fr-FR") as somebody:
            page = await somebody.new_page()
            await page.goto(f"{address}/?what={(await client.portal_sessions.create('anna')).url}")
            inside = page.frame_locator("iframe")
            await expect(inside.get_by_text("Tout va bien")).to_be_visible()
            await inside.get_by_role("link", name="Coordonnées de facturation").click()
            await inside.get_by_label("Nom ou raison sociale").fill("Anna Martin")
            await inside.get_by_role("button", name="Enregistrer").click()
            await expect(inside.get_by_text("Vos coordonnées sont enregistrées.")).to_be_visible()
            assert await somebody.cookies() == []
            assert (await client.customer("anna")).name == "Anna Martin"


async def test_nobody_else_frames_it(
    world: ClockedLife, open_portal: RelanceClient, chromium: Browser
) -> None:
    await world.signs_up("anna")
    with application() as address:
        async with person(chromium) as somebody:
            page = await somebody.new_page()
            link = (await open_portal.portal_sessions.create("anna")).url
            async with page.expect_console_message(timeout=PATIENCE_MS) as said:
                await page.goto(f"{address}/?what={link}")
            assert "frame" in (await said.value).text.lower()
            assert await page.frame_locator("iframe").get_by_text("Tout va bien").count() == 0
