"""A customer chooses which card stands in where the first one fails, agrees to it, and ends it."""

from __future__ import annotations

from support.life import ClockedLife
from support.reader import Reader

from portal.methods import BACKUP_TEXT
from starter.client import RelanceClient
from starter.orders import CustomerChange
from starter.resources.portal import StartPage

AGREED = {
    "fr": (
        "Une carte de secours pour vos paiements Nous débitons Visa •••• 4242 à la place de SEPA •••• 3201 quand ce "
        "moyen de paiement ne peut plus être débité, ou quand sa banque attend votre accord depuis un jour. Nous ne "
        "vous le demandons pas à chaque fois. Le reçu dit avec quelle carte vous avez payé. Cela vaut pour les mêmes "
        "paiements et les mêmes montants, comme convenu pour votre abonnement. Vous y mettez fin ici, quand vous "
        "voulez. J’accepte : en faire le moyen de secours"
    ),
    "en": (
        "A backup for your payments We charge Visa •••• 4242 in place of SEPA •••• 3201 where that one cannot be "
        "charged any more, or where its bank asks for you and a day has passed. You are not asked each time. The "
        "receipt says with which card you paid. It is for the same payments and the same amounts, as agreed for your "
        "subscription. You end this here, whenever you like. I agree: make it the backup"
    ),
}
"""As they stood under version 2026-11: who changes the words gives them another version."""


async def test_a_backup_is_agreed_to_shown_and_ended(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna")
    await reader.signs_in(client, "anna", StartPage.METHODS)
    assert "secours" not in reader.text  # the only card is the one that is charged
    await anna.gives_account(("ok",))
    for language in ("en", "fr"):
        await client.change_customer("anna", CustomerChange(locale=language))
        await reader.signs_in(client, "anna", StartPage.METHODS)
        await reader.follows({"en": "Make it the backup", "fr": "En faire le moyen de secours"}[language])
        assert AGREED[language] in reader.text
    assert BACKUP_TEXT == "2026-11"
    assert (await client.customer("anna")).backup_method_id is None
    await reader.presses("J’accepte : en faire le moyen de secours")
    assert "Cette carte est désormais votre moyen de secours." in reader.text
    assert "Visa •••• 4242 Moyen de secours : utilisé si le premier échoue" in reader.text
    assert "En faire le moyen de secours" not in reader.text
    owner = await client.customer("anna")
    (card,) = [row for row in await client.list_methods("anna") if row.last4 == "4242"]
    assert (owner.backup_method_id, owner.backup_agreed_by) == (card.id, "customer, portal text 2026-11")
    assert owner.backup_agreed_at == await world.present()
    await reader.presses("Ne plus l’avoir en secours")
    assert "Vous n’avez plus de moyen de secours." in reader.text
    owner = await client.customer("anna")
    assert (owner.backup_method_id, owner.backup_agreed_at, owner.backup_agreed_by) == (None, None, None)


async def test_an_account_and_the_default_cannot_stand_in(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna")
    card = anna.method
    await anna.gives_account(("ok",))
    account = anna.method
    assert card is not None
    await client.methods.make_default("anna", card)
    await reader.signs_in(client, "anna", StartPage.METHODS)
    assert "En faire le moyen de secours" not in reader.text
    base = reader.url.partition("?")[0]
    _, fields = reader.form_of("Fermer")
    for method in (card, account):
        await reader.opens(f"{base}/{method}/backup")
        assert reader.page.status_code == 404
        await reader.opens(f"{base}/{method}/backup", fields=fields)
        assert (reader.page.status_code, reader.heading) == (409, "Ce n’est pas possible maintenant")
    assert (await client.customer("anna")).backup_method_id is None
