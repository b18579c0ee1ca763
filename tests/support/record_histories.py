"""Live typical lives and write the histories of their runs to tests/histories: `make histories`.

On purpose only: what is recorded is what a later release must still replay.
"""

from __future__ import annotations

import asyncio
import json
import platform
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes import FakeStripe
from sqlmodel import select
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from billing.upgrade import SCHEMA_NUMBER
from models.database import Database
from models.schema import migrate
from models.tables import Collection, SubscriptionRow
from sandbox.mailbox.app import create_app
from sandbox.stripe.server import running
from support import recorded
from support.life import Life, Person, clocked, skipping
from support.servers import dev_server
from support.serving import serving
from support.typical_lives import ON_A_TEST_CLOCK, ON_TEMPORALS_TIME, Story
from worker import start_outbox

BEGINS = "2041-01-31"
WITH_SERVANTS = "clocked_happy"
"""The life in which the clock's and the outbox's own histories are kept."""
Opens = Callable[[Database], AbstractAsyncContextManager[Life]]


class Album:
    """The histories of one life, each run once per picture on which it has grown."""

    def __init__(self, name: str, client: Client) -> None:
        self._name = name
        self._client = client
        self._lengths: dict[str, int] = {}
        self.pictures = 0
        self.kept: dict[str, str] = {}

    async def take(self, workflow_ids: list[str]) -> None:
        """Keep the runs of these executions that changed since the last picture."""
        self.pictures += 1
        for place, workflow_id in enumerate(workflow_ids):
            for number, history in enumerate(await recorded.runs_of(self._client, workflow_id), start=1):
                if self._lengths.get(history.run_id) == len(history.events) or not has_decided(history):
                    continue
                self._lengths[history.run_id] = len(history.events)
                kind = f"{workflow_id.split('/')[0]}{place or ''}"
                self.kept[f"{self._name}-{self.pictures}-{kind}-run{number}"] = self._without_traces(history)

    def _without_traces(self, history: WorkflowHistory) -> str:
        """Nothing that tells on which machine it was recorded."""
        text = re.sub(rf"(\d+@)?{re.escape(platform.node())}", "recorder", history.to_json())
        text = text.replace(sys.prefix, "").replace(str(Path(__file__).parents[2]), "")
        return json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True)


def has_decided(history: WorkflowHistory) -> bool:
    """Whether a worker has taken up this run; before, there is nothing to replay."""
    return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events)


async def executions_of(world: Life, person: Person) -> list[str]:
    """The subscription, and the chase of each of its invoices."""
    async with world.database.read() as session:
        query = select(Collection.invoice_id).where(Collection.subscription_id == person.subscription_id)
        invoices = sorted(set((await session.exec(query)).all()))
    return [f"subscription/{person.subscription_id}", *(f"collection/{invoice}" for invoice in invoices)]


@dataclass
class Kept:
    """What was recorded so far, by name."""

    histories: dict[str, str] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)

    def write(self) -> None:
        """Replace what was recorded before; states of earlier schemas stay."""
        for old in recorded.files():
            old.unlink()
        for name, text in self.histories.items():
            recorded.write(name, text)
        recorded.STATES.mkdir(exist_ok=True)
        states = json.dumps(self.states, indent=1, sort_keys=True)
        (recorded.STATES / f"{SCHEMA_NUMBER}.json").write_text(f"{states}\n")


async def record(name: str, story: Story, opens: Opens, database: Database) -> Kept:
    """Live one life, and keep what its pictures show."""
    kept = Kept()
    async with opens(database) as world:
        album = Album(name, world.client)
        async with aclosing(story(world)) as pictures:
            async for person in pictures:
                await album.take(await executions_of(world, person))
                kept.states[f"{name}-{album.pictures}"] = await stored_state(world, person)
        if name == WITH_SERVANTS:
            await album.take([f"clock/{world.clock_id}", "outbox"])
    sys.stdout.write(f"{name}: {len(album.kept)} histories\n")
    kept.histories = album.kept
    return kept


async def stored_state(world: Life, person: Person) -> object:
    """The subscription as its row keeps it."""
    async with world.database.read() as session:
        row = await session.get_one(SubscriptionRow, person.subscription_id)
        return row.state.model_dump(mode="json")


@asynccontextmanager
async def fresh_database() -> AsyncIterator[Database]:
    """A migrated, empty SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/relance.db"
        await asyncio.to_thread(migrate, url)
        database = Database(url)
        try:
            yield database
        finally:
            await database.close()


async def record_all(stripe_base: str, mailbox: str, server: str) -> Kept:
    """Every life in a world of its own."""
    fake = FakeStripe(stripe_base)
    kept = Kept()

    @asynccontextmanager
    async def on_a_clock(database: Database) -> AsyncIterator[Life]:
        async with clocked(server, database, fake, mailbox, begins=BEGINS) as world:
            await start_outbox(world.client, world.settings)
            yield world
            await world.client.get_workflow_handle("outbox").terminate()

    def on_temporals_time(database: Database) -> AbstractAsyncContextManager[Life]:
        return skipping(database, fake, mailbox, begins=BEGINS)

    for lives, opens in ((ON_TEMPORALS_TIME, on_temporals_time), (ON_A_TEST_CLOCK, on_a_clock)):
        for name, story in lives.items():
            fake.post("reset")
            async with fresh_database() as database:
                one = await record(name, story, opens, database)
            kept.histories |= one.histories
            kept.states |= one.states
    return kept


def main() -> None:
    """Replace all recorded histories."""
    with running() as stripe_base, serving(create_app()) as mailbox, dev_server() as server:
        kept = asyncio.run(record_all(stripe_base, mailbox, server))
    kept.write()
    sys.stdout.write(f"{len(recorded.files())} histories in {recorded.FOLDER.name}\n")


if __name__ == "__main__":
    main()
