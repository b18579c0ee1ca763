"""Coupons: discounts on offer, with an end and a limit; a subscription keeps a snapshot of what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.commands import AddCoupon
from billing.errors import InvalidInput
from models.boundary import Accepted
from models.ids import derived_id, new_id
from models.tables import Coupon, TestClock
from starter.connections import Connections
from starter.finding import find, in_one_transaction, the_entity, with_reference
from starter.orders import NewCoupon
from starter.problems import AlreadyExists
from starter.subscriptions import Subscriptions

CONTENT: Final = ("discount", "currency", "expires_on", "max_redemptions")
"""What makes two coupons of one code the same."""
LAST_ZONE: Final = timedelta(hours=12)
"""How far the last zone on earth to begin a day is behind UTC."""


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
        await _check_expiry(session, row)
        session.add(row)
        await session.flush()
        return row

    async def find(self, code: str) -> Coupon:
        """A coupon by id or code.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            return await find(session, Coupon, code, field="coupon")

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

    async def give(
        self, subscription: str, code: str, *, command_id: str | None = None, by: str = "api"
    ) -> Accepted:
        """Give a coupon to a subscription that runs, from its next billed period on; once for each of the two.

        What is given stays counted, also where the discount is removed later.

        Args:
            subscription: id or reference.
            code: as the customer typed it.
            command_id: as for every command: the same twice is done once.
            by: who asked.

        Raises:
            NotFound: there is no such subscription.
            InvalidInput: there is no such coupon, it has expired, is used up or in another currency; field `code`.
            Refused: the subscription has ended or was given it before.
            Others as `Subscriptions.tell`.
        """
        command = AddCoupon(command_id=command_id or new_id("cmd"), by=by, code=code)
        return await Subscriptions(self._to).tell(subscription, command)


async def _check_expiry(session: AsyncSession, coupon: Coupon) -> None:
    """Refuse a new coupon that nobody can be given any more, wherever they live and on whichever test clock.

    Raises:
        InvalidInput: its last day is past; field `expires_on`.
    """
    if coupon.expires_on is None:
        return
    slowest = (await session.exec(select(func.min(TestClock.now)))).first()
    now = coupon.created_at if slowest is None else min(slowest, coupon.created_at)
    if coupon.expires_on < (now - LAST_ZONE).date():
        raise InvalidInput(
            f"{coupon.expires_on} is past: nobody could be given the coupon. Give a later day.",
            field="expires_on",
        )
