"""Every task of a customer in a real browser, in both languages, on a phone, with nothing but what is on the pages."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page, expect
from support.browser import PHONE, in_a_browser, person, portal_of
from support.life import ClockedLife

from starter.client import RelanceClient
from starter.orders import CustomerChange

pytestmark = in_a_browser

FRENCH = {
    "Back to the overview": "Retour à l’aperçu",
    "Billing details": "Coordonnées de facturation",
    "Cancel your contract": "Résilier votre contrat",
    "Change": "Modifier",
    "City": "Ville",
    "Confirm the cancellation": "Confirmer la résiliation",
    "Confirm the change": "Confirmer la modification",
    "Confirm the pause": "Confirmer la pause",
    "Continue to the secure page": "Continuer vers la page sécurisée",
    "I agree: make it the backup": "J’accepte\u00a0: en faire le moyen de secours",
    "Invoices": "Factures",
    "Keep my subscription": "Garder mon abonnement",
    "Make it the backup": "En faire le moyen de secours",
    "Address": "Adresse",
    "Country": "Pays",
    "Name or company": "Nom ou raison sociale",
    "No backup any more": "Ne plus l’avoir en secours",
    "Overview": "Aperçu",
    "Pause": "Mettre en pause",
    "Payment methods": "Moyens de paiement",
    "Postal code": "Code postal",
    "Remove": "Retirer",
    "Save": "Enregistrer",
    "See what it costs": "Voir ce que cela coûte",
    "Send": "Envoyer",
    "Take the change back": "Annuler la modification",
    "Use this one": "Utiliser celui-ci",
}
SAID = {
    "fr": {
        "added": "Votre moyen de paiement est enregistré.",
        "backup": "Cette carte est désormais votre moyen de secours.",
        "canceled": "Votre résiliation est confirmée",
        "changed": "Votre modification est prise en compte.",
        "chosen": "Celui-ci est utilisé à partir de maintenant.",
        "kept": "Votre abonnement continue.",
        "no_backup": "Vous n’avez plus de moyen de secours.",
        "paused": "Votre pause est prise en compte.",
        "removed": "Le moyen de paiement a été retiré.",
        "saved": "Vos coordonnées sont enregistrées.",
        "thanks": "Merci, c’est noté.",
        "undone": "La modification est annulée.",
    },
    "en": {
        "added": "Your payment method was saved.",
        "backup": "This card is your backup from now on.",
        "canceled": "Your cancellation is confirmed",
        "changed": "Your change was taken.",
        "chosen": "This one is used from now on.",
        "kept": "Your subscription goes on.",
        "no_backup": "You have no backup any more.",
        "paused": "Your pause was taken.",
        "removed": "The payment method was removed.",
        "saved": "Your details were saved.",
        "thanks": "Thank you, we have noted it.",
        "undone": "The change was taken back.",
    },
}


@dataclass
class Customer:
    """Somebody with a phone."""

    page: Page
    language: str

    def words(self, english: str) -> str:
        return FRENCH[english] if self.language == "fr" else english

    async def follows(self, link: str) -> None:
        await self.page.get_by_role("link", name=self.words(link), exact=True).first.click()

    async def presses(self, button: str) -> None:
        await self.page.get_by_role("button", name=self.words(button), exact=True).first.click()

    async def fills_in(self, label: str, value: str) -> None:
        await self.page.get_by_label(self.words(label), exact=True).fill(value)

    async def reads(self, what: str) -> None:
        await expect(self.page.locator("main")).to_contain_text(SAID[self.language][what])


async def sees_to_methods(anna: Customer) -> None:
    """Another card, which becomes the default; the first one as its backup and not, then the default again."""
    await anna.follows("Payment methods")
    await anna.presses("Continue to the secure page")
    await anna.page.get_by_role("button", name="Mastercard that works").click()
    await anna.reads("added")
    await anna.follows("Make it the backup")
    await anna.presses("I agree: make it the backup")
    await anna.reads("backup")
    await anna.presses("No backup any more")
    await anna.reads("no_backup")
    await anna.presses("Use this one")
    await anna.reads("chosen")
    mastercard = anna.page.locator("section").filter(has_text="Mastercard")
    await mastercard.get_by_role("button", name=anna.words("Remove")).click()
    await anna.reads("removed")


async def sees_to_details(anna: Customer) -> None:
    """A name and an address."""
    await anna.follows("Billing details")
    for label, value in (
        ("Name or company", "Anna Martin"),
        ("Address", "1 rue de la Paix"),
        ("Postal code", "75002"),
        ("City", "Paris"),
    ):
        await anna.fills_in(label, value)
    await anna.page.get_by_label(anna.words("Country")).select_option("FR")
    await anna.presses("Save")
    await anna.reads("saved")


async def changes_and_takes_it_back(anna: Customer) -> None:
    """Another plan from the next period on, and not."""
    await anna.follows("Overview")
    await anna.follows("Change")
    await anna.page.get_by_label("Max").check()
    await anna.presses("See what it costs")
    await anna.presses("Confirm the change")
    await anna.reads("changed")
    await anna.presses("Take the change back")
    await anna.reads("undone")


async def pauses_and_goes_on(anna: Customer) -> None:
    await anna.follows("Pause")
    await anna.presses("Confirm the pause")
    await anna.reads("paused")
    await anna.presses("Keep my subscription")
    await anna.reads("kept")


async def cancels_says_why_and_stays(anna: Customer) -> None:
    await anna.follows("Cancel your contract")
    await anna.presses("Confirm the cancellation")
    await anna.reads("canceled")
    await anna.page.locator("#reason").fill("trop cher")
    await anna.presses("Send")
    await anna.reads("thanks")
    await anna.presses("Keep my subscription")
    await anna.reads("kept")


async def fetches_an_invoice(anna: Customer, client: RelanceClient) -> None:
    (number,) = [row.number for row in await client.list_invoices() if row.number]
    await anna.follows("Invoices")
    link = anna.page.get_by_role("row").get_by_role("link").first
    await expect(link).to_have_text(number)
    answer = await anna.page.context.request.get(await link.evaluate("link => link.href"))
    assert (answer.status, (await answer.body())[:5]) == (200, b"%PDF-")


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_customer_sees_to_everything(world: ClockedLife, chromium: Browser, language: str) -> None:
    await world.signs_up("anna")
    async with portal_of(world, portal_pause="on") as client:
        await client.change_customer("anna", CustomerChange(locale=language))
        async with person(chromium, language=language, viewport=PHONE) as somebody:
            anna = Customer(await somebody.new_page(), language)
            await anna.page.goto((await client.portal_sessions.create("anna")).url)
            await sees_to_methods(anna)
            await sees_to_details(anna)
            await changes_and_takes_it_back(anna)
            await pauses_and_goes_on(anna)
            await cancels_says_why_and_stays(anna)
            await fetches_an_invoice(anna, client)
        kept = [row.last4 for row in await client.list_methods("anna") if row.detached_at is None]
        customer = await client.customer("anna")
        state = (await client.subscription("anna")).state
    assert (customer.name, kept) == ("Anna Martin", ["4242"])
    assert (state.cancel_at_end, state.pause_at_end, state.pending_terms) == (False, False, None)
