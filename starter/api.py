"""The HTTP door: Stripe's webhooks, the pay page, health. The API proper will be a router of its own in here.

Run by `uvicorn --factory starter.api:create_app`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from activities.books.config import BookRules
from activities.links import Links
from models.database import Database
from settings import Settings, load_settings
from starter.connections import Connections
from starter.http import health, pay, webhooks
from starter.http.door import Door
from starter.http.problems import add_problem_details

if TYPE_CHECKING:
    from temporalio.client import Client


def create_app(settings: Settings | None = None, *, temporal: Client | None = None) -> FastAPI:
    """The application. It starts without Temporal and connects when first needed.

    Args:
        settings: by default those of the environment.
        temporal: a client that is connected already.

    Raises:
        SettingsProblem: `SECRET_KEY` or `STRIPE_WEBHOOK_SECRET` is missing, or something is wrong.
    """
    settings = settings or load_settings()
    settings.need("secret_key", "stripe_webhook_secret", to="open the HTTP door")
    links = Links(public_url=settings.public_url, secret=settings.reveal("secret_key", to="read links"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.database_url)
        connections = Connections(database, settings, temporal=temporal)
        app.state.door = Door(settings, database, connections, links, BookRules.of(settings))
        try:
            yield
        finally:
            await connections.close()
            await database.close()

    app = FastAPI(title="Relance", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    add_problem_details(app)
    for router in (health.router, webhooks.router, pay.router):
        app.include_router(router)
    return app
