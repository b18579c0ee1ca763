"""Which ports the sandbox uses, and whether they are free before anything starts."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from random import SystemRandom
from typing import Final

from sandbox.problems import SandboxProblem
from sandbox.serving import LOOPBACK


@dataclass(frozen=True)
class Ports:
    """One TCP port for each door of the sandbox, all on loopback."""

    temporal: int = 7233
    temporal_ui: int = 8233
    stripe: int = 12111
    mailbox: int = 8025
    http: int = 8000


TITLES: Final[Mapping[str, str]] = {
    "temporal": "Temporal",
    "temporal_ui": "Temporal UI",
    "stripe": "fake Stripe",
    "mailbox": "mailbox",
    "http": "HTTP door",
}
SETTINGS: Final[Mapping[str, str]] = {
    "temporal": "RELANCE_SANDBOX_TEMPORAL_PORT",
    "temporal_ui": "RELANCE_SANDBOX_TEMPORAL_UI_PORT",
    "stripe": "RELANCE_SANDBOX_STRIPE_PORT",
    "mailbox": "RELANCE_SANDBOX_MAILBOX_PORT",
    "http": "RELANCE_HTTP_PORT",
}
DOORS: Final = tuple(field.name for field in fields(Ports))
QUIET: Final = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections."""


class PortsTaken(SandboxProblem):
    """Ports that the sandbox needs cannot be used; the message lists all of them and the setting of each."""


def ports_from(environ: Mapping[str, str]) -> Ports:
    """The ports that the environment asks for, defaults for the others.

    Raises:
        SandboxProblem: a variable is no port.
    """
    chosen: dict[str, int] = {}
    for door, setting in SETTINGS.items():
        raw = environ.get(setting, "").strip()
        if not raw:
            continue
        try:
            chosen[door] = port(raw)
        except ValueError as problem:
            raise SandboxProblem(f"{setting} is {raw!r}: {problem}.") from None
    return Ports(**chosen)


def port(raw: str) -> int:
    """Reads a port.

    Raises:
        ValueError: it is none; the message says what is.
    """
    if not (raw.isascii() and raw.isdecimal()) or not 1 <= int(raw) <= 65535:  # noqa: PLR2004
        raise ValueError("use a port from 1 to 65535")
    return int(raw)


def free_ports() -> Ports:
    """Ports that nobody uses at this moment, and that no outgoing connection takes in the next one."""
    free = (number for number in SystemRandom().sample(QUIET, len(QUIET)) if not _why_not(number))
    return Ports(**{door: next(free) for door in DOORS})


def check_free(ports: Ports, doors: Sequence[str]) -> None:
    """Makes sure that every named door can be opened.

    Raises:
        PortsTaken: one or more cannot; names all of them.
    """
    lines: list[str] = []
    seen: dict[int, str] = {}
    for door in doors:
        number: int = getattr(ports, door)
        reason = f"the {seen[number]} has it, too" if number in seen else _why_not(number)
        seen.setdefault(number, TITLES[door])
        if reason:
            lines.append(
                f"  {TITLES[door]:<12} port {number}: {reason}; choose another with {SETTINGS[door]}"
            )
    if lines:
        listed = "\n".join(lines)
        raise PortsTaken(f"The sandbox cannot start, nothing was started:\n{listed}")


def _why_not(number: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, number))
        except OSError as problem:
            return "in use" if problem.errno == errno.EADDRINUSE else os.strerror(problem.errno or 0).lower()
    with socket.socket() as caller:
        # Where a listener on all interfaces does not keep others from 127.0.0.1, somebody would answer here.
        caller.settimeout(0.5)
        return "in use" if caller.connect_ex((LOOPBACK, number)) == 0 else ""
