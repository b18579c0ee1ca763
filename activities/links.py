"""Links that customers get by mail: each names one thing that its holder may do, and until when.

A token is `<id>.<expiry>.<signature>`. The purpose is signed, not written, so that a token made for one door opens
no other. Whoever holds the link may use it; there is nothing in it but an id.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from billing.errors import InvalidInput, RelanceError

PAY_LINK_LIFETIME: Final = timedelta(days=90)
"""Real time: longer than every default policy, so that the link in the first mail outlives the last notice."""
SHORTEST_SECRET: Final = 32

_TOKEN = re.compile(
    r"(?P<subject>[A-Za-z0-9_-]{1,80})\.(?P<expires>[0-9]{1,12})\.(?P<signature>[A-Za-z0-9_-]{43})"
)


class LinkPurpose(StrEnum):
    """What a link is for."""

    PAY = "pay"
    """See an invoice and have it charged; the subject is its id."""
    PORTAL = "portal"
    """Open the portal; the subject is the id of a portal session."""
    PORTAL_VISIT = "portal_visit"
    """Move about in the portal, once it is open; the subject is the same."""
    PORTAL_FORM = "portal_form"
    """Send one form of the portal; the subject is the session's id and a number of its own."""
    SIGNUP = "signup"
    """Sign up for a plan; the subject is the id of a sign-up session."""


class LinkForged(RelanceError):
    """The token was not made by us for this purpose, or was cut on its way."""


class LinkExpired(RelanceError):
    """The token is genuine and too old."""


class Links:
    """Makes links and reads their tokens."""

    def __init__(self, *, public_url: str, secret: str) -> None:
        """Prepare the key.

        Args:
            public_url: where customers reach the HTTP door, without a slash at the end.
            secret: the setting `SECRET_KEY`; another one makes every earlier link invalid.

        Raises:
            InvalidInput: the secret is too short.
        """
        if len(secret) < SHORTEST_SECRET:
            raise InvalidInput(
                f"SECRET_KEY is too short. Give at least {SHORTEST_SECRET} random characters.",
                field="SECRET_KEY",
            )
        self._public_url = public_url.rstrip("/")
        self._key = hmac.digest(secret.encode(), b"relance/links/1", hashlib.sha256)

    def pay(self, invoice_id: str, *, now: datetime) -> str:
        """The address at which an invoice can be paid.

        Args:
            invoice_id: the invoice, issued or a gated draft.
            now: real time, from which the link lives.
        """
        return f"{self._public_url}/pay/{self.token(LinkPurpose.PAY, invoice_id, now + PAY_LINK_LIFETIME)}"

    def portal(self, token: str) -> str:
        """The address at which a token for the portal opens it."""
        return f"{self._public_url}/portal/open/{token}"

    def signup(self, session_id: str, *, expires_at: datetime) -> str:
        """The address of the page on which somebody signs up; it is good until then, real time."""
        return f"{self._public_url}/portal/signup/{self.token(LinkPurpose.SIGNUP, session_id, expires_at)}"

    def terminate(self) -> str:
        """The page on which anybody ends a contract, without a link of their own."""
        return f"{self._public_url}/portal/terminate"

    def token(self, purpose: LinkPurpose, subject: str, expires_at: datetime) -> str:
        """A token for `subject`, an id of ours, that is good until `expires_at`, real time."""
        expires = int(expires_at.timestamp())
        return f"{subject}.{expires}.{self._signature(purpose, subject, expires)}"

    def read(self, token: str, purpose: LinkPurpose, *, now: datetime) -> str:
        """The subject of a token.

        Raises:
            LinkForged: not ours, or not for this purpose.
            LinkExpired: too old.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            raise LinkForged("This link is not valid. Use the one in the latest mail.", field="token")
        subject, expires = parts["subject"], int(parts["expires"])
        if not hmac.compare_digest(parts["signature"], self._signature(purpose, subject, expires)):
            raise LinkForged("This link is not valid. Use the one in the latest mail.", field="token")
        if now.timestamp() >= expires:
            raise LinkExpired("This link has expired. Use the one in the latest mail.", field="token")
        return subject

    def _signature(self, purpose: LinkPurpose, subject: str, expires: int) -> str:
        signed = "\n".join((purpose.value, subject, str(expires))).encode()
        return urlsafe_b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode().rstrip("=")
