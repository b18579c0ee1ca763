"""Every page of customers in a real browser, looked over by axe: both languages, a phone and a desk, dark and light.

A page is looked over once its heading and what it is for are there. A route that nobody comes by fails the tour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.routing import APIRoute
from playwright.async_api import Browser, Page, Response, expect
from starlette.routing import Match
from support.axe import findings
from support.browser import in_a_browser, person, portal_of
from support.life import APP, ClockedLife
from support.signing_up import ZOE

from mails.formats import Language
from models.parties import Contact
from portal.language import words
from portal.limiting import FROM_ONE_ADDRESS
from starter.api import create_app
from starter.client import RelanceClient
from starter.orders import CustomerChange, NewCustomer
from starter.resources.portal import StartPage
from starter.signup_sessions import NewSignup

pytestmark = in_a_browser

FILES_AND_WAYS = {
    "GET /pay/{token}/method",
    "POST /pay/{token}",
    "POST /pay/{token}/method",
    "GET /portal/logo",
    "GET /portal/open/{link}",
    "GET /portal/v/{token}/documents/{document}",
    "GET /portal/v/{token}/invoices/{invoice}/pay",
    "GET /portal/v/{token}/methods/added",
    "POST /portal/v/{token}/methods/add",
    "POST /portal/v/{token}/methods/no-backup",
    "POST /portal/v/{token}/methods/{method}/backup",
    "POST /portal/v/{token}/methods/{method}/default",
    "POST /portal/v/{token}/methods/{method}/remove",
    "POST /portal/v/{token}/subscriptions/{subscription}/change",
    "POST /portal/v/{token}/subscriptions/{subscription}/keep",
    "POST /portal/v/{token}/subscriptions/{subscription}/pause",
    "POST /portal/v/{token}/subscriptions/{subscription}/reason",
    "POST /portal/v/{token}/subscriptions/{subscription}/resume",
    "POST /portal/v/{token}/subscriptions/{subscription}/undo-change",
    "POST /portal/v/{token}/subscriptions/{subscription}/withdraw",
    "POST /portal/signup/{signup}/language",
    "POST /portal/signup/{signup}/method",
    "POST /portal/signup/{signup}/pay",
    "GET /portal/signup/{signup}/replaced",
}
"""What answers with a file, or leads on to a page that is looked over; a withdrawal's receipt is that of a cancel."""
ADDED = "Your payment method was saved, and is used at once for what was open. You will get a receipt."
NOT_SAVED = "Nothing was saved yet: please look at what is marked below."
SELLER = "Exemple SAS"
NOT_FOR_PEOPLE = ("/health", "/webhooks")


def routes_for_people(app: FastAPI) -> list[APIRoute]:
    """Whatever answers a browser: all that is not in the API's document, but for what machines call."""
    routers = [getattr(included, "original_router", None) for included in app.routes]
    routes = [route for router in routers if router is not None for route in router.routes]
    return [
        route
        for route in routes
        if isinstance(route, APIRoute)
        and not route.include_in_schema
        and not route.path.startswith(NOT_FOR_PEOPLE)
    ]


def named(route: APIRoute) -> str:
    """Its method and path."""
    return " ".join((*(route.methods or ()), route.path))


@dataclass
class Tour:
    """Somebody who goes from page to page, and what they found.

    Attributes:
        page: the browser's.
        client: makes the links.
        language: theirs.
        routes: those that there are.
        seen: those that answered with a page.
        wrong: what axe found.
    """

    page: Page
    client: RelanceClient
    language: Language
    routes: list[APIRoute]
    seen: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def hears(self, answer: Response) -> None:
        """Keep which route a page came from."""
        if "text/html" not in answer.headers.get("content-type", ""):
            return
        path = answer.url.partition("://")[2].partition("/")[2].partition("?")[0]
        scope = {"type": "http", "path": f"/{path}", "method": answer.request.method}
        for route in self.routes:
            if route.matches(scope)[0] is Match.FULL:
                self.seen.add(named(route))
                return

    def say(self, sentence: str, **places: str) -> str:
        """A sentence of the pages as this reader has it."""
        return words(self.language).gettext(sentence) % places

    async def signs_in(self, customer: str, start: StartPage = StartPage.OVERVIEW) -> None:
        await self.page.goto((await self.client.portal_sessions.create(customer, start=start)).url)

    async def looks(self, heading: str, *also: str, **places: str) -> None:
        """Look a page over, once its heading and what it is for are there."""
        first = self.page.get_by_role("heading", level=1, name=self.say(heading, **places), exact=True)
        await expect(first).to_be_visible()
        for sentence in also:
            await expect(self.page.locator("body")).to_contain_text(self.say(sentence, **places))
        self.wrong += [f"{heading}: {line}" for line in await findings(self.page)]

    async def follows(self, sentence: str) -> None:
        await self.page.get_by_role("link", name=self.say(sentence), exact=True).first.click()

    async def presses(self, sentence: str) -> None:
        await self.page.get_by_role("button", name=self.say(sentence), exact=True).first.click()


async def sees_to_a_subscription(tour: Tour) -> None:
    """All that there is to do where all is well."""
    amount = {Language.FR: "58,80\u00a0€", Language.EN: "€58.80"}[tour.language]
    await tour.signs_in("anna")
    base = tour.page.url.rpartition("/")[0]
    await tour.looks("Your subscription", "All is well", amount, "Change", "Cancel your contract")
    await tour.follows("Invoices")
    await tour.looks("Invoices", amount, "Paid")
    await tour.follows("Payment methods")
    await tour.looks("Payment methods", "Used for your payments", "Continue to the secure page")
    await tour.page.goto(f"{base}/methods?said=added&charging=1")
    await tour.looks("Payment methods", ADDED)
    await tour.follows("Make it the backup")
    await tour.looks("A backup for your payments", "I agree: make it the backup")
    await tour.follows("Billing details")
    await tour.looks("Billing details", "Save")
    await tour.page.get_by_label(tour.say("Postal code")).fill("75002")
    await tour.presses("Save")
    await tour.looks(
        "Billing details", "Nothing was saved yet: please look at what is marked below.", "Choose a country."
    )
    await tour.follows("Overview")
    await tour.follows("Change")
    await tour.looks("Change your subscription", "See what it costs")
    await tour.page.get_by_label("Max").check()
    await tour.page.get_by_label(tour.say("Now"), exact=True).check()
    await tour.presses("See what it costs")
    sixty = {Language.FR: "60,00\u00a0€", Language.EN: "€60.00"}[tour.language]
    await tour.looks("Confirm the change", "Confirm and pay %(amount)s", amount=sixty)
    for page, heading, button in (
        ("Pause", "Pause your subscription", "Confirm the pause"),
        ("Withdraw from the contract here", "Withdraw from the contract", "Confirm the withdrawal"),
        ("Cancel your contract", "Cancel your contract", "Confirm the cancellation"),
    ):
        await tour.page.goto(f"{base}/overview")
        await tour.follows(page)
        await tour.looks(heading, button)
    await tour.page.goto(f"{tour.page.url}?on=1999-01-01")
    await tour.looks("Cancel your contract", "Choose a day from today on, and not more than ten years ahead.")
    await tour.presses("Confirm the cancellation")
    await tour.looks("Your cancellation is confirmed", "Keep my subscription")
    await tour.presses("Keep my subscription")
    await tour.looks("Your subscription", "Your subscription goes on.")
    await tour.page.goto(f"{base}/subscriptions/none/cancel")
    await tour.looks("There is nothing here", "Back to the overview")
    await tour.follows("Back to the overview")
    await tour.presses("Close")
    await tour.looks("Closed", "This page of yours is closed. Nobody can open it again from this browser.")
    await tour.page.goto(f"{base}/overview")
    await tour.looks("This link does not work")


async def owes(tour: Tour) -> None:
    """A failed payment: what is asked for, and the page on which it is paid."""
    await tour.signs_in("bob")
    await tour.looks("Your subscription", "Replace the payment method", "Pay with the method that you have")
    await tour.follows("Pay with the method that you have")
    button = tour.page.locator("main form button").first
    await expect(button).to_be_visible()
    await tour.looks(SELLER)
    await button.click()
    await expect(tour.page.locator(".notice")).to_be_visible()
    await tour.looks(SELLER)
    await tour.page.goto(f"{tour.page.url.partition('/pay/')[0]}/pay/none")
    await expect(tour.page.get_by_role("heading", level=1)).to_be_visible()
    tour.wrong += await findings(tour.page)


async def has_nothing(tour: Tour) -> None:
    """Pages with nothing on them."""
    await tour.signs_in("zoe")
    await tour.looks("Your subscription", "You have no subscription with us.")
    await tour.follows("Invoices")
    await tour.looks("Invoices", "There is no invoice yet.")
    await tour.follows("Payment methods")
    await tour.looks("Payment methods", "We have no payment method of yours.")


async def signs_up(tour: Tour) -> None:
    """The pages of the sign-up, to an order that is declined."""
    page, sessions = tour.page, tour.client.signup_sessions
    order = NewSignup(plan="pro", success_url=f"{APP}/welcome", terms_url=f"{APP}/terms")
    await page.goto(sessions.url_of(await sessions.create(order)))
    await tour.looks("Sign up", "Total including VAT", "Continue")
    for name, value in ZOE.items():
        if name != "country":
            await page.locator(f"#{name}").fill(value)
    await page.locator("#email").fill("nowhere@example")
    await tour.presses("Continue")
    await tour.looks("Sign up", "Nothing was ordered yet: please look at what is marked below.")
    await page.locator("#email").fill(ZOE["email"])
    await tour.presses("Continue")
    await page.get_by_role("button", name="can be saved, every charge is declined").click()
    await tour.looks("Your order", "Total including VAT", "Order with an obligation to pay")
    await page.locator("form.order").evaluate("form => form.noValidate = true")
    await tour.presses("Order with an obligation to pay")
    await tour.looks("Your order", "Please accept the terms of sale.")
    for box in ("terms", "debit"):
        await page.locator(f"input[name={box}]").check()
    await tour.presses("Order with an obligation to pay")
    await tour.looks("The payment did not go through", "Use another payment method")


async def ends_without_a_link(tour: Tour, at: str) -> None:
    """The page that is open to everybody, and the one for who asks too often."""
    await tour.page.goto(f"{at}/portal/terminate")
    await tour.looks("Cancel your contract", "Continue")
    await tour.page.get_by_label(tour.say("Name or company")).fill("Anna")
    await tour.page.get_by_label(tour.say("Mail address")).fill("nowhere@example")
    await tour.presses("Continue")
    await tour.looks(
        "Cancel your contract", "Give the address at which you get our mails, as ada@example.com."
    )
    await tour.page.get_by_label(tour.say("Mail address")).fill("nobody@example.com")
    await tour.presses("Continue")
    await tour.looks("Cancel your contract", "Confirm the cancellation")
    form = tour.page.locator("form").first
    fields = await form.evaluate("form => Object.fromEntries(new FormData(form))")
    await tour.presses("Confirm the cancellation")
    await tour.looks("Your cancellation was received")
    for _ in range(FROM_ONE_ADDRESS.amount - 1):
        sent = await tour.page.request.post(f"{at}/portal/terminate", form=fields)
        assert sent.status == HTTPStatus.OK
    await tour.page.goto(f"{at}/portal/terminate")
    await tour.page.get_by_label(tour.say("Name or company")).fill("Anna")
    await tour.page.get_by_label(tour.say("Mail address")).fill("nobody@example.com")
    await tour.presses("Continue")
    await tour.presses("Confirm the cancellation")
    await tour.looks("Please wait a little", "There were many requests from your connection.")


async def test_axe_finds_nothing_on_any_page(world: ClockedLife, chromium: Browser) -> None:
    await world.signs_up("bob", card={"outcomes": ["ok"], "then": "expired_card"})
    await world.until("2041-02-28")
    anna = await world.signs_up("anna")
    await world.methods.add(anna.customer_id, await world.new_card("second", ("ok",)), as_default=False)
    await world.customers.create(
        NewCustomer(reference="zoe", name="Zoé", contacts=(Contact(email="zoe@example.com"),))
    )
    seen: set[str] = set()
    wrong: list[str] = []
    # Each reader comes from an address of their own, since requests are counted by it.
    addresses = {Language.FR: "192.0.2.1", Language.EN: "192.0.2.2"}
    async with portal_of(world, portal_pause="on", trusted_proxies=1) as client:
        settings = client.connections.settings
        routes = routes_for_people(create_app(settings))
        for language in Language:
            for name in ("anna", "bob", "zoe"):
                await client.change_customer(name, CustomerChange(locale=language.value))
            headers = {"X-Forwarded-For": addresses[language]}
            async with person(chromium, language=language.value, extra_http_headers=headers) as somebody:
                tour = Tour(await somebody.new_page(), client, language, routes)
                tour.page.on("response", tour.hears)
                await sees_to_a_subscription(tour)
                await owes(tour)
                await has_nothing(tour)
                await signs_up(tour)
                await ends_without_a_link(tour, settings.public_url)
            seen |= tour.seen
            wrong += [f"{language}: {line}" for line in tour.wrong]
    assert wrong == []
    assert {named(route) for route in routes} - seen == FILES_AND_WAYS


async def test_axe_finds_what_is_planted(chromium: Browser) -> None:
    async with person(chromium) as somebody:
        page = await somebody.new_page()
        await page.set_content(
            '<!doctype html><html lang="en"><title>A page</title><main><h1>A page</h1><img src="data:,x">'
            '<form><input name="a"><p style="color: #aaa; background: #fff">Pale</p></form></main></html>'
        )
        found = await findings(page)
    rules = sorted(line.partition(" at ")[0] for line in found)
    assert rules == [
        f"{width}: {rule}"
        for width in ("1200px light", "360px dark")
        for rule in ("color-contrast (serious)", "image-alt (critical)", "label (critical)")
    ]
