"""What a customer does at the portal: details, changes, leaving and coming back; in both languages."""

from __future__ import annotations

import pytest
from support.api import api_settings, opened
from support.life import COMPANY, ClockedLife
from support.metered import BASE, CALLS
from support.reader import Reader

from billing.subscription import CustomerKind
from starter.client import RelanceClient
from starter.orders import CustomerChange, TaxFactsChange
from starter.resources.portal import StartPage

SAVED = "Vos coordonnées sont enregistrées."


async def test_details_are_checked_kept_and_shown(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("anna")
    await reader.signs_in(client, "anna")
    await reader.follows("Coordonnées de facturation")
    company = {
        "name": "Acme SARL",
        "kind": "business",
        "line1": "12 rue de la Paix",
        "postal_code": "75002",
        "city": "Paris",
        "country": "FR",
        "vat_number": "FR 40 303 265 045",
        "siren": "303265045",
        "mail1": "books@acme.example",
        "language": "en",
    }
    for wrong, says in (
        ({"vat_number": "FR40303265046"}, "Ce numéro de TVA n’est pas juste"),
        ({"vat_number": "DE136695976"}, "Ce numéro de TVA n’est pas juste"),
        ({"kind": "consumer"}, "Un numéro de TVA va avec une entreprise."),
        ({"siren": "303265046"}, "Le SIREN manque ou n’est pas juste."),
        ({"city": ""}, "Indiquez une ville."),
        ({"country": ""}, "Choisissez un pays."),
        ({"mail1": "nowhere"}, "Indiquez au moins une adresse mail"),
        ({"name": ""}, "Indiquez un nom."),
    ):
        await reader.presses("Enregistrer", **{**company, **wrong})
        assert (wrong, reader.page.status_code) == (wrong, 422)
        assert says in reader.text
    assert (await client.customer("anna")).name == "Anna"
    await reader.presses("Enregistrer", **company)
    assert "Your details were saved. They stand on documents from the next one on." in reader.text
    anna = await client.customer("anna")
    assert (anna.name, anna.kind, anna.vat_number, anna.locale) == (
        "Acme SARL",
        CustomerKind.BUSINESS,
        "FR40303265045",
        "en",
    )
    assert [contact["email"] for contact in anna.contacts] == ["anna@example.com", "books@acme.example"]
    await reader.presses("Save", mail0="new@acme.example")
    kept = (await client.customer("anna")).contacts
    assert [contact["email"] for contact in kept] == ["new@acme.example", "books@acme.example"]


async def test_what_invoices_need_cannot_be_taken_away(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("acme", kind=CustomerKind.BUSINESS)
    await reader.signs_in(client, "acme", StartPage.DETAILS)
    no_address = dict.fromkeys(("line1", "line2", "postal_code", "city", "country"), "")
    for taken, field, says in (
        ({"siren": ""}, "siren", "Le SIREN manque ou n’est pas juste."),
        (no_address, "line1", "Indiquez une rue"),
        ({"postal_code": ""}, "postal_code", "Ce code postal n’est pas valable."),
    ):
        await reader.presses("Enregistrer", **taken)
        assert (field, reader.page.status_code) == (field, 422)
        assert says in reader.text
        assert f'aria-describedby="{field}-wrong"' in reader.page.text
        await reader.opens(reader.url)
    kept = await client.customer("acme")
    assert (kept.siren, kept.address) == (COMPANY["siren"], COMPANY["address"])
    # What is changed, and not taken away, is saved: here the number is needed no more.
    await reader.presses("Enregistrer", siren="", country="DE", postal_code="10115", city="Berlin")
    assert SAVED in reader.text
    # Nor does a consumer become a company that no invoice can be made out to.
    await world.signs_up("anna")
    await reader.signs_in(client, "anna", StartPage.DETAILS)
    await reader.presses("Enregistrer", kind="business")
    assert (reader.page.status_code, (await client.customer("anna")).kind) == (422, CustomerKind.CONSUMER)
    # Whoever lacked it before can see to the rest.
    await client.taxes.change_facts("acme", TaxFactsChange(address=COMPANY["address"]))
    await reader.signs_in(client, "acme", StartPage.DETAILS)
    await reader.presses("Enregistrer", line1="22 quai de Valmy")
    assert SAVED in reader.text


@pytest.mark.parametrize(
    ("language", "prices"),
    [
        (
            "fr",
            (
                "Team 14,40 € par unité, tous les mois, TTC",
                "Team 12,00 € par unité, tous les mois, HT",
                "Calls 34,80 €, 0,0018 € par unité, tous les mois, TTC",
                "Calls 29,00 €, 0,0015 € par unité, tous les mois, HT",
            ),
        ),
        (
            "en",
            (
                "Team €14.40 a unit, every month, tax included",
                "Team €12.00 a unit, every month, before tax",
                "Calls €34.80, €0.0018 a unit, every month, tax included",
                "Calls €29.00, €0.0015 a unit, every month, before tax",
            ),
        ),
    ],
    ids=["fr", "en"],
)
async def test_consumers_read_prices_with_tax_and_businesses_before(
    world: ClockedLife, client: RelanceClient, reader: Reader, language: str, prices: tuple[str, ...]
) -> None:
    await world.offers("calls", amount=None, prices=(BASE, CALLS))
    await world.signs_up("anna")
    await world.signs_up("acme", kind=CustomerKind.BUSINESS)
    of_consumer = {prices[0], prices[2]}
    for name, seen in (("anna", of_consumer), ("acme", set(prices) - of_consumer)):
        await client.change_customer(name, CustomerChange(locale=language))
        await reader.signs_in(client, name)
        await reader.opens(
            reader.url.replace("overview", f"subscriptions/{(await client.subscription(name)).id}/change")
        )
        assert {each for each in prices if each in reader.text} == seen


async def test_a_change_is_seen_to_the_cent_before_it_is_made(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna")
    await client.change_customer("anna", CustomerChange(locale="en"))
    await reader.signs_in(client, "anna")
    await reader.follows("Change")
    assert "Max €118.80, every month, tax included" in reader.text
    plan = (await client.plan("max")).id
    _, fields = reader.form_of("See what it costs")
    where = reader.url + "/preview"
    await reader.opens(f"{where}?plan={plan}&when=now")
    assert reader.heading == "Confirm the change"
    assert "From Pro to Max. It takes effect now." in reader.text
    # The whole period is left: 99.00 - 49.00 = 50.00, and 20 % VAT of it 10.00.
    assert "VAT €10.00 Total €60.00" in reader.text
    assert "Next invoice €118.80 on 28 February 2041" in reader.text
    await reader.presses("Confirm and pay €60.00")
    assert "Your change was taken." in reader.text
    await world.settle()
    assert [row.total_minor for row in await anna.invoices()] == [5880, 6000]
    await reader.opens(f"{where}?plan={(await client.plan('pro')).id}&when=period_end")
    assert "It takes effect on 28 February 2041." in reader.text
    assert "To pay now nothing" in reader.text
    await reader.presses("Confirm the change")
    assert "Planned change Pro, from 28 February 2041" in reader.text
    await reader.presses("Take the change back")
    assert "Planned change" not in reader.text
    await reader.opens(f"{where}?plan={(await client.plan('dollar')).id}&when=now")
    assert (reader.page.status_code, reader.heading) == (409, "Change your subscription")
    assert "This change is not possible as things stand." in reader.text
    assert fields == {"plan": (await client.plan("pro")).id, "when": "period_end"}


async def test_a_cancel_takes_three_clicks_from_the_first_page_and_can_be_taken_back(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna", plan="trial", card=None)
    await reader.signs_in(client, "anna")
    assert "Essai jusqu’au 13 février 2041 inclus" in reader.text
    await reader.follows("Résilier votre contrat")
    assert "Vous pouvez utiliser le service jusqu’à la fin du 13 février 2041." in reader.text
    await reader.presses("Confirmer la résiliation")
    assert reader.heading == "Votre résiliation est confirmée"
    assert "Reçue le 31 janvier 2041 à 10:00 (heure de référence : Paris)." in reader.text
    await reader.presses("Envoyer", reason="trop cher")
    assert "Merci, c’est noté." in reader.text
    assert "Essai, prend fin après le 13 février 2041" in reader.text
    assert [letter.kind for letter in await anna.letters()].count("cancel_scheduled") == 1
    await reader.presses("Garder mon abonnement")
    assert "Votre abonnement continue." in reader.text
    assert not (await client.subscription("anna")).state.cancel_at_end


async def test_withdrawing_shows_the_sum_first(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    bob = await world.signs_up("bob")
    cai = await world.signs_up("cai", early_start_requested=True)
    for name in ("bob", "cai"):
        await client.change_customer(name, CustomerChange(locale="en"))
    await world.until("2041-02-06")
    await reader.signs_in(client, "bob")
    await reader.follows("Withdraw from the contract here")
    assert "€58.80 is credited" in reader.text
    assert "It leaves us by 20 February 2041 at the latest." in reader.text
    await reader.presses("Confirm the withdrawal")
    assert reader.heading == "Your withdrawal is confirmed"
    assert "The subscription has ended. Nothing further is billed." in reader.text
    # 31 January to 6 February are 7 of 28 days; 21 are given back: 49.00 x 21/28 = 36.75, with VAT 44.10.
    await reader.signs_in(client, "cai")
    await reader.follows("Withdraw from the contract here")
    assert "€44.10 is credited" in reader.text
    await reader.presses("Confirm the withdrawal")
    await world.settle()
    assert [note.total_minor for note in await bob.credit_notes()] == [5880]
    assert [note.total_minor for note in await cai.credit_notes()] == [4410]
    await reader.follows("Invoices")
    assert "Credit notes" in reader.text
    assert "€44.10" in reader.text


async def test_customers_pause_where_the_seller_lets_them(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("anna")
    await reader.signs_in(client, "anna")
    assert "Mettre en pause" not in reader.text
    page = reader.url.replace("overview", f"subscriptions/{(await client.subscription('anna')).id}/pause")
    await reader.opens(page)
    assert reader.page.status_code == 404
    lets = api_settings(world.settings, str(world.database.engine.url)).model_copy(
        update={"portal_pause": "on"}
    )
    async with opened(lets, world.client) as other:
        somebody = Reader(other.app)
        await somebody.signs_in(client, "anna")
        await somebody.follows("Mettre en pause")
        assert "Pendant la pause, rien n’est facturé" in somebody.text
        await somebody.presses("Confirmer la pause")
        assert "Pause prévue à partir du 28 février 2041" in somebody.text
        await world.until("2041-03-01")
        await somebody.follows("Aperçu")
        assert "En pause" in somebody.text
        await somebody.presses("Reprendre maintenant")
        assert "Votre abonnement reprend." in somebody.text
        assert "Tout va bien" in somebody.text
        await somebody.close()
