"""A preview says what is then charged: what its own credit notes give back pays for what it bills (rules 11, 12)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import Cancel, ChangePlan, CreditTo, When
from billing.terms import Terms
from models.database import Database
from models.parties import Address

REUNION = Address(line1="12 rue de Paris", postal_code="97400", city="Saint-Denis", country="RE")
BIG = plan(price("79.00"), plan_id="plan_big", plan_name="Big")


def committed() -> Terms:
    """30.00 a month for three months, all of which is owed by who leaves."""
    return plan(price("30.00"), commitment_periods=3, early_exit_percent=Decimal(100))


async def open_minor(books: Bookkeeping) -> int:
    return sum(invoice.open_minor for invoice in (await books.look()).issued.values())


async def test_a_change_under_another_tax_is_paid_by_what_it_gives_back(sqlite_database: Database) -> None:
    """16 of 31 days: 14.97 and 20 % go back, 17.96; 40.77 and 8.5 % are charged, 44.24. 26.28 are to be paid."""
    books = await signs_up(sqlite_database, plan(price("29.00")), BIG)
    await books.is_paid()
    await books.knows(address=REUNION)
    books.at = datetime(2027, 1, 16, 11, tzinfo=UTC)
    up = ChangePlan(command_id="up", plan_id="plan_big", terms=BIG, when=When.NOW)
    seen = await books.previews(up)
    assert (seen.credited_minor, seen.from_balance_minor, seen.due_minor) == (1796, 1796, 2628)
    assert await books.tells(up)
    assert await open_minor(books) == 2628


@pytest.mark.parametrize(
    ("credit_to", "from_balance", "due"), [(CreditTo.BALANCE, 2438, 7200), (CreditTo.REFUND, 0, 9638)]
)
async def test_leaving_early_is_paid_by_the_unused_days_unless_they_are_refunded(
    sqlite_database: Database, *, credit_to: CreditTo, from_balance: int, due: int
) -> None:
    """21 of 31 days go back, 20.32 and VAT; two months and those days are owed, 80.32 and VAT."""
    books = await signs_up(sqlite_database, committed())
    await books.is_paid()
    books.at = datetime(2027, 1, 10, 11, tzinfo=UTC)
    leave = Cancel(command_id="leave", when=When.NOW, credit_to=credit_to)
    seen = await books.previews(leave)
    assert (seen.credited_minor, seen.from_balance_minor, seen.due_minor) == (2438, from_balance, due)
    assert await books.tells(leave)
    assert await open_minor(books) == due


async def test_what_a_change_gives_back_when_it_is_paid_does_not_pay_for_it(
    sqlite_database: Database,
) -> None:
    books = await signs_up(sqlite_database, plan(price("29.00")), BIG)
    await books.is_paid()
    await books.knows(address=REUNION)
    books.at = datetime(2027, 1, 16, 11, tzinfo=UTC)
    up = ChangePlan(command_id="up", plan_id="plan_big", terms=BIG, when=When.NOW, if_paid=True)
    seen = await books.previews(up)
    assert (seen.if_paid, seen.from_balance_minor, seen.due_minor) == (True, 0, 4424)
    assert await books.tells(up)
    draft = next(i for i in (await books.look()).invoices.values() if i.reason == "change")
    assert (draft.status.value, draft.open_minor) == ("draft", 4424)


async def test_what_leaving_at_the_end_will_cost_is_shown(sqlite_database: Database) -> None:
    """February and March: 60.00 and VAT, asked for on 1 February and not now."""
    books = await signs_up(sqlite_database, committed())
    await books.is_paid()
    books.at = datetime(2027, 1, 10, 11, tzinfo=UTC)
    leave = Cancel(command_id="leave")
    seen = await books.previews(leave)
    assert (seen.documents, seen.due_minor) == ((), 0)
    assert seen.next_invoice is not None
    assert (seen.next_invoice.on, seen.next_invoice.until) == (date(2027, 2, 1), date(2027, 4, 1))
    assert (seen.next_invoice.vat_minor, seen.next_invoice.total_minor) == (1200, 7200)
    assert await books.tells(leave)
    books.at = datetime(2027, 2, 1, 11, tzinfo=UTC)
    await books.takes_step()
    assert await open_minor(books) == 7200
