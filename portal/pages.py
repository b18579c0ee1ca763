"""How pages are made: templates, the one style sheet inside each, and the headers that keep them safe."""

from __future__ import annotations

import base64
import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from activities.books.mail_facts import label
from billing.prices import Price, PricingModel
from mails.formats import (
    Language,
    country_name,
    format_amount,
    format_date,
    format_instant,
    format_number,
    format_short_date,
    format_unit_amount,
)
from mails.price_words import in_words
from portal.language import words
from settings import Settings
from starter.hosted_pages import origin_of_hosted_pages

FOLDER: Final = Path(__file__).parent


def render(
    settings: Settings,
    template: str,
    language: Language,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,  # noqa: ANN401 - whatever the template shows
) -> Response:
    """A page as an answer."""
    style = style_of(settings)
    html = _environment(language).get_template(template).render(style=style, language=language, **values)
    return HTMLResponse(html, status.value, headers=_headers(settings))


def redirect(settings: Settings, to: str) -> Response:
    """Go on there, with GET."""
    return RedirectResponse(to, HTTPStatus.SEE_OTHER, headers=_headers(settings))


def file(settings: Settings, content: bytes, *, name: str) -> Response:
    """A PDF for one reader, kept by nobody on the way."""
    headers = {**_headers(settings), "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


def style_of(settings: Settings) -> str:
    """The style sheet: the vendored base, what is ours, and the seller's colour."""
    return f"{_sheets()}\n@media (prefers-color-scheme: light) {{ :root {{ --accent: {settings.portal_accent}; }} }}\n"


@cache
def _sheets() -> str:
    return "\n".join(
        (FOLDER / "styles" / name).read_text(encoding="utf-8") for name in ("simple.css", "portal.css")
    )


def _headers(settings: Settings) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(style_of(settings).encode()).digest()).decode()
    ancestors = " ".join(settings.portal_frame_ancestors) or "'none'"
    policy = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src 'self'",
        # Also where a form leads on to: browsers look at that too.
        f"form-action 'self' {origin_of_hosted_pages(settings)}",
        "base-uri 'none'",
        f"frame-ancestors {ancestors}",
    )
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cache-Control": "no-store",
    }
    return headers if settings.portal_frame_ancestors else {**headers, "X-Frame-Options": "DENY"}


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        autoescape=True,
    )
    # The extension adds it; Jinja's own types do not say so.
    environment.install_gettext_translations(words(language), newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "money": _money,
        "date": _date,
        "short_date": _short_date,
        "last_day": _last_day,
        "short_last_day": _short_last_day,
        "instant": _instant,
        "number": _number,
        "price": _price,
        "country": _country,
        "method": label,
    }
    return environment


@pass_context
def _money(context: Context, amount_minor: int, currency: str) -> str:
    return format_amount(amount_minor, currency, context["language"])


@pass_context
def _date(context: Context, on: date) -> str:
    return format_date(on, context["language"])


@pass_context
def _short_date(context: Context, on: date) -> str:
    return format_short_date(on, context["language"])


@pass_context
def _last_day(context: Context, end_on: date) -> str:
    return format_date(end_on - timedelta(days=1), context["language"])


@pass_context
def _short_last_day(context: Context, end_on: date) -> str:
    return format_short_date(end_on - timedelta(days=1), context["language"])


@pass_context
def _instant(context: Context, at: datetime, timezone: str) -> str:
    return format_instant(at, timezone, context["language"])


@pass_context
def _number(context: Context, number: Any) -> str:  # noqa: ANN401 - whole or with decimals
    return format_number(Decimal(number), context["language"])


@pass_context
def _price(context: Context, price: Price, currency: str) -> str:
    """In words; of a flat one the amount alone, since the rhythm is said beside it."""
    if price.model is PricingModel.FLAT:
        return format_unit_amount(price.unit_amount, currency, context["language"])
    return in_words(price, currency, context["language"])


@pass_context
def _country(context: Context, code: str) -> str:
    return country_name(code, context["language"])
