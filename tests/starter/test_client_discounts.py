"""Discounts through the client, with workers up, on a test clock: worked C1 to C3."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.life import ClockedLife
from support.metered import BASE, CALLS, nets, signs_up, used

from billing.commands import AddCoupon, When
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.refusal import Refused
from models.tables import InvoiceStatus
from starter.client import RelanceClient
from starter.orders import NewCoupon, NewPlan, NewSubscription
from starter.problems import AlreadyExists

TWENTY = Discount(coupon_id="spring", name="Spring", percent=Decimal(20))


@pytest.fixture
def begins() -> str:
    return "2027-04-01"


async def test_c1_a_change_gives_back_the_discounted_price(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up(discounts=(TWENTY,))
    await world.until("2027-04-16")
    await client.change_plan(anna.subscription_id, "max", when=When.NOW, command_id="up")
    assert (await client.wait_for("up")).applied
    first, second = await anna.invoices()
    # 49.00 - 20 % = 39.20, VAT 7.84
    assert (first.net_minor, first.total_minor) == (3920, 4704)
    assert (second.net_minor, second.vat_minor, second.total_minor) == (2000, 400, 2400)


async def test_c2_a_discount_above_the_price_makes_a_zero_invoice_without_a_charge(
    world: ClockedLife, client: RelanceClient
) -> None:
    await client.create_plan(
        NewPlan(reference="small", name="Small", currency="EUR", every="1month", amount=Decimal("29.00"))
    )
    once = Discount(coupon_id="thirty", amount=Decimal("30.00"), periods=1)
    anna = await world.signs_up(plan="small", discounts=(once,))
    (invoice,) = await anna.invoices()
    assert (invoice.total_minor, invoice.status) == (0, InvoiceStatus.PAID)
    await world.until("2027-05-02")
    assert [line for line in await anna.diary() if "charge" in line] == ["2027-05-01 charge paid 34.80"]


async def test_c3_percent_before_fixed(world: ClockedLife, client: RelanceClient) -> None:
    await client.create_plan(
        NewPlan(reference="hundred", name="Hundred", currency="EUR", every="1month", amount=Decimal(100))
    )
    ten = Discount(coupon_id="ten", percent=Decimal(10))
    fifteen = Discount(coupon_id="fifteen", amount=Decimal("15.00"))
    anna = await world.signs_up(plan="hundred", discounts=(fifteen, ten))
    (invoice,) = await anna.invoices()
    assert (invoice.net_minor, invoice.vat_minor, invoice.total_minor) == (7500, 1500, 9000)


async def test_a_discount_is_given_later_and_taken_back(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up()
    await client.change_terms(anna.subscription_id, add_discount=TWENTY, command_id="give")
    assert (await client.wait_for("give")).applied
    await world.until("2027-05-02")
    await client.change_terms(anna.subscription_id, remove_discount="spring", command_id="take")
    assert (await client.wait_for("take")).applied
    await world.until("2027-06-02")
    assert [invoice.total_minor for invoice in await anna.invoices()] == [5880, 4704, 5880]


async def test_a_discount_twice_or_of_more_than_all_is_refused(world: ClockedLife) -> None:
    with pytest.raises(InvalidInput, match="named twice") as twice:
        await world.signs_up("twice", discounts=(TWENTY, TWENTY))
    assert twice.value.field == "discounts"
    with pytest.raises(InvalidInput, match="130"):
        Discount(coupon_id="much", percent=Decimal(130))


async def test_a_coupon_is_given_until_its_limit_and_its_end(
    world: ClockedLife, client: RelanceClient
) -> None:
    twice = NewCoupon(code="LAUNCH", percent=Decimal(20), periods=1, max_redemptions=2)
    made = await client.coupons.create(twice)
    assert (await client.coupons.create(twice)).id == made.id
    with pytest.raises(AlreadyExists) as other:
        await client.coupons.create(twice.model_copy(update={"periods": 2}))
    assert other.value.field == "code"
    anna = await world.signs_up("anna", coupons=("LAUNCH",))
    # Asked again, it is the same subscription and is not counted again.
    again = NewSubscription(reference="anna", customer="anna", plan="pro", coupons=("LAUNCH",))
    assert not (await client.start_subscription(again)).is_new
    await world.signs_up("ben", coupons=("LAUNCH",))
    with pytest.raises(InvalidInput, match="given 2 times") as used_up:
        await world.signs_up("carl", coupons=("LAUNCH",))
    assert used_up.value.field == "coupons"
    (coupon,) = await client.coupons.list()
    assert coupon.redemptions == 2
    await world.until("2027-05-02")
    assert [invoice.total_minor for invoice in await anna.invoices()] == [4704, 5880]


async def test_a_coupon_is_given_to_a_subscription_that_runs_from_its_next_period_on(
    world: ClockedLife, client: RelanceClient
) -> None:
    await client.coupons.create(NewCoupon(code="LAUNCH", percent=Decimal(20), periods=2, max_redemptions=1))
    anna, ben = await world.signs_up("anna"), await world.signs_up("ben")
    await world.until("2027-04-10")
    seen = await client.preview("anna", AddCoupon(command_id="look", code="LAUNCH"))
    assert seen.documents == ()
    assert seen.next_invoice is not None
    assert (seen.next_invoice.on, seen.next_invoice.total_minor) == (date(2027, 5, 1), 4704)
    assert (await client.coupons.list())[0].redemptions == 0

    accepted = await client.coupons.give("anna", "LAUNCH", command_id="give")
    assert (await client.wait_for(accepted.command_id)).applied
    assert (await client.coupons.give("anna", "LAUNCH", command_id="give")).command_id == "give"
    assert (await client.coupons.list())[0].redemptions == 1
    with pytest.raises(InvalidInput, match="given 1 times") as used_up:
        await client.coupons.give("ben", "LAUNCH")
    assert used_up.value.field == "code"

    # A change now is billed without it: 15 of 30 days, 99.00 - 49.00 are 25.00, VAT 5.00.
    await world.until("2027-04-16")
    await client.change_plan("anna", "max", when=When.NOW, command_id="up")
    assert (await client.wait_for("up")).applied
    await world.until("2027-07-02")
    # 79.20, VAT 15.84, twice; then 99.00, VAT 19.80
    assert [invoice.total_minor for invoice in await anna.invoices()] == [5880, 3000, 9504, 9504, 11880]
    assert [invoice.total_minor for invoice in await ben.invoices()] == [5880, 5880, 5880, 5880]
    assert "2027-04-10 coupon LAUNCH added" in await anna.diary()


async def test_a_coupon_that_is_removed_stays_counted_and_is_not_given_again(
    world: ClockedLife, client: RelanceClient
) -> None:
    await client.coupons.create(NewCoupon(code="LAUNCH", percent=Decimal(20)))
    anna = await world.signs_up("anna")
    await client.coupons.give("anna", "LAUNCH", command_id="give")
    assert (await client.wait_for("give")).applied
    await client.change_terms("anna", remove_discount="LAUNCH", command_id="take")
    assert (await client.wait_for("take")).applied
    with pytest.raises(Refused, match="was given to this subscription before") as again:
        await client.coupons.give("anna", "LAUNCH")
    assert again.value.field == "code"
    assert (await client.coupons.list())[0].redemptions == 1
    await world.until("2027-05-02")
    assert [invoice.total_minor for invoice in await anna.invoices()] == [5880, 5880]
    await client.cancel("anna", when=When.NOW, command_id="bye")
    assert (await client.wait_for("bye")).applied
    with pytest.raises(Refused, match="ended on 2027-05-02"):
        await client.coupons.give("anna", "LAUNCH")


async def test_a_coupon_is_not_taken_off_usage_before_its_first_period(
    world: ClockedLife, client: RelanceClient
) -> None:
    await client.coupons.create(NewCoupon(code="LAUNCH", percent=Decimal(50)))
    anna = await signs_up(world, client, BASE, CALLS)
    await client.usage.report("anna", [used("april", "10000")])
    await world.until("2027-05-01", hour=10)
    # May has begun, and its invoice waits for usage: the coupon is for June.
    await client.coupons.give("anna", "LAUNCH", command_id="give")
    assert (await client.wait_for("give")).applied
    await world.until("2027-05-03")
    await client.usage.report("anna", [used("may", "10000")])
    await world.until("2027-06-03")
    # June with May's usage: (29.00 + 15.00) / 2
    assert await nets(anna) == [2900, 4400, 2200]


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        ({"percent": 20, "expires_on": "2027-03-31"}, "has expired"),
        ({"amount": "5.00", "currency": "USD"}, "takes off USD"),
    ],
)
async def test_a_coupon_that_does_not_fit_changes_nothing(
    world: ClockedLife, client: RelanceClient, offer: dict[str, str], words: str
) -> None:
    await client.coupons.create(NewCoupon.model_validate({"code": "SPRING", **offer}))
    with pytest.raises(InvalidInput, match=words) as refused:
        await world.signs_up("dora", coupons=("SPRING",))
    assert refused.value.field == "coupons"
    assert list(await client.list_subscriptions()) == []
    assert (await client.coupons.list())[0].redemptions == 0


@pytest.mark.parametrize(
    ("offer", "field"),
    [
        ({"percent": 130}, "percent"),
        ({"percent": 0}, "percent"),
        ({}, "percent"),
        ({"amount": "5.00"}, "currency"),
        ({"percent": 20, "currency": "EUR"}, "currency"),
        ({"amount": "0", "currency": "EUR"}, "amount"),
    ],
)
async def test_a_coupon_that_cannot_be_is_refused_with_its_field(
    client: RelanceClient, offer: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await client.coupons.create(NewCoupon.model_validate({"code": "SPRING", **offer}))
    assert refused.value.field == field
    assert list(await client.coupons.list()) == []
