"""A preview's amounts are those that are charged and asked for, also where a command gives back and bills at once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import Cancel, ChangePlan, CreditTo, Pause, When
from models.database import Database
from models.parties import Address
from models.tables import Customer

SMALL = plan(price("29.00"), plan_id="small", plan_name="Small")
BIG = plan(price("79.00"), plan_id="big", plan_name="Big")
COMMITTED = plan(
    price("30.00"), plan_id="three", plan_name="Three", commitment_periods=3, early_exit_percent=Decimal(100)
)


async def open_after(books: Bookkeeping) -> int:
    return sum(invoice.open_minor for invoice in (await books.look()).issued.values())


async def test_a_change_after_a_move_is_paid_by_what_it_gives_back(sqlite_database: Database) -> None:
    books = await signs_up(sqlite_database, SMALL, BIG)
    await books.is_paid()
    async with sqlite_database.write() as session:
        anna = await session.get_one(Customer, books.customer_id)
        anna.address = Address(line1="4 rue du Port", postal_code="97400", city="Saint-Denis", country="RE")
    await books.lives_until("2027-01-16")
    to_big = ChangePlan(command_id="big", plan_id="big", terms=BIG, when=When.NOW)
    shown = await books.previews(to_big)
    # 16 of 31 days: 79.00 gives 40.77, VAT of La Réunion 3.47; 29.00 gives 14.97 back, VAT of France 2.99.
    assert [document.total_minor for document in shown.documents] == [-1796, 4424]
    assert (shown.credited_minor, shown.from_balance_minor, shown.due_minor) == (1796, 1796, 2628)
    assert await books.tells(to_big)
    assert await open_after(books) == 2628


@pytest.mark.parametrize(
    ("credit_to", "from_balance", "due"),
    # 80.32 and VAT of 16.06; 20.32 and VAT of 4.06 go back
    [(CreditTo.BALANCE, 2438, 7200), (CreditTo.REFUND, 0, 9638), (CreditTo.NONE, 0, 7200)],
)
async def test_a_cancel_within_a_commitment_says_what_is_left_to_pay(
    sqlite_database: Database, credit_to: CreditTo, from_balance: int, due: int
) -> None:
    books = await signs_up(sqlite_database, COMMITTED)
    await books.is_paid()
    await books.lives_until("2027-01-10")
    cancel = Cancel(command_id="bye", when=When.NOW, credit_to=credit_to)
    shown = await books.previews(cancel)
    assert (shown.from_balance_minor, shown.due_minor) == (from_balance, due)
    assert await books.tells(cancel)
    assert await open_after(books) == due


@pytest.mark.parametrize("paused", [False, True], ids=["active", "paused"])
async def test_a_cancel_at_the_end_shows_what_leaving_then_costs(
    sqlite_database: Database, *, paused: bool
) -> None:
    books = await signs_up(sqlite_database, COMMITTED)
    await books.is_paid()
    await books.lives_until("2027-01-10")
    if paused:
        assert await books.tells(Pause(command_id="pause", when=When.NOW))
    cancel = Cancel(command_id="bye")
    shown = await books.previews(cancel)
    fee = shown.next_invoice
    assert fee is not None
    # February and March of 30.00, VAT 12.00: nothing of it is asked for today.
    assert (fee.on, fee.total_minor, shown.ends_on) == (date(2027, 2, 1), 7200, date(2027, 2, 1))
    assert (shown.due_minor, shown.from_balance_minor, shown.documents) == (0, 0, ())
    assert await books.tells(cancel)
    assert await open_after(books) == 0
    await books.lives_until("2027-02-02")
    page = await books.look()
    assert sorted(page.billed()) == [[("base", 3000)], [("base", 6000)]]
    assert sorted(invoice.total_minor for invoice in page.issued.values()) == [3600, 7200]
