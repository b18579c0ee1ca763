"""Leaving with a browser and without scripts: three clicks, a later day, and both cases of a withdrawal."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect
from support.browser import PHONE, in_a_browser, person
from support.life import ClockedLife

from starter.client import RelanceClient
from starter.orders import CustomerChange

pytestmark = in_a_browser


class Clicks:
    """Somebody who counts what they press."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.made = 0

    async def link(self, words: str) -> None:
        """Follow a link."""
        self.made += 1
        await self.page.get_by_role("link", name=words, exact=True).click()

    async def button(self, words: str) -> None:
        """Press a button."""
        self.made += 1
        await self.page.get_by_role("button", name=words, exact=True).click()


async def signs_in(page: Page, client: RelanceClient, customer: str) -> None:
    await page.goto((await client.portal_sessions.create(customer)).url)


async def public_page(client: RelanceClient) -> str:
    """Where anybody ends a contract, beside the portal."""
    return (await client.portal_sessions.create("anna")).url.partition("/open/")[0] + "/terminate"


async def test_three_clicks_end_a_trial_from_the_public_page_and_from_the_portal(
    world: ClockedLife, open_portal: RelanceClient, chromium: Browser
) -> None:
    """Both in trial, without a card and without any invoice."""
    await world.signs_up("anna", plan="trial", card=None)
    await world.signs_up("bob", plan="trial", card=None)
    async with person(chromium, java_script_enabled=False, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        clicks = Clicks(page)
        await page.goto(await public_page(open_portal))
        await page.get_by_label("Name or company").fill("Anna")
        await page.get_by_label("Mail address").fill("anna@example.com")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await clicks.button("Continue")
        await clicks.button("Confirm the cancellation")
        await expect(page.get_by_role("heading", name="Your cancellation was received")).to_be_visible()
        assert clicks.made == 2
    async with person(chromium, language="fr-FR", java_script_enabled=False, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        clicks = Clicks(page)
        await signs_in(page, open_portal, "bob")
        await clicks.link("Résilier votre contrat")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await clicks.button("Confirmer la résiliation")
        await expect(page.get_by_role("heading", name="Votre résiliation est confirmée")).to_be_visible()
        await expect(page.get_by_text("jusqu’à la fin du 13 février 2041")).to_be_visible()
        assert clicks.made == 2
    await world.settle()
    assert [(await open_portal.subscription(name)).state.cancel_at_end for name in ("anna", "bob")] == [
        True
    ] * 2
    await world.until("2041-02-15")
    assert [(await open_portal.subscription(name)).status for name in ("anna", "bob")] == ["canceled"] * 2


async def test_a_later_day_is_chosen_in_the_portal_and_on_the_public_page(
    world: ClockedLife, open_portal: RelanceClient, chromium: Browser
) -> None:
    anna, bob = await world.signs_up("anna"), await world.signs_up("bob")
    await open_portal.change_customer("anna", CustomerChange(locale="en"))
    async with person(chromium, java_script_enabled=False) as somebody:
        page = await somebody.new_page()
        clicks = Clicks(page)
        await signs_in(page, open_portal, "anna")
        await clicks.link("Cancel your contract")
        await page.get_by_label("Or let it end with the period that this day falls into").fill("2041-03-15")
        await clicks.button("See what that does")
        await expect(page.get_by_text("until the end of 30 March 2041")).to_be_visible()
        await expect(page.get_by_text("the next payment is €58.80 on 28 February 2041")).to_be_visible()
        await clicks.button("Confirm the cancellation")
        await expect(page.get_by_role("heading", name="Your cancellation is confirmed")).to_be_visible()
        await clicks.link("Back to the overview")
        await expect(page.get_by_text("after 30 March 2041")).to_be_visible()
        await page.goto(await public_page(open_portal))
        await page.get_by_label("Name or company").fill("Bob")
        await page.get_by_label("Mail address").fill("bob@example.com")
        await page.get_by_label("Day on which it is to end, if you wish a later one").fill("2041-03-15")
        await clicks.button("Continue")
        await expect(page.get_by_text("15 March 2041")).to_be_visible()
        await clicks.button("Confirm the cancellation")
        await expect(page.get_by_role("heading", name="Your cancellation was received")).to_be_visible()
    await world.until("2041-04-02")
    for person_ in (anna, bob):
        assert [row.total_minor for row in await person_.invoices()] == [5880, 5880]
        assert (await open_portal.subscription(person_.reference)).status == "canceled"


async def test_a_withdrawal_shows_and_gives_back_the_sum_of_both_cases(
    world: ClockedLife, open_portal: RelanceClient, chromium: Browser
) -> None:
    """R4: without an express request all goes back; with it, on 6 February, 21 of 28 days: 36.75, with VAT 44.10."""
    bob = await world.signs_up("bob")
    cai = await world.signs_up("cai", early_start_requested=True)
    await open_portal.change_customer("cai", CustomerChange(locale="en"))
    await world.until("2041-02-06")
    async with person(chromium, language="fr-FR", java_script_enabled=False) as somebody:
        page = await somebody.new_page()
        await signs_in(page, open_portal, "bob")
        clicks = Clicks(page)
        await clicks.link("Renoncer au contrat ici")
        await expect(page.get_by_text("58,80 € sont portés à votre crédit")).to_be_visible()
        await clicks.button("Confirmer la rétractation")
        await expect(page.get_by_role("heading", name="Votre rétractation est confirmée")).to_be_visible()
    async with person(chromium, java_script_enabled=False) as somebody:
        page = await somebody.new_page()
        await signs_in(page, open_portal, "cai")
        clicks = Clicks(page)
        await clicks.link("Withdraw from the contract here")
        await expect(page.get_by_text("€44.10 is credited")).to_be_visible()
        await clicks.button("Confirm the withdrawal")
        await expect(page.get_by_role("heading", name="Your withdrawal is confirmed")).to_be_visible()
    await world.settle()
    assert [note.total_minor for note in await bob.credit_notes()] == [5880]
    assert [note.total_minor for note in await cai.credit_notes()] == [4410]
