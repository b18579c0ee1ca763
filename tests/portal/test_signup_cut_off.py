"""An order that a crash cut off half-way is carried out, once: by its page, by the outbox's loop, or by the doctor."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from support.life import ClockedLife
from support.reader import Reader
from support.signing_up import (
    ORDER,
    begins,
    comes_to_the_order,
    confirmations,
    customers,
    subscriptions,
    taken,
)

from billing.refusal import Refused
from models.signup import SignupConsent
from models.tables import SignupSession
from starter.client import RelanceClient
from starter.connect import TemporalUnreachable
from starter.connections import Connections
from starter.doctor import Doctor
from starter.signup_sessions import SignupState, state_of
from starter.symptoms import Finding, Trouble
from starter.unfinished_orders import UnfinishedOrders
from worker import start_outbox


async def is_cut_off(client: RelanceClient, world: ClockedLife, reader: Reader) -> str:
    """Somebody orders, and Temporal is gone just then: there is a customer, and nothing else."""
    row = await begins(client, world, reader)
    await comes_to_the_order(reader)
    shown = reader.form_of(ORDER)[1]["shown"]
    cut_off = RelanceClient(
        world.database, None, world.settings.model_copy(update={"temporal_address": "127.0.0.1:9"})
    )
    consent = SignupConsent(
        at=datetime.now(UTC), ip_address="", user_agent="", language="fr", shown=shown, due_minor=5880,
        currency="EUR", button=ORDER, debit_text="J’autorise", debit_version="2026-11",
    )  # fmt: skip
    with pytest.raises(TemporalUnreachable):
        await cut_off.signups.order(await client.signup_sessions.find(row.id), consent)
    await cut_off.close()
    assert (len(await customers(world)), await subscriptions(world)) == (1, [])
    return row.id


async def time_passes(world: ClockedLife, key: str, by: timedelta) -> None:
    """As if it had been ordered earlier."""
    async with world.database.write() as session:
        row = await session.get_one(SignupSession, key)
        row.ordered_at = datetime.now(UTC) - by


async def it_is_one(world: ClockedLife) -> None:
    await world.settle()
    assert len(await subscriptions(world)) == len(await customers(world)) == 1
    assert taken(world) == [(5880, "eur")]
    assert [mail.context["signup_session"] for mail in await confirmations(world)] != []
    assert len(await confirmations(world)) == 1


async def forgotten(client: RelanceClient) -> list[Finding]:
    return [f for f in await Doctor(client.connections).examine() if f.trouble is Trouble.ORDER]


async def test_its_page_carries_it_out_when_it_is_loaded_again(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    key = await is_cut_off(client, world, reader)
    await time_passes(world, key, timedelta(minutes=1))  # whoever took it down is given up
    await reader.opens(client.signup_sessions.url_of(await client.signup_sessions.find(key)))
    assert reader.heading == "Merci pour votre commande"
    await it_is_one(world)


async def test_the_outbox_carries_it_out_though_nobody_comes_back(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    key = await is_cut_off(client, world, reader)
    await time_passes(world, key, timedelta(minutes=2))
    await start_outbox(world.client, world.settings)
    try:
        async with asyncio.timeout(30):
            while (await client.signup_sessions.find(key)).completed_at is None:  # noqa: ASYNC110 - the worker does it
                await asyncio.sleep(0.1)
    finally:
        await world.client.get_workflow_handle("outbox").terminate()
    await it_is_one(world)
    orders = UnfinishedOrders(client.connections)
    assert (await orders.carry_out(), await orders.finish(key)) == (0, None)
    await it_is_one(world)


async def test_two_workers_and_its_page_at_once_make_one(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    key = await is_cut_off(client, world, reader)
    page = client.signup_sessions.url_of(await client.signup_sessions.find(key))
    waiting = UnfinishedOrders(client.connections)
    assert await waiting.carry_out() == 0  # it is still left to whoever took it down
    await time_passes(world, key, timedelta(minutes=2))
    workers = [UnfinishedOrders(client.connections) for _ in range(2)]
    await asyncio.gather(reader.opens(page), *(each.carry_out() for each in workers))
    assert reader.heading == "Merci pour votre commande"
    await it_is_one(world)


async def test_the_doctor_names_it_and_carries_it_out(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    key = await is_cut_off(client, world, reader)
    assert await forgotten(client) == []
    await time_passes(world, key, timedelta(minutes=16))
    (finding,) = await forgotten(client)
    assert (finding.about, finding.fixable) == (f"signup_session/{key}", True)
    assert "by zoe@example.com, and not carried out" in finding.says
    away = Connections(world.database, world.settings.model_copy(update={"temporal_address": "127.0.0.1:9"}))
    assert await UnfinishedOrders(away).carry_out() == 0
    await away.close()
    done = await Doctor(client.connections).mend([finding])
    assert done == [f"carried out the order of signup_session/{key}"]
    assert await forgotten(client) == []
    await it_is_one(world)


async def test_what_costs_something_else_now_is_not_ordered_alone_and_not_forgotten(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    key = await is_cut_off(client, world, reader)
    await time_passes(world, key, timedelta(minutes=16))
    await world.until("2041-02-02")  # its periods would be others
    assert await UnfinishedOrders(client.connections).carry_out() == 0
    (finding,) = await forgotten(client)
    assert await Doctor(client.connections).mend([finding]) == [
        f"signup_session/{key} was not carried out: what it costs has changed since. Its page shows it anew"
    ]
    with pytest.raises(Refused):
        await client.signup_sessions.expire(key)
    await time_passes(world, key, timedelta(hours=25))
    (finding,) = await forgotten(client)
    assert (finding.fixable, finding.remedy) == (
        False,
        f"Write to the buyer, and end it: relance plan signup-expire {key}",
    )
    assert state_of(await client.signup_sessions.expire(key), datetime.now(UTC)) is SignupState.EXPIRED
    assert (await forgotten(client), await subscriptions(world), taken(world)) == ([], [], [])
