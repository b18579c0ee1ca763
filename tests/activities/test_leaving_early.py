"""What leaving within a commitment costs: the days that were agreed to and not paid, once (three months of 30.00)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import Cancel, CreditTo, Pause, When
from models.database import Database

THREE_MONTHS = plan(
    price("30.00"),
    plan_id="three",
    plan_name="Three months",
    commitment_periods=3,
    early_exit_percent=Decimal(100),
)


async def committed(database: Database) -> Bookkeeping:
    """On 10 January, in the first of the three months, which is paid."""
    books = await signs_up(database, THREE_MONTHS)
    await books.is_paid()
    await books.lives_until("2027-01-10")
    return books


@pytest.mark.parametrize(
    ("credit_to", "fee", "given_back"),
    [
        # 21 of 31 days of 30.00 are 20.32: they are part of what is still owed, or stay paid.
        (CreditTo.BALANCE, 8032, 2032),
        (CreditTo.NONE, 6000, 0),
    ],
)
async def test_the_commitment_costs_what_was_agreed_wherever_unused_days_go(
    sqlite_database: Database, credit_to: CreditTo, fee: int, given_back: int
) -> None:
    books = await committed(sqlite_database)
    assert await books.tells(Cancel(command_id="bye", when=When.NOW, credit_to=credit_to))
    page = await books.look()
    assert sorted(page.billed()) == [[("base", 3000)], [("base", fee)]]
    assert sum(note.net_minor for note in page.notes) == given_back
    assert 3000 + fee - given_back == 9000


async def test_a_pause_is_no_way_out_of_a_commitment(sqlite_database: Database) -> None:
    books = await committed(sqlite_database)
    assert await books.tells(Pause(command_id="pause", when=When.NOW, credit=True))
    await books.lives_until("2027-02-20")
    assert await books.tells(Cancel(command_id="bye", when=When.NOW))
    page = await books.look()
    # 11 January to 31 March: 20.32 for the days that the pause gave back, and two months.
    assert sorted(page.billed()) == [[("base", 3000)], [("base", 8032)]]
    assert [note.net_minor for note in page.notes] == [2032]


async def test_nor_is_one_that_keeps_the_paid_time(sqlite_database: Database) -> None:
    books = await committed(sqlite_database)
    assert await books.tells(Pause(command_id="pause", when=When.NOW))
    assert await books.tells(Cancel(command_id="bye", when=When.NOW))
    assert len((await books.look()).billed()) == 1  # it is over with the paid time
    await books.lives_until("2027-02-02")
    assert sorted((await books.look()).billed()) == [[("base", 3000)], [("base", 6000)]]
