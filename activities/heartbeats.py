"""Telling Temporal that a long activity is alive, so that a killed worker is noticed within seconds (engine 25)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity


@asynccontextmanager
async def beating(*, every: float, first_after: float = 0.0) -> AsyncIterator[None]:
    """Beat while the block runs.

    Args:
        every: seconds between two beats.
        first_after: seconds before the first, so that what is done by then sends none.
    """

    async def beat() -> None:
        await asyncio.sleep(first_after)
        while True:
            activity.heartbeat()
            await asyncio.sleep(every)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
