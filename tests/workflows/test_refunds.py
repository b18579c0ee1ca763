"""Money that goes back: written in the books first, sent to the fake Stripe once, and settled from its answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlmodel import select
from support.diaries import joined
from support.life import Begins, Life, Person

from activities.books.config import BookRules
from activities.refunds import Refunds
from activities.stripe_gateway import StripeGateway
from billing.commands import Cancel, CreditTo, When
from billing.refund import RefundState
from models.database import Database
from models.tables import Refund

CANCEL = Cancel(command_id="cancel-anna", when=When.NOW, credit_to=CreditTo.REFUND)


async def sends_refunds(world: Life, *, api_base: str | None = None, later: timedelta = timedelta()) -> int:
    """One pass over the queue, with Stripe's address and with real time moved on."""
    settings = world.settings
    gateway = StripeGateway(
        api_key=settings.reveal("stripe_api_key", to="charge"),
        api_base=api_base or settings.stripe_api_base,
    )
    refunds = Refunds(world.database, gateway, BookRules.of(settings), now=lambda: datetime.now(UTC) + later)
    try:
        return await refunds.send_waiting()
    finally:
        await gateway.close()


async def refunds_of(database: Database) -> list[Refund]:
    async with database.read() as session:
        return list((await session.exec(select(Refund))).all())


async def at_stripe(world: Life) -> list[int]:
    """What Stripe sent back, in cents."""
    async with httpx.AsyncClient(
        base_url=world.settings.stripe_api_base,
        headers={"Authorization": f"Bearer {world.settings.reveal('stripe_api_key', to='look')}"},
    ) as http:
        found = (await http.get("/v1/refunds")).json()
    return [refund["amount"] for refund in found["data"]]


@pytest.mark.parametrize("life", ["skipping"], indirect=True)
async def test_a_cancel_with_refund_sends_the_unused_days_back_once(life: Begins) -> None:
    async with life("2041-06-01") as world:
        anna: Person = await world.signs_up("anna", plan="team", quantity=5)
        await world.until("2041-06-10")
        await anna.tells(CANCEL)
        (queued,) = await refunds_of(world.database)
        assert (queued.state, queued.amount_minor) == (RefundState.QUEUED, 4800)
        # Stripe is away: it stays in the queue, and its pause is kept.
        assert await sends_refunds(world, api_base="http://127.0.0.1:9") == 0
        (waits,) = await refunds_of(world.database)
        assert (waits.state, waits.tries) == (RefundState.QUEUED, 1)
        assert waits.last_error
        assert await sends_refunds(world) == 0
        assert await at_stripe(world) == []
        # Back again: sent once, however often the queue is looked at.
        assert await sends_refunds(world, later=timedelta(minutes=1)) == 1
        assert await sends_refunds(world, later=timedelta(minutes=10)) == 0
        assert await at_stripe(world) == [4800]
        (sent,) = await refunds_of(world.database)
        assert sent.state is RefundState.SUCCEEDED
        assert await anna.diary() == [
            *joined("2041-06-01", "72.00"),
            # 20 of 30 days: 60.00 x 20 / 30 = 40.00, VAT 8.00
            "2041-06-10 credit note 48.00 issued",
            "2041-06-10 refund 48.00 succeeded",
            "2041-06-10 status canceled: canceled now",
            "2041-06-10 access ends",
            "2041-06-10 mail subscription_canceled",
        ]


@pytest.mark.parametrize("life", ["skipping"], indirect=True)
async def test_a_refund_whose_key_is_old_is_looked_for_and_not_sent_again(life: Begins) -> None:
    async with life("2041-06-01") as world:
        anna = await world.signs_up("anna", plan="team", quantity=5)
        await world.until("2041-06-10")
        await anna.tells(CANCEL)
        assert await sends_refunds(world, api_base="http://127.0.0.1:9") == 0
        assert await sends_refunds(world, later=timedelta(hours=24)) == 0
        (waits,) = await refunds_of(world.database)
        assert waits.state is RefundState.QUEUED
        assert "Look there" in waits.last_error
        assert await at_stripe(world) == []
