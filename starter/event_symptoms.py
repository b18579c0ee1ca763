"""What backends do not hear: events that nobody publishes, endpoints that take nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables import DisabledBecause, OutgoingEvent, WebhookEndpoint
from starter.symptoms import Finding, Trouble

FAILS_FOR: Final = timedelta(hours=1)


async def silent_endpoints(session: AsyncSession, now: datetime) -> list[Finding]:
    """Endpoints that have failed for a while, or were disabled for it; what a person disabled is meant so.

    Args:
        session: for looking.
        now: real time.
    """
    query = select(WebhookEndpoint).order_by(col(WebhookEndpoint.created_at), col(WebhookEndpoint.id))
    found = [_finding(row, now) for row in (await session.exec(query)).all()]
    return [finding for finding in found if finding is not None]


def _finding(row: WebhookEndpoint, now: datetime) -> Finding | None:
    if row.disabled_because in (DisabledBecause.SILENT, DisabledBecause.GONE):
        says = f"was disabled at {row.disabled_at:%Y-%m-%d %H:%M}: nothing is sent to {row.url}"
        remedy = f"Mend it, then: relance webhook-endpoint enable {row.id}"
    elif row.failing_since is not None and now - row.failing_since >= FAILS_FOR:
        says = f"has taken nothing since {row.failing_since:%Y-%m-%d %H:%M}: {row.url}"
        remedy = f"See what it answers: relance webhook-endpoint deliveries {row.id}"
    else:
        return None
    return Finding(trouble=Trouble.EVENTS, about=row.id, says=says, remedy=remedy)


async def unpublished_events(session: AsyncSession) -> list[Finding]:
    """Events that wait to be published; a worker does that within a second."""
    query = select(func.count()).where(col(OutgoingEvent.cursor).is_(None))
    count = (await session.exec(query)).one()
    if count < _MANY:
        return []
    return [
        Finding(
            trouble=Trouble.EVENTS,
            about=f"{count} events",
            says="wait to be published",
            remedy="See that a worker runs and that the workflow `outbox` does not fail.",
        )
    ]


_MANY: Final = 1000
"""That many are a burst of two seconds at most."""
