"""An invoice whose payment was taken back is open again: a new, dated fact, with a chase of its own (rules 16, U13)."""

from __future__ import annotations

from activities.books.chasing import collection_key, open_collection
from activities.books.notices import about, emit, write_mail
from activities.books.rows import customer_of, usable_method
from activities.books.work import Work
from billing.terms import CollectionMethod
from mails.context import TakenBackBy
from models.tables import Collection, Invoice, InvoiceStatus, PaymentState


async def reopen(
    work: Work,
    invoice: Invoice,
    amount_minor: int,
    taken_back_by: TakenBackBy,
    *,
    was: InvoiceStatus = InvoiceStatus.OPEN,
    fact: str = "",
) -> bool:
    """Owe again what a payment had paid; who calls books it, and settles the subscription's standing afterwards.

    What was written off stays so: only the debt is larger. The PaymentIntent that succeeded cannot be confirmed
    again, so the next charge begins another one (stripe B2).

    Args:
        work: with the invoice locked.
        invoice: issued.
        amount_minor: at most what was paid on it.
        taken_back_by: for the mail.
        was: its status before it was paid.
        fact: what names the mail, where a chase that goes on may be told of several.

    Returns:
        Whether a chase begins.
    """
    was_closed = invoice.status is InvoiceStatus.PAID
    invoice.paid_minor -= amount_minor
    invoice.generation += 1
    invoice.payment_intent = invoice.superseded_intent = None
    is_owed_again = was_closed and invoice.open_minor != 0
    is_asked_for = is_owed_again and was is not InvoiceStatus.UNCOLLECTIBLE
    if is_owed_again:
        invoice.paid_at = None
        invoice.status = InvoiceStatus.OPEN if is_asked_for else was
    emit(work.session, work.row, "invoice.reopened", about(invoice), work.at, work.rules.access)
    if not is_asked_for:
        return False
    invoice.payment_state, invoice.closed_by = PaymentState.NONE, ""
    is_late = work.row.state.terms.collection_method is CollectionMethod.CHARGE
    invoice.in_arrears = is_late and invoice.open_minor >= work.rules.minimum(invoice.currency)
    return await _chase_again(work, invoice, taken_back_by, fact)


async def _chase_again(work: Work, invoice: Invoice, taken_back_by: TakenBackBy, fact: str) -> bool:
    """A chase that has not closed goes on; else one begins today, with a charge first where there is a method.

    An ended subscription is left to a person (U13).
    """
    is_over = work.row.state.is_over
    invoice.automatic_collecting = not is_over
    running = await work.session.get(Collection, collection_key(invoice))
    goes_on = running is not None and running.closed_at is None
    customer = await customer_of(work.session, invoice)
    by_charge = work.row.state.terms.collection_method is CollectionMethod.CHARGE
    has_method = by_charge and not is_over and await usable_method(work.session, customer) is not None
    next_try_on = None
    if not goes_on:
        invoice.chase += 1
        invoice.delay_days = 0
        collection = await open_collection(work.session, work.row, invoice, work.at, on_delay=has_method)
        collection.ended = is_over
        next_try_on = str(collection.day0) if has_method else None
        if not has_method:
            collection.noticed_through_day = 0  # the mail of today stands for the one about a failed payment
    await write_mail(
        work.session,
        customer,
        kind="invoice_reopened",
        step="invoice_reopened",
        occurrence=fact or str(invoice.chase),
        at=work.at,
        subscription=work.row,
        invoice=invoice,
        context={
            "taken_back_by": taken_back_by.value,
            "next_try_on": next_try_on,
        },
    )
    return not goes_on
