"""The sandbox's folder: who owns it, what is left in it, and what it says about a running sandbox."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from sandbox.problems import AlreadyRunning
from settings import sandbox_runs_in

DEFAULT: Final = Path(".sandbox")
_LOOKS: Final = 10


class Running(BaseModel):
    """What a running sandbox says about itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    addresses: dict[str, str]
    processes: dict[str, int]


class FolderLock:
    """One sandbox per folder: held by the supervisor while it lives, given back by the kernel if it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether we have it."""
        return self._descriptor is not None

    def take(self) -> None:
        """Takes the folder.

        Raises:
            AlreadyRunning: another sandbox has it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(_LOOKS):  # somebody who only looks whether it is taken holds it for a moment
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._descriptor = descriptor
                return
            time.sleep(0.02)
        os.close(descriptor)
        raise AlreadyRunning(
            f"A sandbox runs in {self._folder} already. Stop it with `relance sandbox down`, or see it with "
            f"`relance sandbox status`."
        )

    def give_back(self) -> None:
        """Gives it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def running_in(folder: Path) -> Running | None:
    """The sandbox that runs in `folder`; None if there is none, or none that is complete yet."""
    if not sandbox_runs_in(folder):
        return None
    try:
        return Running.model_validate(json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def clear_leftovers(folder: Path) -> None:
    """Removes what was not to outlast this run, or one that was killed before it could. Only for the owner."""
    for file in ("state.json", "state.json.new", "env"):
        (folder / file).unlink(missing_ok=True)
    for old in folder.glob("run-*"):
        shutil.rmtree(old, ignore_errors=True)
