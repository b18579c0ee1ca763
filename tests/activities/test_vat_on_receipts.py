"""VAT on receipts from the journal: by month and rate, and taken back where a bank took the money back (rules 16)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from support.disputed import LOST, OPENED, Preparing, hear, paid
from support.factories import NEW_YEAR

from activities.books.config import BookRules
from activities.books.correcting import begin_correction
from activities.books.receipts import ReceivedAtRate, receipts_of
from billing.corrections import Credit, PayBackAs
from models.database import Database

MARCH = datetime(2027, 3, 10, 9, 0, tzinfo=UTC)


async def received(database: Database, entity_id: str, month: int) -> list[tuple[int, int, int]]:
    """Net, VAT, and the VAT in it that was taken back; the first instant of the year is in January in Paris."""
    async with database.read() as session:
        rows = await receipts_of(
            session,
            entity_id=entity_id,
            clock_id=None,
            first=date(2027, month, 1),
            after=date(2027, month + 1, 1),
        )
    assert {(row.currency, row.category, row.percent) for row in rows} <= {("EUR", "S", Decimal(20))}
    return [(row.base_minor, row.vat_minor, row.taken_back_minor) for row in rows]


async def test_a_lost_dispute_takes_vat_back_in_its_own_month(database: Database) -> None:
    anna, _, attempt = await paid(database)
    await hear(database, attempt, OPENED)
    assert await received(database, anna.entity.id, 1) == [(2900, 580, 0)]
    await hear(database, attempt, LOST, at=MARCH)
    assert await received(database, anna.entity.id, 1) == [(2900, 580, 0)]
    assert await received(database, anna.entity.id, 2) == []
    assert await received(database, anna.entity.id, 3) == [(-2900, -580, -580)]


async def test_paid_and_taken_back_in_one_month_is_shown_as_both(sqlite_database: Database) -> None:
    anna, _, attempt = await paid(sqlite_database)
    await hear(sqlite_database, attempt, LOST)
    assert await received(sqlite_database, anna.entity.id, 1) == [(0, 0, -580)]


async def test_what_a_credit_gives_back_and_what_the_balance_pays(sqlite_database: Database) -> None:
    """12.00 are credited to the balance; the auditor sees the receipt get smaller by 10.00 and 2.00."""
    anna, invoice, _ = await paid(sqlite_database)
    for number, then in enumerate((PayBackAs.BALANCE, PayBackAs.REFUND)):
        asked = Credit(
            command_id=f"c{number}", invoice_id=invoice.id, reason="r", amount_minor=1200, then=then
        )
        async with sqlite_database.write() as session:
            await begin_correction(session, Preparing(), BookRules(), asked, at=NEW_YEAR)
    assert await received(sqlite_database, anna.entity.id, 1) == [(900, 180, 0)]


async def test_a_test_clock_has_receipts_of_its_own(sqlite_database: Database) -> None:
    anna, _, _ = await paid(sqlite_database)
    async with sqlite_database.read() as session:
        rows: tuple[ReceivedAtRate, ...] = await receipts_of(
            session,
            entity_id=anna.entity.id,
            clock_id="clk_other",
            first=date(2027, 1, 1),
            after=date(2027, 2, 1),
        )
    assert rows == ()
