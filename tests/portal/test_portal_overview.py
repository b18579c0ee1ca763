"""The portal's first pages, in both languages: what there is, what is owed, and what is paid with."""

from __future__ import annotations

import httpx
import pytest
from fakes import FakeStripe
from support.life import ClockedLife
from support.reader import Reader

from starter.client import RelanceClient
from starter.orders import CustomerChange, EntityChange
from starter.resources.portal import StartPage


async def test_a_healthy_customer_sees_all_in_one_glance(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("anna")
    await reader.signs_in(client, "anna")
    for words in ("Votre abonnement", "Pro", "Tout va bien", "58,80 € le 28 février 2041, Visa •••• 4242"):
        assert words in reader.text
    await client.change_customer("anna", CustomerChange(locale="en"))
    await reader.opens(reader.url)
    for words in ("Your subscription", "Pro", "All is well", "€58.80 on 28 February 2041, Visa •••• 4242"):
        assert words in reader.text
    await reader.follows("Invoices")
    assert "F-2041-000001" in reader.text or "Paid" in reader.text
    (number,) = [row.number for row in (await client.list_invoices()) if row.number]
    assert f"{number} 31 Jan 2041 €58.80 Paid" in reader.text
    await reader.follows(number)
    assert reader.page.content.startswith(b"%PDF-")
    assert reader.page.headers["content-type"] == "application/pdf"


async def test_a_failed_card_is_replaced_and_pays_what_is_open(
    world: ClockedLife, client: RelanceClient, reader: Reader, fake_stripe: FakeStripe
) -> None:
    bob = await world.signs_up("bob", card={"outcomes": ["ok"], "then": "expired_card"})
    await client.change_customer("bob", CustomerChange(locale="en"))
    await world.until("2041-02-28")
    await reader.signs_in(client, "bob")
    assert "A payment of €58.80 did not go through" in reader.text
    assert "This payment method can no longer be charged" in reader.text
    assert "We will not try again automatically." in reader.text
    assert "Please see to it by 20 March 2041: after that the service is suspended" in reader.text
    await reader.presses("Replace the payment method")
    assert reader.url.startswith(f"{fake_stripe.base}/_fake/checkout/")
    await reader.presses("4000 0000 0000 0002: is declined now")
    assert reader.page.status_code == 402
    await reader.presses("5555 5555 5555 4444: Mastercard that works")
    assert reader.heading == "Payment methods"
    assert "and is used at once for what was open" in reader.text
    assert "Mastercard •••• 4444 Used for your payments" in reader.text
    await world.settle()
    assert [row.status for row in await bob.invoices()] == ["paid", "paid"]
    await reader.follows("Overview")
    assert "All is well" in reader.text
    assert "did not go through" not in reader.text


async def test_methods_are_added_with_the_bank_s_word_chosen_and_removed(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("anna")
    await reader.signs_in(client, "anna", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    await reader.follows("Back without saving")
    assert "Rien n’a été enregistré." in reader.text
    await reader.presses("Continuer vers la page sécurisée")
    await reader.presses("4000 0025 0000 3155: asks for 3-D Secure once, now")
    assert "/_fake/3ds/" in reader.url
    await reader.opens(reader.url, fields={"result": "failed"})
    assert "Aucun moyen de paiement n’a été enregistré." in reader.text
    await reader.presses("Continuer vers la page sécurisée")
    await reader.presses("4000 0025 0000 3155: asks for 3-D Secure once, now")
    await reader.opens(reader.url, fields={"result": "succeeded"})
    assert "Visa •••• 3155 Utilisé pour vos paiements" in reader.text
    await reader.presses("Utiliser celui-ci")
    assert "Visa •••• 4242 Utilisé pour vos paiements" in reader.text
    await reader.presses("Retirer", near="Visa •••• 4242")
    assert "Ce moyen de paiement est nécessaire" in reader.text
    await reader.presses("Retirer", near="Visa •••• 3155")
    assert "Le moyen de paiement a été retiré." in reader.text
    kept = [row.last4 for row in await client.list_methods("anna") if row.detached_at is None]
    assert kept == ["4242"]


async def test_an_account_is_debited_where_the_seller_may(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("anna")
    await client.documents.update_entity(None, EntityChange(creditor_id=""))
    await reader.signs_in(client, "anna", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    assert "SEPA" not in reader.text
    await client.documents.update_entity(None, EntityChange(creditor_id="FR72ZZZ123456"))
    await reader.signs_in(client, "anna", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    await reader.presses("AT61 1904 3002 3457 3201: debits succeed")
    assert "SEPA •••• 3201 Utilisé pour vos paiements" in reader.text
    (mandate,) = await client.mandates.of("anna")
    assert (mandate.account, mandate.creditor_id, mandate.in_force) == ("SEPA 3201", "FR72ZZZ123456", True)


@pytest.mark.parametrize("code", ["stolen_card", "lost_card", "fraudulent"])
async def test_no_page_hints_at_fraud(
    world: ClockedLife, client: RelanceClient, reader: Reader, code: str
) -> None:
    await world.signs_up("bob", card={"outcomes": ["ok"], "then": code})
    await world.until("2041-02-28")
    await reader.signs_in(client, "bob")
    assert "Votre banque ne l’a pas accepté." in reader.text
    assert not {"vol", "volé", "volée", "perdu", "perdue", "fraude"} & set(reader.text.lower().split())


async def test_a_page_that_the_provider_cannot_serve_says_so(
    world: ClockedLife, client: RelanceClient, reader: Reader, fake_stripe: FakeStripe
) -> None:
    await world.signs_up("anna")
    await reader.signs_in(client, "anna", StartPage.METHODS)
    broken = {"match": {"method": "POST", "path": "/v1/checkout/sessions"}, "status": 500}
    async with httpx.AsyncClient(base_url=fake_stripe.base) as http:
        (await http.post("/_fake/faults", json=broken)).raise_for_status()
    await reader.presses("Continuer vers la page sécurisée")
    assert (reader.page.status_code, reader.heading) == (503, "Veuillez réessayer dans un instant")
