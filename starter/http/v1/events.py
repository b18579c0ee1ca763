"""What happened, to be polled: the one list that goes forward."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from starter.http.calling import Reads
from starter.http.v1.common import api_router
from starter.resources.common import MOST_AT_ONCE, Page
from starter.resources.events import Event

router = api_router("events", "Events")


@router.get("")
async def list_events(
    call: Reads,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 10,
    starting_after: Annotated[
        str,
        Query(
            min_length=1,
            max_length=110,
            description="A cursor, or the id of the last event that you have; 0 is the beginning.",
        ),
    ] = "0",
    subscription: Annotated[
        str | None, Query(min_length=1, max_length=110, description="Id or `ref:...`.")
    ] = None,
    type: Annotated[  # noqa: A002 - as the field of an event is called
        list[str] | None,
        Query(max_length=50, description="Only these, or `invoice.*` for a group; several times."),
    ] = None,
) -> Page[Event]:
    """List events, **oldest first**. To follow what happens, go on with the id of the last one again and again.

    An event has its place once its transaction is committed: who goes on so misses nothing.
    """
    found = await call.relance.events.list(
        after=starting_after, subscription=subscription, types=type or (), limit=limit
    )
    return Page[Event](data=tuple(map(Event.model_validate, found.events)), has_more=found.has_more)


@router.get("/{event}")
async def get_event(
    event: Annotated[str, Path(max_length=110, description="Id of the event.")], call: Reads
) -> Event:
    """An event, as it is sent."""
    return Event.model_validate(await call.relance.events.find(event))
