"""Five processes carry out one order at the same moment, on both databases: it is one customer and one subscription."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from pydantic import SecretStr
from sqlmodel import select
from support.life import APP
from support.processes import PROCESSES, Crowd
from support.signing_up import ZOE

from models.database import Database
from models.parties import Address
from models.signup import SignupConsent
from models.tables import Customer, OutgoingEvent, SignupSession, SubscriptionRow
from settings import Settings
from starter.client import RelanceClient
from starter.orders import NewEntity, NewPlan
from starter.signup_quotes import fingerprint
from starter.signup_sessions import NewSignup


def settings_of(url: str, temporal: str) -> Settings:
    return Settings(
        database_url=url,
        temporal_address=temporal,
        task_queue="nobody-works-here",
        stripe_api_key=SecretStr("sk_test_none"),
        secret_key=SecretStr("x" * 40),
        portal_return_urls=(f"{APP}/",),
    )


async def _order(number: int, url: str, temporal: str, session: str) -> bool:
    async with RelanceClient.open(settings_of(url, temporal)) as client:
        row = await client.signup_sessions.find(session)
        offer = await client.signups.quote(row)
        consent = SignupConsent(
            at=datetime.now(UTC),
            ip_address=f"203.0.113.{number}",
            user_agent="",
            language="fr",
            shown=fingerprint(row, offer),
            due_minor=offer.due_minor,
            currency="EUR",
            button="Commander",
        )
        return (await client.signups.order(row, consent)).is_as_shown


async def test_one_order_from_five_processes(
    database: Database, database_url: str, crowd: Crowd, temporal_server: str
) -> None:
    paris = Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR")
    async with RelanceClient.open(settings_of(database_url, temporal_server)) as client:
        await client.create_entity(NewEntity(name="Exemple SAS", address=paris, sender="a@example.com"))
        trial = NewPlan(
            reference="trial", name="Trial", currency="EUR", every="1month", amount=Decimal(49), trial_days=14
        )
        await client.create_plan(trial)
        row = await client.signup_sessions.create(NewSignup(plan="trial", success_url=f"{APP}/welcome"))
        await client.signups.fill_in(row, ZOE, language="fr")
    async with database.write() as session:  # known to the provider already, which is not asked here
        (await session.get_one(SignupSession, row.id)).provider_id = "cus_at_stripe"
    assert await crowd.run(_order, database_url, temporal_server, row.id) == [True] * PROCESSES
    async with database.read() as session:
        customers = (await session.exec(select(Customer))).all()
        subscriptions = (await session.exec(select(SubscriptionRow))).all()
        told = [each.name for each in (await session.exec(select(OutgoingEvent))).all()]
        done = await session.get_one(SignupSession, row.id)
    assert [(each.name, each.provider_id) for each in customers] == [("Zoé Petit", "cus_at_stripe")]
    assert [each.id for each in subscriptions] == [done.subscription_id]
    assert told == ["subscription.signed_up"]
