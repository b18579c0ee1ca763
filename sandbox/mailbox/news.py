"""What SendGrid tells of each mail: signed events to one webhook, repeated until they are taken."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict

from sandbox.mailbox.letters import Letter

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = (1.0, 5.0, 30.0, 120.0)
"""SendGrid goes on for a day; a sandbox need not."""
PATIENCE_SECONDS: Final = 10.0


class Bounce(BaseModel):
    """What becomes of mails to an address from now on. Asked of `POST /_fake/bounces`.

    Attributes:
        email: the address.
        event: SendGrid's word: bounce, dropped, deferred or spamreport; delivered makes it work again.
        type: of a bounce: `bounce` for good, `blocked` for now.
        reason: what the reader's server says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: str
    event: str = "bounce"
    type: str = "bounce"
    reason: str = "550 5.1.1 The email account that you tried to reach does not exist."


class News:
    """Tells one webhook of every mail."""

    def __init__(self, url: str | None, key: ec.EllipticCurvePrivateKey | None) -> None:
        """Tells nobody where `url` or `key` is None."""
        self._url = url
        self._key = key
        self._bounces: dict[str, Bounce] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def let_bounce(self, bounce: Bounce) -> None:
        """From now on this is what becomes of mails to the address."""
        self._bounces[bounce.email.strip().lower()] = bounce

    def tell(self, letters: Sequence[Letter]) -> None:
        """Send word of these letters in the background."""
        if self._url is None or self._key is None:
            return
        task = asyncio.create_task(self._post(self._events(letters)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _events(self, letters: Sequence[Letter]) -> list[dict[str, Any]]:
        return [
            event
            for letter in letters
            for party in letter.to
            for event in (self._event(letter, party.email, "processed"), self._outcome(letter, party.email))
        ]

    def _outcome(self, letter: Letter, address: str) -> dict[str, Any]:
        bounce = self._bounces.get(address.strip().lower())
        if bounce is None or bounce.event == "delivered":
            return self._event(letter, address, "delivered", response="250 OK")
        said: dict[str, Any] = {"reason": bounce.reason}
        if bounce.event == "bounce":
            said |= {"type": bounce.type, "status": "5.1.1"}
        return self._event(letter, address, bounce.event, **said)

    def _event(self, letter: Letter, address: str, event: str, **said: str) -> dict[str, Any]:
        """As SendGrid writes it: the sender's own arguments stand beside its words."""
        return {
            **letter.custom_args,
            "email": address,
            "timestamp": int(time.time()),
            "event": event,
            "category": list(letter.categories),
            "sg_event_id": secrets.token_urlsafe(16),
            "sg_message_id": f"{letter.message_id}.recvd",
            **said,
        }

    async def _post(self, events: list[dict[str, Any]]) -> None:
        body = json.dumps(events).encode()
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            for pause in (*RETRY_SECONDS, None):
                try:
                    answer = await http.post(str(self._url), content=body, headers=self._headers(body))
                    if answer.is_success:
                        return
                    logger.warning("The webhook answered %d", answer.status_code)
                except httpx.HTTPError as problem:
                    logger.info("The webhook was not reached: %r", problem)
                if pause is not None:
                    await asyncio.sleep(pause)

    def _headers(self, body: bytes) -> dict[str, str]:
        assert self._key is not None  # noqa: S101 - nothing is posted without one
        timestamp = str(int(time.time()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }


def key_in(file: Path) -> ec.EllipticCurvePrivateKey:
    """The key in a file, made if there is none; readable by its owner only."""
    if file.exists():
        found = serialization.load_pem_private_key(file.read_bytes(), password=None)
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{file} holds no elliptic curve key. Delete it; another is made.")
        return found
    made = ec.generate_private_key(ec.SECP256R1())
    file.touch(mode=0o600)
    file.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def public_key(key: ec.EllipticCurvePrivateKey) -> str:
    """The verification key as SendGrid shows it: base64 without its first and last line."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()
