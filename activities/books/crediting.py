"""Credit notes: the only way in which an issued invoice is corrected (rules 7, 11, 12)."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.gate import live_attempt
from activities.books.issuing import buyer_of, seller_of
from activities.books.journal import BALANCE, RECEIVABLE, REVENUE, VAT, book
from activities.books.notices import emit
from activities.books.numbering import next_number, series_name
from activities.books.rows import customer_of, entity_of
from billing.calendar import Period
from billing.credit import close_then_pay_back, credit_all, credit_lines, what_is_left
from billing.lines import Line, unused_credit
from billing.tax import Totals
from billing.terms import Terms
from models.ids import derived_id
from models.tables import CreditNote, Invoice, InvoiceLine, InvoiceStatus, SubscriptionRow


async def credit_unused(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    *,
    terms: Terms,
    period: Period,
    from_on: date,
    command_id: str,
    reason: str,
    at: datetime,
    rules: BookRules,
) -> CreditNote | None:
    """Credit the days of a period from `from_on` on; None where nothing is left to give back."""
    left = await left_of(session, invoice)
    lines = unused_credit(terms, period, min(from_on, period.end))
    if left.total_minor <= 0 or not any(line.amount_minor for line in lines):
        return None
    invoice.covers_until = min(invoice.covers_until, max(from_on, invoice.period_start))
    taxed = credit_lines(left, lines, invoice.rate, tax_included=invoice.tax_included)
    return await _write(
        session,
        row,
        invoice,
        taxed.totals,
        list(zip(lines, taxed.net_minor, strict=True)),
        command_id=command_id,
        reason=reason,
        at=at,
        rules=rules,
    )


async def credit_in_full(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    *,
    command_id: str,
    reason: str,
    at: datetime,
    rules: BookRules,
) -> CreditNote | None:
    """Take back all that is left of an invoice; None where nothing is."""
    left = await left_of(session, invoice)
    if left.total_minor <= 0:
        return None
    invoice.covers_until = invoice.period_start
    return await _write(
        session, row, invoice, credit_all(left), [], command_id=command_id, reason=reason, at=at, rules=rules
    )


async def left_of(session: AsyncSession, invoice: Invoice) -> Totals:
    """Net and VAT that can still be credited."""
    query = select(CreditNote).where(CreditNote.invoice_id == invoice.id).order_by(col(CreditNote.issued_at))
    notes = (await session.exec(query)).all()
    return what_is_left(invoice.totals, [note.totals for note in notes])


async def _write(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    credited: Totals,
    lines: list[tuple[Line, int]],
    *,
    command_id: str,
    reason: str,
    at: datetime,
    rules: BookRules,
) -> CreditNote:
    amount = -credited.total_minor
    use = close_then_pay_back(amount, invoice.open_minor, invoice.paid_minor)
    entity, customer = await entity_of(session, invoice), await customer_of(session, invoice)
    note = CreditNote(
        id=derived_id("cn", invoice.id, command_id),
        invoice_id=invoice.id,
        entity_id=invoice.entity_id,
        customer_id=invoice.customer_id,
        command_id=command_id,
        series="",
        number="",
        issued_on=date.min,
        issued_at=at,
        currency=invoice.currency,
        totals=credited,
        net_minor=-credited.net_minor,
        vat_minor=-credited.vat_minor,
        total_minor=amount,
        closes_minor=use.closes_minor,
        balance_minor=use.pays_back_minor,
        reason=reason,
        seller=seller_of(entity),
        buyer=buyer_of(customer),
    )
    invoice.credited_minor += use.closes_minor
    if invoice.status is InvoiceStatus.OPEN and invoice.open_minor == 0:
        invoice.status, invoice.in_arrears = InvoiceStatus.PAID, False
        invoice.closed_by = f"credited: {reason}"
    elif invoice.open_minor < rules.minimum(invoice.currency):
        invoice.in_arrears = False  # too little to be asked for alone (rules 10, 20)
    if use.closes_minor and (invoice.payment_intent or await live_attempt(session, invoice.id)):
        supersede_payment(invoice)
    issued = await next_number(session, entity, series_name(entity.credit_series, row.clock_id), at)
    note.series, note.number, note.issued_on = issued.series, issued.number, issued.on
    book(
        session,
        entity,
        invoice,
        entry=f"credit_note/{note.id}",
        amounts={
            REVENUE: note.net_minor,
            VAT: note.vat_minor,
            RECEIVABLE: -use.closes_minor,
            BALANCE: -(amount - use.closes_minor),
        },
        at=at,
        on=issued.on,
    )
    session.add(note)
    for position, (line, net) in enumerate(lines):
        session.add(
            InvoiceLine(
                id=derived_id("il", note.id, position),
                document_id=note.id,
                position=position,
                line=line,
                net_minor=net,
            )
        )
    facts = {"credit_note": note.id, "number": note.number, "invoice": invoice.id, "total_minor": amount}
    emit(session, row, "credit_note.issued", facts, at, rules.access)
    await session.flush()
    return note


def supersede_payment(invoice: Invoice) -> None:
    """The amount changed, which a PaymentIntent cannot follow: the next attempt begins a generation (stripe B2).

    That of a live attempt may not be known yet; it is superseded when its answer comes.
    """
    invoice.superseded_intent = invoice.payment_intent or invoice.superseded_intent
    invoice.payment_intent = None
    invoice.generation += 1
