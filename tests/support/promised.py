"""What a backend was promised, against what the books say."""

from __future__ import annotations

from sqlmodel import col, select

from billing.steps import next_step
from models.tables import OutgoingEvent
from support.bookkeeping import Bookkeeping


async def assert_backend_lets_in_whom_it_should(books: Bookkeeping) -> None:
    """Who hears every event lets nobody in longer than promised, and whoever is entitled while nothing is overdue."""
    async with books.database.read() as session:
        query = select(OutgoingEvent).where(OutgoingEvent.subscription_id == books.subscription_id)
        newest = (await session.exec(query.order_by(col(OutgoingEvent.sequence).desc()).limit(1))).one()
    promised = newest.entitled and newest.access_until is not None and books.at < newest.access_until
    state = (await books.look()).state
    assert not promised or state.entitled_at(books.at)
    dues = (next_step(state, books.at).due, state.policy_ends_at)
    is_overdue = any(due is not None and due <= books.at for due in dues)
    if not is_overdue and state.parked is None:
        assert promised is state.entitled_at(books.at)
