"""Set-up fees and usage over changes, pauses and the end: each is billed once, and nothing is forgotten."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.bookkeeping import signs_up
from support.priced import plan, price

from billing.commands import Cancel, ChangePlan, ChangeQuantity, Pause, Resume, When
from billing.errors import InvalidInput
from billing.prices import Aggregation, Charging, Price, PricingModel, Tier
from billing.terms import Terms
from models.database import Database

BASE = price("29.00")
SEAT = price("12.00", PricingModel.PER_UNIT, id="seat")
CALLS = price("0.01", PricingModel.PER_UNIT, id="calls", charging=Charging.METERED, meter="calls")
PEAK = price(
    "1.00",
    PricingModel.PER_UNIT,
    id="gb",
    charging=Charging.METERED,
    meter="gb",
    aggregation=Aggregation.MAX,
)
INCLUDED = CALLS.model_copy(
    update={
        "model": PricingModel.GRADUATED,
        "unit_amount": Decimal(0),
        "tiers": (Tier(up_to=1000, unit_amount=Decimal(0)), Tier(unit_amount=Decimal("0.01"))),
    }
)
"""1,000 calls of a period cost nothing, each further one 0.01."""
FEE = price("100.00", id="fee", charging=Charging.ONCE)
SMALL = plan(BASE, plan_id="small", plan_name="Small")
METERED = plan(BASE, CALLS, plan_id="metered", plan_name="Metered")
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


async def test_a_plan_without_a_meter_loses_no_usage_of_the_one_before(sqlite_database: Database) -> None:
    books = await signs_up(sqlite_database, METERED, SMALL)
    await books.is_paid()
    await books.lives_until("2027-01-05")
    await books.uses("1000")
    await books.lives_until("2027-01-16")
    assert await books.tells(to(SMALL, "no meter", When.NOW))
    await books.uses("200", on="2027-01-06")  # late, and in time
    await books.lives_until("2027-01-17")
    with pytest.raises(InvalidInput, match=r"The last usage of calls is billed") as refused:
        await books.uses("1", on="2027-01-06")
    assert refused.value.field == "at"
    assert await books.tells(Cancel(command_id="bye"))
    await books.lives_until("2027-02-03")
    assert sorted((await books.look()).billed()) == [[("base", 2900)], [("calls", 1200)]]


async def test_usage_before_a_pause_is_billed_though_it_resumes_without_a_meter(
    sqlite_database: Database,
) -> None:
    books = await signs_up(sqlite_database, METERED, SMALL)
    await books.is_paid()
    await books.lives_until("2027-01-31")
    await books.uses("500")
    assert await books.tells(Pause(command_id="pause"))
    await books.lives_until("2027-02-01")
    assert await books.tells(to(SMALL, "no meter"))
    assert await books.tells(Resume(command_id="resume"))
    await books.lives_until("2027-02-04")
    assert sorted((await books.look()).billed()) == [[("base", 2900)], [("base", 2900)], [("calls", 500)]]


@pytest.mark.parametrize(
    ("meter", "quantity", "expected"),
    [(PEAK, "100", [("seat", 3600), ("gb", 10000)]), (INCLUDED, "1000", [("seat", 3600), ("calls", 1000)])],
    ids=["maximum", "tiers"],
)
async def test_more_seats_leave_the_meter_alone(
    sqlite_database: Database, meter: Price, quantity: str, expected: list[tuple[str, int]]
) -> None:
    """A peak of 100 GB on both sides is 100 GB; of 2,000 calls 1,000 are included once."""
    team = plan(SEAT, meter, plan_id="team", plan_name="Team", quantity=2)
    books = await signs_up(sqlite_database, team)
    await books.is_paid()
    await books.lives_until("2027-01-05")
    await books.uses(quantity, meter.meter or "")
    await books.lives_until("2027-01-16")
    assert await books.tells(ChangeQuantity(command_id="three seats", quantity=3, when=When.NOW))
    await books.lives_until("2027-01-20")
    await books.uses(quantity, meter.meter or "")
    await books.lives_until("2027-02-03")
    assert (await books.look()).billed()[-1] == expected
