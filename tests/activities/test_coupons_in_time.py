"""What a coupon takes off: so many billed periods, and usage as it is taken off the period that bills it (rules 9)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import Cancel, ChangePlan, ChangeTerms, When
from billing.discounts import Discount
from billing.prices import Charging, PricingModel
from billing.terms import Terms
from models.database import Database

BASE = price("29.00")
CALLS = price("0.01", PricingModel.PER_UNIT, id="calls", charging=Charging.METERED, meter="calls")
METERED = plan(BASE, CALLS, plan_id="metered", plan_name="Metered")
MONTH = plan(BASE, plan_id="month", plan_name="Month")
YEAR = plan(price("290.00", id="year"), every="1year", plan_id="year", plan_name="Year")


async def has_once(database: Database, percent: int, terms: Terms, *others: Terms) -> Bookkeeping:
    """A January that is paid in full, and a coupon for one period, which will be February."""
    books = await signs_up(database, terms, *others)
    coupon = Discount(coupon_id="once", percent=Decimal(percent), periods=1)
    assert await books.tells(ChangeTerms(command_id="coupon", add_discount=coupon))
    await books.is_paid()
    return books


async def test_a_used_up_coupon_is_not_taken_off_another_rhythm(sqlite_database: Database) -> None:
    books = await has_once(sqlite_database, 100, MONTH, YEAR)
    await books.lives_until("2027-02-10")
    to_year = ChangePlan(command_id="year", plan_id="year", terms=YEAR, when=When.NOW)
    previewed = await books.previews(to_year)
    assert (previewed.due_minor, previewed.credited_minor) == (34800, 0)
    assert await books.tells(to_year)
    assert (await books.look()).billed() == [[("base", 2900)], [("base", 0)], [("year", 29000)]]


async def test_a_correction_gives_back_what_was_billed_and_no_more(sqlite_database: Database) -> None:
    books = await has_once(sqlite_database, 50, METERED)
    await books.lives_until("2027-01-05")
    await books.uses("1000")
    await books.lives_until("2027-02-10")
    await books.uses("-400", on="2027-01-06")
    await books.lives_until("2027-03-10")
    await books.uses("-700", on="2027-01-06")  # of 600 that are left
    await books.uses("300", on="2027-02-20")  # late, and of a stretch that was billed in full
    await books.lives_until("2027-04-03")
    # February is halved, and January's usage with it: 5.00, of which 2.00 and then 3.00 go back.
    assert (await books.look()).billed() == [
        [("base", 2900)],
        [("base", 1450), ("calls", 500)],
        [("base", 2900), ("calls", -200)],
        [("base", 2900), ("calls", -300), ("calls", 300)],
    ]


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
async def test_the_last_usage_costs_whoever_leaves_what_it_costs_whoever_stays(
    sqlite_database: Database, *, leaves: bool
) -> None:
    books = await has_once(sqlite_database, 50, METERED)
    await books.lives_until("2027-02-05")
    await books.uses("1000")
    if leaves:
        assert await books.tells(Cancel(command_id="bye"))
    await books.lives_until("2027-03-03")
    usage = [line for invoice in (await books.look()).billed() for line in invoice if line[0] == "calls"]
    assert usage == [("calls", 1000)]
