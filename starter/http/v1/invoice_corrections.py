"""What a person of the seller does about an issued invoice: credit, refund, write off, rectify."""

from __future__ import annotations

from activities.books.correcting import Corrected as Done
from billing import corrections
from billing.corrections import PayBackAs
from starter.http.calling import Administers, Call, GivesBack
from starter.http.v1.common import api_router
from starter.http.v1.invoices import InvoiceKey
from starter.reading import InvoiceDocument
from starter.resources.common import built
from starter.resources.invoices import Corrected, Credit, Rectified, Rectify, WriteOff

router = api_router("invoices", "Invoices")


@router.post("/{invoice}/credit", status_code=201)
async def credit_invoice(invoice: InvoiceKey, body: Credit, call: GivesBack) -> Corrected:
    """Issue a credit note. It closes what is open first; what was paid becomes the customer's balance."""
    return await _credit(invoice, body, PayBackAs.BALANCE, call)


@router.post("/{invoice}/refund", status_code=201)
async def refund_invoice(invoice: InvoiceKey, body: Credit, call: GivesBack) -> Corrected:
    """Issue a credit note. It closes what is open first; what was charged goes back to the card or account."""
    return await _credit(invoice, body, PayBackAs.REFUND, call)


@router.post("/{invoice}/write-off", status_code=201)
async def write_off_invoice(invoice: InvoiceKey, body: WriteOff, call: Administers) -> Corrected:
    """Stop asking for an open invoice. The debt and the document remain; a later payment still pays it."""
    found = (await call.relance.invoice(invoice)).invoice
    asked = corrections.WriteOff(command_id=call.id, invoice_id=found.id, by=call.by, reason=body.reason)
    return _show(await call.relance.corrections.carry_out(asked))


@router.post("/{invoice}/rectify", status_code=201)
async def rectify_invoice(invoice: InvoiceKey, body: Rectify, call: Administers) -> Rectified:
    """Replace an invoice by one with the buyer's corrected data; what was paid moves over."""
    found = (await call.relance.invoice(invoice)).invoice
    asked = built(
        corrections.Rectify,
        command_id=call.id,
        invoice_id=found.id,
        by=call.by,
        reason=body.reason,
        buyer=body.buyer.model_dump(exclude_none=True),
        update_customer=body.update_customer,
    )
    done = await call.relance.corrections.rectify(asked)
    return Rectified(
        invoice=done.invoice_id,
        credit_note=done.credit_note,
        new_invoice=done.new_invoice_id,
        new_number=done.new_number,
        status=done.status,
        currency=done.currency,
        moved_minor=done.moved_minor,
        open_minor=done.open_minor,
    )


async def _credit(invoice: str, body: Credit, then: PayBackAs, call: Call) -> Corrected:
    found = await call.relance.invoice(invoice)
    asked = built(
        corrections.Credit,
        command_id=call.id,
        invoice_id=found.invoice.id,
        by=call.by,
        reason=body.reason,
        amount_minor=body.amount_minor,
        lines=[line.model_dump() for line in body.lines],
        then=then,
    )
    await call.spend(body.amount_minor or _most(found), found.invoice.currency)
    return _show(await call.relance.corrections.carry_out(asked))


def _most(found: InvoiceDocument) -> int:
    """What a credit without an amount takes at most: what is not credited yet."""
    return found.invoice.total_minor - found.invoice.credited_minor


def _show(done: Done) -> Corrected:
    return Corrected.model_validate({**done.model_dump(), "invoice": done.invoice_id})
