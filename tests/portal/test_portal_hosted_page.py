"""Who fills in Stripe's page and does not come back: the method is saved, and charges what is open once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fakes import FakeStripe
from sqlmodel import select
from support.api import BASE, Api
from support.life import ClockedLife, Person
from support.provider_post import Post, news_reaches
from support.reader import Reader

from activities.incoming import Incoming, TemporalSignals
from activities.reconciling import Reconciler
from models.tables import IncomingEvent, PaymentMethod
from starter.client import RelanceClient
from starter.resources.portal import StartPage

DONE = "checkout.session.completed"
MASTERCARD = "5555 5555 5555 4444: Mastercard that works"


async def leaves_after(reader: Reader, words: str, **fields: str) -> str:
    """Press a button of the provider's page and close the browser; where it would have led."""
    action, filled_in = reader.form_of(words) if words else (reader.url, {})
    async with httpx.AsyncClient() as http:
        answer = await http.post(httpx.URL(reader.url).join(action), data={**filled_in, **fields})
    assert answer.status_code == 303
    return str(answer.headers["location"])


async def owes(world: ClockedLife) -> Person:
    bob = await world.signs_up("bob", card={"outcomes": ["ok"], "then": "expired_card"})
    await world.until("2041-02-28")
    assert [row.status for row in await bob.invoices()] == ["paid", "open"]
    return bob


async def stripe_calls(api: Api, event: dict[str, Any]) -> None:
    """Stripe's webhook, signed as Stripe does it."""
    body, stamp = json.dumps(event).encode(), int(time.time())
    mac = hmac.new(b"whsec_of_the_endpoint", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        signed = {"Stripe-Signature": f"t={stamp},v1={mac}"}
        assert (await http.post("/webhooks/stripe", content=body, headers=signed)).status_code == 200


async def test_the_webhook_pays_what_is_open_and_the_way_back_finds_it_done(
    world: ClockedLife, client: RelanceClient, reader: Reader, api: Api, fake_stripe: FakeStripe
) -> None:
    bob = await owes(world)
    await reader.signs_in(client, "bob", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    back = await leaves_after(reader, MASTERCARD)
    post = Post(fake_stripe, world.database, world.gateway)
    (event,) = post.letters(DONE)
    await stripe_calls(api, event)
    async with world.database.read() as session:
        kept = await session.get_one(IncomingEvent, event["id"])
    assert "/portal/v/" in json.dumps(event)  # the way back opens a session,
    assert "/portal/v/" not in json.dumps(kept.payload)  # which nobody may read from the books
    incoming = Incoming(world.database, TemporalSignals(world.client), money=post.news())
    assert (await incoming.hand_on(event["id"]) or "").startswith("saved pm_")
    await world.settle()
    assert [row.status for row in await bob.invoices()] == ["paid", "paid"]
    (card,) = [row for row in await client.list_methods("bob") if row.last4 == "4444"]
    assert (await client.customer("bob")).default_method_id == card.id
    before = await bob.diary()
    assert [line for line in before if "2041-02-28" in line and "charge paid" in line] == [
        "2041-02-28 charge paid 58.80"
    ]
    await reader.opens(back)
    assert "et sert tout de suite pour ce qui restait à payer" in reader.text
    assert "Mastercard •••• 4444 Utilisé pour vos paiements" in reader.text
    # Whoever chose otherwise since then keeps what they chose, however often the page is told of or opened.
    await reader.presses("Utiliser celui-ci", near="Visa •••• 4242")
    await stripe_calls(api, {**event, "id": "evt_again"})
    assert (await incoming.hand_on("evt_again") or "").startswith("known: the books have pm_")
    await reader.opens(back)
    assert "Visa •••• 4242 Utilisé pour vos paiements" in reader.text
    await world.settle()
    assert [line for line in await bob.diary() if "charge" in line] == [
        line for line in before if "charge" in line
    ]


async def test_who_came_back_first_is_not_charged_again(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    bob = await owes(world)
    await reader.signs_in(client, "bob", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    await reader.presses(MASTERCARD)
    await world.settle()
    before = await bob.diary()
    notes = await news_reaches(world, DONE)
    assert [str(note).partition(" pm_")[0] for note in notes] == ["known: the books have"]
    assert await bob.diary() == before


async def test_a_missed_event_is_found_also_after_the_bank_s_word(
    world: ClockedLife, client: RelanceClient, reader: Reader, fake_stripe: FakeStripe
) -> None:
    bob = await owes(world)
    await reader.signs_in(client, "bob", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    await reader.presses("4000 0025 0000 3155: asks for 3-D Secure once, now")
    assert (
        Post(fake_stripe, world.database, world.gateway).letters(DONE) == []
    )  # who walks away saves nothing
    await leaves_after(reader, "", result="succeeded")
    await Reconciler(world.database, world.gateway).catch_up()
    post, later = Post(fake_stripe, world.database, world.gateway), datetime.now(UTC) + timedelta(minutes=1)
    incoming = Incoming(world.database, TemporalSignals(world.client), money=post.news(), now=lambda: later)
    await incoming.hand_on_waiting()
    async with world.database.read() as session:
        (found,) = (await session.exec(select(IncomingEvent).where(IncomingEvent.kind == DONE))).all()
    assert found.note.startswith("saved pm_")
    await world.settle()
    assert [row.status for row in await bob.invoices()] == ["paid", "paid"]


async def test_an_account_comes_with_its_mandate_and_a_page_of_the_seller_s_own_is_not_touched(
    world: ClockedLife, client: RelanceClient, reader: Reader, fake_stripe: FakeStripe
) -> None:
    anna = await world.signs_up("anna")
    await reader.signs_in(client, "anna", StartPage.METHODS)
    await reader.presses("Continuer vers la page sécurisée")
    await leaves_after(reader, "AT61 1904 3002 3457 3201: debits succeed")
    (note,) = await news_reaches(world, DONE)
    assert str(note).startswith("saved pm_")
    (mandate,) = await client.mandates.of("anna")
    assert (mandate.account, mandate.creditor_id, mandate.in_force) == ("SEPA 3201", "FR72ZZZ123456", True)
    owner = await client.customer("anna")
    page = fake_stripe.client().v1.checkout.sessions.create(
        {"mode": "setup", "customer": owner.provider_id or "", "success_url": "https://app.example.com/"}
    )
    await reader.opens(str(page.url))
    await leaves_after(reader, MASTERCARD)
    (note,) = await news_reaches(world, DONE)
    assert note == f"noted: nothing for us came of page {page.id}"
    async with world.database.read() as session:
        rows = (await session.exec(select(PaymentMethod.last4))).all()
    assert sorted(rows) == ["3201", "4242"]
    assert anna.method != owner.default_method_id
