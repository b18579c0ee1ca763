"""What a long activity does when its worker stops: it leaves the rest to another one, at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory


async def rest(seconds: float) -> None:
    """Wait, but not longer than the worker lives."""
    async with _stopping() as stopping:
        await asyncio.wait([stopping], timeout=seconds)


async def while_the_worker_lives(work: Coroutine[Any, Any, None]) -> None:
    """Do something that may be cut short anywhere, and taken up again by another worker.

    Raises:
        ApplicationError: the worker stops; Temporal gives the activity to another one.
    """
    async with _stopping() as stopping:
        working = asyncio.create_task(work)
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
        finally:
            working.cancel()
            await asyncio.wait([working])
    raise ApplicationError("The worker stops; another one goes on.", category=ApplicationErrorCategory.BENIGN)


def raise_if_cancelled() -> None:
    """Temporal's client turns a cancellation of its caller into an error of its own: make it one again.

    Raises:
        CancelledError: the task that calls was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def _stopping() -> AsyncIterator[asyncio.Task[None]]:
    """A task that is done when the worker begins to stop."""
    stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        yield stopping
    finally:
        stopping.cancel()
