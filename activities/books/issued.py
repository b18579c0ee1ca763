"""Issued documents, invoices and credit notes alike: what can be printed."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Subquery, select, union_all
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.effects import InvoiceReason
from models.tables import CreditNote, Invoice


class IssuedDocument(NamedTuple):
    """One of them."""

    id: str
    number: str
    issued_on: date
    customer_id: str
    clock_id: str | None


def issued_documents() -> Subquery:
    """All of them, as a table with the columns of `IssuedDocument` and `issued_at`."""
    invoices = select(*_columns(Invoice)).where(
        col(Invoice.number).is_not(None), col(Invoice.reason) != InvoiceReason.BROUGHT_IN.value
    )
    notes = select(*_columns(CreditNote)).join(Invoice, col(CreditNote.invoice_id) == col(Invoice.id))
    return union_all(invoices, notes).subquery()


def _columns(table: type[Invoice | CreditNote]) -> list[ColumnElement[Any]]:
    return [
        col(table.id).label("id"),
        col(table.number).label("number"),
        col(table.issued_on).label("issued_on"),
        col(table.customer_id).label("customer_id"),
        col(Invoice.clock_id).label("clock_id"),
        col(table.issued_at).label("issued_at"),
    ]


async def find_issued(session: AsyncSession, key: str) -> list[IssuedDocument]:
    """The documents with this id or number; a number can be that of several sellers."""
    issued = issued_documents()
    return await _read(session, issued, (issued.c.id == key) | (issued.c.number == key))


async def list_issued(
    session: AsyncSession,
    *,
    since: date | None = None,
    until: date | None = None,
    customer_id: str | None = None,
    clock_id: str | None = None,
) -> list[IssuedDocument]:
    """Documents in the order of issue.

    Args:
        session: for looking.
        since: first day of issue.
        until: last day of issue.
        customer_id: of one customer only.
        clock_id: of this test clock; None is real life.
    """
    issued = issued_documents()
    wanted = [issued.c.clock_id.is_(None) if clock_id is None else issued.c.clock_id == clock_id]
    if since is not None:
        wanted.append(issued.c.issued_on >= since)
    if until is not None:
        wanted.append(issued.c.issued_on <= until)
    if customer_id is not None:
        wanted.append(issued.c.customer_id == customer_id)
    return await _read(session, issued, *wanted)


async def _read(
    session: AsyncSession, issued: Subquery, *wanted: ColumnElement[bool]
) -> list[IssuedDocument]:
    columns = [issued.c[name] for name in IssuedDocument._fields]
    query = select(*columns).where(*wanted).order_by(issued.c.issued_at, issued.c.number, issued.c.id)
    rows = (await (await session.connection()).execute(query)).all()
    return [IssuedDocument(*row) for row in rows]
