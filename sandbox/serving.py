"""How the sandbox's own little servers run: on loopback, one process each, able to lose an answer on purpose."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOPBACK: Final = "127.0.0.1"
_TRANSPORT: Final = "sandbox.transport"


class _KnowsItsConnection:
    """Hands the connection on to the application, which may then cut it."""

    def __init__(self, app: ASGIApp, transport: asyncio.Transport) -> None:
        self.app = app
        self.transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_TRANSPORT] = self.transport
        await self.app(scope, receive, send)


class CuttableProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1, whose connections `cut_connection` can drop without an answer."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app: Any = _KnowsItsConnection(self.app, transport)


def cut_connection(scope: Scope) -> None:
    """Drops the caller's connection at once: whatever is answered afterwards never arrives.

    Needs a server made by `configure`; anywhere else it does nothing.
    """
    transport = scope.get(_TRANSPORT)
    if isinstance(transport, asyncio.Transport):
        transport.abort()


def configure(app: ASGIApp, *, port: int) -> uvicorn.Config:
    """Uvicorn's configuration for a server of the sandbox: loopback, HTTP/1.1, plain log lines."""
    return uvicorn.Config(
        app,
        host=LOOPBACK,
        port=port,
        http=CuttableProtocol,
        ws="none",
        log_level="info",
        server_header=False,
        timeout_graceful_shutdown=2,
    )


def serve(app: ASGIApp, *, port: int) -> None:
    """Runs `app` on 127.0.0.1:`port` until SIGINT or SIGTERM."""
    uvicorn.Server(configure(app, port=port)).run()
