"""Many commands at once, and hands that reach into the server: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from fakes import FakeStripe
from sqlalchemy import text
from sqlmodel import col, select
from support.ledgers import assert_books_agree
from support.life import ClockedLife, Person, clocked
from support.mailroom import Mailbox

from billing.commands import ChangePlan, ChangeQuantity, Resume
from models.boundary import CollectionRun
from models.database import Database
from models.ids import derived_id
from models.tables import CommandRow, Invoice, InvoiceLine, OutgoingEvent
from starter.connections import Connections
from starter.doctor import Doctor
from starter.symptoms import Trouble

COMMANDS = 100
SIDE_BY_SIDE = 8


@pytest.fixture
async def world(
    sqlite_database: Database, temporal_server: str, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with clocked(
        temporal_server, sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31"
    ) as life:
        yield life


def seats_of(number: int) -> int:
    """Each command asks for another number of seats, so that its effect can be told from every other's."""
    return 2 + number


async def ask_for_seats(person: Person, number: int) -> None:
    """By an Update or by a Signal; every tenth is sent twice under the same id."""
    for _ in range(2 if number % 10 == 0 else 1):
        if number % 2:
            command = ChangePlan(command_id=f"c{number}", plan_id="team", quantity=seats_of(number))
            await person.sends(command)
        else:
            await person.tells(ChangeQuantity(command_id=f"c{number}", quantity=seats_of(number)))


async def test_a_hundred_commands_while_ten_boundaries_are_crossed(
    world: ClockedLife, fake_stripe: FakeStripe
) -> None:
    anna = await world.signs_up("anna", plan="team")
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(number: int) -> None:
        async with room:
            await ask_for_seats(anna, number)

    await asyncio.gather(world.until("2041-12-05"), *(one(number) for number in range(COMMANDS)))
    await world.settle()
    order = await carried_out(anna)
    assert sorted(order) == list(range(COMMANDS))
    state = (await anna.state()).subscription
    assert (state.pending_terms or state.terms).quantity == seats_of(order[-1])
    assert await billed_seats(anna) == await folded_seats(anna, order)
    periods = await anna.periods()
    assert len(periods) == 11
    assert all(before[1] == after[0] for before, after in pairwise(periods))
    await assert_books_agree(world.database, fake_stripe)


async def carried_out(person: Person) -> list[int]:
    """The numbers of the commands in the order in which they took effect; each was applied."""
    async with person.life.database.read() as session:
        rows = (
            await session.exec(
                select(CommandRow)
                .where(CommandRow.subscription_id == person.subscription_id, CommandRow.kind != "start")
                .order_by(text("rowid"))
            )
        ).all()
    assert {row.outcome for row in rows} == {"applied"}
    return [int(row.id.removeprefix("c")) for row in rows]


async def folded_seats(person: Person, order: list[int]) -> list[int]:
    """The seats that each invoice has to bill, from the order of the facts alone."""
    async with person.life.database.read() as session:
        events = (
            await session.exec(
                select(OutgoingEvent)
                .where(OutgoingEvent.subscription_id == person.subscription_id)
                .order_by(col(OutgoingEvent.sequence))
            )
        ).all()
    asked, seats, billed = iter(order), 1, []
    for event in events:
        if event.name == "subscription.change_scheduled":
            seats = seats_of(next(asked))
        elif event.name == "invoice.issued":
            billed.append(seats)
    assert list(asked) == []
    return billed


async def billed_seats(person: Person) -> list[int]:
    async with person.life.database.read() as session:
        lines = (
            await session.exec(
                select(InvoiceLine)
                .join(Invoice, col(Invoice.id) == col(InvoiceLine.document_id))
                .where(Invoice.subscription_id == person.subscription_id)
                .order_by(col(Invoice.period_start))
            )
        ).all()
    return [int(row.line.quantity) for row in lines]


async def test_a_cancel_pressed_in_the_ui_parks_and_resume_goes_on(world: ClockedLife) -> None:
    anna = await world.signs_up("anna")
    await world.client.get_workflow_handle(f"subscription/{anna.subscription_id}").cancel()
    await world.until("2041-03-02")
    parked = (await anna.state()).subscription.parked
    assert parked is not None
    assert parked.reason == "Cancel was pressed in the Temporal UI."
    await anna.tells(Resume(command_id="go-on"))
    await world.until("2041-04-02")
    assert await anna.diary() == [
        "2041-01-31 invoice 58.80 issued",
        "2041-01-31 charge paid 58.80",
        "2041-01-31 status active",
        "2041-01-31 parked",
        "2041-01-31 access begins",
        "2041-01-31 mail invoice_issued",
        "2041-01-31 mail receipt",
        "2041-03-02 invoice 58.80 issued",
        "2041-03-02 charge paid 58.80",
        "2041-03-02 resumed from parked",
        "2041-03-02 mail invoice_issued",
        "2041-03-02 mail receipt",
        "2041-03-31 invoice 58.80 issued",
        "2041-03-31 charge paid 58.80",
        "2041-03-31 mail invoice_issued",
        "2041-03-31 mail receipt",
    ]


RECOVERY = [
    "2041-02-28 invoice 58.80 issued",
    "2041-02-28 charge declined: insufficient_funds",
    "2041-02-28 status past_due",
    "2041-02-28 mail invoice_issued",
    "2041-02-28 mail payment_failed",
    "2041-03-01 charge paid 58.80",
    "2041-03-01 status active",
    "2041-03-01 mail receipt",
]


async def test_a_collection_that_exists_already_takes_the_invoice_over(world: ClockedLife) -> None:
    """Somebody started it by hand, too early, and it found nothing to do: the hand-over wakes it."""
    anna = await world.signs_up("anna", card=["ok", "insufficient_funds", "ok"])
    invoice_id = derived_id("in", anna.subscription_id, "2041-02-28", "period", "")
    await world.client.start_workflow(
        "collection",
        CollectionRun(
            invoice_id=invoice_id,
            subscription_id=anna.subscription_id,
            now=await world.present(),
            clock_id=world.clock,
            payments_queue=world.settings.payments_task_queue,
        ),
        id=f"collection/{invoice_id}",
        task_queue=world.settings.task_queue,
    )
    await world.until("2041-03-05")
    assert (await anna.diary())[6:] == RECOVERY


async def test_a_collection_that_was_terminated_is_started_again_by_the_doctor(world: ClockedLife) -> None:
    anna = await world.signs_up("anna", card=["ok", "insufficient_funds", "ok"])
    await world.until("2041-02-28")
    (invoice_id,) = (await anna.state()).subscription.open_invoices
    await world.client.get_workflow_handle(f"collection/{invoice_id}").terminate("a slip of the hand")
    doctor = Doctor(Connections(world.database, world.settings, temporal=world.client, gateway=world.gateway))
    findings = [finding for finding in await doctor.examine() if finding.about == f"collection/{invoice_id}"]
    assert [finding.trouble for finding in findings] == [Trouble.NOT_RUNNING]
    assert await doctor.mend(findings) == [f"started collection/{invoice_id}"]
    await world.until("2041-03-05")
    assert (await anna.diary())[6:] == RECOVERY
