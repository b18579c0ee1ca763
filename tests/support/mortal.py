"""Workers in processes of their own, which can die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError

from settings import Settings, variable

ROOT = Path(__file__).parents[2]
DEATH_SECONDS = 60
"""How long a worker may take to reach the point at which it dies."""


def environment_of(settings: Settings, database_url: str) -> dict[str, str]:
    """Settings as the environment of a process that reads them from there."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    words = {variable(name): _word(value) for name, value in given.items()}
    return {
        **words,
        "DATABASE_URL": database_url,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
    }


def _word(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(map(_word, value)) if isinstance(value, tuple) else str(value)


async def start_worker(settings: Settings, database_url: str, folder: Path, **fate: Any) -> Process:
    """A worker process that ends as `support.doomed_worker` reads from its fate."""
    with (folder / "worker.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "support.doomed_worker",
            json.dumps(fate),
            env=environment_of(settings, database_url),
            cwd=folder,
            stdout=log,
            stderr=log,
        )


async def was_killed(worker: Process) -> None:
    """Wait until the worker is dead, and see that it was its own doing."""
    async with asyncio.timeout(DEATH_SECONDS):
        assert await worker.wait() == -signal.SIGKILL


async def stop(worker: Process) -> None:
    """End a worker that is still alive."""
    if worker.returncode is None:
        worker.kill()
        await worker.wait()


@asynccontextmanager
async def own_outbox(client: Client) -> AsyncIterator[None]:
    """The namespace's one outbox belongs to this test: nobody's is left from before, and none stays."""
    await _end_outbox(client)
    try:
        yield
    finally:
        await _end_outbox(client)


async def _end_outbox(client: Client) -> None:
    with suppress(RPCError):
        await client.get_workflow_handle("outbox").terminate("the test is over")
