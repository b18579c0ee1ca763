"""Paying what is open: from the portal to the bank and back again whatever it says, and by a mail's link alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.api import Api
from support.life import ClockedLife, Person
from support.reader import PUBLIC, Reader

from activities.links import Links
from starter.client import RelanceClient

BACK = "Retour à votre abonnement"
CONFIRM = "Confirmer le paiement"


@pytest.fixture
async def bob(world: ClockedLife) -> Person:
    """His bank asks for his word since February."""
    bob = await world.signs_up("bob", card={"outcomes": ["ok"], "then": "authentication_required"})
    await world.until("2041-03-01")
    return bob


async def pay_link(bob: Person) -> str:
    """As it stands in the mail."""
    links = Links(public_url=PUBLIC, secret="x" * 40)
    return links.pay((await bob.invoices())[-1].id, now=datetime.now(UTC))


async def goes_to_pay(reader: Reader, client: RelanceClient) -> None:
    await reader.signs_in(client, "bob")
    await reader.follows("Payer 58,80 € maintenant")
    assert reader.url.startswith(f"{PUBLIC}/pay/")


@pytest.mark.usefixtures("bob")
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("Complete authentication", "Merci, votre paiement a abouti."),
        ("Fail authentication", "Le paiement n’a pas abouti avec Visa •••• 4242."),
    ],
)
async def test_the_bank_leads_back_to_the_page_and_the_page_to_the_portal(
    client: RelanceClient, reader: Reader, answer: str, says: str
) -> None:
    await goes_to_pay(reader, client)
    portal = reader.came_from
    await reader.presses(CONFIRM)
    await reader.follows("Continuer vers votre banque")
    await reader.presses(answer)
    assert says in reader.text
    await reader.follows(BACK)
    assert (reader.page.status_code, reader.heading) == (200, "Votre abonnement")
    assert portal.startswith(reader.url.rpartition("/")[0])
    assert ("Tout va bien" in reader.text) == (answer == "Complete authentication")


async def test_who_walks_away_from_the_bank_finds_the_way_back_too(
    client: RelanceClient, reader: Reader, bob: Person
) -> None:
    await goes_to_pay(reader, client)
    await reader.presses(CONFIRM)
    await reader.follows("Continuer vers votre banque")
    await reader.opens(await pay_link(bob))
    assert "Votre banque vous demande de confirmer ce paiement." in reader.text
    await reader.follows(BACK)
    assert "Un paiement de 58,80 € n’a pas abouti" in reader.text


async def test_the_way_back_is_for_whoever_came_from_their_own_portal(
    world: ClockedLife, client: RelanceClient, reader: Reader, bob: Person, api: Api
) -> None:
    await world.signs_up("anna")
    session = await reader.signs_in(client, "bob")
    await reader.opens(reader.url.replace("overview", f"invoices/{(await bob.invoices())[-1].id}/pay"))
    assert BACK in reader.text
    (cookie,) = reader.cookies
    assert cookie.value is not None
    assert (cookie.name, cookie.path) == ("relance_portal", "/pay")
    assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite")) == (True, "lax")
    link = await pay_link(bob)
    somebody = Reader(api.app)
    await somebody.opens(link)
    assert BACK not in somebody.text  # a mail's link opens no portal
    await somebody.signs_in(client, "anna")
    annas = somebody.url.split("/")[-2]
    for other in (annas, cookie.value + "x", "//evil.example.com", "https://evil.example.com"):
        await somebody.opens(link, headers={"Cookie": f"relance_portal={other}"})
        assert (somebody.page.status_code, BACK in somebody.text) == (200, False)
        assert "evil" not in somebody.page.text
    await client.portal_sessions.revoke(session)
    await reader.opens(link)
    assert BACK not in reader.text
    await somebody.close()


async def test_a_mail_s_link_is_enough_to_give_another_card_and_pay(
    world: ClockedLife, reader: Reader
) -> None:
    bob = await world.signs_up("bob", card={"outcomes": ["ok"], "then": "expired_card"})
    await world.until("2041-02-28")
    link = await pay_link(bob)
    await reader.opens(link)
    await reader.presses("Utiliser un autre moyen de paiement")
    assert "SEPA debit" in reader.text
    await reader.follows("Back without saving")
    assert reader.url == link
    await reader.presses("Utiliser un autre moyen de paiement")
    await reader.presses("4000 0025 0000 3155: asks for 3-D Secure once, now")
    await reader.presses("Fail authentication")
    assert "Aucun moyen de paiement n’a été enregistré." in reader.text
    await reader.presses("Utiliser un autre moyen de paiement")
    await reader.presses("5555 5555 5555 4444: Mastercard that works")
    assert "Merci, votre paiement a abouti." in reader.text
    await world.settle()
    assert [row.status for row in await bob.invoices()] == ["paid", "paid"]
    assert [line for line in await bob.diary() if "2041-02-28 charge" in line] == [
        "2041-02-28 charge declined: expired_card",
        "2041-02-28 charge paid 58.80",
    ]
    # It does nothing else: no page of somebody else's, and nothing once all is paid.
    await reader.opens(f"{link}/method?page=cs_test_of_somebody")
    assert (reader.page.status_code, reader.heading) == (404, "This link is not valid")
    await reader.opens(f"{link}/method", fields={"command": "0123456789abcdef01234567"})
    assert "C’est réglé." in reader.text


async def test_an_account_given_there_is_debited_after_its_notice(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    bob = await world.signs_up("bob", card={"outcomes": ["ok"], "then": "expired_card"})
    await world.until("2041-02-28")
    await reader.opens(await pay_link(bob))
    await reader.presses("Utiliser un autre moyen de paiement")
    await reader.presses("AT61 1904 3002 3457 3201: debits succeed")
    assert "Votre compte est enregistré. Nous vous écrivons avant de le débiter." in reader.text
    assert "n’a pas abouti" not in reader.text
    (mandate,) = await client.mandates.of("bob")
    assert (mandate.account, mandate.in_force) == ("SEPA 3201", True)
