"""Something that is done again and again beside something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def repeating(work: Callable[[], Awaitable[object]], *, every_seconds: float) -> AsyncIterator[None]:
    """Do `work` at this distance for as long as the block lasts.

    At the end, what is being done is finished: a statement that is cut off would leave its connection behind.
    """
    over = asyncio.Event()

    async def repeat() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), every_seconds)
                return
            await work()

    repeated = asyncio.create_task(repeat())
    try:
        yield
    finally:
        over.set()
        await repeated
