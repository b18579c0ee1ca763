"""Where the provider's hosted pages are, to which a form of ours may lead."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from settings import STRIPE, Settings

STRIPES_PAGES: Final = "https://checkout.stripe.com"


def hosted_pages(settings: Settings) -> str:
    """The origin of the provider's hosted pages: Stripe's, in the sandbox the fake's."""
    if settings.stripe_api_base == STRIPE:
        return STRIPES_PAGES
    parts = urlsplit(settings.stripe_api_base)
    return f"{parts.scheme}://{parts.netloc}"
