"""What is printed of an invoice, read from its rows (rules 6, 18)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support import factories
from support.factories import NEW_YEAR
from support.priced import plan, price

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.printing import printed_document
from billing.subscription import CustomerKind
from documents.document import PaymentMeans
from documents.sentences import means_sentence
from documents.structured import xml_of
from models.database import Database
from models.parties import Address

PARIS = Address(line1="8 rue Oberkampf", postal_code="75011", city="Paris", country="FR")
BOSTON = Address(line1="1 Beacon Street", postal_code="02108", city="Boston MA", country="US")
WITH_TAX = plan(price("9.99"), tax_included=True)


@pytest.mark.parametrize(
    ("kind", "address", "shows_tax", "unit", "shown", "total"),
    [
        # Worked V3: of 9.99 with 20 % the net is 8.33.
        (CustomerKind.CONSUMER, PARIS, True, "9.99", 999, 999),
        (CustomerKind.BUSINESS, PARIS, False, "8.325", None, 999),
        # Outside the Union no VAT is charged: the net is owed, and shown.
        (CustomerKind.CONSUMER, BOSTON, False, "8.325", None, 833),
    ],
)
async def test_prices_are_shown_with_tax_to_whoever_pays_it_and_cannot_deduct_it(
    sqlite_database: Database,
    *,
    kind: CustomerKind,
    address: Address,
    shows_tax: bool,
    unit: str,
    shown: int | None,
    total: int,
) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        anna.customer.kind, anna.customer.address = kind.value, address
        anna.customer.siren = "" if kind is CustomerKind.CONSUMER else "552100554"
        invoice = await write_invoice(
            session, anna.subscription, factories.issue(terms=WITH_TAX), NEW_YEAR, BookRules()
        )
        document = await printed_document(session, invoice.id)
    (line,) = document.lines
    assert document.tax_included is shows_tax
    assert (line.unit_amount, line.gross_minor, line.net_minor) == (Decimal(unit), shown, 833)
    assert document.total_minor == total


async def test_an_invoice_that_will_be_debited_names_mandate_and_creditor(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session, by_debit=True)
        anna.customer.kind, anna.customer.address = CustomerKind.BUSINESS.value, PARIS
        anna.customer.siren = "552100554"
        invoice = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        document = await printed_document(session, invoice.id)
        assert (document.means, document.mandate_reference, document.creditor_id) == (
            PaymentMeans.SEPA_DEBIT,
            "RELANCE-7F3K2",
            "FR72ZZZ123456",
        )
        assert means_sentence(document).endswith("selon votre mandat SEPA RELANCE-7F3K2.")
        xml = xml_of(document).decode()
    assert "<ram:DirectDebitMandateID>RELANCE-7F3K2</ram:DirectDebitMandateID>" in xml
    assert "<ram:CreditorReferenceID>FR72ZZZ123456</ram:CreditorReferenceID>" in xml
