"""Reading the provider's events back: what was missed while nobody listened is put into the inbox (engine 21)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.books.inbox import store_event
from activities.gateway import PaymentGateway
from activities.heartbeats import beating
from models.database import Database
from models.tables import EventCursor

logger = logging.getLogger(__name__)

PROVIDER: Final = "stripe"
KINDS: Final = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refunded",
    "checkout.session.completed",
    "mandate.updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "radar.early_fraud_warning.created",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.succeeded",
)
"""What the inbox makes something of; Stripe lists 20 kinds at most."""
OVERLAP: Final = timedelta(minutes=10)
"""Read again each time: events get their place in Stripe's list late, and clocks differ."""
FIRST_LOOK: Final = timedelta(days=3)
"""How far back the first reading goes."""
KEPT: Final = timedelta(days=30)
"""How long Stripe keeps events."""
HEARTBEAT_SECONDS: Final = 1.0


class Reconciler:
    """Compares the provider's events with the inbox. An event that is there already changes nothing."""

    def __init__(
        self,
        database: Database,
        gateway: PaymentGateway,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is read yet.

        Args:
            database: the books.
            gateway: the provider.
            now: real time.
        """
        self._database = database
        self._gateway = gateway
        self._now = now

    @activity.defn(name="reconcile_events")
    async def reconcile_events(self) -> int:
        """Read the provider's events back to where the last reading came; how many had been missed."""
        async with beating(every=HEARTBEAT_SECONDS):
            return await self.catch_up()

    async def catch_up(self) -> int:
        """As the activity, anywhere.

        Raises:
            ProviderUnavailable, ProviderMisconfigured, ProviderRefused: the provider did not answer; what was read is
                kept, and the next reading begins where this one did.
        """
        begun = self._now()
        since = await self._since(begun)
        missed = 0
        async for event in self._gateway.events_since(since, KINDS):
            missed += await store_event(self._database, event, received_at=self._now())
        async with self._database.write() as session:
            await session.merge(EventCursor(provider=PROVIDER, read_until=begun))
        if missed:
            logger.warning("%d events of %s had been missed; they are in the inbox now", missed, PROVIDER)
        return missed

    async def _since(self, begun: datetime) -> datetime:
        async with self._database.read() as session:
            cursor = await session.get(EventCursor, PROVIDER)
        wanted = begun - FIRST_LOOK if cursor is None else cursor.read_until - OVERLAP
        return max(wanted, begun - KEPT)
