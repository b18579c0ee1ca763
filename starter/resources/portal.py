"""Ways into the portal."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from starter.resources.common import Body, Key, Resource, example


class StartPage(StrEnum):
    """The page on which the portal opens."""

    OVERVIEW = "overview"
    INVOICES = "invoices"
    METHODS = "methods"
    DETAILS = "details"


class NewPortalSession(Body):
    """A way into the portal for one customer, who is with you now."""

    model_config = example(customer="ref:acme", start="invoices")

    customer: Key
    return_url: Annotated[str, Field(max_length=500)] | None = None
    """Where the customer is led back to: below one of the addresses of `RELANCE_PORTAL_RETURN_URLS`."""
    start: StartPage = StartPage.OVERVIEW
    """On which page it opens."""


class PortalSession(Resource):
    """A way into the portal."""

    object: Literal["portal_session"] = "portal_session"
    id: str
    customer: str
    url: str
    """Opens the portal for whoever has it, several times if need be; the session that it opens lasts two hours."""
    expires_at: datetime
    """Until when `url` opens it."""
    return_url: str | None
    start: StartPage


class RevokedPortalSession(Resource):
    """A session that has ended."""

    object: Literal["portal_session"] = "portal_session"
    id: str
    customer: str
    revoked_at: datetime
