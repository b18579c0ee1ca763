"""The sandbox's command line.

Exit status: 0 done (for `up`: stopped by the person), 1 refused or failed, 2 wrong usage, 128 + n when signal n
came while starting. `status` gives 3 when no sandbox runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from sandbox.api import first_call, key_of
from sandbox.environment import past_proxies
from sandbox.folder import DEFAULT, Running, running_in
from sandbox.ports import DOORS, SETTINGS, TITLES, Ports, free_ports, port, ports_from
from sandbox.problems import SandboxProblem
from sandbox.services import ALL, Name
from sandbox.supervisor import Sandbox
from settings import sandbox_runs_in

NOT_RUNNING: Final = 3
_STOP_SECONDS: Final = 40.0
_SHOWN: Final = {
    "temporal_ui": "Temporal UI",
    "mailbox": "Mailbox",
    "stripe": "Stripe ledger",
    "http": "HTTP",
    "temporal": "Temporal",
}
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(argv: Sequence[str]) -> int:
    """Does what the command line asks and gives the exit status."""
    asked = _parser().parse_args(argv)
    try:
        match asked.verb:
            case "up":
                return asyncio.run(_up(asked))
            case "demo":
                return asyncio.run(_demo(asked))
            case "down":
                return _down(asked.folder)
            case _:
                return _status(asked.folder, as_json=asked.json)
    except SandboxProblem as problem:
        _tell(str(problem), error=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="relance sandbox", description="All of Relance on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start everything and stay until Ctrl-C")
    up.add_argument("--fresh", action="store_true", help="keep nothing: data in memory or deleted at the end")
    up.add_argument(
        "--only", metavar="SERVICE", nargs="+", choices=ALL, help=f"start only some of: {', '.join(ALL)}"
    )
    demo = verbs.add_parser("demo", help="a year of billing in front of your eyes, checked to the cent")
    demo.add_argument("--keep", action="store_true", help="leave everything running afterwards, until Ctrl-C")
    demo.add_argument(
        "--only", metavar="CUSTOMER", nargs="+", help="some of the customers, by their references"
    )
    demo.add_argument("--until", type=date.fromisoformat, metavar="DATE", help="another end, as 2027-06-30")
    demo.add_argument("--catalogue", type=Path, metavar="FILE", help="plans, instead of the demo's own")
    demo.add_argument("--customers", type=Path, metavar="FILE", help="customers, instead of the demo's own")
    down = verbs.add_parser("down", help="stop the sandbox that runs in this folder")
    status = verbs.add_parser("status", help="say whether a sandbox runs here, and where its doors are")
    status.add_argument("--json", action="store_true", help="print JSON, for programs")
    for verb in (up, demo):
        _add_ports(verb)
    for verb in (up, demo, down, status):
        verb.add_argument(
            "--folder", type=Path, default=DEFAULT, help="the sandbox's own folder (%(default)s)"
        )
    return parser


def _add_ports(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--free-ports", action="store_true", help="use any ports that are free")
    for door in DOORS:
        verb.add_argument(
            f"--{door.replace('_', '-')}-port",
            type=port,
            metavar="PORT",
            help=f"{TITLES[door]}, also set by {SETTINGS[door]}",
        )


def _ports(asked: argparse.Namespace) -> Ports:
    if asked.free_ports:
        return free_ports()
    named = {door: getattr(asked, f"{door}_port") for door in DOORS}
    return replace(
        ports_from(os.environ), **{door: number for door, number in named.items() if number is not None}
    )


async def _up(asked: argparse.Namespace) -> int:
    services: tuple[Name, ...] = tuple(asked.only or ALL)
    sandbox = Sandbox(
        folder=asked.folder, services=services, ports=_ports(asked), persistent=not asked.fresh, say=_tell
    )
    stop = _Stop(sandbox)
    stop.listen(asyncio.current_task())
    _tell("Starting the sandbox ...")
    try:
        async with sandbox:
            _tell(f"\nThe sandbox is up. Ctrl-C stops it.\n\n{await _doors(sandbox)}\n")
            stop.complete = True
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        _tell("Stopped.")
    return 0 if stop.complete else 128 + stop.number


async def _demo(asked: argparse.Namespace) -> int:
    # What the demo needs of the application takes a second to import: not for `up`, `down` and `status`.
    from sandbox.demo import catalogue, people

    offered = catalogue.read_catalogue(asked.catalogue or catalogue.FILE)
    cast = people.read_cast(asked.customers or people.FILE)
    cast = cast.only(asked.only) if asked.only else cast
    cast = cast.until(asked.until) if asked.until else cast
    os.environ.update(past_proxies(os.environ))
    sandbox = Sandbox(folder=asked.folder, ports=_ports(asked), say=_tell)
    stop = _Stop(sandbox)
    stop.listen(asyncio.current_task())
    _tell("Starting the sandbox ...")
    status = 1
    try:
        async with sandbox:
            from sandbox.demo.run import perform

            _tell(f"\n{await _doors(sandbox)}\n")
            status = 0 if await perform(sandbox, offered, cast) else 1
            if asked.keep:
                _tell(f"\nEverything is still running. Ctrl-C stops it.\n\n{await _doors(sandbox)}\n")
                stop.complete = True
                await asyncio.Event().wait()
    except asyncio.CancelledError:
        _tell("Stopped.")
        return status if stop.complete else 128 + stop.number
    return status


class _Stop:
    """What signals do: the first ends the sandbox in good order, any further one at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.complete = False
        self.number = 0
        self._sandbox = sandbox

    def listen(self, task: asyncio.Task[int] | None) -> None:
        """Listens from now on."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._came, number, task)

    def _came(self, number: signal.Signals, task: asyncio.Task[int] | None) -> None:
        if self.number:
            self._sandbox.hurry.set()
            return
        self.number = number
        _tell("\nStopping; once more to stop at once.")
        if task is not None:
            task.cancel()


async def _doors(sandbox: Sandbox) -> str:
    """Where everything is, and how the API is asked."""
    block, key = _block(sandbox), await key_of(sandbox)
    return block if key is None else f"{block}\n\n{first_call(sandbox.addresses['http'], key)}"


def _block(sandbox: Sandbox) -> str:
    running = running_in(sandbox.folder)
    return _addresses(running, sandbox.folder) if running else ""


def _addresses(running: Running, folder: Path) -> str:
    lines = [
        f"  {title:<14} {running.addresses[door]}"
        for door, title in _SHOWN.items()
        if door in running.addresses
    ]
    return "\n".join([*lines, f"  {'Logs':<14} {folder / 'logs'}"])


def _down(folder: Path) -> int:
    running = running_in(folder)
    if running is None:
        starting = sandbox_runs_in(folder)
        _tell(
            "The sandbox is just starting: try again." if starting else "No sandbox runs here.",
            error=starting,
        )
        return 1 if starting else 0
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while sandbox_runs_in(folder):
        if time.monotonic() > deadline:
            raise SandboxProblem(
                f"The sandbox (process {running.pid}) does not stop. Its logs: {folder / 'logs'}"
            )
        time.sleep(0.1)
    _tell("Stopped.")
    return 0


def _status(folder: Path, *, as_json: bool) -> int:
    running = running_in(folder)
    if as_json:
        _tell(json.dumps({"running": running is not None, **(running.model_dump() if running else {})}))
    elif running is None:
        _tell("The sandbox is just starting." if sandbox_runs_in(folder) else "No sandbox runs here.")
    else:
        _tell(f"A sandbox runs (process {running.pid}).\n\n{_addresses(running, folder)}")
    return 0 if running else NOT_RUNNING


def _tell(line: str, *, error: bool = False) -> None:
    """Writes a line; a terminal that was closed meanwhile must not keep us from cleaning up."""
    with suppress(OSError, ValueError):
        out = sys.stderr if error else sys.stdout
        out.write(line + "\n")
        out.flush()
