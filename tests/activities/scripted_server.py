"""A server on loopback that answers, or fails to, as a test says: what no well-behaved fake can do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any] | str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        payload = text.encode()
        return (
            f"HTTP/1.1 {self.status} Scripted\r\n{head}"
            f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
        ).encode() + payload


class Hang:
    """Read the request and never answer."""


class Drop:
    """Read the request and close the connection."""


class Garble:
    """Answer something that is not HTTP."""


Step = Answer | Hang | Drop | Garble


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: str


class ScriptedServer:
    """Takes one step of the script per request; the last one for ever."""

    def __init__(self, *script: Step) -> None:
        self.script: Sequence[Step] = script
        self.seen: list[Seen] = []
        self._stopped = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.close()
        await asyncio.gather(*self._talks)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.seen.append(await _read(reader))
            step = self.script[min(len(self.seen), len(self.script)) - 1]
            if isinstance(step, Hang):
                await self._stopped.wait()
            elif isinstance(step, Garble):
                writer.write(b"this is no HTTP\r\n\r\n")
            elif isinstance(step, Answer):
                writer.write(step.encoded())
            await writer.drain()
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()
        self._talks.discard(task)


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method=method, path=path, headers=headers, body=body.decode())
