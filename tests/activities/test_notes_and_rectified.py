"""A credit note names the buyer of its invoice; a rectified invoice has data that can be, and the tax that follows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price
from support.rulebooks import EN16931, broken_rules

from activities.books.printing import printed_document
from billing.corrections import Credit
from billing.errors import InvalidInput
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


@pytest.mark.parametrize(
    ("buyer", "field"),
    [
        ({"vat_number": "FR00123"}, "vat_number"),
        ({"vat_number": "FR40303265045"}, "vat_number"),
        ({"siren": "abc"}, "siren"),
        ({"address": {"line1": "1 High Street", "city": "London", "country": "UK"}}, "address"),
    ],
    ids=["no number", "of another State", "no SIREN", "no country"],
)
async def test_data_that_cannot_be_are_refused_and_no_number_is_used(
    sqlite_database: Database, *, buyer: dict[str, object], field: str
) -> None:
    books, invoice_id = await bills_a_german_business(sqlite_database)
    with pytest.raises(InvalidInput) as refused:
        await books.rectifies(invoice_id, **buyer)
    assert refused.value.field == field
    page = await books.look()
    assert (len(page.issued), page.notes) == (2, ())


async def test_a_consumer_who_is_a_business_is_made_one_first(sqlite_database: Database) -> None:
    books = await signs_up(sqlite_database, plan(price("100.00")))
    await books.is_paid()
    (invoice_id,) = (await books.look()).issued
    with pytest.raises(InvalidInput, match=r"relance tax set --customer cus_.* --kind business") as refused:
        await books.rectifies(invoice_id, vat_number="FR96552100554")
    assert refused.value.field == "vat_number"


async def test_the_number_that_was_missing_takes_the_vat_away_and_the_rest_is_the_customers(
    sqlite_database: Database,
) -> None:
    """100.00 with French VAT were paid as 120.00: under reverse charge 100.00 are owed, 20.00 are balance."""
    books, invoice_id = await bills_a_german_business(sqlite_database)
    done = await books.rectifies(invoice_id, vat_number="DE 136695976")
    assert (done.status, done.moved_minor, done.open_minor) == ("paid", 10000, 0)
    page = await books.look()
    old, new = page.invoices[invoice_id], page.invoices[done.new_invoice_id]
    assert old.treatment is not None
    assert new.treatment is not None
    assert (old.treatment.kind, old.vat_minor) == ("below_threshold", 2000)
    assert (new.treatment.kind, new.net_minor, new.vat_minor) == ("reverse_charge", 10000, 0)
    assert (new.buyer.vat_number, new.consumed_in) == ("DE136695976", None)
    (note,) = page.notes
    assert (note.total_minor, note.moved_minor, note.balance_minor) == (12000, 10000, 2000)
    assert [line.rate.category for line in page.lines_of(new.id)] == ["AE"]
    books.at = datetime(2027, 3, 1, 11, tzinfo=UTC)
    await books.takes_step()
    march = next(i for i in (await books.look()).issued.values() if i.period_start.month == 3)
    assert (march.total_minor, march.balance_minor, march.open_minor) == (10000, 2000, 8000)


async def test_a_number_that_was_wrong_leaves_the_vat_open(sqlite_database: Database) -> None:
    """The other way round: 100.00 were paid under reverse charge, and 20.00 of VAT are still to be paid."""
    books, invoice_id = await bills_a_german_business(sqlite_database, vat_number="DE136695976")
    done = await books.rectifies(invoice_id, vat_number="")
    assert (done.status, done.moved_minor, done.open_minor) == ("open", 10000, 2000)


async def test_another_name_leaves_the_tax_as_it_was(sqlite_database: Database) -> None:
    books, invoice_id = await bills_a_german_business(sqlite_database)
    done = await books.rectifies(invoice_id, name="Schmidt Maschinenbau GmbH")
    assert (done.status, done.moved_minor, done.open_minor) == ("paid", 12000, 0)
