"""The lines of documents: written with their rate, and found again when days of them are given back (rules 8, 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.effects import InvoiceReason
from billing.lines import Line
from billing.tax import TaxedLines, TaxRate, totals_by_rate
from billing.taxation import TaxTreatment
from models.ids import derived_id
from models.tables import Invoice, InvoiceLine, InvoiceStatus

Rated = tuple[Line, TaxRate]
"""A line with the rate at which it is taxed."""

_ISSUED = (InvoiceStatus.OPEN, InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE)


def _bills_its_days() -> ColumnElement[bool]:
    """Invoices that we issued, and drafts that only wait for usage: their period has begun."""
    is_ours = col(Invoice.reason) != InvoiceReason.BROUGHT_IN.value
    awaits_usage = and_(col(Invoice.status) == InvoiceStatus.DRAFT, col(Invoice.waits_for_usage).is_(True))
    return and_(is_ours, or_(col(Invoice.status).in_(_ISSUED), awaits_usage))


def _newest_first() -> tuple[ColumnElement[Any], ...]:
    """Drafts are newer than what was issued."""
    return (
        col(Invoice.issued_at).desc().nulls_first(),
        col(Invoice.number).desc().nulls_first(),
        col(Invoice.period_start).desc(),
    )


class WrittenLine(NamedTuple):
    """A line as it is written."""

    line: Line
    rate: TaxRate
    net_minor: int


def with_nets(lines: Sequence[Rated], taxed: TaxedLines) -> tuple[WrittenLine, ...]:
    """Lines with their nets."""
    return tuple(
        WrittenLine(line, rate, net) for (line, rate), net in zip(lines, taxed.net_minor, strict=True)
    )


def write_lines(
    session: AsyncSession,
    *,
    document_id: str,
    invoice_id: str,
    lines: Sequence[WrittenLine],
    first_position: int = 0,
) -> None:
    """Write the lines of a document in the order printed.

    Args:
        session: the transaction of the document.
        document_id: the invoice or credit note.
        invoice_id: the invoice itself, or the one that the note corrects.
        lines: with their rates and nets.
        first_position: how many lines the document has already.
    """
    for position, (line, rate, net) in enumerate(lines, start=first_position):
        session.add(
            InvoiceLine(
                id=derived_id("il", document_id, position),
                document_id=document_id,
                invoice_id=invoice_id,
                position=position,
                line=line,
                rate=rate,
                net_minor=net,
                covers_until=line.end if line.kind.bills_days else None,
            )
        )


@dataclass(frozen=True)
class BilledLine:
    """A line that billed days which were not given back yet, and the invoice on which they can be."""

    row: InvoiceLine
    invoice: Invoice

    @property
    def line(self) -> Line:
        """The days of it that are still billed."""
        end = self.row.covers_until
        return self.row.line if end is None else self.row.line.model_copy(update={"end": end})

    def give_back_from(self, day: date) -> None:
        """Its days from this one on are billed no more."""
        until = self.row.covers_until
        self.row.covers_until = day if until is None else min(until, max(day, self.row.line.start))


async def billed_lines(
    session: AsyncSession, subscription_id: str, from_on: date, *, but: str | None = None
) -> list[BilledLine]:
    """What bills the days from `from_on` on, newest first: lines of invoices and of their credit notes.

    Drafts that only wait for usage are among them.

    Args:
        session: with the subscription locked.
        subscription_id: whose.
        from_on: first day that matters.
        but: an invoice to leave out.
    """
    query = (
        select(InvoiceLine, Invoice)
        .join(Invoice, col(InvoiceLine.invoice_id) == col(Invoice.id))
        .where(
            Invoice.subscription_id == subscription_id,
            _bills_its_days(),
            col(InvoiceLine.covers_until) > from_on,
            Invoice.id != (but or ""),
        )
        .order_by(*_newest_first(), col(InvoiceLine.position))
    )
    return [BilledLine(row, invoice) for row, invoice in (await session.exec(query)).all()]


async def invoices_from(session: AsyncSession, subscription_id: str, day: date) -> list[Invoice]:
    """The invoices that bill days beyond one, newest first: what days of them are given back on."""
    query = (
        select(Invoice)
        .where(
            Invoice.subscription_id == subscription_id,
            _bills_its_days(),
            Invoice.period_end > day,
        )
        .order_by(*_newest_first())
    )
    return list((await session.exec(query)).all())


async def issued_invoices(session: AsyncSession, subscription_id: str) -> list[Invoice]:
    """Every issued invoice of a subscription, newest first."""
    return await invoices_from(session, subscription_id, date.min)


async def lines_of(session: AsyncSession, document_id: str) -> list[InvoiceLine]:
    """The lines of a document in the order printed."""
    query = (
        select(InvoiceLine).where(InvoiceLine.document_id == document_id).order_by(col(InvoiceLine.position))
    )
    return list((await session.exec(query)).all())


async def add_to_draft(session: AsyncSession, draft: Invoice, more: Sequence[Rated]) -> None:
    """Write more lines on a draft; its tax is worked out anew, once per rate of all lines (rules 6)."""
    written = await lines_of(session, draft.id)
    amounts = [(stored.line.amount_minor, stored.rate) for stored in written]
    amounts += [(line.amount_minor, rate) for line, rate in more]
    taxed = totals_by_rate(amounts, tax_included=draft.tax_included)
    for stored, net in zip(written, taxed.net_minor, strict=False):
        stored.net_minor = net
    nets = taxed.net_minor[len(written) :]
    write_lines(
        session,
        document_id=draft.id,
        invoice_id=draft.id,
        lines=[WrittenLine(line, rate, net) for (line, rate), net in zip(more, nets, strict=True)],
        first_position=len(written),
    )
    draft.totals = taxed.totals
    draft.net_minor, draft.vat_minor = taxed.totals.net_minor, taxed.totals.vat_minor
    draft.total_minor = taxed.totals.total_minor
    await session.flush()


async def tax_anew(session: AsyncSession, draft: Invoice, treatment: TaxTreatment) -> None:
    """Tax what is on a draft in another way."""
    for stored in await lines_of(session, draft.id):
        stored.rate = treatment.rate_for(stored.line.tax_class)
    await add_to_draft(session, draft, ())


async def lines_on(session: AsyncSession, invoice: Invoice) -> list[InvoiceLine]:
    """The lines of an invoice and of its credit notes: one over a change bills days as well (rules 10)."""
    query = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)
    return list((await session.exec(query)).all())


async def follow_coverage(session: AsyncSession, invoice: Invoice) -> None:
    """Bring the invoice's own date in line with what its lines still cover."""
    ends = [row.covers_until for row in await lines_on(session, invoice) if row.covers_until is not None]
    if ends:
        invoice.covers_until = max(invoice.period_start, *ends)
