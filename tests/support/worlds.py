"""A world on a test clock with workers up, and a client that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes import FakeStripe

from models.database import Database
from starter.client import RelanceClient
from support.life import ClockedLife, clocked
from support.mailroom import Mailbox


@pytest.fixture
def begins() -> str:
    """The day on which the world begins; a module may have another."""
    return "2041-01-31"


@pytest.fixture
async def world(
    temporal_server: str, sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox, begins: str
) -> AsyncIterator[ClockedLife]:
    async with clocked(temporal_server, sqlite_database, fake_stripe, mailbox.address, begins=begins) as life:
        yield life


@pytest.fixture
async def client(world: ClockedLife) -> AsyncIterator[RelanceClient]:
    client = RelanceClient(world.database, world.client, world.settings, world.gateway)
    yield client
    await client.close()
