"""One process of the sandbox: started on a leash, in a process group of its own, with a log of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

LEASH: Final = Path(__file__).with_name("leash.py")
LOOK_SECONDS: Final = 0.05
LAST_LINES: Final = 20


class Child:
    """A running process.

    Attributes:
        name: of the service.
        log: where its output goes.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.name = name
        self.log = log
        self.wanted = True
        log.parent.mkdir(parents=True, exist_ok=True)
        leashed = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command]
        with log.open("ab") as out:
            self._logged_from = out.tell()
            self._popen = subprocess.Popen(  # noqa: S603
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._popen.poll()

    async def ended(self) -> int:
        """Waits until it has ended and says how."""
        while True:
            if (code := self.exit_code) is not None:
                return code
            await asyncio.sleep(LOOK_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to its whole group; nothing if that is gone."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self, *, patience_seconds: float, hurry: asyncio.Event) -> None:
        """Ends it and whatever it started: asked first, killed after the patience or when in a hurry."""
        self.wanted = False
        self.signal(signal.SIGTERM)
        waited = 0.0
        while self.exit_code is None and waited < patience_seconds and not hurry.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
        await self.kill()

    async def kill(self) -> None:
        """Ends it at once, and whatever it started."""
        self.wanted = False
        self.signal(signal.SIGKILL)
        await self.ended()

    def last_lines(self) -> str:
        """The end of what it wrote since it was started."""
        with self.log.open("rb") as written:
            written.seek(self._logged_from)
            text = written.read().decode("utf-8", errors="replace")
        lines = text.strip().splitlines()[-LAST_LINES:]
        return "\n".join(f"  | {line}" for line in lines) or "  | (it wrote nothing)"
