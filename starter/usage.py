"""Usage: what a backend reports, and what is counted so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.metering import UsageReport, record_usage
from billing.errors import InvalidInput
from billing.values import Value
from models.tables import MeterStretch, SubscriptionRow
from starter.connections import Connections
from starter.finding import find, in_one_transaction

MOST_AT_ONCE = 1000


class Counted(Value):
    """What one meter counts, or counted, at one price."""

    meter: str
    plan_name: str
    quantity: Decimal
    start_on: date
    """Where the customer lives."""
    end_on: date | None
    """Exclusive; None while it counts."""
    billed: Decimal | None
    """How much of it is on an invoice; None before its first."""


class UsageDoor:
    """Rows only: what was reported is billed by the subscription when its time has come."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def report(self, subscription: str, reports: Sequence[UsageReport]) -> int:
        """Report events; all of them or none. An event whose id was reported before has no effect.

        Returns:
            How many were new.

        Raises:
            NotFound: there is no such subscription.
            InvalidInput: it has ended, or an event cannot be counted; `field` says why.
        """
        if len(reports) > MOST_AT_ONCE:
            raise InvalidInput(f"Report at most {MOST_AT_ONCE} events at once.", field="events")

        async def work(session: AsyncSession) -> int:
            row = await find(session, SubscriptionRow, subscription, field="subscription")
            if row.state.is_done:
                raise InvalidInput(
                    "This subscription has ended and its last usage is billed.", field="subscription"
                )
            return await record_usage(session, row, reports, await self._to.now(session, row.clock_id))

        return await in_one_transaction(self._to.database, work)

    async def show(self, subscription: str) -> list[Counted]:
        """What was counted, newest first.

        Raises:
            NotFound: there is no such subscription.
        """
        async with self._to.database.read() as session:
            row = await find(session, SubscriptionRow, subscription, field="subscription")
            query = (
                select(MeterStretch)
                .where(MeterStretch.subscription_id == row.id)
                .order_by(col(MeterStretch.start_at).desc(), col(MeterStretch.meter))
            )
            return [
                Counted(
                    meter=stretch.meter,
                    plan_name=stretch.plan_name,
                    quantity=Decimal(stretch.quantity),
                    start_on=stretch.start_on,
                    end_on=stretch.end_on,
                    billed=None if stretch.billed is None else Decimal(stretch.billed),
                )
                for stretch in (await session.exec(query)).all()
            ]
