"""How the SDK reaches the network: one `httpx` client, one try per call, time-outs of ours.

The SDK's own client for `httpx` hands bodies over in a way that `httpx` has deprecated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import stripe
from typing_extensions import override

from activities.tls import trusted

CONNECT_TIMEOUT_SECONDS = 5.0


class HttpxTransport(stripe.HTTPClient):
    """For one event loop. What goes wrong is an `APIConnectionError` with the cause of `httpx` behind it."""

    name = "httpx"

    def __init__(self, *, timeout_seconds: float) -> None:
        super().__init__()
        connect = min(CONNECT_TIMEOUT_SECONDS, timeout_seconds)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_seconds, connect=connect), verify=trusted()
        )

    @override
    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            answer = await self._http.request(method, url, headers=headers, content=post_data or None)
        except httpx.HTTPError as error:
            message = f"No answer from Stripe: {type(error).__name__}"
            raise stripe.APIConnectionError(message) from error  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    @override
    async def close_async(self) -> None:
        await self._http.aclose()
