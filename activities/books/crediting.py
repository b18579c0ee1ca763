"""Credit notes: the only way in which an issued invoice is corrected (rules 7, 11, 12)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import held_for
from activities.books.config import BookRules
from activities.books.document_lines import WrittenLine, lines_of, lines_on, write_lines
from activities.books.exchanging import freeze_credit
from activities.books.gate import live_attempt, supersede_payment
from activities.books.issuing import seller_of
from activities.books.journal import (
    BALANCE,
    CREDIT_NOTE,
    RECEIVABLE,
    REVENUE,
    SMALL_DIFFERENCE,
    UNAPPLIED,
    VAT,
    book,
)
from activities.books.notices import about, emit, write_mail
from activities.books.numbering import next_number, series_name, wait_for_turn
from activities.books.refunding import payments_of, refundable, write_refunds
from activities.books.rows import customer_of, entity_of
from billing.corrections import PayBackAs
from billing.credit import close_then_pay_back, credit_all, what_is_left
from billing.credit_lines import line_of_rate, taken_back
from billing.refund import MoneySource, RefundPart, spread
from billing.tax import Totals
from models.ids import derived_id
from models.tables import CreditNote, Invoice, InvoiceLine, InvoiceStatus, SubscriptionRow


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
    if (await left_of(session, invoice)).total_minor <= 0:
        return None
    credited, lines = await take_all_back(session, invoice)
    return await write_credit_note(
        session, row, invoice, credited, lines, command_id=command_id, reason=reason, at=at, rules=rules
    )


async def take_all_back(session: AsyncSession, invoice: Invoice) -> tuple[Totals, list[WrittenLine]]:
    """Totals and lines of a note over all that is left; the invoice covers no day any more.

    Raises:
        NothingToCredit: nothing is left; field `amount`.
    """
    credited, lines = await all_of(session, invoice, await left_of(session, invoice))
    for stored in await lines_on(session, invoice):
        stored.covers_until = stored.line.start if stored.covers_until is not None else None
    invoice.covers_until = invoice.period_start
    return credited, lines


async def all_of(session: AsyncSession, invoice: Invoice, left: Totals) -> tuple[Totals, list[WrittenLine]]:
    """Totals and lines that take back what is left of an invoice; nothing is written.

    Raises:
        NothingToCredit: nothing is left; field `amount`.
    """
    credited = credit_all(left)
    billed = await lines_of(session, invoice.id)
    if left == invoice.totals:
        return credited, [WrittenLine(taken_back(s.line), s.rate, -s.net_minor) for s in billed]
    return credited, lines_per_rate(invoice, billed, credited)


def lines_per_rate(invoice: Invoice, billed: Sequence[InvoiceLine], credited: Totals) -> list[WrittenLine]:
    """One line for each rate of a credit that names no line."""
    lines = []
    for part in credited.per_rate:
        same = [stored for stored in billed if stored.rate.group == part.rate.group]
        if part.gross_minor and same:
            template = max(same, key=lambda stored: stored.net_minor).line
            line = line_of_rate(template, part, invoice.currency, tax_included=invoice.tax_included)
            lines.append(WrittenLine(line, part.rate, part.base_minor))
    return lines


async def left_of(session: AsyncSession, invoice: Invoice) -> Totals:
    """Net and VAT that can still be credited."""
    return what_is_left(invoice.totals, [note.totals for note in await notes_of(session, invoice)])


async def notes_of(session: AsyncSession, invoice: Invoice) -> Sequence[CreditNote]:
    """The credit notes of an invoice, oldest first."""
    query = select(CreditNote).where(CreditNote.invoice_id == invoice.id).order_by(col(CreditNote.issued_at))
    return (await session.exec(query)).all()


async def write_credit_note(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    credited: Totals,
    lines: Sequence[WrittenLine],
    *,
    command_id: str,
    reason: str,
    at: datetime,
    rules: BookRules,
    then: PayBackAs = PayBackAs.BALANCE,
    moves_minor: int | None = None,
    by: str = "",
    tells: bool = False,
) -> CreditNote:
    """Write a credit note: the one place where it gets its number, and its money its way.

    It closes what is open first; only money that came in, and has not gone back yet, becomes balance or refund
    (rules 12).

    Args:
        session: with the subscription and the invoice locked.
        row: the subscription.
        invoice: issued.
        credited: negative totals, at most what is left.
        lines: with their rates and nets.
        command_id: what asked for it; with the invoice it names the note.
        reason: printed.
        at: the business instant.
        rules: the seller's.
        then: what becomes of money that was paid.
        moves_minor: at most so much of that money pays the invoice which replaces this one (rectify); None where none
            does.
        by: who asked, for the refunds.
        tells: whether the customer gets a mail about it; an automatic credit is told in the mail of its cause.
    """
    await wait_for_turn(session, invoice.entity_id)
    entity, customer = await entity_of(session, invoice), await customer_of(session, invoice)
    amount = -credited.total_minor
    use = close_then_pay_back(amount, invoice.open_minor, await paid_and_kept(session, invoice))
    moves = moves_minor is not None
    made_good = 0 if moves else await _already_gone_back(session, invoice, use.pays_back_minor)
    payable = use.pays_back_minor - made_good
    parts = await _refund_parts(session, invoice, payable) if then is PayBackAs.REFUND and not moves else ()
    refund_minor = sum(part.amount_minor for part in parts)
    moved_minor = min(payable, moves_minor or 0)
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
        balance_minor=payable - refund_minor - moved_minor,
        refund_minor=refund_minor,
        moved_minor=moved_minor,
        made_good_minor=made_good,
        unfunded_minor=use.unfunded_minor,
        reason=reason,
        seller=seller_of(entity),
        buyer=invoice.buyer,
    )
    was = invoice.status
    await _close(session, invoice, use.closes_minor, reason, rules)
    issued = await next_number(session, entity, series_name(entity.credit_series, row.clock_id), at)
    note.series, note.number, note.issued_on = issued.series, issued.number, issued.on
    await freeze_credit(session, invoice, note)
    book(
        session,
        entity,
        invoice,
        entry=f"{CREDIT_NOTE}/{note.id}",
        amounts={
            REVENUE: note.net_minor,
            VAT: note.vat_minor,
            RECEIVABLE: -note.closes_minor,
            BALANCE: -payable,
            UNAPPLIED: -note.made_good_minor,
            SMALL_DIFFERENCE: -note.unfunded_minor,
        },
        at=at,
        on=issued.on,
    )
    session.add(note)
    write_lines(session, document_id=note.id, invoice_id=invoice.id, lines=lines)
    facts = {"credit_note": note.id, "number": note.number, "invoice": invoice.id, "total_minor": amount}
    emit(session, row, "credit_note.issued", facts | {"currency": note.currency}, at, rules.access)
    if invoice.status is not was:
        emit(session, row, "invoice.closed", about(invoice), at, rules.access)
    await session.flush()
    if parts:
        await write_refunds(
            session,
            parts,
            source=MoneySource.BALANCE,
            command_id=f"{invoice.id}/{command_id}",
            reason=reason,
            by=by,
            at=at,
            rules=rules.access,
            note=note,
        )
    if tells:
        await write_mail(
            session,
            customer,
            kind="credit_note_issued",
            step="credit_note_issued",
            occurrence=note.id,
            at=at,
            subscription=row,
            invoice=invoice,
            context={"credit_note": note.id},
        )
    return note


async def goes_to_balance(session: AsyncSession, invoice: Invoice, amount_minor: int, then: PayBackAs) -> int:
    """What of a credit note over an amount would become the customer's balance (rules 12)."""
    use = close_then_pay_back(amount_minor, invoice.open_minor, await paid_and_kept(session, invoice))
    payable = use.pays_back_minor - await _already_gone_back(session, invoice, use.pays_back_minor)
    parts = await _refund_parts(session, invoice, payable) if then is PayBackAs.REFUND else ()
    return payable - sum(part.amount_minor for part in parts)


async def paid_and_kept(session: AsyncSession, invoice: Invoice) -> int:
    """What was paid on the invoice and was not given back by an earlier credit note."""
    given_back = sum(
        note.total_minor - note.closes_minor - note.unfunded_minor
        for note in await notes_of(session, invoice)
    )
    return max(0, invoice.paid_minor - given_back)


async def _already_gone_back(session: AsyncSession, invoice: Invoice, pays_back_minor: int) -> int:
    """The part that a refund made at the provider has given back before: it is not given back twice (rules 33)."""
    held = await held_for(session, invoice.customer_id, invoice.currency)
    return min(pays_back_minor, max(0, -held.unapplied_minor))


async def _refund_parts(session: AsyncSession, invoice: Invoice, amount_minor: int) -> tuple[RefundPart, ...]:
    """What of the amount can go back on the payments of the invoice; the rest was paid from the balance."""
    payments = await refundable(session, await payments_of(session, invoice))
    amount = min(amount_minor, sum(payment.left_minor for payment in payments))
    return spread(amount, payments) if amount > 0 else ()


async def _close(
    session: AsyncSession, invoice: Invoice, closes_minor: int, reason: str, rules: BookRules
) -> None:
    invoice.credited_minor += closes_minor
    if not closes_minor:
        return
    if invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE) and invoice.open_minor == 0:
        invoice.status, invoice.in_arrears = InvoiceStatus.PAID, False
        invoice.closed_by = f"credited: {reason}"
    elif invoice.open_minor < rules.minimum(invoice.currency):
        invoice.in_arrears = False  # too little to be asked for alone (rules 10, 20)
    if invoice.payment_intent or await live_attempt(session, invoice.id):
        supersede_payment(invoice)
