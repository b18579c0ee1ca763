"""Test clocks: a year in seconds, on the ordinary system."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Annotated, Final

from fastapi import Path

from billing.errors import InvalidInput
from models.ids import derived_id
from models.tables import TestClock as ClockRow
from starter.http.calling import Call, Reads, Writes
from starter.http.v1.common import Paging, api_router, page
from starter.resources.common import Page
from starter.resources.invoices import AdvanceTestClock, NewTestClock, TestClock

router = api_router("test_clocks", "Test clocks")

ClockKey = Annotated[str, Path(max_length=70, description="Id of the test clock.")]
FARTHEST: Final = timedelta(days=366)
_LOOK_EVERY_SECONDS: Final = 0.1


@router.post("", status_code=201)
async def create_test_clock(body: NewTestClock, call: Writes) -> TestClock:
    """Make a test clock. Customers that name it live on it, with all their subscriptions."""
    clock_id = derived_id("clk", call.id)
    return _show(await call.relance.create_clock(body.name, body.now.astimezone(UTC), clock_id=clock_id))


@router.get("")
async def list_test_clocks(call: Reads, paging: Paging) -> Page[TestClock]:
    """List test clocks, newest first."""
    return page(TestClock, await call.relance.listing.test_clocks(paging), _show)


@router.get("/{test_clock}")
async def get_test_clock(test_clock: ClockKey, call: Reads) -> TestClock:
    """Where a test clock stands."""
    return _show(await call.relance.clock(test_clock))


@router.post("/{test_clock}/advance")
async def advance_test_clock(test_clock: ClockKey, body: AdvanceTestClock, call: Writes) -> TestClock:
    """Move a test clock on: everything that is due up to then is done, in order.

    The answer comes when that is done, or after `wait_seconds`; then look at the clock until it is `ready`.
    """
    clock = await call.relance.clock(test_clock)
    if body.to > clock.now + FARTHEST:
        raise InvalidInput(
            f"The clock stands at {clock.now.isoformat()}. Advance it by at most {FARTHEST.days} days at a time.",
            field="to",
        )
    await call.relance.set_clock_off(test_clock, body.to.astimezone(UTC))
    return _show(await _arrived(test_clock, body, call))


async def _arrived(test_clock: str, body: AdvanceTestClock, call: Call) -> ClockRow:
    """The clock once it is there, or where it stands when it was waited for long enough."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + body.wait_seconds
    while True:
        clock = await call.relance.clock(test_clock)
        is_there = clock.now >= body.to and clock.advancing_to is None
        if is_there or clock.problem or loop.time() >= deadline:
            return clock
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _show(row: ClockRow) -> TestClock:
    moving = "advancing" if row.advancing_to is not None else "ready"
    return TestClock.model_validate({**row.model_dump(), "status": "stuck" if row.problem else moving})
