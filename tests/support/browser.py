"""The portal in a real browser: the system's Chromium, given by its path. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from starter.api import create_app
from starter.client import RelanceClient
from support.api import api_settings
from support.life import ClockedLife
from support.serving import serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IS_NEEDED = os.environ.get("TEST_BROWSER") == "needed"
"""Set by `.ci/run`: there it is a fault if there is none."""
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)
PHONE = {"width": 360, "height": 740}
LEFT_OUT = "The browser's stories were left out: there is no chromium on this machine."

in_a_browser = pytest.mark.skipif(CHROMIUM is None and not IS_NEEDED, reason=LEFT_OUT)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser."""
    assert CHROMIUM is not None, "TEST_BROWSER says that a browser is needed, and there is no chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def person(
    browser: Browser, *, language: str = "en-GB", **more: object
) -> AsyncIterator[BrowserContext]:
    """Somebody with a browser of their own."""
    context = await browser.new_context(locale=language, **more)  # type: ignore[arg-type]  # options, as they are
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        await context.close()


@pytest.fixture
async def open_portal(world: ClockedLife) -> AsyncIterator[RelanceClient]:
    """The portal, framed by nobody."""
    async with portal_of(world) as client:
        yield client


@asynccontextmanager
async def portal_of(world: ClockedLife, *framed_by: str, **more: object) -> AsyncIterator[RelanceClient]:
    """The HTTP process on a port of its own, and a client whose links lead there; `more` are settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    changes = {"public_url": f"http://127.0.0.1:{port}", "portal_frame_ancestors": framed_by, **more}
    configured = api_settings(world.settings, str(world.database.engine.url)).model_copy(update=changes)
    with serving(create_app(configured), port=port):
        client = RelanceClient(world.database, world.client, configured, world.gateway)
        yield client
        await client.close()
