"""The HTTP door: the API, Stripe's and SendGrid's webhooks, the pay page, health.

Run by `uvicorn --factory starter.api:create_app`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from activities.books.config import BookRules
from activities.links import Links
from models.database import Database
from portal import routes as portal
from portal.limiting import Limiter
from settings import Settings, load_settings
from starter.api_calls import ApiCalls
from starter.client import RelanceClient
from starter.http import health, pay, v1, webhooks
from starter.http.door import Door
from starter.http.openapi import PATH, add_openapi
from starter.http.problems import add_problem_details
from starter.repeating import repeating

if TYPE_CHECKING:
    from temporalio.client import Client

logger = logging.getLogger(__name__)

FORGET_EVERY_SECONDS: Final = 600.0


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
        relance, calls = RelanceClient(database, temporal, settings), ApiCalls(database)
        app.state.door = Door(settings, database, relance, links, BookRules.of(settings), calls)
        try:
            async with repeating(partial(_forget, calls), every_seconds=FORGET_EVERY_SECONDS):
                yield
        finally:
            await relance.close()
            await database.close()

    app = FastAPI(
        title="Relance",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=PATH,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.limiter = Limiter(trusted_proxies=settings.trusted_proxies)
    add_problem_details(app)
    for router in (health.router, webhooks.router, pay.router, *portal.ROUTERS, *v1.ROUTERS):
        app.include_router(router)
    add_openapi(app)
    return app


async def _forget(calls: ApiCalls) -> None:
    """Let go of old answers."""
    try:
        await calls.forget(datetime.now(UTC))
    except DBAPIError as problem:
        logger.warning("Old answers could not be forgotten; they are tried again soon: %s", problem)
