"""The test clock: every due instant in order across all that live on it, whatever the size of a jump (engine 24)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fakes import FakeStripe
from support.life import ClockedLife, clocked
from support.mailroom import Mailbox

from activities import clocks
from billing.commands import ChangePlan
from billing.errors import InvalidInput
from models.database import Database
from starter.problems import ClockStuck

PROMPTLY_SECONDS = 30
"""Before the grace of a worker is over, after which it cancels what still runs."""


@pytest.fixture
async def world(
    sqlite_database: Database, temporal_server: str, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with clocked(
        temporal_server, sqlite_database, fake_stripe, mailbox.address, begins="2041-01-30"
    ) as life:
        yield life


YEAR_OF_ANNA = [
    "2041-01-30 invoice 58.80 issued",
    "2041-01-30 charge paid 58.80",
    "2041-01-30 status active",
    "2041-01-30 access begins",
    "2041-01-30 mail invoice_issued",
    "2041-01-30 mail receipt",
    "2041-02-28 invoice 58.80 issued",
    "2041-02-28 charge declined: insufficient_funds",
    "2041-02-28 status past_due",
    "2041-02-28 mail invoice_issued",
    "2041-02-28 mail payment_failed",
    "2041-03-01 charge declined: insufficient_funds",
    "2041-03-03 charge paid 58.80",
    "2041-03-03 status active",
    "2041-03-03 mail receipt",
    *(
        f"{day} {what}"
        for day in (
            "2041-03-30",
            "2041-04-30",
            "2041-05-30",
            "2041-06-30",
            "2041-07-30",
            "2041-08-30",
            "2041-09-30",
            "2041-10-30",
            "2041-11-30",
            "2041-12-30",
            "2042-01-30",
        )
        for what in (
            "invoice 58.80 issued",
            "charge paid 58.80",
            "mail invoice_issued",
            "mail receipt",
        )
    ),
]


async def year_of_three(world: ClockedLife, days: Iterable[str]) -> list[list[str]]:
    """The diaries of three persons whose time went on by these jumps."""
    anna = await world.signs_up("anna", card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
    bert = await world.signs_up("bert", plan="trial", card={"outcomes": [], "then": "insufficient_funds"})
    cleo = await world.signs_up("cleo", plan="quarter")
    await cleo.tells(ChangePlan(command_id="cleo-half", plan_id="half"))
    for day in days:
        await world.until(day)
    return [await person.diary() for person in (anna, bert, cleo)]


def daily_then_fortnightly(first: date, daily_until: date, last: date) -> Iterable[str]:
    """Daily while much happens, every two weeks for the rest of the year."""
    day = first
    while day < last:
        yield day.isoformat()
        day += timedelta(days=1 if day < daily_until else 14)
    yield last.isoformat()


@pytest.fixture
async def second_database(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Database]:
    path = tmp_path / "second.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite+aiosqlite:///{path}")
    yield database
    await database.close()


async def test_one_jump_of_a_year_equals_small_ones(
    world: ClockedLife,
    second_database: Database,
    temporal_server: str,
    fake_stripe: FakeStripe,
    mailbox: Mailbox,
) -> None:
    in_one_jump = await year_of_three(world, ["2042-02-01"])
    async with clocked(
        temporal_server, second_database, fake_stripe, mailbox.address, begins="2041-01-30"
    ) as other:
        days = daily_then_fortnightly(date(2041, 1, 31), date(2041, 3, 10), date(2042, 2, 1))
        in_small_ones = await year_of_three(other, days)
    assert in_one_jump[0] == YEAR_OF_ANNA
    assert in_small_ones == in_one_jump


async def test_due_instants_come_in_order_across_executions(
    world: ClockedLife, fake_stripe: FakeStripe
) -> None:
    await world.signs_up("bert", plan="duo")
    await world.until("2041-01-31")
    await world.signs_up("anna", card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
    await world.until("2041-04-05")
    assert [(attempt["amount"], attempt["outcome"]) for attempt in fake_stripe.get("attempts")] == [
        (7200, "ok"),
        (5880, "ok"),
        (5880, "insufficient_funds"),  # 28 February
        (5880, "insufficient_funds"),  # 1 March
        (5880, "ok"),  # 3 March: the retry comes before
        (7200, "ok"),  # 30 March: the other's renewal
        (5880, "ok"),  # 31 March
    ]


async def test_time_never_goes_back(world: ClockedLife) -> None:
    anna = await world.signs_up("anna")
    with pytest.raises(InvalidInput, match="time only grows"):
        await world.clocks.advance(world.clock, datetime(2041, 1, 29, tzinfo=UTC))
    assert await world.present() == datetime(2041, 1, 30, 9, 0, tzinfo=UTC)
    assert len(await anna.diary()) == 6


@asynccontextmanager
async def stripe_away(fake: FakeStripe) -> AsyncIterator[None]:
    fake.post("faults", {"match": {"path": "^/v1/payment_intents"}, "status": 503, "times": None})
    try:
        yield
    finally:
        fake.faults_are_over()


async def test_whoever_cannot_come_to_rest_is_named(
    world: ClockedLife, fake_stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await world.signs_up("anna")
    monkeypatch.setattr(clocks, "SETTLE_SECONDS", 2)
    monkeypatch.setattr(clocks, "TICK_SECONDS", 1)
    async with stripe_away(fake_stripe):
        with pytest.raises(ClockStuck, match=f"subscription/{anna.subscription_id}"):
            await world.until("2041-03-05")
        clock = await world.clocks.find(world.clock)
        assert clock.now == datetime(2041, 2, 27, 23, 0, tzinfo=UTC)  # it stays there
        assert f"subscription/{anna.subscription_id}" in clock.problem
    monkeypatch.undo()
    await world.until("2041-03-05")
    assert (await anna.diary())[6:] == [
        "2041-02-28 invoice 58.80 issued",
        "2041-02-28 charge paid 58.80",
        "2041-02-28 mail invoice_issued",
        "2041-02-28 mail receipt",
    ]
    assert (await world.clocks.find(world.clock)).problem == ""


async def test_an_advance_while_another_one_runs(world: ClockedLife) -> None:
    anna = await world.signs_up("anna")
    await asyncio.gather(world.until("2041-03-05"), world.until("2041-05-05"), world.until("2041-04-05"))
    assert await world.present() == datetime(2041, 5, 5, 10, 0, tzinfo=UTC)
    assert await anna.periods() == [
        ("2041-01-30", "2041-02-28", "paid"),
        ("2041-02-28", "2041-03-30", "paid"),
        ("2041-03-30", "2041-04-30", "paid"),
        ("2041-04-30", "2041-05-30", "paid"),
    ]


async def test_a_worker_that_stops_leaves_an_advance_to_the_next_one_at_once(world: ClockedLife) -> None:
    anna = await world.signs_up("anna")
    begins = await world.present()
    advancing = asyncio.create_task(world.until("2041-09-05"))
    while await world.present() == begins:  # noqa: ASYNC110 - the worker moves it
        await asyncio.sleep(0.01)
    async with asyncio.timeout(PROMPTLY_SECONDS):
        await world.staff.leave()
    assert not advancing.done()
    await world.staff.come()
    await advancing
    assert [day for day, *_ in await anna.periods()] == [
        "2041-01-30",
        "2041-02-28",
        "2041-03-30",
        "2041-04-30",
        "2041-05-30",
        "2041-06-30",
        "2041-07-30",
        "2041-08-30",
    ]
