"""A world whose mails and banks lead to the pages that are served: its workers know their address."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fakes import FakeStripe

from models.database import Database
from starter.api import create_app
from starter.client import RelanceClient
from support.api import api_settings
from support.life import ClockedLife, clocked
from support.mailroom import Mailbox
from support.serving import serving


@asynccontextmanager
async def reachable(
    server: str, database: Database, fake: FakeStripe, mailbox: Mailbox, *, begins: str = "2041-01-31"
) -> AsyncIterator[ClockedLife]:
    """The world, and its HTTP process on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    public = f"http://127.0.0.1:{port}"
    async with clocked(server, database, fake, mailbox.address, begins=begins, public_url=public) as life:
        app = create_app(api_settings(life.settings, str(database.engine.url)))
        with serving(app, port=port):
            yield life


@asynccontextmanager
async def asking(world: ClockedLife) -> AsyncIterator[RelanceClient]:
    """A client of the world, whose links lead to its pages."""
    client = RelanceClient(world.database, world.client, world.settings, world.gateway)
    try:
        yield client
    finally:
        await client.close()
