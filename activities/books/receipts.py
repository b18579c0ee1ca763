"""VAT on receipts of a month, from the journal: what came in and what was taken back, at each rate (rules 16, I10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.journal import CREDIT_NOTE, INVOICE, RECEIVABLE, SMALL_DIFFERENCE
from billing.effects import InvoiceReason
from billing.receipts import MoneyMoved, NoteIssued, received_before
from billing.tax import RateTotal
from billing.taxation import TreatmentKind
from billing.values import Value
from models.tables import CreditNote, Invoice, JournalLine

_NO_MONEY = (INVOICE, CREDIT_NOTE, SMALL_DIFFERENCE)
"""Kinds of entries that change what is owed without a payment."""


class ReceivedAtRate(Value):
    """What was received in a month at one rate, less what was given or taken back; negative where that was more."""

    currency: str
    category: str
    """UNTDID 5305: `S` for a standard or reduced rate, `AE` for a reverse charge."""
    percent: Decimal
    base_minor: int
    vat_minor: int
    taken_back_minor: int
    """The VAT in it that banks took back in this month, by returns and lost disputes: zero or negative."""


async def receipts_of(
    session: AsyncSession, *, entity_id: str, clock_id: str | None, first: date, after: date
) -> tuple[ReceivedAtRate, ...]:
    """VAT on receipts of the days from `first` to the one before `after`, by the seller's dates.

    Sales of the one stop shop are left out: they are declared there, by the quarter of the sale.
    """
    sums: defaultdict[tuple[str, str, Decimal], list[int]] = defaultdict(lambda: [0, 0, 0])
    for invoice in await _touched(session, entity_id, clock_id, first, after):
        notes, moved = await _notes(session, invoice), await _moved(session, invoice)
        money = [one for one, _ in moved]
        before = received_before(invoice.totals, notes, money, first)
        until = received_before(invoice.totals, notes, money, after)
        kept = [one for one, taken in moved if not (taken and first <= one.on < after)]
        without = received_before(invoice.totals, notes, kept, after)
        for key, base, vat in _at_rates(invoice, (until + -before).per_rate):
            sums[key][0] += base
            sums[key][1] += vat
        for key, _, vat in _at_rates(invoice, (until + -without).per_rate):
            sums[key][2] += vat
    return tuple(
        ReceivedAtRate(
            currency=currency,
            category=category,
            percent=Decimal(f"{percent:f}"),
            base_minor=base,
            vat_minor=vat,
            taken_back_minor=taken_back,
        )
        for (currency, category, percent), (base, vat, taken_back) in sorted(sums.items())
        if base or vat or taken_back
    )


def _at_rates(
    invoice: Invoice, parts: Iterable[RateTotal]
) -> Iterable[tuple[tuple[str, str, Decimal], int, int]]:
    for part in parts:
        category, percent = part.rate.group
        yield (invoice.currency, category, percent), part.base_minor, part.vat_minor


async def _touched(
    session: AsyncSession, entity_id: str, clock_id: str | None, first: date, after: date
) -> list[Invoice]:
    """Invoices on which money moved, or of which some was credited, in these days."""
    here = col(Invoice.clock_id).is_(None) if clock_id is None else col(Invoice.clock_id) == clock_id
    moved = select(JournalLine.invoice_id).where(
        JournalLine.entity_id == entity_id,
        JournalLine.account == RECEIVABLE,
        JournalLine.on >= first,
        JournalLine.on < after,
    )
    credited = select(CreditNote.invoice_id).where(
        CreditNote.entity_id == entity_id, CreditNote.issued_on >= first, CreditNote.issued_on < after
    )
    query = select(Invoice).where(
        Invoice.entity_id == entity_id,
        here,
        col(Invoice.tax_kind).is_distinct_from(TreatmentKind.OSS.value),
        col(Invoice.reason) != InvoiceReason.BROUGHT_IN.value,
        col(Invoice.id).in_(moved) | col(Invoice.id).in_(credited),
    )
    return list((await session.exec(query.order_by(col(Invoice.id)))).all())


async def _notes(session: AsyncSession, invoice: Invoice) -> list[NoteIssued]:
    query = select(CreditNote).where(CreditNote.invoice_id == invoice.id).order_by(col(CreditNote.issued_at))
    return [
        NoteIssued(
            on=note.issued_on,
            totals=note.totals,
            closes_minor=note.closes_minor,
            pays_back_minor=note.total_minor - note.closes_minor - note.unfunded_minor,
        )
        for note in (await session.exec(query)).all()
    ]


async def _moved(session: AsyncSession, invoice: Invoice) -> list[tuple[MoneyMoved, bool]]:
    """What was paid, and whether it was taken back."""
    query = select(JournalLine).where(
        JournalLine.invoice_id == invoice.id,
        JournalLine.account == RECEIVABLE,
        col(JournalLine.kind).not_in(_NO_MONEY),
    )
    return [
        (MoneyMoved(on=line.on, amount_minor=-line.amount_minor), line.amount_minor > 0)
        for line in (await session.exec(query.order_by(col(JournalLine.id)))).all()
    ]
