"""Money of which the provider tells, and that no charge of ours is waiting for (rules 33, I1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select
from support.disputed import LOST, OPENED, hear, paid

from activities.books.inbox import errand_of, store_event
from models.database import Database
from models.tables import Matter, MatterKind

NOW = datetime(2027, 1, 2, 9, 0, tzinfo=UTC)


async def _told(database: Database, **intent: Any) -> tuple[str, list[tuple[MatterKind, str, int | None]]]:  # noqa: ANN401 - JSON
    """What is done about a payment that succeeded, and what waits for a person then: its payment and amount."""
    event = {
        "id": "evt_1",
        "type": "payment_intent.succeeded",
        "created": 1_798_880_000,
        "data": {"object": {"object": "payment_intent", "currency": "eur", "metadata": {}, **intent}},
    }
    await store_event(database, event, received_at=NOW)
    async with database.write() as session:
        note = (await errand_of(session, "evt_1", now=NOW)).note
    async with database.read() as session:
        matters = (await session.exec(select(Matter))).all()
    return note, [(one.kind, one.payment_intent or "", one.amount_minor) for one in matters]


async def test_news_of_a_payment_that_a_dispute_took_back_is_no_new_money(sqlite_database: Database) -> None:
    """It is late, not new: a person who refunded it at the provider would give the money back twice."""
    _, invoice, attempt = await paid(sqlite_database)
    await hear(sqlite_database, attempt, OPENED, LOST)
    note, matters = await _told(
        sqlite_database, id="pi_ch_1", amount_received=3480, metadata={"invoice": invoice.id}
    )
    assert note == f"known: the books have it for {invoice.id}"
    assert matters == []


async def test_another_payment_for_the_same_invoice_waits_for_a_person(sqlite_database: Database) -> None:
    _, invoice, attempt = await paid(sqlite_database)
    await hear(sqlite_database, attempt, OPENED, LOST)
    note, matters = await _told(
        sqlite_database, id="pi_2", amount_received=3480, metadata={"invoice": invoice.id}
    )
    assert note.startswith("unbooked: money came for")
    assert matters == [(MatterKind.PAYMENT, "pi_2", 3480)]


@pytest.mark.parametrize(
    ("customer", "expected"),
    [("cus_anna", [(MatterKind.PAYMENT, "pi_dashboard", 5000)]), ("cus_nobody", []), (None, [])],
    ids=["of a customer", "of nobody here", "without customer"],
)
async def test_a_payment_that_a_customer_made_at_the_provider_waits_for_a_person(
    sqlite_database: Database, customer: str | None, expected: list[tuple[MatterKind, str, int]]
) -> None:
    """50.00 taken in Stripe's dashboard name nothing of ours: noted alone, nobody would ever book them."""
    await paid(sqlite_database)
    note, matters = await _told(sqlite_database, id="pi_dashboard", amount_received=5000, customer=customer)
    assert note.startswith("unmatched: ")
    assert matters == expected
