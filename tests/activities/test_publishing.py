"""One order of all events that no reader misses anything of, whoever is committed when (engine 20)."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support import factories
from support.event_crew import ACCESS, NOON, RULES, NoMail, endpoint, happens, sequences, work
from support.factories import Someone
from support.processes import PROCESSES, Crowd
from support.serving import serving

from activities.books.delivery_log import forget_tries
from activities.books.notices import emit
from activities.books.publishing import skip_to_present
from activities.books.rows import NotFound, lock_subscription
from activities.deliveries import Deliveries
from billing.errors import InvalidInput
from models.database import Database
from models.tables import DeliveryOutcome, EventDelivery, EventLane, OutgoingEvent
from settings import Settings
from starter.connections import Connections
from starter.events import Events


def events_of(database: Database) -> Events:
    return Events(Connections(database, Settings(database_url="sqlite://")))


async def two_people(database: Database) -> tuple[Someone, Someone]:
    async with database.write() as session:
        return await factories.someone(session), await factories.someone(session)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_reader_misses_nothing_of_a_transaction_that_was_held_open(database: Database) -> None:
    anna, bruno = await two_people(database)
    publisher, events = Deliveries(database, NoMail(), RULES), events_of(database)
    async with database.write() as held:
        row = await lock_subscription(held, anna.subscription.id)
        emit(held, row, "invoice.issued", {}, NOON, ACCESS)
        await held.flush()  # it has its number of the table, and is not committed
        await happens(database, bruno.subscription.id, "invoice.issued", "invoice.paid")
        assert await publisher.publish() == 2
        first = await events.list()
        assert [(e.subscription, e.cursor) for e in first.events] == [
            (bruno.subscription.id, 1),
            (bruno.subscription.id, 2),
        ]
    assert await publisher.publish() == 1
    then = await events.list(after=first.next_cursor)
    assert [(e.subscription, e.cursor) for e in then.events] == [(anna.subscription.id, 3)]
    assert (await events.list(after=then.next_cursor)).events == ()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_while_one_process_publishes_no_other_does(database: Database) -> None:
    from activities.books.publishing import publish

    anna, _ = await two_people(database)
    await happens(database, anna.subscription.id, "invoice.issued")
    async with database.write() as first, database.write() as second:
        assert await publish(first) == 1
        assert await publish(second) == 0
    assert await sequences(database, anna.subscription.id) == [(1, 1)]


async def test_a_fact_that_was_rolled_back_was_none(database: Database) -> None:
    anna, _ = await two_people(database)
    await happens(database, anna.subscription.id, "invoice.issued")
    async with database.write() as session:
        row = await lock_subscription(session, anna.subscription.id)
        emit(session, row, "invoice.paid", {}, NOON, ACCESS)
        await session.flush()
        await session.rollback()
    await happens(database, anna.subscription.id, "payment.failed")
    assert await Deliveries(database, NoMail(), RULES).publish() == 2
    told = (await events_of(database).list()).events
    assert [(e.type, e.sequence) for e in told] == [("invoice.issued", 1), ("payment.failed", 2)]


async def test_lanes_come_to_the_present_and_the_log_forgets_on_either_database(database: Database) -> None:
    """What SQL alone decides: with other types nothing old is sent, and of the log goes what was taken long ago."""
    anna, bruno = await two_people(database)
    row = await endpoint(database, "https://example.com/", types=["access.*"])
    for person in (anna, bruno):
        await happens(database, person.subscription.id, "access.granted", "invoice.issued", "invoice.paid")
    await Deliveries(database, NoMail(), RULES).publish()
    async with database.write() as session:
        lanes = {lane.subscription_id: lane for lane in (await session.exec(select(EventLane))).all()}
        lanes[anna.subscription.id].delivered_through = 1  # bruno's is still to be sent
        for event in (await session.exec(select(OutgoingEvent))).all():
            if event.sequence == 1 and event.id is not None:
                failed: dict[str, Any] = {
                    "endpoint_id": row.id,
                    "event_id": event.id,
                    "took_ms": 1,
                    "at": NOON,
                }
                session.add(EventDelivery(outcome=DeliveryOutcome.FAILED, **failed))
                session.add(EventDelivery(outcome=DeliveryOutcome.GIVEN_UP, **failed))
    async with database.write() as session:
        await skip_to_present(session, row)
    async with database.read() as session:
        lanes = {lane.subscription_id: lane for lane in (await session.exec(select(EventLane))).all()}
    stands = [(lane.delivered_through, lane.wanted_through) for lane in lanes.values()]
    assert sorted(stands) == [(0, 3), (3, 3)]
    assert lanes[anna.subscription.id].delivered_through == 3
    async with database.write() as session:
        assert await forget_tries(session, before=NOON) == 0
        assert await forget_tries(session, before=NOON + timedelta(seconds=1)) == 1
        left = (await session.exec(select(EventDelivery.outcome, EventDelivery.event_id))).all()
    assert sorted(str(outcome) for outcome, _ in left) == ["failed", "given_up", "given_up"]


async def test_pages_are_read_by_cursor_by_event_by_subscription_and_by_type(
    sqlite_database: Database,
) -> None:
    anna, bruno = await two_people(sqlite_database)
    await happens(sqlite_database, anna.subscription.id, "invoice.issued", "invoice.paid", "access.changed")
    await happens(sqlite_database, bruno.subscription.id, "invoice.issued", "subscription.past_due")
    await Deliveries(sqlite_database, NoMail(), RULES).publish()
    events = events_of(sqlite_database)

    page = await events.list(limit=2)
    assert [e.cursor for e in page.events] == [1, 2]
    assert (page.next_cursor, page.has_more) == (2, True)
    rest = await events.list(after=page.events[-1].id, limit=3)
    assert [e.cursor for e in rest.events] == [3, 4, 5]
    assert (rest.next_cursor, rest.has_more) == (5, False)
    of_anna = await events.list(subscription=anna.subscription.id, types=["invoice.*"])
    assert [e.type for e in of_anna.events] == ["invoice.issued", "invoice.paid"]
    assert (await events.list(types=["subscription.past_due"])).events[
        0
    ].subscription == bruno.subscription.id
    assert (await events.find(f"evt_{anna.subscription.id}_2")).type == "invoice.paid"

    with pytest.raises(NotFound, match="no event"):
        await events.find(f"evt_{anna.subscription.id}_99")
    for wrong in ("evt_", "in_1", f"evt_{anna.subscription.id}_x", "evt_1'; DROP TABLE outgoing_event;--"):
        with pytest.raises((InvalidInput, NotFound)):
            await events.find(wrong)
    with pytest.raises(InvalidInput, match=r"There is no event invoice\.payed"):
        await events.list(types=["invoice.payed"])
    with pytest.raises(InvalidInput, match="1 to 1000"):
        await events.list(limit=0)


async def test_five_processes_publish_and_deliver_at_once(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    """Each event is delivered once, and those of a subscription in their order."""
    async with database.write() as session:
        people = [(await factories.someone(session)).subscription.id for _ in range(2 * PROCESSES)]
    heard: dict[str, list[int]] = defaultdict(list)

    async def hear(request: Request) -> Response:
        told = json.loads(await request.body())
        heard[told["subscription"]].append(told["sequence"])
        return Response(status_code=204)

    shares = [people[place::PROCESSES] for place in range(PROCESSES)]
    with serving(Starlette(routes=[Route("/", hear, methods=["POST"])])) as url:
        await endpoint(database, url)
        delivered = await crowd.run(work, database_url, shares, 4, 40)
    assert sum(delivered) == 40
    assert heard == {person: [1, 2, 3, 4] for person in people}
    cursors = [cursor for person in people for _, cursor in await sequences(database, person)]
    assert sorted(cursors) == list(range(1, 41))  # type: ignore[type-var]
    for person in people:
        own = [cursor for _, cursor in await sequences(database, person)]
        assert own == sorted(own)  # type: ignore[type-var]
