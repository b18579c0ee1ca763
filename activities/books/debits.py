"""SEPA debits in the books: which may be made now (rules 22, 28)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.mandates import is_direct_debit
from billing.payment import Trigger
from models.tables import Collection, Invoice, InvoiceStatus, PaymentAttempt, PaymentMethod


def is_ordered(invoice: Invoice, trigger: Trigger) -> bool:
    """Whether the payer is there and orders the debit, with amount and mandate before their eyes."""
    is_sign_up = invoice.gated and invoice.status is InvoiceStatus.DRAFT
    return is_sign_up or trigger is Trigger.CUSTOMER


async def is_announced(
    session: AsyncSession, invoice: Invoice, method: PaymentMethod, trigger: Trigger, today: date
) -> bool:
    """Whether a method may be charged today as far as a notice is needed: no debit comes before its day."""
    if not is_direct_debit(method) or is_ordered(invoice, trigger):
        return True
    query = select(Collection).where(Collection.invoice_id == invoice.id, Collection.chase == invoice.chase)
    collection = (await session.exec(query)).first()
    return collection is not None and collection.debit_on is not None and collection.debit_on <= today


async def last_kind(session: AsyncSession, attempts: Sequence[PaymentAttempt]) -> str | None:
    """The kind of the method that was charged last; None where nothing was."""
    if not attempts:
        return None
    return (await session.get_one(PaymentMethod, attempts[-1].method_id)).kind
