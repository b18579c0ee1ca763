"""The portal of a test's world, or of a shop in which nobody works; and somebody in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from fakes import TEST_KEY, FakeStripe
from fastapi import FastAPI
from pydantic import SecretStr

from models.database import Database
from models.tables import Invoice
from settings import Settings
from starter.api import create_app
from starter.client import RelanceClient
from support import factories
from support.api import Api
from support.factories import Someone
from support.mailroom import KEY
from support.reader import Reader

APP = "https://app.example.com"
"""The seller's own application."""


@pytest.fixture
async def reader(api: Api) -> AsyncIterator[Reader]:
    """A browser without scripts."""
    reader = Reader(api.app)
    yield reader
    await reader.close()


@dataclass
class Shop:
    """Two customers of one seller, each with an open invoice; no Temporal."""

    settings: Settings
    app: FastAPI
    client: RelanceClient
    database: Database
    anna: Someone
    bob: Someone
    bobs_invoice: Invoice


@pytest.fixture
async def shop(sqlite_database: Database, fake_stripe: FakeStripe) -> AsyncIterator[Shop]:
    settings = Settings(
        database_url=str(sqlite_database.engine.url),
        secret_key=SecretStr(KEY),
        stripe_webhook_secret=(SecretStr("whsec_1"),),
        stripe_api_key=SecretStr(TEST_KEY),
        stripe_api_base=fake_stripe.base,
        portal_return_urls=(APP,),
        portal_frame_ancestors=(APP,),
    )
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        bob = await factories.someone(session, seller=anna.entity)
        of_anna, of_bob = factories.invoice(anna), factories.invoice(bob)
        session.add_all([of_anna, of_bob, factories.invoice_line(of_anna), factories.invoice_line(of_bob)])
    app = create_app(settings)
    client = RelanceClient(sqlite_database, None, settings)
    async with app.router.lifespan_context(app):
        yield Shop(settings, app, client, sqlite_database, anna, bob, of_bob)
    await client.close()
