"""Giving events their place among all, once they are committed, and telling the lanes of endpoints (engine 20).

A number that is given with the fact would be overtaken: a transaction that began earlier may be committed later, and a
reader who remembers how far it has read would miss it. So one publisher at a time numbers what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlmodel import case, col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.events import is_wanted
from models.tables import EventLane, OutgoingEvent, WebhookEndpoint

AT_ONCE: Final = 500
"""Events that are numbered in one transaction."""
_LOCK: Final = func.hashtextextended("event cursor", 0)


async def is_any_unpublished(session: AsyncSession) -> bool:
    """Whether there is an event to number; asked before a lock is taken."""
    query = select(OutgoingEvent.id).where(col(OutgoingEvent.cursor).is_(None)).limit(1)
    return (await session.exec(query)).first() is not None


async def publish(session: AsyncSession, *, limit: int = AT_ONCE) -> int:
    """Number what is committed and not numbered, in the order in which it was written.

    Within a subscription that is the order of `sequence`: its row was locked from each event to the commit.

    Args:
        session: a transaction of its own.
        limit: events at most.

    Returns:
        How many; 0 where another process is at it.
    """
    if session.get_bind().dialect.name == "postgresql":
        is_mine = (await session.exec(select(func.pg_try_advisory_xact_lock(_LOCK)))).one()
        if not is_mine:
            return 0
    query = select(OutgoingEvent).where(col(OutgoingEvent.cursor).is_(None)).order_by(col(OutgoingEvent.id))
    events = (await session.exec(query.limit(limit))).all()
    if not events:
        return 0
    last = (await session.exec(select(func.max(OutgoingEvent.cursor)))).one() or 0
    for place, event in enumerate(events, start=1):
        event.cursor = last + place
    await session.flush()
    for endpoint in (await session.exec(select(WebhookEndpoint).order_by(col(WebhookEndpoint.id)))).all():
        await want(session, endpoint, events)
    return len(events)


async def wait_for_turn(session: AsyncSession) -> None:
    """Keep the publisher out until the transaction ends; taken before lanes are moved by hand."""
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(select(func.pg_advisory_xact_lock(_LOCK)))


async def want(session: AsyncSession, endpoint: WebhookEndpoint, events: Iterable[OutgoingEvent]) -> None:
    """Have events sent to an endpoint, as far as it wants them, beside what it waits for already."""
    first: dict[str, int] = {}
    latest: dict[str, int] = {}
    for event in events:
        if is_wanted(event.name, endpoint.types):
            first.setdefault(event.subscription_id, event.sequence)
            latest[event.subscription_id] = event.sequence
    lanes = [_lane(endpoint, key, first[key] - 1, latest[key]) for key in sorted(latest)]
    if lanes:
        lane = _insert(session, lanes)
        farther = _greater(lane.excluded.wanted_through, col(EventLane.wanted_through))
        await session.exec(
            lane.on_conflict_do_update(
                index_elements=["endpoint_id", "subscription_id"], set_={"wanted_through": farther}
            )
        )


async def skip_to_present(session: AsyncSession, endpoint: WebhookEndpoint) -> None:
    """Have an endpoint that is to want other types want them from now on, where nothing waits for it.

    Where something does, all that it wants by then is sent from there on.

    Args:
        session: after `wait_for_turn`.
        endpoint: before its types are changed.
    """
    latest = (
        select(func.max(OutgoingEvent.sequence))
        .where(
            col(OutgoingEvent.subscription_id) == col(EventLane.subscription_id),
            col(OutgoingEvent.cursor).is_not(None),
        )
        .correlate(EventLane)
        .scalar_subquery()
    )
    is_behind = col(EventLane.delivered_through) < col(EventLane.wanted_through)
    here = func.coalesce(latest, col(EventLane.wanted_through))
    await session.exec(
        update(EventLane)
        .where(col(EventLane.endpoint_id) == endpoint.id)
        .values(
            delivered_through=case((is_behind, col(EventLane.delivered_through)), else_=here),
            wanted_through=here,
        )
    )


async def rewind(session: AsyncSession, endpoint: WebhookEndpoint, events: Sequence[OutgoingEvent]) -> int:
    """Have events sent to an endpoint again, and all that came after them in their subscriptions.

    Args:
        session: after `wait_for_turn`.
        endpoint: enabled or not.
        events: published, in the order of their cursors.

    Returns:
        In how many subscriptions there is something to send.
    """
    await want(session, endpoint, events)
    first: dict[str, int] = {}
    for event in events:
        if is_wanted(event.name, endpoint.types):
            first.setdefault(event.subscription_id, event.sequence)
    lanes = [_lane(endpoint, key, first[key] - 1, first[key]) for key in sorted(first)]
    if lanes:
        lane = _insert(session, lanes)
        back = case(
            (
                lane.excluded.delivered_through < col(EventLane.delivered_through),
                lane.excluded.delivered_through,
            ),
            else_=col(EventLane.delivered_through),
        )
        afresh = {"delivered_through": back, "leased_until": None, "tries": 0, "failing_since": None}
        await session.exec(
            lane.on_conflict_do_update(index_elements=["endpoint_id", "subscription_id"], set_=afresh)
        )
    return len(lanes)


def _lane(endpoint: WebhookEndpoint, subscription_id: str, delivered: int, wanted: int) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.id,
        "subscription_id": subscription_id,
        "delivered_through": delivered,
        "wanted_through": wanted,
        "tries": 0,
    }


def _insert(session: AsyncSession, lanes: Sequence[dict[str, Any]]) -> Any:  # noqa: ANN401 - of either dialect
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    insert: Insert = make(EventLane).values(list(lanes))
    return insert


def _greater(one: Any, other: Any) -> Any:  # noqa: ANN401 - SQL expressions
    return case((one > other, one), else_=other)
