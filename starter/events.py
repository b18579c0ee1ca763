"""Events to be polled: every business fact, in one order that no reader can miss anything of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.lanes import event_of
from activities.books.rows import NotFound
from billing.errors import InvalidInput
from billing.events import CATALOGUE, Event, check_types, group_of
from billing.values import Value
from models.ids import event_place
from models.tables import OutgoingEvent, SubscriptionRow
from starter.connections import Connections
from starter.finding import find

MOST: Final = 1000
"""Events of one page."""


class PublishedEvent(Event):
    """An event with its place among all."""

    cursor: int


class EventPage(Value):
    """Events that come one after the other."""

    events: tuple[PublishedEvent, ...]
    next_cursor: int
    """Where to go on from; the same as was asked where there is nothing new yet."""
    has_more: bool


class Events:
    """Published events. One that is written is published within a second, while a worker runs."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def list(
        self,
        *,
        after: int | str = 0,
        subscription: str | None = None,
        types: Sequence[str] = (),
        limit: int = 100,
    ) -> EventPage:
        """The events after a place, in order.

        Args:
            after: a cursor, or the id of an event; 0 is from the beginning.
            subscription: only those of this one, by id or reference.
            types: only these, or `invoice.*` for a group.
            limit: at most.

        Raises:
            NotFound: there is no such event or subscription.
            InvalidInput: a value is wrong.
        """
        asked = check_types(types)
        if not 1 <= limit <= MOST:
            raise InvalidInput(f"Ask for 1 to {MOST} events at a time.", field="limit")
        async with self._to.database.read() as session:
            start = await place_of(session, after)
            query = select(OutgoingEvent, SubscriptionRow).join(
                SubscriptionRow, col(OutgoingEvent.subscription_id) == col(SubscriptionRow.id)
            )
            query = query.where(col(OutgoingEvent.cursor) > start)
            if subscription is not None:
                row = await find(session, SubscriptionRow, subscription, field="subscription")
                query = query.where(OutgoingEvent.subscription_id == row.id)
            if asked:
                query = query.where(col(OutgoingEvent.name).in_(_names(asked)))
            found = (await session.exec(query.order_by(col(OutgoingEvent.cursor)).limit(limit + 1))).all()
        events = tuple(_published(event, row) for event, row in found[:limit])
        next_cursor = events[-1].cursor if events else start
        return EventPage(events=events, next_cursor=next_cursor, has_more=len(found) > limit)

    async def find(self, key: str) -> PublishedEvent:
        """One event.

        Raises:
            NotFound: there is none, or it is not published yet.
            InvalidInput: this is no id of an event; field `event`.
        """
        async with self._to.database.read() as session:
            event = await _event(session, key)
            return _published(event, await session.get_one(SubscriptionRow, event.subscription_id))


async def place_of(session: AsyncSession, after: int | str) -> int:
    """The cursor that is meant, by itself or by the id of an event.

    Raises:
        NotFound: there is no such event.
        InvalidInput: it is neither; field `after`.
    """
    if isinstance(after, str) and not (after.isascii() and after.isdecimal()):
        return (await _event(session, after)).cursor or 0
    place = int(after)
    if not 0 <= place < 2**63:
        raise InvalidInput("A cursor is a number from 0.", field="after")
    return place


async def _event(session: AsyncSession, key: str) -> OutgoingEvent:
    subscription_id, sequence = event_place(key)
    query = select(OutgoingEvent).where(
        OutgoingEvent.subscription_id == subscription_id,
        OutgoingEvent.sequence == sequence,
        col(OutgoingEvent.cursor).is_not(None),
    )
    event = (await session.exec(query)).first() if sequence < 2**31 else None
    if event is None:
        raise NotFound(f"There is no event {key}.", field="event")
    return event


def _names(types: Sequence[str]) -> list[str]:
    return [name for name in CATALOGUE if name in types or group_of(name) in types]


def _published(event: OutgoingEvent, row: SubscriptionRow) -> PublishedEvent:
    return PublishedEvent(**dict(event_of(event, row)), cursor=event.cursor or 0)
