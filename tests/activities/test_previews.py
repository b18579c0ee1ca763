"""A preview's amounts are those that are charged and asked for, also where a command gives back and bills at once.

What its own credit notes give back pays for what it bills (rules 11, 12).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import Cancel, ChangePlan, CreditTo, Pause, When
from models.database import Database
from models.parties import Address

SMALL = plan(price("29.00"), plan_id="small", plan_name="Small")
BIG = plan(price("79.00"), plan_id="big", plan_name="Big")
COMMITTED = plan(
    price("30.00"), plan_id="three", plan_name="Three", commitment_periods=3, early_exit_percent=Decimal(100)
)


async def moved_to_reunion(database: Database) -> Bookkeeping:
    """A customer of the small plan who paid in France, and is on La Réunion from 16 January."""
    books = await signs_up(database, SMALL, BIG)
    await books.is_paid()
    await books.knows(
        address=Address(line1="4 rue du Port", postal_code="97400", city="Saint-Denis", country="RE")
    )
    await books.lives_until("2027-01-16")
    return books


async def open_after(books: Bookkeeping) -> int:
    return sum(invoice.open_minor for invoice in (await books.look()).issued.values())


async def test_a_change_after_a_move_is_paid_by_what_it_gives_back(sqlite_database: Database) -> None:
    books = await moved_to_reunion(sqlite_database)
    to_big = ChangePlan(command_id="big", plan_id="big", terms=BIG, when=When.NOW)
    shown = await books.previews(to_big)
    # 16 of 31 days: 79.00 gives 40.77, VAT of La Réunion 3.47; 29.00 gives 14.97 back, VAT of France 2.99.
    assert [document.total_minor for document in shown.documents] == [-1796, 4424]
    assert (shown.credited_minor, shown.from_balance_minor, shown.due_minor) == (1796, 1796, 2628)
    assert await books.tells(to_big)
    assert await open_after(books) == 2628


async def test_what_a_change_gives_back_when_it_is_paid_does_not_pay_for_it(
    sqlite_database: Database,
) -> None:
    books = await moved_to_reunion(sqlite_database)
    up = ChangePlan(command_id="up", plan_id="big", terms=BIG, when=When.NOW, if_paid=True)
    shown = await books.previews(up)
    assert (shown.if_paid, shown.from_balance_minor, shown.due_minor) == (True, 0, 4424)
    assert await books.tells(up)
    draft = next(i for i in (await books.look()).invoices.values() if i.reason == "change")
    assert (draft.status.value, draft.open_minor) == ("draft", 4424)


@pytest.mark.parametrize(
    ("credit_to", "credited", "from_balance", "due"),
    # 80.32 and VAT of 16.06; 20.32 and VAT of 4.06 go back
    [(CreditTo.BALANCE, 2438, 2438, 7200), (CreditTo.REFUND, 2438, 0, 9638), (CreditTo.NONE, 0, 0, 7200)],
    ids=["balance", "refund", "none"],
)
async def test_a_cancel_within_a_commitment_says_what_is_left_to_pay(
    sqlite_database: Database, credit_to: CreditTo, credited: int, from_balance: int, due: int
) -> None:
    books = await signs_up(sqlite_database, COMMITTED)
    await books.is_paid()
    await books.lives_until("2027-01-10")
    cancel = Cancel(command_id="bye", when=When.NOW, credit_to=credit_to)
    shown = await books.previews(cancel)
    assert (shown.credited_minor, shown.from_balance_minor, shown.due_minor) == (credited, from_balance, due)
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
    assert (fee.on, fee.until, shown.ends_on) == (date(2027, 2, 1), date(2027, 4, 1), date(2027, 2, 1))
    assert (fee.vat_minor, fee.total_minor) == (1200, 7200)
    assert (shown.due_minor, shown.from_balance_minor, shown.documents) == (0, 0, ())
    assert await books.tells(cancel)
    assert await open_after(books) == 0
    await books.lives_until("2027-02-02")
    page = await books.look()
    assert sorted(page.billed()) == [[("base", 3000)], [("base", 6000)]]
    assert sorted(invoice.total_minor for invoice in page.issued.values()) == [3600, 7200]
