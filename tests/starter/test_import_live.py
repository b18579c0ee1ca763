"""The documentation's example goes live and is undone, on both databases. Temporal is there, nobody works in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeStripe
from sqlmodel import col, select
from support.importing import SELLER, a_customer_with_card, example, importer, mended
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.errors import InvalidInput
from models.database import Database
from models.ids import new_id
from models.tables import (
    Collection,
    CouponRedemption,
    Customer,
    Invoice,
    Message,
    OutgoingEvent,
    PaymentAttempt,
    SubscriptionRow,
)
from starter.accounts import read_accounts
from starter.client import RelanceClient
from starter.problems import CommandRefused

LATER = datetime(2027, 2, 16, 11, tzinfo=UTC)


@pytest.fixture
async def temporal(temporal_server: str) -> Client:
    return await Client.connect(temporal_server, data_converter=pydantic_data_converter)


@pytest.fixture
async def client(
    database: Database, fake_stripe: FakeStripe, temporal: Client
) -> AsyncIterator[RelanceClient]:
    client = importer(database, fake_stripe, temporal=temporal, queue=new_id("queue"))
    await client.create_entity(SELLER)
    yield client
    await client.close()


@pytest.fixture
def folder(tmp_path: Path, fake_stripe: FakeStripe) -> Path:
    customer, card = a_customer_with_card(fake_stripe)
    return example("import", tmp_path, {"cus_Anna": customer, "pm_Anna": card})


async def rows(database: Database, table: type[Any]) -> list[Any]:
    async with database.read() as session:
        return list((await session.exec(select(table).order_by(col(table.id)))).all())


async def staged(client: RelanceClient, folder: Path) -> str:
    found = await client.imports.stage(folder)
    assert found.problems == ()
    assert found.batch_id is not None
    return found.batch_id


async def test_the_example_goes_live_and_is_taken_back(
    client: RelanceClient, database: Database, folder: Path, temporal: Client
) -> None:
    batch = await staged(client, folder)
    await client.imports.go_live(batch)
    subscriptions = {row.reference: row for row in await rows(database, SubscriptionRow)}
    assert {name: (row.status, row.entitled) for name, row in subscriptions.items()} == {
        "anna-pro": ("active", True),
        "acme-team": ("active", True),
        "zoe-pro": ("trialing", True),
    }
    anna = subscriptions["anna-pro"].state
    assert (str(anna.anchor), str(anna.period.start), str(anna.period.end)) == (
        "2025-12-31",
        "2027-01-31",
        "2027-02-28",
    )
    assert [(one.coupon_id, one.periods, one.used) for one in anna.discounts] == [("HALF", 6, 4)]
    assert (anna.has_method, len(anna.open_invoices), anna.in_arrears) == (True, 1, ())
    workflow = temporal.get_workflow_handle(f"subscription/{anna.id}")
    assert (await workflow.describe()).status is WorkflowExecutionStatus.RUNNING
    debts = {row.number: row for row in await rows(database, Invoice)}
    assert {number: (row.open_minor, row.automatic_collecting) for number, row in debts.items()} == {
        "2027-0142": (2940, True),
        "2026-1931": (11400, False),
    }
    (chase,) = await rows(database, Collection)
    assert (chase.invoice_id, str(chase.day0)) == (debts["2027-0142"].id, "2027-02-11")
    async with database.read() as session:
        accounts = await read_accounts(session, None)
        redeemed = (await session.exec(select(CouponRedemption.subscription_id))).all()
    assert redeemed == [anna.id]
    assert sorted((a.open_minor, a.balance_minor, a.adds_up) for a in accounts.customers) == [
        (2940, 1000, True),
        (11400, 0, True),
    ]
    assert await rows(database, Message) == await rows(database, PaymentAttempt) == []
    told = Counter(event.name for event in await rows(database, OutgoingEvent))
    debts_told, access_told = told.pop("invoice.brought_in"), told.pop("access.granted")
    assert (debts_told, access_told, dict(told)) == (len(debts), 3, {"subscription.imported": 3})

    shown = await client.show("anna-pro")
    assert shown.next_invoice is not None
    assert (str(shown.next_invoice.on), shown.next_invoice.total_minor) == ("2027-02-28", 2940)
    assert (shown.owed_minor, shown.ahead[0].why) == (
        2940,
        "first charge on 11 February 2027 (day 0 of policy monthly v1)",
    )
    with pytest.raises(CommandRefused, match="Another billing system issued this invoice and collects it"):
        await client.pay_now(debts["2026-1931"].id)

    undone = await client.imports.undo(batch)
    assert (undone.taken_back["subscription"], undone.taken_back["debt"], undone.kept) == (3, 2, ())
    assert {(row.status, row.reference) for row in await rows(database, SubscriptionRow)} == {
        ("canceled", None)
    }
    async with database.read() as session:
        accounts = await read_accounts(session, None)
    assert {(a.open_minor, a.balance_minor, a.adds_up) for a in accounts.customers} == {(0, 0, True)}
    assert await rows(database, Message) == []


async def test_what_lives_is_not_changed_by_an_import(client: RelanceClient, folder: Path) -> None:
    batch = await staged(client, folder)
    await client.imports.go_live(batch)
    mended(folder / "subscriptions.csv", "team,12,9.50", "team,13,9.50")
    again = await client.imports.stage(folder)
    assert (again.created, again.changed, again.same, again.refused) == (0, 1, 14, 1)
    (problem,) = again.problems
    assert (problem.file, problem.line) == ("subscriptions.csv", 3)
    assert problem.message == (
        "It is live since 2027-02-10 and stays as it is: an import changes nothing that lives. Undo its batch "
        f"{batch} while nothing was billed, or change it by command."
    )


async def test_a_row_that_is_refused_holds_the_others_back_unless_it_is_left_behind(
    client: RelanceClient, database: Database, folder: Path
) -> None:
    mended(folder / "subscriptions.csv", "2026-03-15,2027-02-15", "2026-03-15,2027-02-16")
    found = await client.imports.stage(folder)
    assert [(p.file, p.line) for p in found.problems] == [("debts.csv", 3), ("subscriptions.csv", 3)]
    assert found.batch_id is not None
    with pytest.raises(InvalidInput, match="2 rows of this batch are refused"):
        await client.imports.go_live(found.batch_id)
    assert await rows(database, Customer) == []
    went = await client.imports.go_live(found.batch_id, without_refused=True)
    assert (went.live["subscription"], went.live["debt"], went.refused) == (2, 1, 2)
    # Mended, what was left behind follows in a batch of its own.
    mended(folder / "subscriptions.csv", "2026-03-15,2027-02-16", "2026-03-15,2027-02-15")
    rest = await client.imports.stage(folder)
    assert (rest.created, rest.changed, rest.same, rest.problems) == (0, 1, 14, ())
    assert rest.batch_id is not None
    assert (await client.imports.go_live(rest.batch_id)).live == {"subscription": 1, "debt": 1}
    await client.imports.undo(rest.batch_id)
    with pytest.raises(InvalidInput, match="Stage its files again"):
        await client.imports.go_live(rest.batch_id)


async def test_what_was_to_renew_since_it_was_staged_does_not_go_live(
    client: RelanceClient, database: Database, folder: Path, fake_stripe: FakeStripe, temporal: Client
) -> None:
    batch = await staged(client, folder)
    later = importer(database, fake_stripe, at=LATER, temporal=temporal, queue=new_id("queue"))
    went = await later.imports.go_live(batch, without_refused=True)
    assert {(p.line, p.field) for p in went.problems if p.file == "subscriptions.csv"} == {
        (3, "renews_on"),
        (4, "trial_ends_on"),
    }
    assert went.live["subscription"] == 1
    await later.close()
