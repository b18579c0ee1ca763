"""Paying an open invoice with money that we hold for the customer: unapplied cash, or the balance (rules 11)."""

from __future__ import annotations

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import ACCOUNT_OF, held_for
from activities.books.gate import supersede_payment
from activities.books.journal import APPLIED, RECEIVABLE, book
from activities.books.notices import about, emit
from activities.books.numbering import wait_for_turn
from activities.books.rows import entity_of
from activities.books.work import Work
from billing.corrections import ApplyMoney
from billing.errors import InvalidInput
from billing.refund import MoneySource
from models.tables import Invoice, InvoiceStatus, JournalLine


async def apply_money(work: Work, invoice: Invoice, asked: ApplyMoney) -> None:
    """Pay an open invoice, also one that was written off, with what we hold for the customer.

    Raises:
        InvalidInput: we do not hold that much, or less is open; field `amount`.
    """
    await wait_for_turn(work.session, invoice.entity_id)
    held = await held_for(work.session, invoice.customer_id, invoice.currency)
    most = min(held.of(asked.source), invoice.open_minor)
    amount = most if asked.amount_minor is None else asked.amount_minor
    if not 0 < amount <= most:
        raise InvalidInput(
            f"{held.of(asked.source)} minor units of {asked.source.value.replace('_', ' ')} are held for this "
            f"customer, and {invoice.open_minor} are open on the invoice. Apply {most} at most.",
            field="amount",
        )
    book(
        work.session,
        await entity_of(work.session, invoice),
        invoice,
        entry=f"{APPLIED}/{asked.command_id}",
        amounts={ACCOUNT_OF[asked.source]: amount, RECEIVABLE: -amount},
        at=work.at,
    )
    invoice.paid_minor += amount
    if asked.source is MoneySource.BALANCE:
        invoice.balance_minor += amount
    if invoice.payment_intent:
        supersede_payment(invoice)
    is_paid = invoice.open_minor == 0
    if is_paid:
        invoice.status, invoice.in_arrears, invoice.paid_at = InvoiceStatus.PAID, False, work.at
    name = "invoice.paid" if is_paid else "invoice.partly_paid"
    emit(
        work.session,
        work.row,
        name,
        {**about(invoice), "amount_minor": amount},
        work.at,
        work.rules.access,
    )


async def applied_by(session: AsyncSession, command_id: str) -> int:
    """What a command applied, in minor units; 0 where it was not carried out."""
    query = select(JournalLine.amount_minor).where(
        JournalLine.entry == f"{APPLIED}/{command_id}", JournalLine.account == RECEIVABLE
    )
    return -((await session.exec(query)).first() or 0)
