"""Set-up fees and usage over changes, pauses and the end: each is billed once, and nothing is forgotten."""

from __future__ import annotations

from support.bookkeeping import signs_up
from support.priced import plan, price

from billing.commands import ChangePlan, ChangeQuantity, Pause, Resume, When
from billing.prices import Charging, PricingModel
from billing.terms import Terms
from models.database import Database

BASE = price("29.00")
SEAT = price("12.00", PricingModel.PER_UNIT, id="seat")
FEE = price("100.00", id="fee", charging=Charging.ONCE)
SMALL = plan(BASE, plan_id="small", plan_name="Small")
BIG = plan(price("50.00", id="big"), FEE, plan_id="big", plan_name="Big")


def to(terms: Terms, command_id: str, when: When = When.PERIOD_END) -> ChangePlan:
    return ChangePlan(command_id=command_id, plan_id=terms.plan_id, terms=terms, when=when)


async def test_more_seats_at_the_periods_end_bill_no_second_set_up_fee(sqlite_database: Database) -> None:
    team = plan(BASE, SEAT, FEE, plan_id="team", plan_name="Team", quantity=2)
    books = await signs_up(sqlite_database, team)
    await books.is_paid()
    more = ChangeQuantity(command_id="three seats", quantity=3)
    coming = (await books.previews(more)).next_invoice
    assert coming is not None
    assert (coming.vat_minor, coming.total_minor) == (1300, 7800)
    assert await books.tells(more)
    await books.lives_until("2027-02-02")
    assert (await books.look()).billed() == [
        [("base", 2900), ("seat", 2400), ("fee", 10000)],
        [("base", 2900), ("seat", 3600)],
    ]


async def test_a_plan_with_a_fee_that_comes_with_a_resume_bills_it(sqlite_database: Database) -> None:
    books = await signs_up(sqlite_database, SMALL, BIG)
    await books.is_paid()
    assert await books.tells(Pause(command_id="pause"))
    await books.lives_until("2027-02-10")
    assert await books.tells(to(BIG, "big"))
    assert await books.tells(Resume(command_id="resume"))
    await books.lives_until("2027-03-02")
    # 10 to 28 February: 19 of 28 days of 50.00 are 33.93
    assert (await books.look()).billed() == [
        [("base", 2900)],
        [("big", 3393), ("fee", 10000)],
        [("big", 5000)],
    ]


async def test_coming_back_to_a_plan_bills_its_fee_no_second_time(sqlite_database: Database) -> None:
    books = await signs_up(sqlite_database, SMALL, BIG)
    await books.is_paid()
    for number, (terms, month) in enumerate([(BIG, 2), (SMALL, 3), (BIG, 4)]):
        assert await books.tells(to(terms, f"at the end {number}"))
        await books.lives_until(f"2027-0{month}-01")
    assert await books.tells(to(SMALL, "small now", When.NOW))
    assert await books.tells(to(BIG, "big now", When.NOW))
    lines = [line for invoice in (await books.look()).billed() for line in invoice]
    assert lines.count(("fee", 10000)) == 1
