"""Serving the fake with uvicorn: in the foreground, or in a thread beside a test."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from sandbox.serving import CuttableProtocol
from sandbox.stripe.app import build
from sandbox.stripe.events import is_loopback
from sandbox.stripe.store import Store
from sandbox.stripe.world import Options, World

_STOP_WITHIN_SECONDS = 2
_START_WITHIN_SECONDS = 20


class CannotListen(RuntimeError):
    """The address is taken or not allowed; the message says what to do."""


def bind(host: str, port: int, *, allow_remote: bool = False) -> socket.socket:
    """Take an address before anything else starts.

    Raises:
        CannotListen: not loopback and not allowed, or in use.
    """
    if not allow_remote and not is_loopback(host):
        raise CannotListen(
            f"{host} is not a loopback address. The fake is for one machine; see --allow-remote."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
        ) from error
    # asyncio sets this only on sockets it makes itself; without it each answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def server(options: Options, database: Path | None, *, log_level: str = "warning") -> uvicorn.Server:
    """A uvicorn server around a new fake."""
    app = build(World(Store(database), options))
    config = uvicorn.Config(
        app,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_level=log_level,
        access_log=False,
        timeout_graceful_shutdown=_STOP_WITHIN_SECONDS,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def running(options: Options | None = None, database: Path | None = None, port: int = 0) -> Iterator[str]:
    """A fake in a thread, for tests; gives its base address. Port 0 takes a free one."""
    listener = bind("127.0.0.1", port)
    app = server(options or Options(), database)
    thread = threading.Thread(target=lambda: asyncio.run(app.serve([listener])), daemon=True)
    thread.start()
    give_up_at = time.monotonic() + _START_WITHIN_SECONDS
    while not app.started:
        if not thread.is_alive() or time.monotonic() > give_up_at:
            raise CannotListen("The fake did not start.")
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.should_exit = True
        thread.join()
