"""Coupons given to subscriptions that run: the limit is kept whoever asks at once, and one command counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from sqlmodel import select
from support import factories
from support.databases import TEMPLATE, Postgres

from activities.books.config import BookRules
from activities.books.steps import apply_command
from activities.stripe_gateway import StripeGateway
from billing.commands import AddCoupon
from billing.discounts import Discount
from billing.subscription import Status
from models.boundary import CommandOrder, SubscriptionReport
from models.database import Database
from models.ids import new_id
from models.tables import Coupon, CouponRedemption, LegalEntity, SubscriptionRow

AT = datetime(2027, 1, 10, 9, 0, tzinfo=UTC)
LIMIT = 10
AT_ONCE = 15
"""Transactions under way: fewer than the pool has connections, so that nobody waits for one until it gives up."""


@pytest.fixture
async def postgresql(postgres: Postgres) -> AsyncIterator[Database]:
    with postgres.fresh(TEMPLATE) as url:
        database = Database(url)
        yield database
        await database.close()


async def offered(database: Database, **changes: object) -> LegalEntity:
    """A seller with the coupon LAUNCH: 20 % for three periods."""
    entity = factories.entity()
    given: dict[str, Any] = {
        "id": new_id("cpn"),
        "reference": "LAUNCH",
        "entity_id": entity.id,
        "discount": Discount(coupon_id="LAUNCH", name="Launch", percent=Decimal(20), periods=3),
        "created_at": factories.BORN,
    }
    async with database.write() as session:
        session.add(entity)
        await session.flush()
        session.add(Coupon(**given | changes))
    return entity


async def subscribed(
    database: Database, seller: LegalEntity, state: Mapping[str, Any] = MappingProxyType({})
) -> str:
    async with database.write() as session:
        entity = await session.get_one(LegalEntity, seller.id)
        return (await factories.someone(session, seller=entity, **state)).subscription.id


async def gives(
    database: Database, subscription_id: str, command_id: str, code: str = "LAUNCH"
) -> SubscriptionReport:
    gateway = StripeGateway(api_key="sk_test_none", api_base="http://127.0.0.1:9")
    order = CommandOrder(
        subscription_id=subscription_id, command=AddCoupon(command_id=command_id, code=code), as_of=AT
    )
    async with database.write() as session:
        return await apply_command(session, gateway, BookRules(), order)


async def counted(database: Database) -> tuple[int, list[str]]:
    """How often it was given as its row says, and to whom."""
    async with database.read() as session:
        coupon = (await session.exec(select(Coupon))).one()
        given = (await session.exec(select(CouponRedemption))).all()
    return coupon.redemptions, sorted(redemption.subscription_id for redemption in given)


async def test_it_is_given_once_for_one_command_and_once_at_all(database: Database) -> None:
    anna = await subscribed(database, await offered(database))
    first = await gives(database, anna, "cmd_1")
    assert not first.refused
    assert [(discount.coupon_id, discount.used) for discount in first.subscription.discounts] == [
        ("LAUNCH", 0)
    ]
    assert not (await gives(database, anna, "cmd_1")).refused
    again = await gives(database, anna, "cmd_2")
    assert again.refused == "The coupon LAUNCH was given to this subscription before. It is given once."
    assert again.subscription.discounts == first.subscription.discounts
    assert await counted(database) == (1, [anna])


@pytest.mark.parametrize(
    ("offer", "state", "words"),
    [
        ({"expires_on": date(2027, 1, 9)}, {}, "The coupon LAUNCH has expired."),
        ({"archived_at": factories.BORN}, {}, "The coupon LAUNCH has expired."),
        (
            {"max_redemptions": 3, "redemptions": 3},
            {},
            "The coupon LAUNCH was given 3 times, which is its limit.",
        ),
        (
            {"currency": "USD", "discount": Discount(coupon_id="LAUNCH", amount=Decimal("5.00"))},
            {},
            "The coupon LAUNCH takes off USD, this subscription bills in EUR.",
        ),
        (
            {},
            {"cancel_at_end": True},
            "A cancel is pending: no further period is billed. Take it back before adding a coupon.",
        ),
        (
            {},
            {"status": Status.CANCELED, "ended_at": factories.BORN, "end_reason": "canceled now"},
            "Subscription {id} ended on 2026-12-15 (canceled now). Start a new subscription instead.",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_counted(
    sqlite_database: Database, offer: dict[str, Any], state: dict[str, Any], words: str
) -> None:
    anna = await subscribed(sqlite_database, await offered(sqlite_database, **offer), state)
    answer = await gives(sqlite_database, anna, "cmd_1")
    assert answer.refused == words.format(id=anna)
    assert answer.subscription.discounts == ()
    assert await counted(sqlite_database) == (offer.get("redemptions", 0), [])


async def test_a_code_that_is_none_and_that_of_another_seller_are_refused(sqlite_database: Database) -> None:
    await offered(sqlite_database)
    other = factories.entity()
    async with sqlite_database.write() as session:
        session.add(other)
    anna = await subscribed(sqlite_database, other)
    assert (await gives(sqlite_database, anna, "cmd_1")).refused == "There is no coupon LAUNCH on offer."
    assert (
        await gives(sqlite_database, anna, "cmd_2", "NONE")
    ).refused == "There is no coupon NONE on offer."


async def test_a_hundred_who_ask_at_once_are_given_as_many_as_there_are(postgresql: Database) -> None:
    seller = await offered(postgresql, max_redemptions=LIMIT)
    async with postgresql.write() as session:
        entity = await session.get_one(LegalEntity, seller.id)
        everybody = [(await factories.someone(session, seller=entity)).subscription.id for _ in range(100)]
    connections = asyncio.Semaphore(AT_ONCE)

    async def asks(key: str) -> SubscriptionReport:
        async with connections:
            return await gives(postgresql, key, f"cmd_{key}")

    # Some ask twice under one id, as after a lost answer.
    answers = await asyncio.gather(*map(asks, everybody + everybody[:20]))
    refused = {answer.subscription.id for answer in answers if answer.refused}
    assert {answer.refused for answer in answers} == {
        "",
        "The coupon LAUNCH was given 10 times, which is its limit.",
    }
    lucky = sorted(set(everybody) - refused)
    assert len(lucky) == LIMIT
    assert await counted(postgresql) == (LIMIT, lucky)
    async with postgresql.read() as session:
        rows = (await session.exec(select(SubscriptionRow))).all()
    assert sorted(row.id for row in rows if row.state.discounts) == lucky
