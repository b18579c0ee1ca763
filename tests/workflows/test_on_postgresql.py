"""Whole lives on PostgreSQL, where the locks are real: the same stories as on SQLite, and books that add up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes import FakeStripe
from support.diaries import fell_behind, joined, renewed
from support.ledgers import assert_books_agree, charged
from support.life import ClockedLife, clocked
from support.mailroom import Mailbox

from billing.commands import Cancel, When
from models.database import Database
from models.tables import InvoiceStatus


@pytest.fixture
async def world(
    database: Database, temporal_server: str, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with clocked(temporal_server, database, fake_stripe, mailbox.address, begins="2041-05-01") as life:
        yield life


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_renewal_recovery_and_cancel_with_credit(world: ClockedLife, fake_stripe: FakeStripe) -> None:
    """Team costs 12.00 a seat, 14.40 with VAT. Of the 60.00 net of June, 20 days of 30 go back: 40.00 and 8.00."""
    anna = await world.signs_up("anna")
    bruno = await world.signs_up("bruno", card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
    carla = await world.signs_up("carla", plan="team", quantity=5)
    await world.until("2041-06-10")
    await carla.tells(Cancel(command_id="enough", when=When.NOW))
    await world.until("2041-07-10")

    assert await anna.diary() == [
        *joined("2041-05-01", "58.80"),
        *renewed("2041-06-01", "58.80"),
        *renewed("2041-07-01", "58.80"),
    ]
    assert await bruno.diary() == [
        *joined("2041-05-01", "58.80"),
        *fell_behind("2041-06-01", "58.80"),
        "2041-06-02 charge declined: insufficient_funds",
        "2041-06-04 charge paid 58.80",
        "2041-06-04 status active",
        "2041-06-04 mail receipt",
        *renewed("2041-07-01", "58.80"),
    ]
    assert await carla.diary() == [
        *joined("2041-05-01", "72.00"),
        *renewed("2041-06-01", "72.00"),
        "2041-06-10 credit note 48.00 issued",
        "2041-06-10 status canceled: canceled now",
        "2041-06-10 access ends",
        "2041-06-10 mail subscription_canceled",
    ]
    (note,) = await carla.credit_notes()
    assert (note.net_minor, note.vat_minor, note.closes_minor, note.balance_minor) == (4000, 800, 0, 4800)
    for person in (anna, bruno, carla):
        assert {invoice.status for invoice in await person.invoices()} == {InvoiceStatus.PAID}
    assert sorted(charged(fake_stripe)) == [5880] * 6 + [7200] * 2
    await assert_books_agree(world.database, fake_stripe)
