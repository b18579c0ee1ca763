"""The quick starts of docs/api.md are run as they stand, so that they stay true."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.api import api_settings, opened
from support.life import ClockedLife
from support.serving import serving

from starter.api import create_app
from starter.api_keys import Scope

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
async def address(world: ClockedLife) -> AsyncIterator[dict[str, str]]:
    """The API on a port, a plan as the page has it, and a key with the scope that the page makes."""
    await world.offers("pro-monthly")
    await world.offers("pro-annual", every="1year", amount=Decimal("490.00"))
    configured = api_settings(world.settings, str(world.database.engine.url))
    async with opened(configured, world.client) as api:
        key = await api.key(Scope.WRITE)
    with serving(create_app(configured)) as base:
        yield {"RELANCE_URL": base, "RELANCE_KEY": key}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_curl(address: dict[str, str]) -> None:
    script = f"set -eu\n{block('bash')}"
    environment = {**os.environ, **address, "NO_PROXY": "127.0.0.1"}
    run = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert '"outcome":"paid"' in run.stdout
    assert '"entitled":true' in run.stdout
    assert '"every":"1year"' in run.stdout
    assert '"cancel_at_period_end":true' in run.stdout


async def test_fastapi(address: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in address.items():
        monkeypatch.setenv(name, value)
    written: dict[str, Any] = {}
    exec(compile(block("python"), "docs/api.md", "exec"), written)  # noqa: S102 - our own page
    transport = httpx.ASGITransport(written["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://backend.example.com") as browser:
        signed_up = await browser.post(
            "/sign-up/acme", params={"email": "a@acme.example", "card": "pm_card_visa"}, timeout=60
        )
        assert signed_up.json() == {"status": "active", "pay_at": None}
        assert (await browser.get("/reports/acme")).json() == "Here they are."
        poor = await browser.post(
            "/sign-up/poor",
            params={"email": "p@poor.example", "card": "pm_card_chargeCustomerFail"},
            timeout=60,
        )
        assert poor.json()["status"] == "incomplete"
        assert poor.json()["pay_at"].startswith("http://127.0.0.1:8000/pay/")
        assert (await browser.get("/reports/poor")).status_code == 402
    await written["relance"].close()
