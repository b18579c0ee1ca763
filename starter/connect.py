"""The one connection to Temporal: where it is, how values are written, and an error that says what to do."""

from __future__ import annotations

import asyncio
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from billing.errors import RelanceError
from settings import Settings, connect_config
from starter.codec import data_converter

CONNECT_SECONDS: Final = 5.0
"""How long a first connection may take. An address that swallows packets would otherwise hold it for minutes."""


class TemporalUnreachable(RelanceError):
    """There is no Temporal at the address, or it does not let us in."""


async def connect(settings: Settings) -> Client:
    """A client of the Temporal that the settings name; the same for worker, command line and backends.

    Raises:
        TemporalUnreachable: no connection within 5 seconds; the message says where it was looked for.
        SettingsProblem: Temporal's own configuration cannot be read.
    """
    config = connect_config(settings)
    try:
        return await asyncio.wait_for(
            Client.connect(**config, data_converter=data_converter(settings)), CONNECT_SECONDS
        )
    except (RuntimeError, RPCError, OSError, TimeoutError) as problem:
        raise _unreachable(config.get("target_host", settings.temporal_address), problem) from problem


def _unreachable(address: str, problem: Exception) -> TemporalUnreachable:
    said = " ".join(str(problem).split())
    if "denied" in said.lower() or "unauthenticated" in said.lower():
        return TemporalUnreachable(
            f"Temporal at {address} does not let us in: check TEMPORAL_API_KEY and the TLS settings.",
            field="TEMPORAL_API_KEY",
        )
    return TemporalUnreachable(
        f"Temporal cannot be reached at {address}: start it or set TEMPORAL_ADDRESS.",
        field="TEMPORAL_ADDRESS",
    )
