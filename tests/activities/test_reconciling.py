"""What Stripe told while nobody listened is found again: read back from its list of events, once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes import TEST_KEY, FakeStripe
from sqlmodel import col, select
from support.life import ClockedLife
from temporalio.client import Client
from typing_extensions import override

from activities.gateway import ProviderUnavailable
from activities.reconciling import Reconciler
from activities.stripe_gateway import StripeGateway
from models.database import Database
from models.tables import EventCursor, IncomingEvent
from settings import Settings
from worker import RECONCILER, schedule_reconciler


@pytest.fixture
async def gateway(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(api_key=TEST_KEY, api_base=fake_stripe.base)
    yield gateway
    await gateway.close()


def pays(fake: FakeStripe, amount: int) -> str:
    """A payment of which no webhook tells: the fake has no endpoint. Its id."""
    made = fake.client().v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "eur",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "off_session": True,
        }
    )
    return made.id


async def kept(database: Database) -> list[tuple[str, str]]:
    """The inbox: kind and object of each event."""
    async with database.read() as session:
        rows = (await session.exec(select(IncomingEvent).order_by(col(IncomingEvent.kind)))).all()
    return [(row.kind, row.payload["data"]["object"]["id"]) for row in rows]


async def test_what_was_missed_is_put_into_the_inbox_once(
    database: Database, fake_stripe: FakeStripe, gateway: StripeGateway
) -> None:
    first = pays(fake_stripe, 1200)
    reconciler = Reconciler(database, gateway)
    assert await reconciler.catch_up() == 1
    assert await reconciler.catch_up() == 0
    second = pays(fake_stripe, 3400)
    assert await reconciler.catch_up() == 1
    found = await kept(database)
    assert {kind for kind, _ in found} == {"payment_intent.succeeded"}
    assert {thing for _, thing in found} == {first, second}


async def test_more_than_a_page(database: Database, fake_stripe: FakeStripe, gateway: StripeGateway) -> None:
    paid = {pays(fake_stripe, 100 + number) for number in range(103)}
    assert await Reconciler(database, gateway).catch_up() == 103
    assert {thing for _, thing in await kept(database)} == paid


async def test_a_reading_that_fails_is_made_again_from_where_it_began(
    database: Database, fake_stripe: FakeStripe, gateway: StripeGateway
) -> None:
    pays(fake_stripe, 1200)
    fake_stripe.post("faults", {"match": {"method": "GET", "path": "/v1/events"}, "status": 500})
    with pytest.raises(ProviderUnavailable):
        await Reconciler(database, gateway).catch_up()
    async with database.read() as session:
        assert await session.get(EventCursor, "stripe") is None
    assert await Reconciler(database, gateway).catch_up() == 1


class Watching(StripeGateway):
    """Remembers from when it was asked."""

    def __init__(self, base: str) -> None:
        super().__init__(api_key=TEST_KEY, api_base=base)
        self.asked: list[datetime] = []

    @override
    async def events_since(self, since: datetime, kinds: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        self.asked.append(since)
        async for event in super().events_since(since, kinds):
            yield event


async def test_after_a_long_stop_it_reads_on_from_where_it_came_but_not_for_ever(
    database: Database, fake_stripe: FakeStripe
) -> None:
    watching = Watching(fake_stripe.base)
    now = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
    moments = iter((now, now + timedelta(days=9), now + timedelta(days=60)))
    reconciler = Reconciler(database, watching, now=lambda: next(moments))
    for _ in range(3):
        await reconciler.catch_up()
    await watching.close()
    assert watching.asked == [
        now - timedelta(days=3),
        now - timedelta(minutes=10),
        now + timedelta(days=30),
    ]


async def test_the_schedule_reads_on_a_real_server(world: ClockedLife, fake_stripe: FakeStripe) -> None:
    paid = pays(fake_stripe, 4200)
    settings: Settings = world.settings
    client: Client = world.client
    await schedule_reconciler(client, settings)
    # A second worker, and other settings, change the one schedule.
    await schedule_reconciler(client, settings.model_copy(update={"reconcile_minutes": 5}))
    handle = client.get_schedule_handle(RECONCILER)
    described = await handle.describe()
    assert [spec.every for spec in described.schedule.spec.intervals] == [timedelta(minutes=5)]
    try:
        deadline = time.monotonic() + 20
        while paid not in {thing for _, thing in await kept(world.database)}:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    finally:
        await handle.delete()
