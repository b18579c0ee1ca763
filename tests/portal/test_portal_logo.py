"""The seller's logo: shown where it is set, kept for an hour, and never more than a picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from support.browser import in_a_browser, person
from support.portal import Shop
from support.reader import PUBLIC, Reader
from support.serving import serving

from settings import Settings
from starter.api import create_app

EVIL = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40" onload="document.title=\'on\'">'
    "<title>Shop</title><script>document.title = 'ran'; fetch('/healthz')</script>"
    '<style>rect { fill: #0d47a1 }</style><rect width="120" height="40"/></svg>'
)


def png() -> bytes:
    """One white pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0\xff\xff\xff")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


PICTURES = {"logo.svg": ("image/svg+xml", EVIL.encode()), "logo.png": ("image/png", png())}


@pytest.fixture(params=sorted(PICTURES))
def logo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    path.write_bytes(PICTURES[path.name][1])
    return path


@pytest.fixture
async def reader(shop: Shop, logo: Path) -> AsyncIterator[Reader]:
    app = create_app(with_logo(shop, logo))
    async with app.router.lifespan_context(app):
        reader = Reader(app)
        yield reader
        await reader.close()


def with_logo(shop: Shop, logo: Path) -> Settings:
    return shop.settings.model_copy(update={"portal_logo": logo})


async def test_it_stands_in_place_of_the_name_and_is_a_picture_only(
    shop: Shop, reader: Reader, logo: Path
) -> None:
    await reader.signs_in(shop.client, shop.anna.customer.id)
    assert f'<img src="/portal/logo" alt="{shop.anna.entity.name}">' in reader.page.text
    assert "img-src 'self';" in reader.page.headers["content-security-policy"]
    await reader.opens(f"{PUBLIC}/portal/logo")
    headers = reader.page.headers
    kind, content = PICTURES[logo.name]
    assert (headers["content-type"], reader.page.content) == (kind, content)
    assert headers["cache-control"] == "public, max-age=3600"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"


async def test_without_one_there_is_none(shop: Shop) -> None:
    reader = Reader(shop.app)
    await reader.signs_in(shop.client, shop.anna.customer.id)
    assert "<img" not in reader.page.text
    await reader.opens(f"{PUBLIC}/portal/logo")
    assert reader.page.status_code == 404
    await reader.close()


@in_a_browser
async def test_no_script_in_it_runs_wherever_it_is_opened(
    shop: Shop, chromium: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "logo.svg"
    path.write_text(EVIL)
    with serving(create_app(with_logo(shop, path))) as address:
        link = (await shop.client.portal_sessions.create(shop.anna.customer.id)).url
        async with person(chromium) as somebody:
            page = await somebody.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url.removeprefix(address)))
            await page.goto(link.replace(PUBLIC, address))
            assert await page.locator(".brand img").evaluate("image => image.naturalWidth") == 120
            assert await page.title() == f"Votre abonnement · {shop.anna.entity.name}"
            await page.goto(f"{address}/portal/logo")
            assert await page.title() == "Shop"
    assert [path for path in asked if path == "/healthz"] == []
