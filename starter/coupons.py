"""Coupons: discounts on offer, with an end and a limit; a subscription keeps a snapshot of what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import lock
from billing.discounts import Discount
from billing.errors import InvalidInput
from models.ids import derived_id
from models.tables import Coupon, CouponRedemption
from starter.connections import Connections
from starter.finding import find, in_one_transaction, the_entity, with_reference
from starter.orders import NewCoupon
from starter.problems import AlreadyExists

CONTENT: Final = ("discount", "currency", "expires_on", "max_redemptions")
"""What makes two coupons of one code the same."""


class Coupons:
    """What is taken off, for whom it still is, and how often it was."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def create(self, order: NewCoupon) -> Coupon:
        """Put a coupon on offer. The same code with the same content twice is one.

        Raises:
            InvalidInput: a value is out of range, or the code is taken by another coupon.
        """
        return await in_one_transaction(self._to.database, lambda session: self._create(session, order))

    async def _create(self, session: AsyncSession, order: NewCoupon) -> Coupon:
        entity = await the_entity(session, order.entity)
        row = Coupon(
            id=derived_id("cpn", entity.id, order.code),
            reference=order.code,
            entity_id=entity.id,
            discount=order.discount(),
            currency=order.currency,
            expires_on=order.expires_on,
            max_redemptions=order.max_redemptions,
            created_at=await self._to.now(session, None),
        )
        for existing in await with_reference(session, Coupon, order.code, entity_id=entity.id):
            if any(getattr(existing, name) != getattr(row, name) for name in CONTENT):
                raise AlreadyExists(f"There is another coupon {order.code}. Take another code.", field="code")
            return existing
        session.add(row)
        await session.flush()
        return row

    async def list(self) -> Sequence[Coupon]:
        """Every coupon, newest first."""
        async with self._to.database.read() as session:
            query = select(Coupon).order_by(col(Coupon.created_at).desc(), col(Coupon.id))
            return (await session.exec(query)).all()

    async def archive(self, code: str) -> Coupon:
        """Take a coupon off the offer. Subscriptions that have it keep it.

        Raises:
            NotFound: there is no such coupon.
        """
        async with self._to.database.write() as session:
            coupon = await find(session, Coupon, code, field="coupon")
            coupon.archived_at = coupon.archived_at or await self._to.now(session, None)
            return coupon


async def redeem(
    session: AsyncSession,
    codes: Sequence[str],
    *,
    entity_id: str,
    subscription_id: str,
    currency: str,
    today: date,
    now: datetime,
) -> tuple[Discount, ...]:
    """Give coupons to a new subscription, in the transaction that writes it: the limit is kept under the coupon's lock.

    Args:
        session: with nothing of the subscription locked.
        codes: as the customer typed them, each once.
        entity_id: the seller.
        subscription_id: who gets them.
        currency: that it bills in.
        today: the customer's date.
        now: the business instant.

    Raises:
        NotFound: there is no such coupon.
        InvalidInput: it has expired, is used up or in another currency; field `coupons`.
    """
    discounts = []
    for code in sorted(codes):  # always locked in one order
        found = await find(session, Coupon, code, field="coupons", entity_id=entity_id)
        coupon = await lock(session, Coupon, found.id, field="coupons")
        _check(coupon, currency, today)
        coupon.redemptions += 1
        session.add(CouponRedemption(coupon_id=coupon.id, subscription_id=subscription_id, at=now))
        discounts.append(coupon.discount)
    return tuple(discounts)


def _check(coupon: Coupon, currency: str, today: date) -> None:
    code = coupon.reference
    if coupon.archived_at is not None or (coupon.expires_on is not None and today > coupon.expires_on):
        raise InvalidInput(f"The coupon {code} has expired.", field="coupons")
    if coupon.max_redemptions is not None and coupon.redemptions >= coupon.max_redemptions:
        raise InvalidInput(
            f"The coupon {code} was given {coupon.redemptions} times, which is its limit.", field="coupons"
        )
    if coupon.currency is not None and coupon.currency != currency:
        raise InvalidInput(
            f"The coupon {code} takes off {coupon.currency}, this subscription bills in {currency}.",
            field="coupons",
        )
