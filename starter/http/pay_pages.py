"""How the pages behind pay links are made: a template, one style sheet, and the headers that keep them safe."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from settings import Settings
from starter.http.door import door_of
from starter.http.hosted_origin import hosted_pages

PAGES: Final = Path(__file__).parent / "pages"


def page(
    settings: Settings,
    template: str,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,  # noqa: ANN401 - whatever the template shows
) -> Response:
    """A page as an answer."""
    html = _environment().get_template(template).render(style=_STYLE, **values)
    return HTMLResponse(html, status.value, headers=_headers(settings))


def bad_link(request: Request, status: HTTPStatus) -> Response:
    """Nobody is known here, so the browser's language decides."""
    language = "fr" if request.headers.get("accept-language", "").lower().startswith("fr") else "en"
    template = f"{language}/bad_link.html"
    return page(door_of(request).settings, template, status=status, expired=status is HTTPStatus.GONE)


def lead_to(settings: Settings, elsewhere: str) -> Response:
    """Go on there, with GET."""
    return RedirectResponse(elsewhere, HTTPStatus.SEE_OTHER, headers=_headers(settings))


def to_invoice(settings: Settings, token: str, **query: str) -> Response:
    """On to the page of an invoice."""
    said = f"?{urlencode(query)}" if query else ""
    return lead_to(settings, f"/pay/{token}{said}")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(PAGES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_STYLE: Final = (PAGES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def _headers(settings: Settings) -> dict[str, str]:
    policy = (
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        # Also where a form leads on to: browsers look at that too.
        f"form-action 'self' {hosted_pages(settings)}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cache-Control": "no-store",
    }
