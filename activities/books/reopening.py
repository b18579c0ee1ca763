"""An invoice that was paid and is not any more: a new, dated fact that starts a chase of its own (rules 16)."""

from __future__ import annotations

from activities.books.chasing import collection_key, open_collection
from activities.books.work import Work
from billing.terms import CollectionMethod
from models.tables import Collection, Invoice, InvoiceStatus


async def reopen(work: Work, invoice: Invoice, *, was: InvoiceStatus) -> bool:
    """Open an invoice again on which something is owed again.

    One that had been written off is written off again: nobody asks for it. A chase that has not ended goes on; else
    one begins from now. After the end of the subscription it only waits for a person (U13).

    Args:
        work: with the invoice locked, its amounts as they are now.
        invoice: paid until now.
        was: its status before it was paid.

    Returns:
        Whether a chase begins.
    """
    invoice.paid_at = None
    if was is InvoiceStatus.UNCOLLECTIBLE:
        invoice.status = was
        return False
    invoice.status, invoice.closed_by = InvoiceStatus.OPEN, ""
    chased = await work.session.get(Collection, collection_key(invoice))
    if chased is not None and chased.closed_at is None:
        return False
    if chased is not None:
        invoice.chase += 1
    by_charge = work.row.state.terms.collection_method is CollectionMethod.CHARGE
    chase = await open_collection(work.session, work.row, invoice, work.at, on_delay=by_charge, reopened=True)
    if work.row.state.is_over:
        invoice.automatic_collecting, chase.ended = False, True
    return True
