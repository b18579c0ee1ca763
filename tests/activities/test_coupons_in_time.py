"""What a coupon takes off: so many billed periods, and usage as it is taken off the period that bills it (rules 9)."""

from __future__ import annotations

from decimal import Decimal

from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import ChangePlan, ChangeTerms, When
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
