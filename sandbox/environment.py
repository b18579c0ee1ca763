"""What the processes of a sandbox are told: the one place where their environment is made."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox.mailbox.news import key_in, public_key
from sandbox.ports import Ports
from sandbox.serving import LOOPBACK
from settings import Settings, variable

_FOREIGN: Final = ("TEMPORAL_", "STRIPE_", "SENDGRID_")
"""Variables that would lead a child away from the sandbox, to somebody's real accounts."""

RETURN_URLS: Final = "RELANCE_PORTAL_RETURN_URLS"
"""Where customers are led back to: the mailbox, where there is no application, or what a person says."""
MAIL_KEY: Final = "mailbox-key.pem"
"""File of the key with which the mailbox signs what it tells."""

_INSTRUCTIONS: Final = "# Written by the running sandbox; `relance` in this folder reads it by itself.\n"


def addresses(ports: Ports) -> dict[str, str]:
    """Where each door of the sandbox is; Temporal without a scheme, as its clients want it."""
    return {
        "temporal": f"{LOOPBACK}:{ports.temporal}",
        "temporal_ui": f"http://{LOOPBACK}:{ports.temporal_ui}",
        "stripe": f"http://{LOOPBACK}:{ports.stripe}",
        "mailbox": f"http://{LOOPBACK}:{ports.mailbox}",
        "http": f"http://{LOOPBACK}:{ports.http}",
    }


def sandbox_variables(*, ports: Ports, folder: Path, data: Path, database_url: str | None) -> dict[str, str]:
    """The settings of Relance in a sandbox.

    Args:
        ports: where the doors are.
        folder: the sandbox's own.
        data: where its database and keys are; keys that are there already are used again, so that links made
            by an earlier run of the same sandbox still work.
        database_url: another database than the SQLite file in `data`.
    """
    where = addresses(ports)
    return {
        "DATABASE_URL": database_url or f"sqlite+aiosqlite:///{(data / 'relance.db').resolve()}",
        "TEMPORAL_ADDRESS": where["temporal"],
        "TEMPORAL_NAMESPACE": "default",
        "STRIPE_API_BASE": where["stripe"],
        "SENDGRID_API_KEY": "SG.sandbox",
        "SENDGRID_API_BASE": where["mailbox"],
        "MAIL_FROM": "Relance Sandbox <billing@sandbox.example>",
        "RELANCE_SENDGRID_WEBHOOK_KEYS": public_key(key_in(data / MAIL_KEY)),
        "PUBLIC_URL": where["http"],
        "RELANCE_HTTP_PORT": str(ports.http),
        "RELANCE_BOUNDARY_WINDOW_MINUTES": "0",
        "RELANCE_PRIVATE_WEBHOOK_ADDRESSES": "true",
        RETURN_URLS: where["mailbox"],
        "RELANCE_CLOCK_PEERS": f"{where['stripe']}/_fake/clock",
        "RELANCE_SANDBOX": str(folder.resolve()),
        **_keys(data / "keys.json"),
    }


def child_environment(outside: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """What a process of the sandbox gets: the person's environment without accounts, then the sandbox's own.

    `RELANCE_` settings that the sandbox has no opinion on are let through, so that one can try them.
    """
    ours = {variable(field) for field in Settings.model_fields if not variable(field).startswith("RELANCE_")}
    kept = {
        name: value
        for name, value in outside.items()
        if name not in ours and not name.startswith((*_FOREIGN, "RELANCE_SANDBOX"))
    }
    theirs = {name: kept[name] for name in (RETURN_URLS,) if name in kept}
    return {**kept, **past_proxies(outside), **variables, **theirs, "PYTHONUNBUFFERED": "1"}


def past_proxies(outside: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep a person's proxy out of calls within this machine."""
    listed = [outside[name] for name in ("NO_PROXY", "no_proxy") if outside.get(name)]
    hosts = ",".join([*listed[:1], LOOPBACK, "localhost"])
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def write_env(file: Path, variables: Mapping[str, str]) -> None:
    """Writes the variables for other terminals, readable by the owner only."""
    file.touch(mode=0o600)
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    file.write_text(_INSTRUCTIONS + "".join(lines), encoding="utf-8")


def _keys(file: Path) -> dict[str, str]:
    if file.exists():
        kept: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return kept
    made = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "STRIPE_API_KEY": f"sk_test_{secrets.token_hex(16)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(24)}",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(made), encoding="utf-8")
    return made
