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
