"""The HTTP API of a sandbox: a key to it, and a first call to paste."""

from __future__ import annotations

import asyncio
import json
import sysconfig
from pathlib import Path
from typing import Final

from sandbox.problems import SandboxProblem
from sandbox.supervisor import Sandbox

KEY_FILE: Final = "api-key"
"""In the sandbox's data, readable by its owner only; a sandbox that lasts keeps its key."""


async def key_of(sandbox: Sandbox) -> str | None:
    """A key that may do everything; None where the sandbox has no HTTP door.

    Raises:
        SandboxProblem: it could not be made; says why.
    """
    if not sandbox.runs("http") or not sandbox.runs("database"):
        return None
    file = sandbox.data / KEY_FILE
    if file.exists():
        return file.read_text(encoding="utf-8").strip()
    key = await _made(sandbox)
    file.touch(mode=0o600)
    file.write_text(key, encoding="utf-8")
    return key


def first_call(address: str, key: str) -> str:
    """What to paste into another terminal."""
    return (
        f"  API            {address}/v1, described at {address}/openapi.json\n"
        f"  API key        {key}\n\n"
        f"  curl -sS {address}/v1/plans -H 'Authorization: Bearer {key}'"
    )


async def _made(sandbox: Sandbox) -> str:
    relance = Path(sysconfig.get_path("scripts")) / "relance"
    making = await asyncio.create_subprocess_exec(
        *(str(relance), "api-key", "create", "sandbox", "--scope", "admin", "--json"),
        env=sandbox.environment,
        cwd=sandbox.data,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await making.communicate()
    finally:
        if making.returncode is None:  # the sandbox is being stopped: nothing of it stays behind
            making.kill()
            await making.wait()
    if making.returncode != 0:
        raise SandboxProblem(f"No key to the API could be made: {complained.decode().strip()}")
    key: str = json.loads(said)["key"]
    return key
