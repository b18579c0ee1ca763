"""Telling workflows that the rows changed. Hints only: whoever is gone has nothing left to do (engine 7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.boundary import TickTo
from starter.connect import TemporalUnreachable

SUBSCRIPTION: Final = "subscription/"
COLLECTION: Final = "collection/"


async def tell(client: Client, workflow_id: str, signal: str, *content: object) -> bool:
    """Send a signal; whether somebody was there to hear it.

    Raises:
        TemporalUnreachable: it could not be sent.
    """
    try:
        await client.get_workflow_handle(workflow_id).signal(signal, args=content)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise TemporalUnreachable(
            f"The books are written, but {workflow_id} could not be told: {error.message}. Ask again.",
            field="TEMPORAL_ADDRESS",
        ) from error
    return True


async def hint(client: Client, workflow_ids: Iterable[str], now: datetime) -> None:
    """Let workflows look at their rows again."""
    for workflow_id in workflow_ids:
        await tell(client, workflow_id, "look", TickTo(now=now))
