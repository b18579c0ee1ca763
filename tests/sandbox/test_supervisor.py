"""The sandbox starts whole or not at all, and leaves no process behind, whatever ends it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sandbox.children import Child
from sandbox.folder import FolderLock, running_in
from sandbox.ports import Ports, PortsTaken, check_free, free_ports, ports_from
from sandbox.problems import AlreadyRunning, NotReady, SandboxProblem, ServiceDied
from sandbox.services import SERVICES, temporal_binary
from sandbox.supervisor import Sandbox
from settings import connect_config, load_settings

linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes that belong to the sandbox in `folder`: its children carry its name."""
    mark = f"RELANCE_SANDBOX={folder.resolve()}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_sandbox_runs_while_the_block_does(tmp_path: Path) -> None:
    async with Sandbox(folder=tmp_path, services=["temporal", "mailbox"], ports="free") as sandbox:
        async with httpx.AsyncClient() as http:
            namespaces = f"{sandbox.addresses['temporal_ui']}/api/v1/namespaces/default/search-attributes"
            registered = (await http.get(namespaces)).json()["customAttributes"]
            mails = (await http.get(f"{sandbox.addresses['mailbox']}/healthz")).json()
        settings = load_settings(tmp_path, environ=sandbox.variables)
        known = running_in(tmp_path)

    assert registered == {
        "BillingStatus": "INDEXED_VALUE_TYPE_KEYWORD",
        "PlanId": "INDEXED_VALUE_TYPE_KEYWORD",
        "CustomerId": "INDEXED_VALUE_TYPE_KEYWORD",
        "CollectionStep": "INDEXED_VALUE_TYPE_KEYWORD",
        "ParkedReason": "INDEXED_VALUE_TYPE_KEYWORD",
        "ClockId": "INDEXED_VALUE_TYPE_KEYWORD",
        "NextBillingAt": "INDEXED_VALUE_TYPE_DATETIME",
        "PastDueSince": "INDEXED_VALUE_TYPE_DATETIME",
        "DunningAttempt": "INDEXED_VALUE_TYPE_INT",
    }
    assert mails == {"status": "ok", "messages": 0}
    assert settings.boundary_window_minutes == 0
    assert settings.clock_peers == (f"{settings.stripe_api_base}/_fake/clock",)
    assert connect_config(settings)["target_host"] == sandbox.addresses["temporal"]
    assert known is not None
    assert set(known.processes) == {"temporal", "mailbox"}
    assert running_in(tmp_path) is None
    assert names_in(tmp_path) == ["lock", "logs"]


async def test_a_persistent_sandbox_keeps_its_data_and_keys(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        async with Sandbox(folder=tmp_path, services=["mailbox"], persistent=True) as sandbox:
            keys.append(sandbox.variables["SECRET_KEY"])
    assert keys[0] == keys[1]
    assert (tmp_path / "data" / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_a_temporary_folder_goes_with_its_sandbox() -> None:
    async with Sandbox(services=["mailbox"]) as sandbox:
        assert sandbox.folder.is_dir()
    assert not sandbox.folder.exists()


async def test_real_accounts_do_not_leak_into_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live_real")
    monkeypatch.setenv("TEMPORAL_API_KEY", "real")
    monkeypatch.setenv("TEMPORAL_PROFILE", "production")
    monkeypatch.setenv("RELANCE_PAYMENTS_PER_SECOND", "50")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    async with Sandbox(
        folder=tmp_path, services=["mailbox"], overrides={"MAIL_FROM": "a@b.example"}
    ) as sandbox:
        told = sandbox.environment
    assert told["STRIPE_API_KEY"].startswith("sk_test_")
    assert "TEMPORAL_API_KEY" not in told
    assert "TEMPORAL_PROFILE" not in told
    assert told["RELANCE_PAYMENTS_PER_SECOND"] == "50"
    assert told["MAIL_FROM"] == "a@b.example"
    assert told["NO_PROXY"] == told["no_proxy"] == "intranet.example,127.0.0.1,localhost"


@pytest.fixture
def two_taken_ports() -> Iterator[Ports]:
    ports = free_ports()
    with socket.create_server(("127.0.0.1", ports.stripe)), socket.create_server(("", ports.mailbox)):
        yield ports


async def test_taken_ports_are_all_listed_before_anything_starts(
    tmp_path: Path, two_taken_ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr(Child, "__init__", lambda *a, **_: started.append(a))

    with pytest.raises(PortsTaken) as refused:
        async with Sandbox(folder=tmp_path, ports=two_taken_ports):
            pass

    assert str(refused.value) == (
        "The sandbox cannot start, nothing was started:\n"
        f"  fake Stripe  port {two_taken_ports.stripe}: in use; "
        "choose another with RELANCE_SANDBOX_STRIPE_PORT\n"
        f"  mailbox      port {two_taken_ports.mailbox}: in use; "
        "choose another with RELANCE_SANDBOX_MAILBOX_PORT"
    )
    assert started == []
    assert running_in(tmp_path) is None


def test_one_port_for_two_doors_is_refused() -> None:
    ports = free_ports()
    with pytest.raises(
        PortsTaken, match="the fake Stripe has it, too; choose another with RELANCE_HTTP_PORT"
    ):
        check_free(replace(ports, http=ports.stripe), ["stripe", "http"])


def test_ports_come_from_the_environment() -> None:
    assert ports_from({}) == Ports(temporal=7233, temporal_ui=8233, stripe=12111, mailbox=8025, http=8000)
    assert ports_from({"RELANCE_SANDBOX_MAILBOX_PORT": "9025", "RELANCE_HTTP_PORT": "9000"}) == Ports(
        mailbox=9025, http=9000
    )
    with pytest.raises(SandboxProblem, match="RELANCE_HTTP_PORT is 'x'"):
        ports_from({"RELANCE_HTTP_PORT": "x"})
    with pytest.raises(SandboxProblem, match="RELANCE_HTTP_PORT is '70000'"):
        ports_from({"RELANCE_HTTP_PORT": "70000"})


async def test_one_folder_holds_one_sandbox(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    first.take()
    with pytest.raises(AlreadyRunning, match="relance sandbox down"):
        async with Sandbox(folder=tmp_path, services=["mailbox"]):
            pass
    first.give_back()
    async with Sandbox(folder=tmp_path, services=["mailbox"]):
        pass


def stand_in(monkeypatch: pytest.MonkeyPatch, program: str, *, patience_seconds: float = 30) -> None:
    """Puts a program of one line in the place of the mailbox."""
    monkeypatch.setitem(
        SERVICES,
        "mailbox",
        replace(
            SERVICES["mailbox"],
            command=lambda _: [sys.executable, "-c", program],
            patience_seconds=patience_seconds,
            stop_seconds=0.5,
        ),
    )


@linux
async def test_a_service_that_fails_to_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "print('no ink left'); raise SystemExit(3)")
    with pytest.raises(ServiceDied) as died:
        async with Sandbox(folder=tmp_path, services=["temporal", "mailbox"]):
            pass
    assert "The service 'mailbox' ended by itself (status 3)" in str(died.value)
    assert "  | no ink left" in str(died.value)
    assert processes_of(tmp_path) == []


@linux
async def test_a_service_that_never_answers_is_given_up_even_if_it_refuses_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "subprocess.Popen(['sleep', '60']); print('thinking', flush=True); signal.pause()"
    )
    stand_in(monkeypatch, deaf, patience_seconds=1)
    with pytest.raises(NotReady) as late:
        async with Sandbox(folder=tmp_path, services=["mailbox"]):
            pass
    assert "The service 'mailbox' was not ready within 1 s" in str(late.value)
    assert "  | thinking" in str(late.value)
    assert processes_of(tmp_path) == []


@linux
async def test_a_service_that_dies_ends_the_block(tmp_path: Path) -> None:
    with pytest.raises(ServiceDied, match=r"The service 'mailbox' ended by itself \(signal 9\)"):  # noqa: PT012
        async with Sandbox(folder=tmp_path, services=["temporal", "mailbox"]) as sandbox:
            os.kill(sandbox.pid("mailbox"), signal.SIGKILL)
            await asyncio.sleep(30)
    assert processes_of(tmp_path) == []


async def test_a_step_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = [sys.executable, "-c", "print('no such table'); raise SystemExit(1)"]
    monkeypatch.setitem(SERVICES, "database", replace(SERVICES["database"], command=lambda _: failing))
    with pytest.raises(ServiceDied, match=r"The step 'database' failed \(status 1\)[\s\S]*no such table"):
        async with Sandbox(folder=tmp_path, services=["mailbox", "database"]):
            pass


async def test_a_service_killed_on_purpose_comes_back(tmp_path: Path) -> None:
    async with Sandbox(folder=tmp_path, services=["mailbox"]) as sandbox, httpx.AsyncClient() as http:
        before = sandbox.pid("mailbox")
        await sandbox.kill("mailbox")
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{sandbox.addresses['mailbox']}/healthz")
        await sandbox.start("mailbox")
        assert sandbox.pid("mailbox") != before
        assert (await http.get(f"{sandbox.addresses['mailbox']}/healthz")).status_code == 200


async def test_an_error_in_the_block_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        async with Sandbox(folder=tmp_path, services=["mailbox"]):
            raise LookupError
    assert running_in(tmp_path) is None


class Terminal:
    """`python -m sandbox up` as a person runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(  # noqa: S603
            [
                *(sys.executable, "-m", "sandbox", "up", "--fresh", "--free-ports", "--folder", str(folder)),
                *("--only", "temporal", "mailbox"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, line: str) -> None:
        assert self.process.stdout is not None
        for read in self.process.stdout:
            if line in read:
                return
        pytest.fail(f"ended without saying {line!r}: {self.process.communicate()[1]}")

    def ends(self) -> tuple[int, str]:
        """Exit status and the error output."""
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    if opened.process.poll() is None:
        opened.process.kill()
        opened.process.communicate()


@linux
@pytest.mark.parametrize(
    ("moment", "signals", "statuses"),
    [
        ("Starting", [signal.SIGINT], {130}),
        ("Starting", [signal.SIGTERM], {143}),
        ("Temporal     ready", [signal.SIGINT], {130, 0}),  # the mailbox may be ready at the same moment
        ("Temporal     ready", [signal.SIGINT, signal.SIGINT], {130, 0}),
        ("is up", [signal.SIGINT], {0}),
        ("is up", [signal.SIGINT, signal.SIGINT], {0}),
        ("is up", [signal.SIGHUP], {0}),
        ("is up", [signal.SIGTERM], {0}),
    ],
)
def test_a_signal_at_any_moment_leaves_no_process(
    terminal: Terminal, tmp_path: Path, moment: str, signals: list[signal.Signals], statuses: set[int]
) -> None:
    terminal.wait_for(moment)
    for number in signals:
        terminal.process.send_signal(number)

    code, errors = terminal.ends()

    assert processes_of(tmp_path) == []
    assert code in statuses
    assert errors == ""
    assert names_in(tmp_path) == ["lock", "logs"]


@linux
@pytest.mark.parametrize("delay_ms", [30, 120, 250, 400])
def test_a_signal_while_python_starts_leaves_no_process(
    terminal: Terminal, tmp_path: Path, delay_ms: int
) -> None:
    time.sleep(delay_ms / 1000)
    terminal.process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):  # Python may be deaf while it starts: then one presses again
        terminal.process.wait(timeout=5)
    terminal.process.send_signal(signal.SIGINT)

    terminal.ends()

    assert processes_of(tmp_path) == []


@linux
def test_a_supervisor_that_is_killed_takes_its_processes_along(terminal: Terminal, tmp_path: Path) -> None:
    terminal.wait_for("is up")
    assert len(processes_of(tmp_path)) == 2
    terminal.process.kill()
    terminal.process.communicate()

    deadline = time.monotonic() + 10
    while processes_of(tmp_path):
        assert time.monotonic() < deadline, processes_of(tmp_path)
        time.sleep(0.05)

    assert running_in(tmp_path) is None
    leftovers = [p.name for p in tmp_path.glob("run-*")]
    assert len(leftovers) == 1
    again = Terminal(tmp_path)
    again.wait_for("is up")
    assert leftovers[0] not in [p.name for p in tmp_path.iterdir()]
    again.process.send_signal(signal.SIGINT)
    assert again.ends() == (0, "")


@linux
def test_status_and_down_from_another_terminal(terminal: Terminal, tmp_path: Path) -> None:
    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandbox", *words, "--folder", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603

    terminal.wait_for("is up")
    status = ask("status", "--json")
    told = json.loads(status.stdout)
    second = ask("up", "--free-ports")
    down = ask("down")

    assert (status.returncode, told["running"], told["pid"]) == (0, True, terminal.process.pid)
    assert second.returncode == 1
    assert "relance sandbox down" in second.stderr
    assert (down.returncode, down.stdout) == (0, "Stopped.\n")
    assert terminal.ends() == (0, "")
    assert processes_of(tmp_path) == []
    assert ask("status").returncode == 3
    assert ask("down").returncode == 0


@linux
def test_a_service_that_dies_ends_the_command_with_its_last_lines(terminal: Terminal, tmp_path: Path) -> None:
    terminal.wait_for("is up")
    known = running_in(tmp_path)
    assert known is not None
    os.kill(known.processes["temporal"], signal.SIGKILL)

    code, errors = terminal.ends()

    assert code == 1
    assert "The service 'temporal' ended by itself (signal 9)" in errors
    assert "  | Temporal Server:" in errors
    assert processes_of(tmp_path) == []


def test_relance_sandbox_is_the_same_command(tmp_path: Path) -> None:
    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from starter.cli import main; main()", "sandbox", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603

    status = ask("status", "--json", "--folder", str(tmp_path))
    wrong = ask("up", "--http-port", "99999")

    assert (status.returncode, status.stdout) == (3, '{"running": false}\n')
    assert wrong.returncode == 2
    assert "--http-port" in wrong.stderr


def test_temporal_comes_from_the_wheel() -> None:
    assert Path(temporal_binary()).name == "temporal"
    assert os.access(temporal_binary(), os.X_OK)
