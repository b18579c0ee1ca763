"""Starts and stops everything that a sandbox is made of, together: all of it runs, or none."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import httpx

from sandbox.children import LOOK_SECONDS, Child
from sandbox.environment import addresses, child_environment, sandbox_variables, write_env
from sandbox.folder import FolderLock, clear_leftovers
from sandbox.ports import Ports, check_free, free_ports
from sandbox.problems import NotReady, ServiceDied
from sandbox.services import ALL, SERVICES, WAVES, Name, Place, Service

_POLL_SECONDS: Final = 0.1
_LOG_BYTES_KEPT: Final = 5 * 1024 * 1024


class Sandbox:
    """A sandbox, running while the `async with` block is.

    A process that dies by itself ends the block with `ServiceDied`; whatever ends the block, every process
    is gone afterwards, and so is data that was not to last.

    Attributes:
        ports: the ports in use.
        addresses: address of each door, by name: temporal, temporal_ui, stripe, mailbox, http.
        variables: the settings by which Relance finds this sandbox; also in the file `env` of its folder.
        hurry: set it to have everything killed at once instead of asked to stop.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        services: Sequence[Name] = ALL,
        ports: Ports | Literal["free"] = "free",
        persistent: bool = False,
        database_url: str | None = None,
        overrides: Mapping[str, str] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Describes a sandbox; nothing happens before the block is entered.

        Args:
            folder: its own folder, for logs, data and the file `env`; a temporary one, deleted at the end, if None.
            services: what runs; always started in the order of `services.WAVES`.
            ports: which ports, or "free" for any that nobody uses.
            persistent: whether database, Temporal's store and mails stay in the folder for the next run.
            database_url: another database than a SQLite file in the folder.
            overrides: settings of the processes that go before the sandbox's own.
            say: told what is going on, a line at a time.
        """
        self.ports = free_ports() if ports == "free" else ports
        self.addresses = addresses(self.ports)
        self.variables: dict[str, str] = {}
        self.hurry = asyncio.Event()
        self._services = [SERVICES[name] for name in ALL if name in services]
        self._asked_folder = folder
        self._persistent = persistent
        self._database_url = database_url
        self._overrides = dict(overrides or {})
        self._say = say
        self._children: dict[Name, Child] = {}
        self._died: ServiceDied | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts all services and waits until each is ready.

        Raises:
            PortsTaken: a port is in use; nothing was started.
            AlreadyRunning: another sandbox runs in the folder; nothing was started.
            NotReady: a service did not answer in time; all were ended again.
            ServiceDied: a service ended by itself; all were ended again.
        """
        self.folder = self._asked_folder or Path(tempfile.mkdtemp(prefix="relance-sandbox-"))
        self._lock = FolderLock(self.folder)
        try:
            self._lock.take()
            check_free(self.ports, [door for service in self._services for door in service.doors])
            self._prepare()
            for wave in WAVES:
                await self._start_together([service for service in self._services if service.name in wave])
            self._publish()
        except BaseException:
            await self._finish()
            raise
        self._watch = asyncio.create_task(self._end_block_on_death(asyncio.current_task()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends all processes and removes what was not to last.

        Raises:
            ServiceDied: a process had ended by itself.
        """
        if self._died is None and isinstance(error, Exception):
            self._note_the_dead()  # more likely the cause than what the block says
        try:
            await self._finish()
        except asyncio.CancelledError:
            if self._died is None:
                raise
        if self._died is not None:
            owner = asyncio.current_task()
            if owner is not None:
                owner.uncancel()
            raise self._died from None if isinstance(error, asyncio.CancelledError) else error

    async def start(self, name: Name) -> None:
        """Starts a service, again if it was killed, and waits until it is ready.

        Raises:
            NotReady: it did not answer in time.
            ServiceDied: it ended by itself.
        """
        await self._start_together([SERVICES[name]])
        self._publish()

    async def kill(self, name: Name) -> None:
        """Ends a service with SIGKILL, as a crash would; `start` brings it back. For tests."""
        await self._children.pop(name).kill()

    def pid(self, name: Name) -> int:
        """Process id of a running service."""
        return self._children[name].pid

    def runs(self, name: Name) -> bool:
        """Whether a service belongs to this sandbox."""
        return SERVICES[name] in self._services

    @property
    def data(self) -> Path:
        """Where the database and keys of this run are."""
        return self._workplace

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment for a command that is to work in this sandbox."""
        return child_environment(os.environ, self.variables)

    def _prepare(self) -> None:
        clear_leftovers(self.folder)
        self._temporary = None if self._persistent else self.folder / f"run-{os.getpid()}"
        data = self._temporary or self.folder / "data"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.variables = {
            **sandbox_variables(
                ports=self.ports, folder=self.folder, data=data, database_url=self._database_url
            ),
            **self._overrides,
        }
        self._workplace = data
        self._place = Place(
            ports=self.ports,
            data=data.resolve(),
            persistent=self._persistent,
            services=frozenset(service.name for service in self._services),
            variables=self.environment,
        )
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        for log in logs.glob("*.log"):
            if not self._persistent or log.stat().st_size > _LOG_BYTES_KEPT:
                log.unlink()

    def _publish(self) -> None:
        """Lets other terminals find this sandbox, now that it is complete; `state.json` comes last and whole."""
        write_env(self.folder / "env", self.variables)
        state = {
            "pid": os.getpid(),
            "addresses": {d: self.addresses[d] for service in self._services for d in service.doors},
            "processes": {name: child.pid for name, child in self._children.items()},
        }
        draft = self.folder / "state.json.new"
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(self.folder / "state.json")

    async def _start_together(self, services: Sequence[Service]) -> None:
        began = time.monotonic()
        for service in services:
            self._children[service.name] = Child(
                service.name,
                service.command(self._place),
                environment=self.environment,
                folder=self._workplace,
                log=self.folder / "logs" / f"{service.name}.log",
            )
        for service in services:
            await self._until_ready(service, self._children[service.name], began)
            self._say(f"  {service.title:<12} ready after {time.monotonic() - began:.1f} s")

    async def _until_ready(self, service: Service, child: Child, began: float) -> None:
        if service.ready_url is None:
            await self._until_done(service, child, began)
            del self._children[service.name]
            return
        url = service.ready_url(self._place)
        async with httpx.AsyncClient(timeout=2, trust_env=False) as caller:
            needle = service.ready_when.replace("{pid}", str(child.pid))
            while not await _answers(caller, url, needle):
                self._look_for_the_dead()
                self._be_patient(service, child, began)
                await asyncio.sleep(_POLL_SECONDS)
        self._look_for_the_dead()  # what answered may have been somebody else

    async def _until_done(self, service: Service, child: Child, began: float) -> None:
        while child.exit_code is None:
            self._be_patient(service, child, began)
            await asyncio.sleep(LOOK_SECONDS)
        if child.exit_code != 0:
            raise _death(service, child)

    def _be_patient(self, service: Service, child: Child, began: float) -> None:
        if time.monotonic() - began > service.patience_seconds:
            raise NotReady(
                f"The service '{service.name}' was not ready within {service.patience_seconds:.0f} s. "
                f"Its last lines in {child.log}:\n{child.last_lines()}"
            )

    def _look_for_the_dead(self) -> None:
        for name, child in self._children.items():
            one_step = SERVICES[name].ready_url is None
            if child.wanted and child.exit_code is not None and not (one_step and child.exit_code == 0):
                raise _death(SERVICES[name], child)

    def _note_the_dead(self) -> None:
        try:
            self._look_for_the_dead()
        except ServiceDied as death:
            self._died = death

    async def _end_block_on_death(self, owner: asyncio.Task[object] | None) -> None:
        while self._died is None:
            await asyncio.sleep(_POLL_SECONDS)
            self._note_the_dead()
        if owner is not None:
            owner.cancel()

    async def _finish(self) -> None:
        """Cleans up to the end, also when the task is cancelled meanwhile."""
        cleaning = asyncio.ensure_future(self._stop())
        interrupted = False
        while not cleaning.done():
            try:
                await asyncio.shield(cleaning)
            except asyncio.CancelledError:
                interrupted = True
                self.hurry.set()
        cleaning.result()
        if interrupted:
            raise asyncio.CancelledError

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if not self._lock.held:
            self._forget_temporary_folder()
            return
        for wave in reversed(WAVES):
            ending = [
                child.stop(patience_seconds=SERVICES[name].stop_seconds, hurry=self.hurry)
                for name, child in self._children.items()
                if name in wave
            ]
            await asyncio.gather(*ending)
        self._children.clear()
        clear_leftovers(self.folder)
        self._lock.give_back()
        self._forget_temporary_folder()

    def _forget_temporary_folder(self) -> None:
        if self._asked_folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _death(service: Service, child: Child) -> ServiceDied:
    code = child.exit_code or 0
    how = f"status {code}" if code >= 0 else f"signal {-code}"
    what, went = ("The service", "ended by itself") if service.ready_url else ("The step", "failed")
    return ServiceDied(
        f"{what} '{service.name}' {went} ({how}), so the sandbox stops. "
        f"Its last lines in {child.log}:\n{child.last_lines()}"
    )


async def _answers(caller: httpx.AsyncClient, url: str, needle: str) -> bool:
    with suppress(httpx.HTTPError):
        answer = await caller.get(url)
        return answer.status_code == httpx.codes.OK and needle in answer.text
    return False
