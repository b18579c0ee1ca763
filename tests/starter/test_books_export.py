"""The books as CSV: every row once, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from support import factories

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from billing.effects import InvoiceReason
from models.database import Database
from models.tables import Invoice
from settings import Settings
from starter import books_export
from starter.books_export import BooksExport
from starter.connections import Connections


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


async def test_every_row_is_written_once_however_many_fit_in_a_read(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books_export, "_AT_ONCE", 2)
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        anna.customer.name = '=HYPERLINK("evil")'
        for period in (factories.JANUARY, factories.FEBRUARY):
            invoice = await write_invoice(
                session, anna.subscription, factories.issue(period), factories.NEW_YEAR, BookRules()
            )
            assert isinstance(invoice, Invoice)
            assert invoice.reason == InvoiceReason.PERIOD
    done = await BooksExport(Connections(sqlite_database, Settings())).write(tmp_path / "books")
    assert done.rows == {
        "customers": 1,
        "invoices": 2,
        "credit_notes": 0,
        "payments": 0,
        "refunds": 0,
        "transfers": 0,
        "transfer_shares": 0,
        "late_claims": 0,
        "journal": 6,
    }
    (customer,) = read(tmp_path / "books" / "customers.csv")
    assert customer["name"] == '\'=HYPERLINK("evil")'
    invoices = read(tmp_path / "books" / "invoices.csv")
    assert sorted((row["number"], row["period_start"], row["total_minor"]) for row in invoices) == [
        ("F-000001", "2027-01-01", "3480"),
        ("F-000002", "2027-02-01", "3480"),
    ]
    journal = read(tmp_path / "books" / "journal.csv")
    assert [(row["account"], row["amount_minor"]) for row in journal[:3]] == [
        ("receivable", "3480"),
        ("revenue", "-2900"),
        ("vat", "-580"),
    ]
    assert sum(int(row["amount_minor"]) for row in journal) == 0
    assert (tmp_path / "books" / "refunds.csv").read_text().startswith("id,invoice_id,customer_id")
