"""Running what a command asks of the client, and leaving cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from billing.errors import InvalidInput

if TYPE_CHECKING:
    from starter.client import RelanceClient

Answer = TypeVar("Answer")

BREATH_SECONDS: Final = 0.2
"""After Temporal was met: without it the interpreter can crash at exit, its work done."""

CommandId = Annotated[
    str | None,
    typer.Option(
        "--command-id", help="Your own id: the same command twice is carried out once.", metavar="ID"
    ),
]
By = Annotated[str, typer.Option("--by", help="Who asks, for the record.", metavar="NAME")]
OPERATOR: Final = "cli"


def with_client(work: Callable[[RelanceClient], Awaitable[Answer]]) -> Answer:
    """Open a client as the settings say, do the work, and close everything."""
    from models.schema import DatabaseBehind
    from settings import load_settings
    from starter.client import RelanceClient

    is_sandbox = Path(".sandbox").is_dir()

    async def whole() -> Answer:
        settings, has_met_temporal = load_settings(), False
        try:
            async with RelanceClient.open(settings) as client:
                try:
                    return await work(client)
                finally:
                    has_met_temporal = client.connections.has_met_temporal
        except DatabaseBehind:
            if is_sandbox and "database_url" not in settings.model_fields_set:
                raise DatabaseBehind(
                    "No sandbox runs in this folder, and DATABASE_URL is not set. Start the sandbox: "
                    "relance sandbox up",
                    field="DATABASE_URL",
                ) from None
            raise
        finally:
            if has_met_temporal:
                await asyncio.sleep(BREATH_SECONDS)

    return asyncio.run(whole())


def read_instant(text: str, *, field: str) -> datetime:
    """An instant written as 2027-01-31T09:00:00Z, or a date, which is its first instant in UTC.

    Raises:
        InvalidInput: it is neither, or it has a time and no offset.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no instant. Give one as 2027-01-31T09:00:00Z, or a date.", field=field
        ) from None
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    if len(text) == len("2027-01-31"):
        return at.replace(tzinfo=UTC)
    raise InvalidInput(f"{text!r} needs an offset, as in 2027-01-31T09:00:00Z.", field=field)
