"""Webhooks of Stripe and SendGrid: checked on the raw bytes, stored, answered, then handed on (engine 21)."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, BackgroundTasks, HTTPException, Request
from temporalio.service import RPCError
from typing_extensions import override

from activities.books.delivery import take_delivery_events
from activities.books.inbox import store_event
from activities.incoming import Incoming, Signals, TemporalSignals
from activities.sendgrid_events import SIGNATURE_HEADER, TIMESTAMP_HEADER, read_delivery_events
from activities.stripe_events import construct_event
from billing.errors import RelanceError
from starter.connections import Connections
from starter.http.door import Door, door_of

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/webhooks", include_in_schema=False)

MOST_BYTES: Final = 1_000_000
"""An event is far smaller; more is not read."""
LOOK_AGAIN_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Waits while the process that charges writes the answer down itself."""


@router.post("/stripe")
async def take_stripe_event(request: Request, background: BackgroundTasks) -> dict[str, bool]:
    """Store an event before it is answered; the same one again changes nothing.

    Raises:
        BadSignature: not signed with one of our secrets, or too long ago.
        UnreadableEvent: signed, but no event with its object.
    """
    door = door_of(request)
    event = construct_event(
        await _raw_body(request), request.headers.get("stripe-signature"), door.settings.webhook_secrets()
    )
    is_new = await store_event(door.database, event, received_at=datetime.now(UTC))
    if is_new:
        background.add_task(hand_on_soon, door, str(event["id"]))
    return {"received": True, "duplicate": not is_new}


@router.post("/sendgrid")
async def take_sendgrid_events(request: Request) -> dict[str, int]:
    """Write down what became of mails, before it is answered; the same events again change nothing.

    Raises:
        MailerMisconfigured: there is no key to verify them with.
        BadSignature: not signed with one of our keys, or too long ago.
        UnreadableEvent: signed, but no list of events.
    """
    door = door_of(request)
    events = read_delivery_events(
        await _raw_body(request),
        request.headers.get(SIGNATURE_HEADER),
        request.headers.get(TIMESTAMP_HEADER),
        door.settings.sendgrid_webhook_keys,
        now=datetime.now(UTC),
    )
    async with door.database.write() as session:
        ours = await take_delivery_events(session, events)
    return {"received": len(events), "ours": ours}


async def _raw_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"More than {MOST_BYTES} bytes is no event")
    return bytes(body)


async def hand_on_soon(door: Door, event_id: str) -> None:
    """Hand an event on at once; what fails stays in the inbox, which the outbox's loop empties."""
    incoming = Incoming(door.database, _SignalsOnceConnected(door.connections))
    try:
        for seconds in LOOK_AGAIN_SECONDS:
            if await incoming.hand_on(event_id) is not None:
                return
            await asyncio.sleep(seconds)
    except (RelanceError, RPCError) as problem:
        logger.warning("Event %s stays in the inbox: %s", event_id, problem)


class _SignalsOnceConnected(Signals):
    """Connects when there is something to tell: most events need nobody."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @override
    async def tell(self, workflow_id: str, signal: str, fact: dict[str, str]) -> bool:
        return await TemporalSignals(await self._connections.temporal()).tell(workflow_id, signal, fact)
