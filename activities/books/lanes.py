"""Taking lanes that are behind, and writing down what became of each delivery (engine 20).

A lane is one endpoint with one subscription. Its events go out one after the other; what fails holds back its own lane
only. A lane is leased, told by the end of the lease, and anybody's again when that is over. All times here are real.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.webhooks import Delivered, NotDelivered
from billing.events import Event, is_wanted, kind_of, told
from models.ids import event_id
from models.tables import (
    DeliveryOutcome,
    DisabledBecause,
    EndpointState,
    EventDelivery,
    EventLane,
    OutgoingEvent,
    SubscriptionRow,
    WebhookEndpoint,
)

LEASE: Final = timedelta(seconds=60)
"""For one delivery: well beyond its time-out."""
PATIENCE: Final = timedelta(days=3)
"""For how long an event is tried again, and an endpoint may fail."""
LONGEST_PAUSE: Final = timedelta(minutes=30)
LONGEST_DETAIL: Final = 500
_LOOKED_AT: Final = 200
"""Events of a lane that are looked at, at a time, for the next one that is wanted."""


def pause_after(tries: int) -> timedelta:
    """The wait before another try: 5 s, doubled each time, at most half an hour."""
    return min(timedelta(seconds=5 * 2 ** min(tries - 1, 12)), LONGEST_PAUSE)


@dataclass(frozen=True)
class Claim:
    """A lane that one process holds.

    Attributes:
        endpoint_id: to whom.
        subscription_id: about what.
        until: the end of the lease, and its name.
    """

    endpoint_id: str
    subscription_id: str
    until: datetime


@dataclass(frozen=True)
class Due:
    """An event that is to be sent now.

    Attributes:
        key: of its row.
        sequence: of its subscription.
        event: as it is sent.
        url: where to.
        generation: of the endpoint's secret.
        signs_twice: whether the secret before is still valid.
    """

    key: int
    sequence: int
    event: Event
    url: str
    generation: int
    signs_twice: bool


def _is_behind(now: datetime) -> tuple[ColumnElement[bool], ...]:
    lease = col(EventLane.leased_until)
    return (
        col(EventLane.delivered_through) < col(EventLane.wanted_through),
        or_(lease.is_(None), lease <= now),
    )


async def endpoints_behind(session: AsyncSession, now: datetime) -> list[str]:
    """The enabled endpoints for which there is something to send now."""
    waits = select(EventLane.endpoint_id).where(EventLane.endpoint_id == WebhookEndpoint.id, *_is_behind(now))
    query = select(WebhookEndpoint.id).where(
        WebhookEndpoint.state == EndpointState.ENABLED, waits.correlate(WebhookEndpoint).exists()
    )
    return list((await session.exec(query.order_by(col(WebhookEndpoint.id)))).all())


async def claim(session: AsyncSession, endpoint_id: str, *, limit: int, now: datetime) -> list[Claim]:
    """Lease up to `limit` lanes, those first that have waited longest; what another process holds is passed over."""
    query = (
        select(EventLane)
        .where(EventLane.endpoint_id == endpoint_id, *_is_behind(now))
        .order_by(col(EventLane.leased_until).nulls_first(), col(EventLane.subscription_id))
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    until = now + LEASE
    lanes = (await session.exec(query)).all()
    for lane in lanes:
        lane.leased_until = until
    return [Claim(lane.endpoint_id, lane.subscription_id, until) for lane in lanes]


async def next_due(session: AsyncSession, claim: Claim, now: datetime) -> tuple[Due | None, Claim | None]:
    """The event of a lane that has its turn, with the lease for sending it.

    Returns:
        No event where nothing is left, or the endpoint is disabled; then the lane is given back. No claim where it was
        lost, or given back.
    """
    lane = await _held(session, claim)
    if lane is None:
        return None, None
    endpoint = await session.get_one(WebhookEndpoint, claim.endpoint_id)
    row = await _next(session, lane, endpoint) if endpoint.state is EndpointState.ENABLED else None
    if row is None or row.id is None:
        lane.leased_until = now
        return None, None
    lane.leased_until = now + LEASE
    due = Due(
        key=row.id,
        sequence=row.sequence,
        event=await as_sent(session, row),
        url=endpoint.url,
        generation=endpoint.generation,
        signs_twice=endpoint.previous_until is not None and endpoint.previous_until > now,
    )
    return due, Claim(claim.endpoint_id, claim.subscription_id, lane.leased_until)


async def _next(session: AsyncSession, lane: EventLane, endpoint: WebhookEndpoint) -> OutgoingEvent | None:
    """The next event that the endpoint wants; what it doesn't want is passed over."""
    while lane.delivered_through < lane.wanted_through:
        query = (
            select(OutgoingEvent)
            .where(
                OutgoingEvent.subscription_id == lane.subscription_id,
                OutgoingEvent.sequence > lane.delivered_through,
                OutgoingEvent.sequence <= lane.wanted_through,
            )
            .order_by(col(OutgoingEvent.sequence))
            .limit(_LOOKED_AT)
        )
        rows = (await session.exec(query)).all()
        wanted = next((row for row in rows if is_wanted(row.name, endpoint.types)), None)
        if wanted is not None:
            lane.delivered_through = wanted.sequence - 1
            return wanted
        lane.delivered_through = rows[-1].sequence if rows else lane.wanted_through
    return None


async def as_sent(session: AsyncSession, row: OutgoingEvent) -> Event:
    """An event as a backend receives it."""
    subscription = await session.get_one(SubscriptionRow, row.subscription_id)
    return event_of(row, subscription)


def event_of(row: OutgoingEvent, subscription: SubscriptionRow) -> Event:
    """An event as a backend receives it: the envelope of its row, and of its facts what the catalogue names."""
    return Event(
        id=event_id(row.subscription_id, row.sequence),
        type=row.name,
        version=kind_of(row.name).version,
        timestamp=row.at,
        subscription=subscription.id,
        reference=subscription.reference,
        customer=subscription.customer_id,
        clock=subscription.clock_id,
        sequence=row.sequence,
        status=row.status,
        plan=row.plan_id,
        entitled=row.entitled,
        access_until=row.access_until,
        reason=row.reason,
        data=told(row.name, row.data),
    )


async def record_delivered(
    session: AsyncSession, claim: Claim, due: Due, outcome: Delivered, now: datetime
) -> bool:
    """The receiver took it: the next one has its turn.

    Returns:
        Whether the lane is still ours.
    """
    _log(session, claim, due, DeliveryOutcome.DELIVERED, outcome, now)
    endpoint = await session.get_one(WebhookEndpoint, claim.endpoint_id)
    if endpoint.failing_since is not None:
        await _lock_endpoint(session, claim.endpoint_id)
        endpoint.failing_since = None
    lane = await _held(session, claim)
    if lane is None:
        return False
    lane.delivered_through, lane.tries, lane.failing_since = due.sequence, 0, None
    return True


async def record_failed(
    session: AsyncSession, claim: Claim, due: Due, outcome: NotDelivered, now: datetime
) -> bool:
    """The receiver did not take it: it waits for its next try, is given up, or the endpoint is disabled.

    Returns:
        Whether the endpoint is disabled by it.
    """
    endpoint = await _lock_endpoint(session, claim.endpoint_id)
    endpoint.failing_since = endpoint.failing_since or now
    lane = await _held(session, claim)
    if lane is None:
        return False
    lane.tries += 1
    lane.failing_since = lane.failing_since or now
    lane.leased_until = now + pause_after(lane.tries)
    is_over = now - endpoint.failing_since >= PATIENCE or outcome.gone
    is_given_up = not is_over and now - lane.failing_since >= PATIENCE
    if is_given_up:
        lane.delivered_through, lane.tries, lane.failing_since = due.sequence, 0, None
    known = DeliveryOutcome.GIVEN_UP if is_given_up else DeliveryOutcome.FAILED
    _log(session, claim, due, known, outcome, now)
    if not is_over or endpoint.state is EndpointState.DISABLED:
        return False
    disable(endpoint, DisabledBecause.GONE if outcome.gone else DisabledBecause.SILENT, now)
    endpoint.owner_told = False
    return True


def disable(endpoint: WebhookEndpoint, because: DisabledBecause, now: datetime) -> None:
    """Send nothing more; the endpoint keeps its place for when it is enabled."""
    endpoint.state = EndpointState.DISABLED
    endpoint.disabled_at, endpoint.disabled_because = now, because


async def release(session: AsyncSession, claim: Claim, now: datetime) -> None:
    """A lane that was taken and not gone through is anybody's again, after those that have waited longer."""
    lane = await _held(session, claim)
    if lane is not None:
        lane.leased_until = now


def _log(
    session: AsyncSession,
    claim: Claim,
    due: Due,
    known: DeliveryOutcome,
    outcome: Delivered | NotDelivered,
    now: datetime,
) -> None:
    session.add(
        EventDelivery(
            endpoint_id=claim.endpoint_id,
            event_id=due.key,
            at=now,
            outcome=known,
            status_code=outcome.status_code,
            took_ms=outcome.took_ms,
            detail=outcome.detail[:LONGEST_DETAIL] if isinstance(outcome, NotDelivered) else "",
        )
    )


async def _held(session: AsyncSession, claim: Claim) -> EventLane | None:
    """The lane, locked; None where the lease was lost."""
    query = (
        select(EventLane)
        .where(EventLane.endpoint_id == claim.endpoint_id, EventLane.subscription_id == claim.subscription_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    lane = (await session.exec(query)).first()
    return lane if lane is not None and lane.leased_until == claim.until else None


async def _lock_endpoint(session: AsyncSession, endpoint_id: str) -> WebhookEndpoint:
    query = (
        select(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await session.exec(query)).one()
