"""All pages of the portal, for the process that serves them."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from portal import (
    changing,
    details,
    entrance,
    invoices,
    leaving,
    methods,
    overview,
    signing_up,
    termination,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    entrance.router,
    overview.router,
    invoices.router,
    methods.router,
    details.router,
    changing.router,
    leaving.router,
    termination.router,
    signing_up.router,
)
