"""A backend that lets customers in by what events say, and by nothing else."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


@dataclass
class Backend:
    """What it knows: of each subscription the latest event. Its memory is a file, one event a line."""

    memory: Path
    secrets: list[str]
    received: list[dict[str, Any]] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    """Status with which it answers for a subscription."""

    def __post_init__(self) -> None:
        if self.memory.exists():
            self.received = [json.loads(line) for line in self.memory.read_text().splitlines()]

    async def hear(self, request: Request) -> Response:
        body = await request.body()
        if not self._is_genuine(body, dict(request.headers)):
            return Response("bad signature", status_code=400)
        told = json.loads(body)
        refusal = self.refuses.get(told["subscription"]) or self.refuses.get("*")
        if refusal:
            return Response("not now", status_code=refusal)
        self.received.append(told)
        with self.memory.open("a") as memory:
            memory.write(json.dumps(told) + "\n")
        return Response(status_code=204)

    def _is_genuine(self, body: bytes, headers: dict[str, str]) -> bool:
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers)
            except WebhookVerificationError:
                continue
            return True
        return False

    def lets_in(self, subscription_id: str, at: datetime) -> bool:
        """By `entitled` and `access_until` of the newest event alone."""
        mine = [told for told in self.received if told["subscription"] == subscription_id]
        newest = max(mine, key=lambda told: int(told["sequence"]), default=None)
        if newest is None or not newest["entitled"]:
            return False
        return at < datetime.fromisoformat(newest["access_until"])

    def app(self) -> Starlette:
        async def told(_: Request) -> Response:
            return JSONResponse(self.received)

        async def asks(request: Request) -> Response:
            at = datetime.fromisoformat(request.query_params["at"])
            return JSONResponse(self.lets_in(request.path_params["subscription"], at))

        return Starlette(
            routes=[
                Route("/events", self.hear, methods=["POST"]),
                Route("/told", told),
                Route("/lets-in/{subscription}", asks),
            ]
        )


def _run(port: int, memory: str, secrets: list[str]) -> None:
    app = Backend(Path(memory), secrets).app()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@contextmanager
def backend_process(port: int, memory: Path, secrets: list[str]) -> Iterator[httpx.Client]:
    """A backend in a process of its own, which is killed at the end of the block."""
    process = multiprocessing.get_context("spawn").Process(
        target=_run, args=(port, str(memory), secrets), daemon=True
    )
    process.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
        ends = time.monotonic() + 60
        while not _answers(http):
            assert time.monotonic() < ends, "the backend did not start"
            time.sleep(0.05)
        try:
            yield http
        finally:
            process.kill()
            process.join(20)


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/told").is_success
    except httpx.TransportError:
        return False
