"""Payments that a person records or settles, and refunds."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from activities.books.transfers import Booked
from billing.errors import InvalidInput
from models.tables import Refund as RefundRow
from starter.http.calling import Administers, Reads
from starter.http.v1.common import Paging, api_router, page
from starter.resources.common import Page
from starter.resources.invoices import PaidInvoice, Payment, RecordPayment, Refund, Settle, Settled

router = api_router("payments", "Payments")
refunds = api_router("refunds", "Payments")


@router.post("", status_code=201)
async def record_payment(body: RecordPayment, call: Administers) -> Payment:
    """Record a bank transfer that arrived. It pays the oldest invoice first; what is left over is held."""
    if bool(body.invoices) == (body.customer is not None):
        raise InvalidInput("Name either the invoices that it pays or the customer.", field="invoices")
    done = await call.relance.transfers.record(
        *body.invoices,
        customer=body.customer,
        amount_minor=body.amount_minor,
        currency=body.currency,
        received_on=body.received_on,
        bank_reference=body.bank_reference,
        command_id=call.id,
        by=call.by,
    )
    return _show(done)


@router.post("/settle")
async def settle_payment(body: Settle, call: Administers) -> Settled:
    """Settle a payment that has had no answer, as you found it at Stripe; Stripe is asked whether it is so."""
    done = await call.relance.settle_payment(
        body.invoice,
        payment_intent=body.payment_intent,
        command_id=call.id,
        by=call.by,
        reason=body.reason,
    )
    return Settled(invoice=done.invoice_id, attempt=done.attempt, outcome=done.outcome)


@refunds.get("")
async def list_refunds(
    call: Reads,
    paging: Paging,
    customer: Annotated[str | None, Query(max_length=110, description="Id or `ref:...`.")] = None,
) -> Page[Refund]:
    """List refunds, newest first."""
    return page(Refund, await call.relance.listing.refunds(paging, customer=customer), _show_refund)


def _show(done: Booked) -> Payment:
    return Payment(
        id=done.transfer_id,
        state=done.state,
        customer=done.customer_id,
        amount_minor=done.amount_minor,
        currency=done.currency,
        received_on=done.received_on,
        bank_reference=done.bank_reference,
        unapplied_minor=done.unapplied_minor,
        invoices=tuple(
            PaidInvoice(invoice=each.invoice_id, paid_minor=each.pays_minor) for each in done.invoices
        ),
    )


def _show_refund(row: RefundRow) -> Refund:
    return Refund(
        id=row.id,
        customer=row.customer_id,
        invoice=row.invoice_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        state=row.state.value,
        reason=row.reason,
        failure=row.failure,
        created_at=row.at,
    )
