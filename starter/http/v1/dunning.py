"""Steering the chase of an invoice: a promise, a pause, a step left out, a try at once."""

from __future__ import annotations

from activities.books.steering import ChaseSteered
from billing import steering
from billing.steering import Directive
from starter.http.calling import Call, Supports
from starter.http.v1.common import api_router
from starter.http.v1.invoices import InvoiceKey
from starter.resources.invoices import Asked, Chase, Extend, Hold, Promise, Why

router = api_router("invoices", "Dunning")


@router.post("/{invoice}/dunning/promise")
async def promise_payment(invoice: InvoiceKey, body: Promise, call: Supports) -> Chase:
    """Note that the customer promised to pay on a day: everything waits for it, and one charge is made then."""
    directive = steering.Promise(command_id=call.id, by=call.by, reason=body.reason, on=body.on)
    return await _steer(invoice, directive, call)


@router.post("/{invoice}/dunning/pause")
async def pause_dunning(invoice: InvoiceKey, body: Hold, call: Supports) -> Chase:
    """Pause the chase until a day: no charge, no mail and no end before it. What falls into it is left out."""
    directive = steering.Hold(command_id=call.id, by=call.by, reason=body.reason, until=body.until)
    return await _steer(invoice, directive, call)


@router.post("/{invoice}/dunning/resume")
async def resume_dunning(invoice: InvoiceKey, body: Why, call: Supports) -> Chase:
    """End a promise or a pause before its day. Later steps keep their days."""
    return await _steer(invoice, steering.Release(command_id=call.id, by=call.by, reason=body.reason), call)


@router.post("/{invoice}/dunning/skip")
async def skip_dunning_step(invoice: InvoiceKey, body: Why, call: Supports) -> Chase:
    """Leave out the next charge or reminder; neither the last notice nor the end."""
    return await _steer(invoice, steering.Skip(command_id=call.id, by=call.by, reason=body.reason), call)


@router.post("/{invoice}/dunning/extend")
async def extend_dunning(invoice: InvoiceKey, body: Extend, call: Supports) -> Chase:
    """Move the end of the chase, and of the service with it, to a later day."""
    directive = steering.Extend(command_id=call.id, by=call.by, reason=body.reason, end_on=body.end_on)
    return await _steer(invoice, directive, call)


@router.post("/{invoice}/dunning/retry")
async def retry_payment(invoice: InvoiceKey, call: Supports) -> Asked:
    """Charge a chased invoice at once; its schedule stays as it is. The outcome is on the invoice."""
    taken = await call.relance.steering.retry(invoice, command_id=call.id, by=call.by)
    return Asked(invoice=taken.invoice_id, command=taken.command_id)


async def _steer(invoice: str, directive: Directive, call: Call) -> Chase:
    return _show(await call.relance.steering.steer(invoice, directive))


def _show(done: ChaseSteered) -> Chase:
    report = done.report
    return Chase(
        invoice=done.invoice_id,
        next=report.step.why.sentence(),
        next_at=report.step.due,
        attempts=report.attempts,
        last_decline=report.last_decline,
        open_minor=report.amount_minor,
        currency=report.currency,
    )
