"""The books as CSV files: customers, invoices, payments and the journal, for an accountant or another system."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.values import Value
from models.tables import (
    CreditNote,
    Customer,
    Invoice,
    JournalLine,
    LateClaim,
    PaymentAttempt,
    Refund,
    Transfer,
    TransferShare,
)
from starter.connections import Connections

COLUMNS: Final[dict[str, tuple[type[SQLModel], tuple[str, ...]]]] = {
    "customers": (
        Customer,
        ("id", "reference", "entity_id", "kind", "name", "locale", "timezone", "vat_number", "siren", "created_at"),
    ),
    "invoices": (
        Invoice,
        (
            "id", "number", "entity_id", "customer_id", "subscription_id", "reason", "status", "period_start",
            "period_end", "issued_on", "due_on", "currency", "net_minor", "vat_minor", "total_minor", "open_minor",
            "paid_at",
        ),
    ),
    "credit_notes": (
        CreditNote,
        (
            "id", "number", "entity_id", "customer_id", "invoice_id", "issued_on", "currency", "net_minor",
            "vat_minor", "total_minor", "reason",
        ),
    ),
    "payments": (
        PaymentAttempt,
        (
            "id", "invoice_id", "customer_id", "number", "trigger", "state", "amount_minor", "currency",
            "payment_intent", "charge", "decline_code", "begun_at", "settled_at",
        ),
    ),
    "refunds": (
        Refund,
        (
            "id", "invoice_id", "customer_id", "credit_note_id", "source", "state", "amount_minor", "currency",
            "provider_id", "at", "settled_at",
        ),
    ),
    "transfers": (
        Transfer,
        (
            "id", "entity_id", "customer_id", "source", "state", "amount_minor", "currency", "received_on", "value_on",
            "bank_reference", "payer_name", "payer_account", "remittance", "why",
        ),
    ),
    "transfer_shares": (
        TransferShare,
        (
            "id", "transfer_id", "invoice_id", "pays_minor", "small_difference_minor", "claim_minor",
            "unapplied_minor", "at", "taken_back_at",
        ),
    ),
    "late_claims": (
        LateClaim,
        (
            "id", "invoice_id", "customer_id", "state", "until_on", "interest_minor", "recovery_minor", "paid_minor",
            "waived_minor", "currency", "at", "closed_at",
        ),
    ),
    "journal": (
        JournalLine,
        ("id", "entry", "kind", "account", "amount_minor", "currency", "entity_id", "customer_id", "invoice_id",
         "on", "at"),
    ),
}  # fmt: skip
"""Each file, and its columns in their order: names of the table's, amounts in minor units. Others script them."""
_AT_ONCE: Final = 1000
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class BooksExported(Value):
    """How many rows each file has, beside its header."""

    rows: dict[str, int]


class BooksExport:
    """Writes the books into files; they are read in one transaction, so that they agree with each other."""

    def __init__(self, connections: Connections) -> None:
        self._to = connections

    async def write(self, folder: Path) -> BooksExported:
        """Write one CSV file a table, in UTF-8 with a header. Files that are there are replaced.

        Args:
            folder: made if it is not there.
        """
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        counts: dict[str, int] = {}
        async with self._to.database.read() as session:
            for name, (table, columns) in COLUMNS.items():
                counts[name] = await _write(session, folder / f"{name}.csv", table, columns)
        return BooksExported(rows=counts)


async def _write(session: AsyncSession, file: Path, table: type[SQLModel], columns: Sequence[str]) -> int:
    count = 0
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        async for row in _rows(session, table):
            writer.writerow([_cell(getattr(row, column)) for column in columns])
            count += 1
    return count


async def _rows(session: AsyncSession, table: type[Any]) -> AsyncIterator[SQLModel]:
    """All rows by id, some at a time."""
    last: object = None
    while True:
        query = select(table).order_by(col(table.id)).limit(_AT_ONCE)
        if last is not None:
            query = query.where(col(table.id) > last)
        found = (await session.exec(query)).all()
        for row in found:
            yield row
        if len(found) < _AT_ONCE:
            return
        last = found[-1].id
        session.expunge_all()


def _cell(value: object) -> object:
    """A value as others read it; what a spreadsheet would take for a formula is quoted."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return f"'{value}"
    return value
