"""A credit note names the buyer of its invoice; a rectified invoice has data that can be, and the tax that follows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price
from support.rulebooks import EN16931, broken_rules

from activities.books.printing import printed_document
from billing.corrections import Credit
from documents.structured import xml_of
from models.database import Database
from models.parties import Address

HAMBURG = Address(line1="Hafenstraße 4", postal_code="20457", city="Hamburg", country="DE")
SCHMIDT = {"kind": "business", "name": "Schmidt GmbH", "address": HAMBURG}


async def bills_a_german_business(database: Database, **facts: object) -> tuple[Bookkeeping, str]:
    """100.00 for February to Schmidt, paid."""
    books = await signs_up(database, plan(price("100.00")))
    await books.is_paid()
    await books.knows(**SCHMIDT, **facts)
    books.at = datetime(2027, 2, 1, 11, tzinfo=UTC)
    await books.takes_step()
    await books.is_paid()
    return books, next(i.id for i in (await books.look()).issued.values() if i.reason == "period")


@pytest.mark.parametrize("now", ["business", "consumer"])
async def test_a_credit_note_names_the_buyer_as_its_invoice_does(sqlite_database: Database, now: str) -> None:
    """Else it would say reverse charge to somebody without a number, which EN 16931 refuses (BR-AE-02)."""
    books, invoice_id = await bills_a_german_business(sqlite_database, vat_number="DE136695976")
    await books.knows(vat_number="", kind=now, name="Anna Schmidt")
    assert await books.corrects(Credit(command_id="back", invoice_id=invoice_id, reason="a gift"))
    (note,) = (await books.look()).notes
    async with sqlite_database.read() as session:
        document = await printed_document(session, note.id)
    assert (document.buyer.name, document.buyer.vat_number) == ("Schmidt GmbH", "DE136695976")
    assert document.form == "facturx"
    assert broken_rules(xml_of(document), EN16931) == set()
