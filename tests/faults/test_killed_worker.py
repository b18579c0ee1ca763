"""A worker killed with SIGKILL at the worst moments: one success, one receipt, and books that agree."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import FakeStripe
from support.ledgers import answers, assert_books_agree, charged
from support.life import ClockedLife, Person, clocked
from support.mailroom import Mailbox
from support.mortal import own_outbox, start_worker, stop, was_killed

from models.database import Database

FIRST, SECOND = 1, 2
"""Passages of a charge through the point at which the worker dies: the first try, and the retry a day later."""


@dataclass
class World:
    """A life in which the only worker is about to die."""

    life: ClockedLife
    database_url: str
    folder: Path

    async def lives_through(
        self, script: list[str], *, plan: str = "trial", any_key: bool = False, **fate: object
    ) -> Person:
        """Anna's trial, first charge and what follows. The worker dies on the way; another takes over."""
        mortal = await self._worker(any_key=any_key, **fate)
        story = asyncio.create_task(self._anna(script, plan))
        try:
            await was_killed(mortal)
            if any_key:
                mortal = await self._worker(any_key=True)
            else:
                await self.life.staff.come()
            return await story
        finally:
            story.cancel()
            await stop(mortal)

    async def _worker(self, **fate: object) -> Process:
        return await start_worker(self.life.settings, self.database_url, self.folder, **fate)

    async def _anna(self, script: list[str], plan: str) -> Person:
        anna = await self.life.signs_up(plan=plan, card=script)
        await self.life.until("2041-02-20")
        return anna


@pytest.fixture
async def world(
    database: Database, temporal_server: str, fake_stripe: FakeStripe, mailbox: Mailbox, tmp_path: Path
) -> AsyncIterator[World]:
    async with (
        clocked(
            temporal_server, database, fake_stripe, mailbox.address, begins="2041-01-31", staffed=False
        ) as life,
        own_outbox(life.client),
    ):
        yield World(life, database.engine.url.render_as_string(hide_password=False), tmp_path)


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])


def receipts(mailbox: Mailbox) -> int:
    return sum(letter["kind"] == "receipt" for letter in mailbox.letters())


@on_sqlite
@pytest.mark.parametrize("point", ["issuing", "written", "charged", "booked"])
async def test_killed_at_the_first_charge(
    point: str, world: World, fake_stripe: FakeStripe, mailbox: Mailbox
) -> None:
    anna = await world.lives_through(["ok"], point=point, passage=FIRST)
    assert await anna.diary() == [
        "2041-01-31 status trialing",
        "2041-01-31 access begins",
        "2041-02-11 mail trial_ending",
        "2041-02-14 invoice 58.80 issued",
        "2041-02-14 charge paid 58.80",
        "2041-02-14 status active",
        "2041-02-14 mail invoice_issued",
        "2041-02-14 mail receipt",
    ]
    assert charged(fake_stripe) == [5880]
    assert answers(fake_stripe) == ["ok"]
    assert receipts(mailbox) == 1
    await assert_books_agree(world.life.database, fake_stripe)


@on_sqlite
@pytest.mark.parametrize("point", ["written", "charged", "booked"])
async def test_killed_at_a_retry(point: str, world: World, fake_stripe: FakeStripe, mailbox: Mailbox) -> None:
    anna = await world.lives_through(["insufficient_funds", "ok"], point=point, passage=SECOND)
    assert await anna.diary() == [
        "2041-01-31 status trialing",
        "2041-01-31 access begins",
        "2041-02-11 mail trial_ending",
        "2041-02-14 invoice 58.80 issued",
        "2041-02-14 charge declined: insufficient_funds",
        "2041-02-14 status active",
        "2041-02-14 status past_due",
        "2041-02-14 mail invoice_issued",
        "2041-02-14 mail payment_failed",
        "2041-02-15 charge paid 58.80",
        "2041-02-15 status active",
        "2041-02-15 mail receipt",
    ]
    assert charged(fake_stripe) == [5880]
    assert answers(fake_stripe) == ["insufficient_funds", "ok"]
    assert receipts(mailbox) == 1
    await assert_books_agree(world.life.database, fake_stripe)


@on_postgresql
@pytest.mark.parametrize("point", ["issuing", "charged"])
async def test_killed_at_a_gated_sign_up_on_postgresql(
    point: str, world: World, fake_stripe: FakeStripe, mailbox: Mailbox
) -> None:
    anna = await world.lives_through(["ok"], plan="pro", point=point, passage=FIRST)
    assert await anna.diary() == [
        "2041-01-31 invoice 58.80 issued",
        "2041-01-31 charge paid 58.80",
        "2041-01-31 status active",
        "2041-01-31 access begins",
        "2041-01-31 mail invoice_issued",
        "2041-01-31 mail receipt",
    ]
    assert charged(fake_stripe) == [5880]
    assert receipts(mailbox) == 1
    await assert_books_agree(world.life.database, fake_stripe)


@on_sqlite
async def test_without_the_key_rule_the_customer_is_charged_twice(
    world: World, fake_stripe: FakeStripe
) -> None:
    """That the tests above can see it: the same death, and a key of its own for every sending."""
    await world.lives_through(["ok"], point="charged", passage=FIRST, any_key=True)
    assert charged(fake_stripe) == [5880, 5880]
    with pytest.raises(AssertionError):
        await assert_books_agree(world.life.database, fake_stripe)
