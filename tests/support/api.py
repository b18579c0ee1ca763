"""The HTTP API as a backend meets it, on the books and the Temporal of a test's world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client

from settings import Settings
from starter.api import create_app
from starter.api_keys import Scope
from starter.http.door import Door
from support.life import ClockedLife

BASE = "http://api.example.com"
Sent = dict[str, Any]


@dataclass
class Api:
    """An open API, and keys to it."""

    app: FastAPI

    @property
    def door(self) -> Door:
        """What is behind the routes."""
        door: Door = self.app.state.door
        return door

    async def key(self, *scopes: Scope, name: str = "backend", limits: dict[str, int] | None = None) -> str:
        """A new key."""
        made = await self.door.relance.api_keys.create(name, scopes, limits=limits)
        return made.key

    @asynccontextmanager
    async def with_key(self, key: str) -> AsyncIterator[httpx.AsyncClient]:
        """A caller with this key; errors on our side are answers, as they are for everybody."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers, timeout=60) as http:
            yield http


def api_settings(settings: Settings, url: str) -> Settings:
    """The settings of a world as the HTTP process of it has them."""
    return settings.model_copy(
        update={
            "database_url": url,
            "stripe_webhook_secret": (SecretStr("whsec_of_the_endpoint"),),
            "private_webhook_addresses": True,
        }
    )


@asynccontextmanager
async def opened(settings: Settings, temporal: Client | None) -> AsyncIterator[Api]:
    """The API, while the block lasts."""
    app = create_app(settings, temporal=temporal)
    async with app.router.lifespan_context(app):
        yield Api(app)


@pytest.fixture
async def api(world: ClockedLife) -> AsyncIterator[Api]:
    """The API of the world."""
    url = str(world.database.engine.url)
    async with opened(api_settings(world.settings, url), world.client) as api:
        yield api


@pytest.fixture
async def admin(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A caller who may do everything."""
    async with api.with_key(await api.key(Scope.ADMIN)) as http:
        yield http
