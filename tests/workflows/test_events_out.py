"""A backend that follows two lives from their events alone, while a test clock runs through months of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.backend import Backend
from support.event_crew import RULES, NoMail, endpoint
from support.life import ClockedLife
from support.serving import serving

from activities.deliveries import Deliveries
from activities.webhooks import Secrets
from starter.client import RelanceClient


@pytest.fixture
def begins() -> str:
    return "2041-01-31"


async def test_a_backend_opens_and_shuts_its_door_by_events_alone(
    world: ClockedLife, client: RelanceClient, tmp_path: Path
) -> None:
    """Gonzague's card works once: suspended on 21 March, back with another card on 25 March. Nobody asks the books."""
    backend = Backend(tmp_path / "memory", [])
    with serving(backend.app()) as base:
        row = await endpoint(world.database, f"{base}/events")
        backend.secrets.append(Secrets(RULES.secret_key).of(row.id, 1))
        person = await world.signs_up("gonzague", card={"outcomes": ["ok"], "then": "insufficient_funds"})
        deliveries = Deliveries(world.database, NoMail(), RULES)
        doors = []
        for day in ("2041-02-15", "2041-03-10", "2041-03-20", "2041-03-24"):
            await world.until(day)
            doors.append(await is_let_in(world, backend, deliveries, person.subscription_id))
        await person.replaces_card()
        await world.until("2041-03-26")
        doors.append(await is_let_in(world, backend, deliveries, person.subscription_id))
        assert doors == [True, True, True, False, True]

    mine = [told for told in backend.received if told["subscription"] == person.subscription_id]
    assert [told["sequence"] for told in mine] == list(range(1, len(mine) + 1))
    assert {told["clock"] for told in mine} == {world.clock_id}
    assert [told["type"] for told in mine] == [
        "subscription.incomplete", "invoice.issued", "invoice.paid", "subscription.started", "access.granted",
        "invoice.issued", "access.changed",
        "payment.failed", "subscription.past_due", "access.changed",
        "dunning.step", "payment.failed", "payment.failed", "dunning.step", "payment.failed", "dunning.step",
        "payment.failed", "dunning.step",
        "dunning.ended", "subscription.unpaid", "access.ended",
        "payment_method.replaced", "invoice.paid", "subscription.resumed", "subscription.recovered",
        "access.granted",
    ]  # fmt: skip
    listed = await client.events.list(subscription=person.subscription_id, limit=1000)
    assert [event.id for event in listed.events] == [told["id"] for told in mine]


async def is_let_in(
    world: ClockedLife, backend: Backend, deliveries: Deliveries, subscription_id: str
) -> bool:
    """By what the backend was told; that everything is published the clock sees to."""
    assert await deliveries.publish() == 0
    await deliveries.deliver()
    return backend.lets_in(subscription_id, await world.present())
