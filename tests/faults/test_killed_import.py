"""A thousand subscriptions imported, and imported again; a process killed half way, and another that goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from fakes import FakeStripe
from sqlmodel import col, func, select
from support.importing import SELLER, importer, mended
from support.mortal import DEATH_SECONDS, ROOT
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from models.database import Database
from models.ids import new_id
from models.tables import Customer, ImportKind, ImportRow, OutgoingEvent, RowState, SubscriptionRow
from starter.importing.staging import Staged

THOUSAND = 1000
LIMIT_SECONDS = 60


def a_thousand(folder: Path) -> Path:
    """Customers who pay on each day of the month, and whose second month runs."""
    days = [1 + number % 28 for number in range(THOUSAND)]
    (folder / "plans.csv").write_text("reference,name,amount,currency,every\npro,Pro,49.00,EUR,1month\n")
    customers = [
        f"c{number},Customer {number},c{number}@example.com,consumer,cus_{number}"
        for number in range(THOUSAND)
    ]
    header = "reference,name,email,kind,stripe_customer"
    (folder / "customers.csv").write_text("\n".join([header, *customers]) + "\n")
    subscriptions = []
    for number, day in enumerate(days):
        # Today is 10 February 2027: who began later in the month renews in this one.
        renews_on = f"2027-02-{day:02}" if day > 10 else f"2027-03-{day:02}"
        subscriptions.append(f"s{number},c{number},pro,EUR,2026-12-{day:02},2026-12-{day:02},{renews_on}")
    header = "reference,customer,plan,currency,started_on,anchor,renews_on"
    (folder / "subscriptions.csv").write_text("\n".join([header, *subscriptions]) + "\n")
    return folder


def counted(staged: Staged) -> tuple[int, int, int, int]:
    return staged.created, staged.changed, staged.same, staged.refused


async def dies(folder: Path, **fate: object) -> None:
    with (folder / "import.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "support.doomed_import",
            json.dumps(fate),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    async with asyncio.timeout(DEATH_SECONDS):
        assert await process.wait() == -signal.SIGKILL, (folder / "import.log").read_text()


async def live_and_started(database: Database) -> tuple[int, int]:
    async with database.read() as session:
        query = select(func.count(), func.count(col(ImportRow.started_at))).where(
            ImportRow.kind == ImportKind.SUBSCRIPTION, ImportRow.state == RowState.LIVE
        )
        live, started = (await session.exec(query)).one()
    return live, started


async def running(temporal: Client, queue: str) -> int:
    """Workflows on the queue, once the server's listing has caught up."""
    ends = time.monotonic() + LIMIT_SECONDS
    count = 0
    while count < THOUSAND and time.monotonic() < ends:
        count = (await temporal.count_workflows(f"TaskQueue = '{queue}'")).count
        await asyncio.sleep(0.2)
    return count


async def test_a_thousand_are_imported_once_whatever_dies_on_the_way(
    tmp_path: Path, sqlite_database: Database, fake_stripe: FakeStripe, temporal_server: str
) -> None:
    queue = new_id("queue")
    temporal = await Client.connect(temporal_server, data_converter=pydantic_data_converter)
    client = importer(sqlite_database, fake_stripe, temporal=temporal, queue=queue)
    await client.create_entity(SELLER)
    folder = a_thousand(tmp_path)
    first = await client.imports.stage(folder)
    assert (counted(first), first.problems) == ((2 * THOUSAND + 1, 0, 0, 0), ())
    assert counted(await client.imports.stage(folder)) == (0, 0, 2 * THOUSAND + 1, 0)
    mended(folder / "customers.csv", "Customer 17,", "Customer Seventeen,")
    assert counted(await client.imports.stage(folder)) == (0, 1, 2 * THOUSAND, 0)

    fate = {
        "batch": first.batch_id,
        "url": str(sqlite_database.engine.url),
        "server": temporal_server,
        "stripe": fake_stripe.base,
        "queue": queue,
    }
    # A chunk has a hundred rows, those of fifty customers; the plan has one of its own.
    await dies(folder, point="starting", passage=8, **fate)
    assert await live_and_started(sqlite_database) == (350, 300)
    await dies(folder, point="writing", passage=6, **fate)
    assert await live_and_started(sqlite_database) == (600, 600)
    assert first.batch_id is not None
    went = await client.imports.go_live(first.batch_id)
    assert went.live == {"plan": 1, "customer": THOUSAND, "subscription": THOUSAND}
    assert await live_and_started(sqlite_database) == (THOUSAND, THOUSAND)
    assert await running(temporal, queue) == THOUSAND
    async with sqlite_database.read() as session:
        for table in (Customer, SubscriptionRow):
            assert (await session.exec(select(func.count()).select_from(table))).one() == THOUSAND
        told = select(OutgoingEvent.name, func.count()).group_by(OutgoingEvent.name)
        counts = sorted((await session.exec(told)).all())
    assert counts == [("access.granted", THOUSAND), ("subscription.imported", THOUSAND)]

    again = await client.imports.stage(folder)
    assert (counted(again), again.batch_id) == ((0, 0, 2 * THOUSAND + 1, 0), None)
    await client.close()
