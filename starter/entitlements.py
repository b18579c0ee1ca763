"""What a customer may use: asked by a backend before it lets somebody do something. Rows only, no worker is needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from billing.calendar import starts_at
from billing.entitlements import Counted, FeatureUse, uses
from billing.subscription import Subscription
from billing.values import Value
from models.tables import Customer, MeterStretch, SubscriptionRow
from starter.connections import Connections
from starter.finding import find


class Entitlement(Value):
    """What one subscription gives its customer now."""

    subscription_id: str
    reference: str | None
    plan_id: str
    plan_name: str
    quantity: int
    """Seats."""
    status: str
    entitled: bool
    """Whether the service may be used at all; without it the features say what was agreed."""
    access_until: datetime | None
    """Until when this may be relied on without asking again; None where the customer is not entitled (rules 19)."""
    reason: str
    """Why the customer may, or may not, use the service."""
    period_start: date | None
    period_end: date | None
    """Of the period in which usage counts, exclusive; None before the first."""
    features: tuple[FeatureUse, ...]


class Entitlements:
    """Answers from the books, also while no worker runs."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def of(self, customer: str) -> list[Entitlement]:
        """What a customer may use, for each subscription, also those that have ended; oldest first.

        Args:
            customer: id or reference.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            owner = await find(session, Customer, customer, field="customer")
            query = (
                select(SubscriptionRow)
                .where(SubscriptionRow.customer_id == owner.id)
                .order_by(
                    col(SubscriptionRow.created_at), col(SubscriptionRow.reference), col(SubscriptionRow.id)
                )
            )
            rows = (await session.exec(query)).all()
            now = await self._to.now(session, owner.clock_id)
            return [
                _entitlement(row, await features_of(session, row.state), self._to.rules, now) for row in rows
            ]


def _entitlement(
    row: SubscriptionRow, features: tuple[FeatureUse, ...], rules: BookRules, now: datetime
) -> Entitlement:
    sub = row.state
    return Entitlement(
        subscription_id=row.id,
        reference=row.reference,
        plan_id=sub.terms.plan_id,
        plan_name=sub.terms.plan_name,
        quantity=sub.terms.quantity,
        status=sub.status.value,
        entitled=sub.entitled_at(now),
        access_until=sub.access_until(now, window=rules.access.window, grace=rules.access.grace),
        reason=sub.entitlement_reason,
        period_start=sub.period.start if sub.period else None,
        period_end=sub.period.end if sub.period else None,
        features=features,
    )


async def features_of(session: AsyncSession, sub: Subscription) -> tuple[FeatureUse, ...]:
    """The features of a subscription, with what was used in its current period."""
    counted: dict[str, list[Counted]] = defaultdict(list)
    for stretch in await _stretches(session, sub):
        counted[stretch.meter].append(Counted(stretch.price.aggregation, Decimal(stretch.quantity)))
    return uses(sub.terms.features, counted)


async def _stretches(session: AsyncSession, sub: Subscription) -> Sequence[MeterStretch]:
    if sub.period is None or not sub.terms.features:
        return ()
    query = (
        select(MeterStretch)
        .where(
            MeterStretch.subscription_id == sub.id,
            col(MeterStretch.start_at) >= starts_at(sub.period.start, sub.timezone),
        )
        .order_by(col(MeterStretch.start_at), col(MeterStretch.id))
    )
    return (await session.exec(query)).all()
