"""The log of deliveries grows by a row for each try: what is old is let go of, and never what is still owed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables import DeliveryOutcome, EventDelivery, EventLane, OutgoingEvent

AT_ONCE: Final = 500
"""Rows in one transaction."""


async def forget_tries(session: AsyncSession, *, before: datetime, limit: int = AT_ONCE) -> int:
    """Let go of old tries of events that were taken since.

    What was given up stays, since it was never taken; so do the failures of an event that is still to be sent, also
    where it is sent once more.

    Args:
        session: a transaction of its own.
        before: tries from this instant on stay.
        limit: rows at most.

    Returns:
        How many there were.
    """
    old = (
        select(EventDelivery.id)
        .join(OutgoingEvent, col(EventDelivery.event_id) == col(OutgoingEvent.id))
        .join(
            EventLane,
            (col(EventLane.endpoint_id) == col(EventDelivery.endpoint_id))
            & (col(EventLane.subscription_id) == col(OutgoingEvent.subscription_id)),
        )
        .where(
            col(EventDelivery.at) < before,
            EventDelivery.outcome != DeliveryOutcome.GIVEN_UP,
            col(OutgoingEvent.sequence) <= col(EventLane.delivered_through),
        )
        .order_by(col(EventDelivery.at))
        .limit(limit)
    )
    keys = (await session.exec(old)).all()
    if keys:
        await session.exec(delete(EventDelivery).where(col(EventDelivery.id).in_(keys)))
    return len(keys)
