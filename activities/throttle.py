"""A token bucket, for processes whose calls to a provider no task queue caps (engine 26)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from billing.errors import InvalidInput


class Throttle(Protocol):
    """Something that lets calls through at a certain rate."""

    async def turn(self) -> None:
        """Return when the next call may be made."""
        ...


class TokenBucket:
    """At most `per_second` calls a second on average, `burst` at once. For one event loop, first come first served.

    Args of the constructor:
        per_second: calls per second in the long run.
        burst: calls that may be made at once after a rest.
        now: seconds of a clock that never goes back; the loop's own by default.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst: int = 1,
        now: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if per_second <= 0:
            raise InvalidInput("A rate is more than 0 calls per second.", field="per_second")
        if burst < 1:
            raise InvalidInput("A burst is at least 1 call.", field="burst")
        self._interval = 1 / per_second
        self._burst = burst
        self._now = now
        self._sleep = sleep
        self._next_free: float | None = None

    async def turn(self) -> None:
        """Wait for this call's place; places are given in the order of asking."""
        now = self._now() if self._now else asyncio.get_running_loop().time()
        rested = now - (self._burst - 1) * self._interval
        place = rested if self._next_free is None else max(self._next_free, rested)
        self._next_free = place + self._interval
        if place > now:
            await self._sleep(place - now)
