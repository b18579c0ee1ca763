"""`relance plan migrate` through the client: looked at, announced once, applied after the notice, and mailed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.life import ClockedLife, Person

from billing.plan_migration import NoticeDays
from billing.subscription import CustomerKind
from starter.client import RelanceClient
from starter.plan_migrations import Affected


@pytest.fixture
def begins() -> str:
    return "2041-01-01"


async def three_people(world: ClockedLife) -> tuple[Person, Person, Person]:
    """A consumer, a business, and one who agreed on a price of her own."""
    await world.offers("pro-2042", name="Pro", amount=Decimal("59.00"))
    return (
        await world.signs_up("anna"),
        await world.signs_up("otto", kind=CustomerKind.BUSINESS),
        await world.signs_up("zoe", amount=Decimal("30.00")),
    )


def by_name(found: list[Affected]) -> dict[str | None, tuple[int | None, int | None, str, str | None]]:
    return {one.reference: (one.old_minor, one.new_minor, str(one.from_on), one.left_out) for one in found}


async def test_a_look_changes_nothing(world: ClockedLife, client: RelanceClient) -> None:
    anna, _, _ = await three_people(world)
    await world.until("2041-01-10")
    # 49.00 and 59.00 with 20 % VAT. Sixty days from 10 January is 11 March, thirty is 9 February.
    assert by_name(await client.plan_migrations.preview("pro", "pro-2042")) == {
        "anna": (5880, 7080, "2041-04-01", None),
        "otto": (5880, 7080, "2041-03-01", None),
        "zoe": (None, None, "None", "its price was agreed with this customer"),
    }
    assert (await anna.state()).subscription.announced is None
    longer = await client.plan_migrations.preview(
        "pro", "pro-2042", notice=NoticeDays(business=90, consumer=120)
    )
    dates = {one.reference: str(one.from_on) for one in longer if one.left_out is None}
    assert dates == {"anna": "2041-06-01", "otto": "2041-05-01"}


async def test_announced_once_and_billed_after_the_notice(world: ClockedLife, client: RelanceClient) -> None:
    anna, otto, zoe = await three_people(world)
    await world.until("2041-01-10")
    first = await client.plan_migrations.announce("pro", "pro-2042", by="ops")
    assert sum(one.left_out is None for one in first) == 2
    await world.settle()
    again = await client.plan_migrations.announce("pro", "pro-2042", by="ops")
    assert {one.left_out for one in again} == {
        "another price is announced already, from 2041-04-01",
        "another price is announced already, from 2041-03-01",
        "its price was agreed with this customer",
    }
    await world.until("2041-04-02")
    totals = [[i.total_minor for i in await who.invoices()] for who in (anna, otto, zoe)]
    assert totals == [
        [5880, 5880, 5880, 7080],
        [5880, 5880, 7080, 7080],
        [3600, 3600, 3600, 3600],
    ]
    (letter,) = [mail for mail in await anna.letters() if mail.kind == "price_change"]
    for words in ("1 avril 2041", "31 mars 2041", "58,80", "70,80", "49,00", "59,00", "Résiliez"):
        assert words in letter.text.replace("1er", "1"), words
    assert [line for line in await anna.diary() if "price" in line] == [
        "2041-01-10 price of Pro announced from 2041-04-01",
        "2041-01-10 mail price_change",
    ]
