"""Debts and balances of another system in the books: opening entries, to be collected, and no documents of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from support import factories
from support.factories import Someone
from support.transfers import Prepares, accounts, acme, fresh, record

from activities.books.amounts_asked import joined_amounts
from activities.books.bringing_in import (
    Debt,
    bring_in_balance,
    bring_in_debt,
    take_back_balance,
    take_back_debt,
)
from activities.books.chasing import collection_key
from activities.books.config import BookRules
from activities.books.correcting import NotNow, begin_correction
from activities.books.issued import list_issued
from activities.books.receipts import receipts_of
from activities.books.rectifying import rectify
from activities.books.rows import lock_subscription
from activities.books.transitions import settle_standing
from activities.books.work import Work
from billing.corrections import Credit, NewBuyer, Rectify, WriteOff
from billing.payment import Trigger
from models.database import Database
from models.ids import derived_id
from models.tables import Collection, Invoice, InvoiceStatus
from starter.accounts import CustomerAccount, read_accounts

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
"""10:00 on 1 March 2027 in Paris."""
RULES = BookRules()


@dataclass
class World:
    """ACME, who pays by transfer, and a debt of 114.00 from another system."""

    database: Database
    acme: Someone
    invoice: Invoice

    async def account(self) -> CustomerAccount:
        async with self.database.read() as session:
            (account,) = (await read_accounts(session, None)).customers
        assert account.adds_up
        return account


def debt(*, collected: bool) -> Debt:
    return Debt(
        number="2026-1931",
        issued_on=date(2026, 11, 15),
        due_on=date(2026, 12, 15),
        amount_minor=11400,
        currency="EUR",
        collected=collected,
    )


async def owing(database: Database, *, collected: bool) -> World:
    async with database.write() as session:
        who = await acme(session)
        row = await lock_subscription(session, who.subscription.id)
        work = Work(session, Prepares(), RULES, row, NOW)
        invoice = await bring_in_debt(
            work, who.entity, who.customer, debt(collected=collected), invoice_id="in_old", waits_days=1
        )
        await settle_standing(work)
    return World(database, who, invoice)


async def test_a_debt_opens_the_journal_and_is_no_document_of_ours(database: Database) -> None:
    world = await owing(database, collected=False)
    assert await accounts(database, world.acme.customer.id) == {"receivable": 11400, "opening": -11400}
    account = await world.account()
    assert (account.invoiced_minor, account.brought_in_minor, account.open_minor) == (0, 11400, 11400)
    async with database.read() as session:
        books = await read_accounts(session, None)
        assert await session.get(Collection, collection_key(world.invoice)) is None
        assert await list_issued(session) == []
    assert books.series == ()
    (shown,) = books.invoices
    assert (shown.number, shown.open_minor, shown.booked_total_minor) == ("2026-1931", 11400, 11400)
    invoice = await fresh(database, world.invoice)
    assert (invoice.vat_minor, invoice.tax_kind, invoice.due_on) == (0, None, date(2026, 12, 15))


async def test_a_transfer_pays_it_by_its_old_number_and_no_vat_is_received(database: Database) -> None:
    world = await owing(database, collected=False)
    done = await record(database, world.invoice, amount_minor=11400)
    assert [(paid.pays_minor, paid.status) for paid in done.invoices] == [(11400, "paid")]
    assert await accounts(database, world.acme.customer.id) == {"bank": 11400, "opening": -11400}
    assert (await world.account()).open_minor == 0
    async with database.read() as session:
        received = await receipts_of(
            session,
            entity_id=world.acme.entity.id,
            clock_id=None,
            first=date(2027, 3, 1),
            after=date(2027, 4, 1),
        )
    assert received == ()


async def test_a_debt_that_we_collect_is_chased_from_tomorrow_and_not_from_when_it_was_due(
    database: Database,
) -> None:
    world = await owing(database, collected=True)
    async with database.read() as session:
        chase = await session.get_one(Collection, collection_key(world.invoice))
    assert (chase.day0, chase.done_through_day) == (date(2027, 3, 2), -1)
    async with database.read() as session:
        row = await session.get_one(type(world.acme.subscription), world.acme.subscription.id)
    assert row.state.open_invoices == ("in_old",)


async def test_it_is_corrected_where_it_was_issued_and_can_be_written_off(database: Database) -> None:
    world = await owing(database, collected=False)
    given = {"command_id": "c1", "invoice_id": "in_old", "by": "tests"}
    async with database.write() as session:
        with pytest.raises(NotNow, match="Another billing system issued this invoice"):
            await begin_correction(session, Prepares(), RULES, Credit(**given, reason="x"), at=NOW)
    async with database.write() as session:
        asked = Rectify(**given, buyer=NewBuyer(name="ACME SAS"))
        with pytest.raises(NotNow, match="Correct it there"):
            await rectify(session, Prepares(), RULES, asked, at=NOW)
    async with database.write() as session:
        await begin_correction(session, Prepares(), RULES, WriteOff(**given, reason="x"), at=NOW)
    assert (await fresh(database, world.invoice)).status is InvoiceStatus.UNCOLLECTIBLE


async def test_what_is_taken_back_leaves_nothing_and_frees_its_number(database: Database) -> None:
    world = await owing(database, collected=True)
    async with database.write() as session:
        row = await lock_subscription(session, world.acme.subscription.id)
        invoice = await session.get_one(Invoice, "in_old")
        await take_back_debt(Work(session, Prepares(), RULES, row, NOW), world.acme.entity, invoice)
    assert await accounts(database, world.acme.customer.id) == {}
    gone = await fresh(database, world.invoice)
    assert (gone.status, gone.number, gone.closed_by) == (
        InvoiceStatus.VOID,
        None,
        "the import was undone",
    )


async def test_a_balance_is_owed_from_its_opening_entry_on(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        who = await acme(session)
        bring_in_balance(
            session,
            who.entity,
            who.customer,
            balance_id="bal_1",
            amount_minor=1000,
            currency="EUR",
            at=NOW,
        )
    async with sqlite_database.read() as session:
        (account,) = (await read_accounts(session, None)).customers
    assert (account.brought_in_minor, account.balance_minor, account.adds_up) == (-1000, 1000, True)
    async with sqlite_database.write() as session:
        take_back_balance(
            session,
            who.entity,
            who.customer,
            balance_id="bal_1",
            amount_minor=1000,
            currency="EUR",
            at=NOW,
        )
    assert await accounts(sqlite_database, who.customer.id) == {}


@pytest.mark.parametrize(("collector", "joined"), [("we", ["in_old"]), ("another", [])])
async def test_what_is_too_small_goes_with_the_next_charge_unless_another_system_collects_it(
    sqlite_database: Database, collector: str, joined: list[str]
) -> None:
    async with sqlite_database.write() as session:
        who = await factories.someone(session)
        row = await lock_subscription(session, who.subscription.id)
        work = Work(session, Prepares(), RULES, row, NOW)
        small = debt(collected=collector == "we").model_copy(update={"amount_minor": 40})
        await bring_in_debt(work, who.entity, who.customer, small, invoice_id="in_old", waits_days=1)
        invoice = factories.invoice(who)
        session.add(invoice)
        await session.flush()
        assert await session.get(Collection, derived_id("col", "in_old", 1)) is None
        found = await joined_amounts(session, RULES, invoice, Trigger.CUSTOMER)
    assert [one["invoice"] for one in found] == joined
