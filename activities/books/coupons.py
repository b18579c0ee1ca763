"""Giving coupons: at the start of a subscription, or to one that runs. The limit is kept under the coupon's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlmodel import or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import lock
from activities.books.work import Work
from billing.calendar import local_date
from billing.commands import AddCoupon
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.refusal import Refused
from models.tables import Coupon, CouponRedemption, SubscriptionRow

AT_THE_START = "coupons"
LATER = "code"
"""What a caller names the coupon by."""


async def offered_at_start(
    session: AsyncSession, codes: Sequence[str], *, entity_id: str, currency: str, today: date
) -> tuple[Discount, ...]:
    """What `redeem_at_start` would give; looked at only. Raises as it does."""
    discounts = []
    for code in sorted(codes):
        coupon = await _find(session, code, entity_id=entity_id, field=AT_THE_START)
        _check(coupon, currency, today, field=AT_THE_START)
        discounts.append(coupon.discount)
    return tuple(discounts)


async def redeem_at_start(
    session: AsyncSession,
    codes: Sequence[str],
    *,
    entity_id: str,
    subscription_id: str,
    currency: str,
    today: date,
    now: datetime,
) -> tuple[Discount, ...]:
    """Give coupons to a new subscription, in the transaction that writes it.

    Args:
        session: with nothing of the subscription locked.
        codes: as the customer typed them, each once.
        entity_id: the seller.
        subscription_id: who gets them.
        currency: that it bills in.
        today: the customer's date.
        now: the business instant.

    Raises:
        InvalidInput: there is no such coupon, it has expired, is used up or in another currency; field `coupons`.
    """
    discounts = []
    for code in sorted(codes):  # always locked in one order
        found = await _find(session, code, entity_id=entity_id, field=AT_THE_START)
        coupon = await lock(session, Coupon, found.id, field=AT_THE_START)
        _check(coupon, currency, today, field=AT_THE_START)
        _count(session, coupon, subscription_id, now)
        discounts.append(coupon.discount)
    return tuple(discounts)


async def with_coupon(
    session: AsyncSession, row: SubscriptionRow, command: AddCoupon, at: datetime
) -> AddCoupon:
    """The command with the coupon's discount looked up, if the subscription can be given it. Nothing is locked.

    Raises:
        InvalidInput: there is no such coupon, it has expired, is used up or in another currency; field `code`.
        Refused: the subscription was given it before; field `code`.
    """
    coupon = await _find(session, command.code, entity_id=row.entity_id, field=LATER)
    _check(coupon, row.state.terms.currency, local_date(at, row.state.timezone), field=LATER)
    if await session.get(CouponRedemption, (coupon.id, row.id)) is not None:
        raise Refused(
            f"The coupon {coupon.reference} was given to this subscription before. It is given once.",
            field=LATER,
        )
    return command.model_copy(update={"discount": coupon.discount})


async def redeem_later(work: Work, command: AddCoupon) -> None:
    """Give a coupon to a subscription that runs: the last look at it, under its lock.

    Raises:
        InvalidInput: somebody else was given the last one, or it was archived meanwhile; field `code`.
    """
    session, row = work.session, work.row
    found = await _find(session, command.code, entity_id=row.entity_id, field=LATER)
    coupon = await lock(session, Coupon, found.id, field=LATER)
    _check(coupon, row.state.terms.currency, local_date(work.at, row.state.timezone), field=LATER)
    _count(session, coupon, row.id, work.at)


async def _find(session: AsyncSession, code: str, *, entity_id: str, field: str) -> Coupon:
    query = select(Coupon).where(
        Coupon.entity_id == entity_id, or_(Coupon.id == code, Coupon.reference == code)
    )
    coupon = (await session.exec(query)).first()
    if coupon is None:
        raise InvalidInput(f"There is no coupon {code} on offer.", field=field)
    return coupon


def _count(session: AsyncSession, coupon: Coupon, subscription_id: str, at: datetime) -> None:
    coupon.redemptions += 1
    session.add(CouponRedemption(coupon_id=coupon.id, subscription_id=subscription_id, at=at))


def _check(coupon: Coupon, currency: str, today: date, *, field: str) -> None:
    code = coupon.reference
    if coupon.archived_at is not None or (coupon.expires_on is not None and today > coupon.expires_on):
        raise InvalidInput(f"The coupon {code} has expired.", field=field)
    if coupon.max_redemptions is not None and coupon.redemptions >= coupon.max_redemptions:
        raise InvalidInput(
            f"The coupon {code} was given {coupon.redemptions} times, which is its limit.", field=field
        )
    if coupon.currency is not None and coupon.currency != currency:
        raise InvalidInput(
            f"The coupon {code} takes off {coupon.currency}, this subscription bills in {currency}.",
            field=field,
        )
