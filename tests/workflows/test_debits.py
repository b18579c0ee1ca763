"""Lives paid by SEPA debit: told before each, under way for days, repeated once, taken back months later (rules 16, 28)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from fakes import FakeStripe
from support.life import Life, skipping
from support.mailroom import Mailbox

from models.database import Database
from sandbox.stripe.server import running
from sandbox.stripe.world import Options

BANK_TAKES = 3.5 * 86_400
"""Seconds until the bank's word about a debit; it is seen at the look on the fourth morning."""


@pytest.fixture(scope="module")
def slow_bank() -> Iterator[FakeStripe]:
    with running(Options(sepa_seconds=BANK_TAKES)) as base:
        yield FakeStripe(base)


@asynccontextmanager
async def world_of(
    database: Database, bank: FakeStripe, mailbox: Mailbox, day: str, **others: bool
) -> AsyncIterator[Life]:
    bank.post("reset")
    async with skipping(database, bank, mailbox.address, begins=day, **others) as life:
        yield life


async def test_announced_debited_and_paid_days_later(
    sqlite_database: Database, slow_bank: FakeStripe, mailbox: Mailbox
) -> None:
    async with world_of(sqlite_database, slow_bank, mailbox, "2041-01-31") as world:
        anna = await world.signs_up("anna", account=["ok", "insufficient_funds", "ok"])
        await world.until("2041-04-20")
        print("\n".join(await anna.diary()))
        for letter in await anna.letters():
            print(letter.kind, letter.subject)
            if letter.kind == "debit_notice": print(letter.text)
        assert 0
