"""Somebody who signs up on the page, in a browser without scripts."""

from __future__ import annotations

from sqlmodel import col, select

from models.tables import Customer, Message, SignupSession, SubscriptionRow
from starter.client import RelanceClient
from starter.signup_sessions import NewSignup
from support.life import APP, ClockedLife
from support.reader import Reader

ZOE = {
    "name": "Zoé Petit",
    "email": "zoe@example.com",
    "line1": "1 rue du Bac",
    "postal_code": "75007",
    "city": "Paris",
    "country": "FR",
}
VISA = "4242 4242 4242 4242: Visa that works"
ORDER = "Commander avec obligation de paiement"
AGREED = {"terms": "yes", "debit": "yes"}


async def begins(client: RelanceClient, world: ClockedLife, reader: Reader, **more: object) -> SignupSession:
    """A session, and its page open in French."""
    new = {"plan": "pro", "clock": world.clock_id, "success_url": f"{APP}/welcome", "language": "fr", **more}
    row = await client.signup_sessions.create(NewSignup.model_validate(new))
    await reader.opens(client.signup_sessions.url_of(row))
    assert reader.page.status_code == 200, reader.text
    return row


async def comes_to_the_order(reader: Reader, *, card: str | None = VISA, **details: str) -> None:
    """Fill in the form, and save a card where one is asked for."""
    await reader.presses("Continuer", **{**ZOE, **details})
    if card is not None:
        await reader.presses(card)
    assert reader.heading == "Votre commande", reader.text


async def subscriptions(world: ClockedLife) -> list[SubscriptionRow]:
    """All that there are."""
    async with world.database.read() as session:
        found = await session.exec(select(SubscriptionRow).order_by(col(SubscriptionRow.created_at)))
        return list(found.all())


async def customers(world: ClockedLife) -> list[Customer]:
    """All that there are."""
    async with world.database.read() as session:
        return list((await session.exec(select(Customer).order_by(col(Customer.created_at)))).all())


async def confirmations(world: ClockedLife) -> list[Message]:
    """The mails that confirm contracts, oldest first."""
    query = (
        select(Message).where(Message.kind == "order_confirmed").order_by(col(Message.at), col(Message.id))
    )
    async with world.database.read() as session:
        return list((await session.exec(query)).all())


def taken(world: ClockedLife) -> list[tuple[int, str]]:
    """What the fake took, oldest first."""
    intents = world.fake.client().v1.payment_intents.list({"limit": 100}).data
    return [(intent.amount_received, intent.currency) for intent in reversed(intents)]
