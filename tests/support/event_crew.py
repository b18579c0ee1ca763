"""Facts that happen, endpoints to be told of them, and processes that publish and deliver at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import col, select

from activities.books.notices import AccessRules, emit
from activities.books.rows import lock_subscription
from activities.deliveries import Deliveries, DeliveryRules
from activities.mailer import Accepted, MailOutcome, OutgoingMail
from models.database import Database
from models.ids import new_id
from models.tables import EventLane, OutgoingEvent, WebhookEndpoint

SECRET_KEY = "x" * 40
RULES = DeliveryRules(secret_key=SECRET_KEY, mail_from="billing@example.com", allow_private=True)
ACCESS = AccessRules(window=timedelta(0), grace=timedelta(hours=24))
NOON = datetime(2027, 1, 10, 11, tzinfo=UTC)


class NoMail:
    """Takes every mail and sends none."""

    def __init__(self) -> None:
        self.taken: list[OutgoingMail] = []

    async def send(self, mail: OutgoingMail) -> MailOutcome:
        self.taken.append(mail)
        return Accepted()


async def happens(
    database: Database, subscription_id: str, *names: str, at: datetime = NOON, **facts: Any
) -> None:
    """Facts about a subscription, in one transaction."""
    async with database.write() as session:
        row = await lock_subscription(session, subscription_id)
        for name in names:
            emit(session, row, name, facts, at, ACCESS)


async def endpoint(database: Database, url: str, **changes: Any) -> WebhookEndpoint:
    """An endpoint that is told everything from now on."""
    given: dict[str, Any] = {
        "id": new_id("we"),
        "url": url,
        "owner": "dev@example.com",
        "locale": "en",
        "created_at": NOON,
    }
    row = WebhookEndpoint(**given | changes)
    async with database.write() as session:
        session.add(row)
    return row


async def sequences(database: Database, subscription_id: str) -> list[tuple[int, int | None]]:
    """Sequence and cursor of each event."""
    async with database.read() as session:
        query = select(OutgoingEvent.sequence, OutgoingEvent.cursor).where(
            OutgoingEvent.subscription_id == subscription_id
        )
        return list((await session.exec(query.order_by(col(OutgoingEvent.sequence)))).all())


async def time_passes(database: Database, by: timedelta) -> None:
    """Time goes by for everything that waits: it began so much earlier."""
    async with database.write() as session:
        for lane in (await session.exec(select(EventLane))).all():
            lane.leased_until = lane.leased_until and lane.leased_until - by
            lane.failing_since = lane.failing_since and lane.failing_since - by
        for row in (await session.exec(select(WebhookEndpoint))).all():
            row.failing_since = row.failing_since and row.failing_since - by
            row.previous_until = row.previous_until and row.previous_until - by


async def work(number: int, url: str, shares: Sequence[Sequence[str]], facts: int, total: int) -> int:
    """Let facts happen to a share of the subscriptions, and publish and deliver until all were delivered."""
    database = Database(url, pool_size=3)
    deliveries = Deliveries(database, NoMail(), RULES)
    delivered = 0
    try:
        for turn in range(facts):
            for subscription_id in shares[number]:
                await happens(database, subscription_id, "invoice.issued", turn=turn)
            delivered += await deliveries.deliver()
        while await _left(database, total):
            delivered += await deliveries.deliver()
    finally:
        await database.close()
    return delivered


async def _left(database: Database, total: int) -> bool:
    async with database.read() as session:
        lanes = (await session.exec(select(EventLane))).all()
    return sum(lane.delivered_through for lane in lanes) < total
