"""One delivery of an event: signed by the Standard Webhooks specification, sent once, its answer read a little."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import httpx
from standardwebhooks import Webhook

from activities.addresses import resolve
from activities.tls import trusted
from billing.errors import InvalidInput
from billing.values import Value

SECONDS: Final = 15.0
"""For the whole of a delivery, from the name to the answer."""
CONNECT_SECONDS: Final = 5.0
LONGEST_ANSWER: Final = 300
"""Bytes of an answer that are read, for the log."""
GONE: Final = 410


class Delivered(Value):
    """The receiver took it: it answered 2xx."""

    status_code: int
    took_ms: int


class NotDelivered(Value):
    """It did not; the event is sent again.

    Attributes:
        status_code: None where there was no answer.
        took_ms: how long it took.
        detail: why, for the log.
        unreachable: nobody answered at all: other events would fare no better now.
        gone: the receiver says that it wants no more.
    """

    status_code: int | None = None
    took_ms: int
    detail: str
    unreachable: bool = False
    gone: bool = False


class Secrets:
    """The secrets of endpoints, derived from the installation's own: none is kept in the books."""

    def __init__(self, secret_key: str) -> None:
        self._key = secret_key.encode()

    def of(self, endpoint_id: str, generation: int) -> str:
        """The secret of one generation, as the receiver's library takes it: `whsec_...`."""
        message = f"webhook endpoint/{endpoint_id}/{generation}".encode()
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        return f"whsec_{base64.b64encode(digest).decode()}"


def signed_headers(message_id: str, body: str, *, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of a delivery, with a signature for each secret that is valid.

    Args:
        message_id: of the event, the same at each delivery of it.
        body: exactly as it is sent.
        secrets: the present one first.
        at: real time of this try: what is older than five minutes is refused by the receiver as repeated.
    """
    signatures = [Webhook(secret).sign(msg_id=message_id, timestamp=at, data=body) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": "Relance",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class Posts(Protocol):
    """Sends one delivery. One real implementation: `Postman`."""

    async def post(self, url: str, body: str, headers: dict[str, str]) -> Delivered | NotDelivered:
        """Send it, once. Whatever goes wrong is an outcome."""
        ...


class Postman:
    """Sends deliveries over HTTP, to public addresses only unless it is allowed more.

    No redirect is followed, no proxy of the environment used, and no connection kept.
    """

    def __init__(self, *, allow_private: bool, seconds: float = SECONDS) -> None:
        """Nothing is connected yet.

        Args:
            allow_private: whether events may be sent to this machine and its network.
            seconds: for a whole delivery.
        """
        self._allow_private = allow_private
        self._seconds = seconds

    async def post(self, url: str, body: str, headers: dict[str, str]) -> Delivered | NotDelivered:
        """Send it, once. Whatever goes wrong is an outcome."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                status_code, answer = await self._post(url, body, headers)
        except InvalidInput as refused:
            return NotDelivered(took_ms=_since(began), detail=refused.message, unreachable=True)
        except (TimeoutError, httpx.TimeoutException):
            detail = f"no answer within {self._seconds:g} seconds"
            return NotDelivered(took_ms=_since(began), detail=detail, unreachable=True)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as fault:
            detail = " ".join(f"{type(fault).__name__}: {fault}".split())
            return NotDelivered(took_ms=_since(began), detail=detail, unreachable=True)
        if 200 <= status_code < 300:  # noqa: PLR2004
            return Delivered(status_code=status_code, took_ms=_since(began))
        redirected = "; redirects are not followed" if 300 <= status_code < 400 else ""  # noqa: PLR2004
        return NotDelivered(
            status_code=status_code,
            took_ms=_since(began),
            detail=f"answered {status_code}{redirected}: {answer}".removesuffix(": "),
            gone=status_code == GONE,
        )

    async def _post(self, url: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        target = await resolve(url, allow_private=self._allow_private)
        async with (
            httpx.AsyncClient(
                verify=trusted(),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(self._seconds, connect=CONNECT_SECONDS),
            ) as http,
            http.stream(
                "POST",
                target.pinned,
                content=body.encode(),
                headers=headers | {"host": target.url.netloc, "accept-encoding": "identity"},
                extensions={"sni_hostname": target.host},
            ) as answer,
        ):
            return answer.status_code, await _beginning(answer)


async def _beginning(answer: httpx.Response) -> str:
    """The first bytes of what was answered; the rest is not waited for."""
    read = b""
    async for chunk in answer.aiter_raw(LONGEST_ANSWER):
        read += chunk
        if len(read) >= LONGEST_ANSWER:
            break
    words = read[:LONGEST_ANSWER].decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
