"""Metered prices through the client, with workers up, on a test clock: counted once, billed in arrears."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from support.life import ClockedLife
from support.metered import BASE, CALLS, nets, signs_up, used

from activities.books.metering import UsageReport
from billing.commands import When
from billing.errors import InvalidInput
from billing.prices import Aggregation, Charging, Price, PricingModel
from starter.client import RelanceClient
from starter.orders import NewPlan, NewSubscription

PEAK = Price(
    id="peak",
    charging=Charging.METERED,
    model=PricingModel.PER_UNIT,
    meter="users",
    aggregation=Aggregation.MAX,
    unit_amount=Decimal("2.00"),
)


@pytest.fixture
def begins() -> str:
    return "2027-04-01"


async def test_usage_is_billed_with_the_next_period_once_late_reports_had_their_time(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await signs_up(world, client, BASE, CALLS)
    await world.until("2027-04-10")
    assert await client.usage.report(anna.subscription_id, [used("a", "9000"), used("b", "1500")]) == 2
    assert await client.usage.report(anna.subscription_id, [used("a", "9000"), used("c", "-1000")]) == 1
    await world.until("2027-05-01", hour=10)
    # Within the 24 hours, for April.
    april = datetime(2027, 4, 30, 12, tzinfo=UTC)
    assert await client.usage.report(anna.subscription_id, [used("d", "500", at=april)]) == 1
    await world.until("2027-05-03")
    # Too late for it: with the next invoice.
    assert await client.usage.report(anna.subscription_id, [used("e", "1000", at=april)]) == 1
    await world.until("2027-06-03")
    # 10,000 calls at 0.0015 are 15.00; 1,000 late ones are 1.50
    assert await nets(anna) == [2900, 4400, 3050]
    assert [
        line for line in await anna.diary() if "invoice" in line and "issued" in line and "mail" not in line
    ] == [
        "2027-04-01 invoice 34.80 issued",
        "2027-05-02 invoice 52.80 issued",
        "2027-06-02 invoice 36.60 issued",
    ]
    assert [line for line in await anna.diary() if "charge" in line] == [
        "2027-04-01 charge paid 34.80",
        "2027-05-02 charge paid 52.80",
        "2027-06-02 charge paid 36.60",
    ]


async def test_the_maximum_counts_where_the_price_says_so(world: ClockedLife, client: RelanceClient) -> None:
    anna = await signs_up(world, client, PEAK)
    await world.until("2027-04-10")
    events = [used("a", "3", meter="users"), used("b", "7", meter="users"), used("c", "5", meter="users")]
    assert await client.usage.report(anna.subscription_id, events) == 3
    with pytest.raises(InvalidInput) as refused:
        await client.usage.report(anna.subscription_id, [used("d", "-1", meter="users")])
    assert refused.value.field == "quantity"
    await world.until("2027-05-03")
    assert (await nets(anna))[-1] == 1400


async def test_a_cancel_bills_the_rest_on_a_final_invoice(world: ClockedLife, client: RelanceClient) -> None:
    anna = await signs_up(world, client, BASE, CALLS)
    await world.until("2027-04-10")
    await client.usage.report(anna.subscription_id, [used("a", "2000")])
    await client.cancel(anna.subscription_id, when=When.NOW, command_id="bye")
    assert (await client.wait_for("bye")).applied
    await world.until("2027-04-12")
    invoices = {invoice.reason: invoice for invoice in await anna.invoices()}
    # 2,000 calls are 3.00, VAT 0.60; the unused days of the base price went to the balance, which pays it.
    assert (invoices["usage"].net_minor, invoices["usage"].total_minor) == (300, 360)
    assert invoices["usage"].status.value == "paid"
    with pytest.raises(InvalidInput, match="has ended"):
        await client.usage.report(anna.subscription_id, [used("late", "1")])


async def test_a_change_of_plan_closes_the_meter_at_its_date(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await signs_up(world, client, BASE, CALLS)
    dearer = CALLS.model_copy(update={"unit_amount": Decimal("0.0020")})
    await client.create_plan(
        NewPlan(reference="dearer", name="Dearer", currency="EUR", every="1month", prices=(BASE, dearer))
    )
    await world.until("2027-04-10")
    await client.usage.report(anna.subscription_id, [used("a", "10000")])
    await world.until("2027-04-16")
    await client.change_plan(anna.subscription_id, "dearer", when=When.NOW, command_id="up")
    assert (await client.wait_for("up")).applied
    await world.until("2027-04-20")
    await client.usage.report(anna.subscription_id, [used("b", "10000")])
    await world.until("2027-05-03")
    # 15.00 at the old price, 20.00 at the new one
    assert (await nets(anna))[-1] == 2900 + 1500 + 2000


async def test_a_correction_that_no_invoice_can_carry_is_credited_where_it_was_billed(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await signs_up(world, client, BASE, CALLS)
    await world.until("2027-04-10")
    await client.usage.report("anna", [used("a", "10000")])
    await world.until("2027-05-03")
    april = datetime(2027, 4, 20, tzinfo=UTC)
    await client.usage.report("anna", [used("b", "-4000", at=april), used("c", "1000")])
    await client.cancel("anna", when=When.NOW, command_id="bye")
    assert (await client.wait_for("bye")).applied
    await world.until("2027-05-05")
    # 4,000 calls of April are 6.00, VAT 1.20; the 1,000 of May are 1.50 on the last invoice.
    assert sorted(await nets(anna)) == [150, 2900, 4400]
    unused, corrected = await anna.credit_notes()
    # 28 of 31 days of 29.00 are 26.19
    assert (unused.net_minor, corrected.net_minor, corrected.vat_minor) == (2619, 600, 120)
    assert corrected.reason == "usage was corrected"
    assert [letter.kind for letter in await anna.letters()].count("credit_note_issued") == 1


async def test_a_correction_beyond_a_plan_without_a_fee_gives_back_no_more_than_was_billed(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await signs_up(world, client, CALLS)
    await world.until("2027-04-10")
    await client.usage.report("anna", [used("a", "10000")])
    await world.until("2027-05-03")
    april = datetime(2027, 4, 20, tzinfo=UTC)
    await client.usage.report("anna", [used("b", "-25000", at=april)])
    await world.until("2027-06-03")
    (note,) = await anna.credit_notes()
    assert (note.net_minor, note.vat_minor, note.balance_minor) == (1500, 300, 1800)
    assert await nets(anna) == [0, 1500, 0]
    # April had nothing in advance, May nothing to pay: neither took a number or told anybody.
    numbers = [invoice.number for invoice in await anna.invoices()]
    assert [number and number[-8:] for number in numbers] == [None, "F-000001", None]
    assert [letter.kind for letter in await anna.letters()].count("invoice_issued") == 1


@pytest.mark.parametrize(("hours", "issued_at"), [(0, "2027-04-30 22:00"), (2, "2027-05-01 00:00")])
async def test_the_wait_is_the_setting_at_the_start_and_stays_so(
    world: ClockedLife, client: RelanceClient, hours: int, issued_at: str
) -> None:
    anna = await signs_up(world, client, BASE, CALLS)
    hurried = world.settings.model_copy(update={"usage_wait_hours": hours})
    other = RelanceClient(world.database, world.client, hurried, world.gateway)
    await other.start_subscription(NewSubscription(reference="second", customer="anna", plan="metered"))
    await other.close()
    await world.until("2027-05-01", hour=9)
    of_may = {
        invoice.subscription_id: invoice
        for invoice in await client.list_invoices()
        if invoice.period_start == date(2027, 5, 1)
    }
    assert of_may.pop(anna.subscription_id).issued_at is None
    (second,) = of_may.values()
    assert second.issued_at is not None
    # Midnight in Paris is 22:00 UTC.
    assert f"{second.issued_at:%Y-%m-%d %H:%M}" == issued_at


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (used("x", "0"), "quantity"),
        (used("x", "1e15"), "quantity"),
        (used("x", "1e-13"), "quantity"),
        (used("x", "1", meter="minutes"), "meter"),
        (used("x", "1", at=datetime(2027, 3, 31, tzinfo=UTC)), "meter"),
        (used("x", "1", at=datetime(2027, 5, 31, tzinfo=UTC)), "at"),
        (used("a", "2"), "event_id"),
    ],
)
async def test_what_cannot_be_counted_is_refused_and_nothing_of_the_report_counts(
    world: ClockedLife, client: RelanceClient, event: UsageReport, field: str
) -> None:
    anna = await signs_up(world, client, BASE, CALLS)
    await client.usage.report(anna.subscription_id, [used("a", "1")])
    with pytest.raises(InvalidInput) as refused:
        await client.usage.report(anna.subscription_id, [used("good", "5"), event])
    assert refused.value.field == field
    (counted,) = await client.usage.show(anna.subscription_id)
    assert (counted.quantity, counted.billed, counted.end_on) == (Decimal(1), None, None)
