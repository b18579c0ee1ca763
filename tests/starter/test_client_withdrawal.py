"""A consumer goes back on the contract: both cases of R4, moved to 2043, through the client and really sent."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest
from sqlmodel import select
from support.life import ClockedLife, Person

from activities.books.config import BookRules
from activities.refunds import Refunds
from billing.commands import Withdraw
from billing.subscription import Status
from models.tables import Refund
from starter.client import RelanceClient
from starter.problems import CommandRefused


@pytest.fixture
def begins() -> str:
    """R4 begins on 10 March 2027; this year too holds 366 days."""
    return "2043-03-10"


async def signs_up_for_a_year(world: ClockedLife, *, on_request: bool) -> Person:
    await world.offers("annual", every="1year", amount=Decimal("99.90"))
    anna = await world.signs_up(plan="annual", early_start_requested=on_request)
    await world.until("2043-03-19")
    return anna


async def sent_back(world: ClockedLife) -> list[int]:
    """What reached Stripe once the queue was worked off, in cents."""
    await Refunds(world.database, world.gateway, BookRules.of(world.settings)).send_waiting()
    async with world.database.read() as session:
        waiting = [row.id for row in (await session.exec(select(Refund))).all() if row.state == "queued"]
    assert waiting == []
    key = world.settings.reveal("stripe_api_key", to="look")
    async with httpx.AsyncClient(base_url=world.settings.stripe_api_base) as http:
        answer = await http.get("/v1/refunds", headers={"Authorization": f"Bearer {key}"})
    return [refund["amount"] for refund in answer.json()["data"]]


async def test_r4_with_an_express_request_ten_days_are_kept(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await signs_up_for_a_year(world, on_request=True)
    looked_at = await client.preview(anna.subscription_id, Withdraw(command_id="look"))
    assert (looked_at.credited_minor, looked_at.credit_to, looked_at.next_invoice) == (11660, "refund", None)
    await client.withdraw(anna.subscription_id, command_id="withdraw", by="customer")
    assert (await client.wait_for("withdraw")).applied
    assert await sent_back(world) == [11660]
    assert (await anna.diary())[6:] == [
        "2043-03-19 credit note 116.60 issued",
        "2043-03-19 refund 116.60 succeeded",
        "2043-03-19 status canceled: withdrawn",
        "2043-03-19 access ends",
        "2043-03-19 mail withdrawal_confirmed",
    ]
    (letter,) = [mail for mail in await anna.letters() if mail.kind == "withdrawal_confirmed"]
    assert "116,60" in letter.text
    assert "3,28" in letter.text
    assert "2 avril 2043" in letter.text


async def test_r4_without_one_all_goes_back(world: ClockedLife, client: RelanceClient) -> None:
    anna = await signs_up_for_a_year(world, on_request=False)
    await client.withdraw(anna.subscription_id, command_id="withdraw", by="customer")
    # Asked again after a lost answer, it is one withdrawal.
    assert (await client.wait_for("withdraw")).applied
    again = await client.withdraw(anna.subscription_id, command_id="withdraw", by="customer")
    assert again.subscription.status is Status.CANCELED
    assert await sent_back(world) == [11988]
    (note,) = await anna.credit_notes()
    assert (note.net_minor, note.vat_minor, note.total_minor, note.refund_minor) == (9990, 1998, 11988, 11988)
    (letter,) = [mail for mail in await anna.letters() if mail.kind == "withdrawal_confirmed"]
    assert "119,88" in letter.text
    assert "Retenu" not in letter.text


async def test_a_set_up_fee_stays_when_the_start_was_asked_for(
    world: ClockedLife, client: RelanceClient
) -> None:
    """It has a price of its own and was done at the start; without the request it goes back like the rest."""
    prices = (
        {"id": "base", "unit_amount": "99.90"},
        {"id": "setup", "unit_amount": "50.00", "charging": "once"},
    )
    await world.offers("installed", every="1year", amount=None, prices=prices)
    anna = await world.signs_up(plan="installed", early_start_requested=True)
    otto = await world.signs_up("otto", plan="installed")
    await world.until("2043-03-19")
    for person in (anna, otto):
        await client.withdraw(person.subscription_id, command_id=f"withdraw-{person.reference}")
        assert (await client.wait_for(f"withdraw-{person.reference}")).applied
    assert sorted(await sent_back(world)) == [11660, 17988]


async def test_after_the_last_day_it_is_refused_and_nothing_changes(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await signs_up_for_a_year(world, on_request=False)
    await world.until("2043-03-25")
    with pytest.raises(CommandRefused, match="The time for withdrawal ended on 2043-03-24"):
        await client.withdraw(anna.subscription_id)
    assert (await anna.state()).subscription.status is Status.ACTIVE
