"""Whatever a subscription goes through: each fee, each use and each period of a coupon is billed once."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support.bookkeeping import Bookkeeping, Page, signs_up
from support.priced import plan, price

from billing.commands import (
    Cancel,
    ChangePlan,
    ChangeQuantity,
    ChangeTerms,
    Command,
    Pause,
    Resume,
    When,
)
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.lines import LineKind
from billing.prices import Charging, PricingModel
from models.database import Database

SEAT = price("12.00", PricingModel.PER_UNIT, id="seat")
CALLS = price("0.01", PricingModel.PER_UNIT, id="calls", charging=Charging.METERED, meter="calls")
DEARER = CALLS.model_copy(update={"id": "dearer", "unit_amount": Decimal("0.03")})
FEE, OTHER_FEE = (price("100.00", id=name, charging=Charging.ONCE) for name in ("fee", "other_fee"))
PLANS: Final = {
    "plain": plan(SEAT, plan_id="plain", plan_name="Plain"),
    "metered": plan(SEAT, CALLS, FEE, plan_id="metered", plan_name="Metered"),
    "dearer": plan(SEAT, DEARER, FEE, OTHER_FEE, plan_id="dearer", plan_name="Dearer"),
    "year": plan(
        price("120.00", PricingModel.PER_UNIT, id="year"), CALLS, every="1year", plan_id="year", plan_name="Y"
    ),
}
COUPON: Final = Discount(coupon_id="EURO", name="EURO", amount=Decimal("1.00"), periods=2)
"""Given in January, which is the first of its periods. A fixed sum is not taken off usage."""
NOW_OR_LATER = st.sampled_from([When.NOW, When.PERIOD_END])
CHANGE = st.tuples(st.just("plan"), st.sampled_from(sorted(PLANS)), NOW_OR_LATER)
DEEDS = st.one_of(
    CHANGE,
    CHANGE,
    CHANGE,
    st.tuples(st.just("seats"), st.integers(1, 9), NOW_OR_LATER),
    st.tuples(st.just("pause"), st.booleans(), NOW_OR_LATER),
    st.tuples(st.just("resume"), st.none(), st.none()),
)
Deed = tuple[str, object, When | None]


def command_of(deed: Deed, command_id: str) -> Command:
    what, of, when = deed
    at = when or When.NOW
    match what:
        case "plan":
            return ChangePlan(command_id=command_id, plan_id=str(of), terms=PLANS[str(of)], when=at)
        case "seats":
            return ChangeQuantity(command_id=command_id, quantity=int(str(of)), when=at)
        case "pause":
            return Pause(command_id=command_id, credit=bool(of) and at is When.NOW, when=at)
        case _:
            return Resume(command_id=command_id)


async def use(books: Bookkeeping, calls: int) -> int:
    """What was counted, in cents: nothing where no meter runs."""
    meters = (await books.look()).state.terms.metered_prices
    try:
        await books.uses(str(calls))
    except InvalidInput:
        return 0
    return calls * (3 if meters == (DEARER,) else 1)


def assert_billed_once(page: Page, used_minor: int) -> None:
    lines = [row.line for key in page.issued for row in page.lines_of(key)]
    fees = Counter(line.price_id for line in lines if line.kind is LineKind.ONE_OFF)
    assert all(times == 1 for times in fees.values()), fees
    assert sum(line.amount_minor for line in lines if line.kind is LineKind.USAGE) == used_minor
    reduced = {
        row.document_id
        for key in page.issued
        for row in page.lines_of(key)
        if row.line.kind is LineKind.SUBSCRIPTION and COUPON.name in row.line.discounts
    }
    assert len(reduced) <= 1, reduced


@pytest.mark.timeout(120)
@settings(
    deadline=None,
    derandomize=True,
    max_examples=15,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
)
@given(
    begins=st.sampled_from(["metered", "dearer"]),
    life=st.lists(st.tuples(DEEDS, st.integers(1, 40)), min_size=3, max_size=6),
)
@example(begins="metered", life=[(("plan", "plain", When.NOW), 5)])
@example(begins="metered", life=[(("seats", 2, When.NOW), 35), (("plan", "year", When.NOW), 5)])
@example(begins="metered", life=[(("seats", 3, When.PERIOD_END), 35)])
async def test_fees_usage_and_coupons_are_billed_once(
    sqlite_database: Database, begins: str, life: list[tuple[Deed, int]]
) -> None:
    books = await signs_up(sqlite_database, PLANS[begins], *PLANS.values())
    coupon = ChangeTerms(command_id=f"{books.clock_id} coupon", add_discount=COUPON, when=When.NOW)
    assert await books.tells(coupon)
    await books.is_paid()
    used_minor = 0
    for number, (deed, days) in enumerate(life):
        used_minor += await use(books, 100 + number)
        await books.tells(command_of(deed, f"{books.clock_id} {number}"))
        await books.lives_for(days)
    await books.tells(Cancel(command_id=books.clock_id, when=When.NOW))
    await books.lives_for(40)  # the end of the paid time of a pause
    assert_billed_once(await books.look(), used_minor)
