"""Stripe's webhooks: is it really Stripe who speaks, and what does it say?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import stripe

from activities.gateway import ProviderMisconfigured
from billing.errors import RelanceError

TOLERANCE_SECONDS = 300
"""Wall-clock age past which a signature is refused: older ones may be replayed by whoever overheard them."""


class BadSignature(RelanceError):
    """The body was not signed with any of our secrets, or too long ago. Answer 400 and store nothing."""


class UnreadableEvent(RelanceError):
    """Signed, but no event of the kind that we subscribe to. Answer 400 and store nothing."""


def construct_event(
    raw_body: bytes,
    signature_header: str | None,
    secrets: Sequence[str],
    *,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> dict[str, Any]:
    """The event in a webhook, once its signature was checked on the raw bytes.

    Args:
        raw_body: exactly as it arrived.
        signature_header: the header `Stripe-Signature`.
        secrets: signing secrets, any of which may have been used: two at a time while one is replaced.
        tolerance_seconds: how old, by the wall clock, a signature may be.

    Raises:
        ProviderMisconfigured: there is no secret.
        BadSignature: none of the secrets fits, or it is too old.
        UnreadableEvent: the body is no JSON, or no event with its whole object.
    """
    if not secrets:
        raise ProviderMisconfigured(
            "There is no signing secret for webhooks. Set STRIPE_WEBHOOK_SECRET to that of the endpoint (whsec_...).",
            field="STRIPE_WEBHOOK_SECRET",
        )
    if not any(_is_signed(raw_body, signature_header, secret, tolerance_seconds) for secret in secrets):
        raise BadSignature(
            "The webhook was not signed with a secret in STRIPE_WEBHOOK_SECRET within the last "
            f"{tolerance_seconds} seconds. Check the endpoint's secret and this machine's clock.",
            field="Stripe-Signature",
        )
    try:
        event = json.loads(raw_body)
    except ValueError as error:
        raise UnreadableEvent("The webhook's body is no JSON.") from error
    if not isinstance(event, dict) or event.get("object") != "event" or not event.get("id"):
        raise UnreadableEvent(
            "The webhook carries no event with its object. Choose snapshot payloads for the endpoint at Stripe."
        )
    return event


def _is_signed(raw_body: bytes, header: str | None, secret: str, tolerance_seconds: int) -> bool:
    if header is None or not header.isascii():
        return False  # the SDK fails on such a header instead of refusing it
    try:
        stripe.WebhookSignature.verify_header(raw_body, header, secret, tolerance_seconds)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
