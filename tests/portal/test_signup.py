"""Signing up by oneself: what is shown is what is charged, and one order is one subscription."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urljoin

import httpx
import pytest
from sqlmodel import select
from support.api import BASE, Api
from support.life import APP, ClockedLife
from support.metered import CALLS
from support.reader import Reader
from support.signing_up import (
    AGREED,
    ORDER,
    VISA,
    ZOE,
    begins,
    comes_to_the_order,
    confirmations,
    customers,
    subscriptions,
    taken,
)

from activities.books.config import BookRules
from activities.hosted_page_news import HostedPageNews
from billing.commands import Withdraw
from billing.prices import Charging, Price
from billing.subscription import Status
from models.tables import VatCheck
from starter.api_keys import Scope
from starter.client import RelanceClient
from starter.orders import NewCoupon
from starter.remote import ApiProblem, RelanceHttp
from starter.resources.signup import NewSignupSession, Prefilled


async def test_a_consumer_orders_and_all_that_was_agreed_to_is_kept(
    world: ClockedLife, reader: Reader, admin: httpx.AsyncClient
) -> None:
    new = {
        "plan": "ref:pro",
        "reference": "zoe",
        "customer_reference": "zoe-petit",
        "customer": {"name": "Zoe", "email": "zoe@example.com"},
        "language": "en",
        "success_url": f"{APP}/welcome?session={{SIGNUP_SESSION_ID}}",
        "terms_url": "https://example.com/terms",
        "terms_version": "2041-01",
        "test_clock": world.clock_id,
        "metadata": {"from": "prices"},
    }
    made = (await admin.post("/v1/signup_sessions", json=new)).json()
    assert (made["state"], made["subscription"], made["first_payment"]) == ("open", None, None)
    await reader.opens(made["url"])
    assert "Total including VAT €58.80" in reader.text
    assert "Next payment: €58.80 including VAT on 28 February 2041. Then the same every month." in reader.text
    assert reader.form_of("Continue")[1]["name"] == "Zoe"
    await reader.presses("Français")
    await comes_to_the_order(reader)
    assert "TVA (20 %) 9,80 €" in reader.text
    assert "Total TTC 58,80 €" in reader.text
    assert "Visa •••• 4242" in reader.text
    assert reader.form_of(ORDER)[1].keys() == {"form", "shown"}  # no box is ticked
    await reader.presses(ORDER, terms="yes")
    assert (reader.page.status_code, "Rien n’est encore commandé" in reader.text) == (422, True)
    assert await subscriptions(world) == []
    before = datetime.now(UTC)
    await reader.presses(ORDER, **AGREED)
    assert reader.heading == "Merci pour votre commande"
    assert f'href="{APP}/welcome?session={made["id"]}"' in reader.page.text
    assert taken(world) == [(5880, "eur")]
    known = (await admin.get(f"/v1/signup_sessions/{made['id']}")).json()
    (subscription,), (customer,) = await subscriptions(world), await customers(world)
    assert (known["state"], known["url"]) == ("completed", None)
    assert (known["subscription"], known["customer"]) == (subscription.id, customer.id)
    assert known["first_payment"]["outcome"] == "paid"
    assert (subscription.reference, subscription.custom) == ("zoe", {"from": "prices"})
    assert (customer.reference, customer.name, customer.locale) == ("zoe-petit", "Zoé Petit", "fr")
    agreed = known["accepted"]
    assert before <= datetime.fromisoformat(agreed["at"]) <= datetime.now(UTC)
    assert (agreed["terms_url"], agreed["terms_version"]) == ("https://example.com/terms", "2041-01")
    assert (agreed["due_minor"], agreed["currency"], agreed["button"]) == (5880, "EUR", ORDER)
    assert agreed["debit_text"] == (
        "J’autorise Exemple SAS à débiter Visa •••• 4242 de ce qui est dû au titre de cet abonnement, aujourd’hui "
        "puis à chaque échéance, jusqu’à sa fin."
    )
    assert (agreed["debit_version"], agreed["early_start"], agreed["language"]) == ("2026-11", False, "fr")
    assert not subscription.state.early_start_requested
    await world.settle()  # which publishes them
    (mail,) = await confirmations(world)
    assert mail.subject == "[TEST] Votre commande est confirmée\N{NO-BREAK SPACE}: Pro"
    said = " ".join((mail.body_text or "").replace("\N{NO-BREAK SPACE}", " ").split())
    for words in (
        "Contrat zoe Offre Pro Prix TTC 58,80 € tous les mois",
        "Pro 49,00 € TVA 9,80 €",
        "À régler à la commande, TTC 58,80 €",
        "Prochain paiement : 58,80 € TTC le 28 février 2041, puis le même montant tous les mois.",
        "(version 2041-01) : https://example.com/terms",
        f"(version 2026-11) : « {agreed['debit_text']} »",
        "pendant 14 jours, jusqu’au 14 février 2041 inclus",
        "Vous n’avez pas demandé que le service commence avant la fin de ces 14 jours.",
        "Je vous notifie par la présente ma rétractation du contrat zoe",
        "Exemple SAS, 12 rue de la Paix, 75002 Paris",
    ):
        assert words in said
    told = (await admin.get("/v1/events?subscription=ref:zoe&type=subscription.signed_up")).json()["data"]
    assert [each["data"] for each in told] == [{"signup_session": made["id"], "early_start_requested": False}]
    assert (await admin.get("/v1/signup_sessions/ref:zoe")).json()["id"] == made["id"]
    refused = await admin.post(f"/v1/signup_sessions/{made['id']}/expire")
    assert refused.status_code == 409
    again = await admin.post("/v1/signup_sessions", json=new)
    assert (again.status_code, again.json()["field"]) == (409, "customer_reference")


async def test_another_language_keeps_what_was_filled_in(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    row = await begins(client, world, reader)
    page = reader.url
    company = {**ZOE, "kind": "business", "siren": "987654324", "vat_number": "FR40303265046"}
    await reader.presses("English", **{**company, "name": "Zoé & Cie", "city": ""})
    assert (reader.heading, reader.url, reader.page.status_code) == ("Sign up", page, 422)
    assert "This VAT number is not right, or does not go with the address." in reader.text
    _, kept = reader.form_of("Continue")
    expected = {**company, "name": "Zoé & Cie", "city": "", "line2": ""}
    assert {name: value for name, value in kept.items() if name != "form"} == expected
    # Nothing was taken for an answer, and nothing is asked for before it is sent.
    assert not (await client.signup_sessions.find(row.id)).is_filled_in
    await reader.presses("Français", **{**ZOE, "vat_number": "", "name": ""})
    assert (reader.heading, reader.page.status_code) == ("Souscrire", 200)
    assert reader.form_of("Continuer")[1]["line1"] == "1 rue du Bac"
    await comes_to_the_order(reader, kind="consumer", siren="")
    await reader.presses("English")
    assert (reader.heading, reader.url) == ("Your order", f"{page}/order")


async def test_usage_is_priced_with_tax_for_consumers(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.offers("calls", amount=None, prices=(Price(id="base", unit_amount=Decimal(29)), CALLS))
    await begins(client, world, reader, plan="calls")
    after = "En plus, ce que vous consommez est facturé après coup :"
    assert f"{after} 0,0018 € par unité, TTC." in reader.text
    await reader.presses("Actualiser le total", **ZOE, kind="business", siren="987654324")
    assert f"{after} 0,0015 € par unité, HT." in reader.text
    await reader.presses("English", kind="consumer", country="US")
    assert "billed afterwards: €0.0015 a unit, no tax is added." in reader.text


async def test_the_typed_client_makes_looks_at_and_ends_a_session(world: ClockedLife, api: Api) -> None:
    new = NewSignupSession(
        plan="ref:pro",
        reference="zoe",
        customer=Prefilled(country="DE"),
        success_url=f"{APP}/welcome",
        test_clock=world.clock_id,
    )
    async with RelanceHttp(
        await api.key(Scope.WRITE), base_url=BASE, transport=httpx.ASGITransport(api.app)
    ) as relance:
        made = await relance.signup_sessions.create(new, idempotency_key="zoe-1")
        again = await relance.signup_sessions.create(new, idempotency_key="zoe-1")
        assert (again, made.state) == (made, "open")
        assert await relance.signup_sessions.get("ref:zoe") == made
        ended = await relance.signup_sessions.expire(made.id)
        assert (ended.state, ended.url, ended.first_payment) == ("expired", None, None)
        with pytest.raises(ApiProblem) as refused:
            await relance.signup_sessions.create(
                new.model_copy(update={"success_url": "https://evil.example"})
            )
    assert (refused.value.status, refused.value.field) == (422, "success_url")
    async with api.with_key(await api.key(Scope.READ, name="reader")) as reads:
        assert (await reads.post("/v1/signup_sessions", json=new.model_dump(mode="json"))).status_code == 403


async def test_ordered_twice_at_once_and_again_it_is_one(
    world: ClockedLife, client: RelanceClient, reader: Reader, api: Api
) -> None:
    row = await begins(client, world, reader)
    page = reader.url
    await comes_to_the_order(reader)
    action, fields = reader.form_of(ORDER)
    other_tab = Reader(api.app)
    await other_tab.opens(f"{page}/order")
    _, others = other_tab.form_of(ORDER)
    await asyncio.gather(
        reader.opens(action, fields={**fields, **AGREED}),
        other_tab.opens(f"{page}/order", fields={**others, **AGREED}),
    )
    for each in (reader, other_tab):
        assert each.heading == "Merci pour votre commande"
    await reader.opens(action, fields={**fields, **AGREED})
    await reader.opens(f"{page}/order")
    assert reader.heading == "Merci pour votre commande"
    await other_tab.close()
    assert len(await subscriptions(world)) == len(await customers(world)) == 1
    assert taken(world) == [(5880, "eur")]
    assert (await client.signup_sessions.find(row.id)).subscription_id == (await subscriptions(world))[0].id


async def test_who_saved_a_card_and_never_came_back_finds_it_at_the_order(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    row = await begins(client, world, reader)
    page = reader.url
    await reader.presses("Continuer", **ZOE)
    action, fields = reader.form_of(VISA)
    async with httpx.AsyncClient() as elsewhere:
        saved = await elsewhere.post(urljoin(reader.url, action), data=fields)
    assert saved.is_redirect
    hosted = (await client.signup_sessions.find(row.id)).setup_page
    assert hosted is not None
    news = HostedPageNews(world.database, world.gateway, BookRules.of(world.settings))
    told = await news.take(hosted, now=datetime.now(UTC))
    assert told.note.startswith("noted: the page of somebody who signs up")
    await reader.opens(page)
    await reader.presses("Continuer")
    assert "Visa •••• 4242" in reader.text
    assert reader.heading == "Votre commande"


async def test_a_company_elsewhere_in_the_union_pays_no_vat(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await begins(client, world, reader)
    berlin = {"kind": "business", "country": "DE", "city": "Berlin", "vat_number": "DE 136 695 976"}
    await reader.presses("Actualiser le total", country="DE")
    assert "Total TTC 58,80 €" in reader.text  # a consumer there, below the threshold
    await reader.presses("Actualiser le total", **berlin)
    assert "TVA 0,00 € Total TTC 49,00 €" in reader.text
    assert "Autoliquidation : TVA due par le preneur" in reader.text
    for wrong, says in (
        ({"vat_number": "DE136695977"}, "Ce numéro de TVA n’est pas juste"),
        ({"kind": "consumer"}, "Un numéro de TVA va avec une entreprise."),
        ({"country": "FR", "postal_code": "75002", "vat_number": ""}, "Le SIREN manque ou n’est pas juste."),
        ({"email": "nowhere"}, "Indiquez l’adresse à laquelle vous recevez vos mails"),
        ({"name": ""}, "Indiquez un nom."),
        ({"city": ""}, "Indiquez une ville."),
        ({"country": ""}, "Choisissez un pays."),
    ):
        _, fields = reader.form_of("Continuer")
        await reader.opens(
            reader.url,
            fields={**fields, "name": "Acme", "email": "a@acme.example", "line1": "1", **berlin, **wrong},
        )
        assert (wrong, reader.page.status_code) == (wrong, 422)
        assert says in reader.text
    await comes_to_the_order(reader, name="Acme GmbH", **berlin)
    assert "Total TTC 49,00 €" in reader.text
    assert "Je demande expressément" not in reader.text
    await reader.presses(ORDER, **AGREED, early="yes")
    assert reader.heading == "Merci pour votre commande"
    assert taken(world) == [(4900, "eur")]
    (subscription,) = await subscriptions(world)
    assert not subscription.state.early_start_requested  # a right of consumers only
    await world.settle()
    (mail,) = await confirmations(world)
    assert "Autoliquidation" in (mail.body_text or "")
    assert "rétract" not in (mail.body_text or "")  # likewise
    (invoice,) = await client.list_invoices(subscription=subscription.id)
    assert (invoice.vat_minor, invoice.total_minor, invoice.buyer.vat_number) == (0, 4900, "DE136695976")
    async with world.database.read() as session:
        (check,) = (await session.exec(select(VatCheck))).all()
    assert (check.number, check.counts_as_valid, check.source) == ("DE136695976", True, "offline")


async def test_a_trial_begins_without_a_card_where_the_plan_says_so(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await begins(client, world, reader, plan="trial")
    assert "À payer aujourd’hui : 0,00 €" in reader.text
    assert "Votre essai dure jusqu’au 13 février 2041 inclus et ne coûte rien." in reader.text
    assert "Premier paiement après l’essai : 58,80 € TTC le 14 février 2041." in reader.text
    await comes_to_the_order(reader, card=None)
    assert "Sans moyen de paiement, l’abonnement s’arrête tout seul à la fin de l’essai." in reader.text
    await reader.presses(ORDER)
    assert reader.heading == "Merci pour votre commande"
    assert "Votre essai a commencé et dure jusqu’au 13 février 2041 inclus." in reader.text
    (subscription,) = await subscriptions(world)
    assert (subscription.status, subscription.state.has_method, taken(world)) == ("trialing", False, [])


async def test_a_trial_that_needs_a_card_is_charged_when_it_is_over(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.offers("try", trial_days=14, trial_needs_method=True)
    row = await begins(client, world, reader, plan="try")
    await comes_to_the_order(reader)
    await reader.presses(ORDER, **AGREED)
    await world.until("2041-02-15")
    found = await client.signup_sessions.find(row.id)
    assert found.subscription_id is not None
    assert (await client.subscription(found.subscription_id)).status == "active"
    assert taken(world) == [(5880, "eur")]


async def test_coupons_set_up_fees_and_what_costs_nothing_are_shown_as_billed(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await client.coupons.create(NewCoupon(code="HALF", percent=Decimal(50), periods=1, max_redemptions=1))
    fee = Price(id="setup", description="Set-up", charging=Charging.ONCE, unit_amount=Decimal(20))
    base = Price(id="base", unit_amount=Decimal(49))
    await world.offers("with-fee", amount=None, prices=(base, fee))
    await begins(client, world, reader, plan="with-fee", coupons=("HALF",))
    await comes_to_the_order(reader)
    expected = "Prochain paiement : 58,80 € TTC le 28 février 2041. Puis le même montant tous les mois."
    assert expected in reader.text
    assert "HALF : 50 % de remise sur le premier paiement, déjà déduits." in reader.text
    assert "À payer aujourd’hui : 41,40 €" in reader.text  # half of 69.00, and VAT
    await reader.presses(ORDER, **AGREED)
    assert reader.heading == "Merci pour votre commande"
    assert taken(world) == [(4140, "eur")]
    await world.offers("gratis", amount=Decimal(0))
    await begins(client, world, reader, plan="gratis")
    await comes_to_the_order(reader, card=None)
    assert "Votre moyen de paiement" not in reader.text
    await reader.presses("Commander")
    assert "Votre abonnement est actif. Il n’y a rien à payer maintenant." in reader.text
    assert taken(world) == [(4140, "eur")]


async def test_an_offer_that_changed_since_it_was_shown_is_asked_for_again(
    world: ClockedLife, client: RelanceClient, reader: Reader, api: Api
) -> None:
    await begins(client, world, reader)
    page = reader.url
    await comes_to_the_order(reader)
    other_tab = Reader(api.app)
    await other_tab.opens(page)
    await other_tab.presses(
        "Continuer", name="Zoe Petit", postal_code="97400", city="Saint-Denis", country="RE"
    )
    await other_tab.close()
    await reader.presses(ORDER, **AGREED)
    assert "Quelque chose a changé depuis que vous avez regardé votre commande." in reader.text
    assert "TVA (8,5 %) 4,17 € Total TTC 53,17 €" in reader.text
    assert (await subscriptions(world), taken(world)) == ([], [])
    await reader.presses(ORDER, **AGREED)
    assert (reader.heading, taken(world)) == ("Merci pour votre commande", [(5317, "eur")])


async def test_what_is_gone_is_not_sold(world: ClockedLife, client: RelanceClient, reader: Reader) -> None:
    await client.coupons.create(NewCoupon(code="ONCE", percent=Decimal(50), max_redemptions=1))
    await begins(client, world, reader, coupons=("ONCE",))
    await comes_to_the_order(reader)
    await world.signs_up("anna", coupons=("ONCE",))
    await reader.presses(ORDER, **AGREED)
    assert (reader.page.status_code, reader.heading) == (409, "Cette offre n’est plus disponible")
    assert [row.reference for row in await subscriptions(world)] == ["anna"]


async def test_a_declined_card_is_replaced_for_the_same_subscription(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    row = await begins(client, world, reader)
    await comes_to_the_order(reader, card="4000 0000 0000 0341: can be saved, every charge is declined")
    await reader.presses(ORDER, **AGREED)
    assert reader.heading == "Le paiement n’a pas abouti"
    assert "Votre banque ne l’a pas accepté. Rien n’a été débité." in reader.text
    assert [each.status for each in await subscriptions(world)] == ["incomplete"]
    await reader.presses("Utiliser un autre moyen de paiement")
    await reader.presses(VISA)
    assert reader.heading == "Merci pour votre commande", reader.text
    (subscription,) = await subscriptions(world)
    await world.settle()
    subscription = await client.subscription(subscription.id)
    assert (subscription.status, taken(world)[-1]) == ("active", (5880, "eur"))
    assert (await client.signup_sessions.find(row.id)).subscription_id == subscription.id


async def test_the_bank_asks_and_leads_back_to_the_order(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    row = await begins(client, world, reader)
    page = reader.url
    await comes_to_the_order(reader)
    method = (await client.signup_sessions.find(row.id)).method["id"]
    world.fake.post(f"script/{method}", {"outcomes": [], "then": "authentication_required"})
    await reader.presses(ORDER, **AGREED)
    assert "Votre banque vous demande de confirmer ce paiement." in reader.text
    await reader.follows("Continuer vers votre banque")
    await reader.presses("Complete authentication")
    assert (reader.url, reader.heading) == (page, "Merci pour votre commande")
    assert taken(world)[-1] == (5880, "eur")
    assert len(await subscriptions(world)) == 1


async def test_an_account_is_debited_under_the_mandate_that_was_shown(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await begins(client, world, reader)
    await comes_to_the_order(reader, card="AT61 1904 3002 3457 3201: debits succeed")
    assert "identifiant créancier SEPA FR72ZZZ123456" in reader.text
    await reader.presses(ORDER, **AGREED)
    assert reader.heading == "Votre paiement est en cours", reader.text
    (customer,) = await customers(world)
    (mandate,) = await client.mandates.of(customer.id)
    assert mandate.text.startswith("J’autorise Exemple SAS (identifiant créancier SEPA FR72ZZZ123456)")
    assert (mandate.text_version, mandate.in_force) == ("2026-11", True)


async def test_who_asked_for_an_early_start_pays_the_days_until_a_withdrawal(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    for asked, credited in (("yes", 5880 * 27 // 28), ("", 5880)):
        row = await begins(client, world, reader)
        await comes_to_the_order(reader)
        await reader.presses(ORDER, **AGREED, early=asked)
        key = (await client.signup_sessions.find(row.id)).subscription_id
        assert key is not None
        assert (await client.subscription(key)).state.early_start_requested == (asked == "yes")
        await world.settle()
        (mail,) = [
            m.body_text or "" for m in await confirmations(world) if m.context["signup_session"] == row.id
        ]
        assert ("Vous avez demandé expressément" in mail, "Vous n’avez pas demandé" in mail) == (
            asked == "yes",
            asked == "",
        )
        preview = await client.preview(key, Withdraw(command_id="look"))
        assert (preview.credited_minor, preview.status) == (credited, Status.CANCELED)
