"""Running a function in several processes at the same moment."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from threading import BrokenBarrierError
from typing import Any, Protocol, TypeVar

import pytest

PROCESSES = 5
T = TypeVar("T")


class _Waits(Protocol):
    def wait(self, timeout: float | None = None) -> int: ...


_together: list[_Waits] = []


def _take(barrier: _Waits) -> None:
    _together.append(barrier)


def _run(function: Callable[..., Coroutine[Any, Any, T]], arguments: Sequence[Any]) -> T:
    try:
        _together[0].wait(60)
    except BrokenBarrierError:
        raise RuntimeError("The other processes did not start.") from None
    return asyncio.run(function(*arguments))


class Crowd:
    """Five processes, started once for all tests since each has to import everything anew."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            PROCESSES, mp_context=context, initializer=_take, initargs=(context.Barrier(PROCESSES),)
        )

    async def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> list[T]:
        """What each process answers to `function(number, *arguments)`, begun at the same moment.

        `function` is a coroutine function at the top of a module; `number` counts the processes from 0.
        """
        loop = asyncio.get_running_loop()
        calls = [
            loop.run_in_executor(self._pool, _run, function, (number, *arguments))
            for number in range(PROCESSES)
        ]
        return list(await asyncio.gather(*calls))

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.close()
