"""Invoices: what was billed, as data and as documents, and paying them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from models.tables import Invoice as InvoiceRow
from models.tables import InvoiceStatus
from starter.documents import DocumentFile
from starter.http.calling import Call, Reads, Supports
from starter.http.v1.common import Paging, api_router, page
from starter.reading import InvoiceDocument
from starter.resources.common import Page
from starter.resources.invoices import Asked, Attempt, Invoice, InvoiceLine

router: APIRouter = api_router("invoices", "Invoices")

InvoiceKey = Annotated[str, Path(max_length=110, description="Id of the invoice, or its number.")]
PDF: Final = "application/pdf"
XML: Final = "application/xml"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


@router.get("")
async def list_invoices(
    call: Reads,
    paging: Paging,
    customer: Annotated[str | None, Query(max_length=110, description="Id or `ref:...`.")] = None,
    subscription: Annotated[str | None, Query(max_length=110, description="Id or `ref:...`.")] = None,
    status: Annotated[InvoiceStatus | None, Query(description="Those in this status.")] = None,
) -> Page[Invoice]:
    """List invoices, the latest first; drafts come before them."""
    found = await call.relance.listing.invoices(
        paging, customer=customer, subscription=subscription, status=status
    )
    return page(Invoice, found, _show_row)


@router.get("/{invoice}")
async def get_invoice(invoice: InvoiceKey, call: Reads) -> Invoice:
    """An invoice with its lines, and everything that was tried to collect it."""
    return _show(await call.relance.invoice(invoice))


@router.get("/{invoice}/pdf", response_class=Response, responses={200: {"content": {PDF: _BINARY}}})
async def get_invoice_pdf(invoice: InvoiceKey, call: Reads) -> Response:
    """The document as it was issued, for ever the same: for businesses a Factur-X, with its XML inside."""
    file = await _file(invoice, call)
    name = {"Content-Disposition": f'inline; filename="{file.name}"'}
    return Response(file.content, media_type=PDF, headers=name)


@router.get("/{invoice}/facturx", response_class=Response, responses={200: {"content": {XML: _BINARY}}})
async def get_invoice_facturx(invoice: InvoiceKey, call: Reads) -> Response:
    """The XML of the Factur-X alone; documents for consumers have none."""
    xml = await call.relance.documents.structured(invoice)
    return Response(xml, media_type=XML)


@router.post("/{invoice}/pay")
async def pay_invoice(invoice: InvoiceKey, call: Supports) -> Asked:
    """Charge an open invoice now, because the customer asked for it. Answers at once; the outcome is on the invoice."""
    found = (await call.relance.invoice(invoice)).invoice
    taken = await call.relance.pay_now(found.id, command_id=call.id, by=call.by)
    return Asked(invoice=taken.invoice_id, command=taken.command_id)


async def _file(invoice: str, call: Call) -> DocumentFile:
    return await call.relance.documents.file((await call.relance.invoice(invoice)).invoice.id)


def _show(found: InvoiceDocument) -> Invoice:
    view = found.invoice
    return Invoice(
        **view.model_dump(exclude={"attempts"}),
        subscription=found.subscription_id,
        customer=found.customer_id,
        net_minor=found.net_minor,
        vat_minor=found.vat_minor,
        lines=tuple(map(InvoiceLine.model_validate, found.lines)),
        attempts=tuple(map(Attempt.model_validate, view.attempts)),
    )


def _show_row(row: InvoiceRow) -> Invoice:
    names = set(Invoice.model_fields) - {"object", "subscription", "customer", "lines", "attempts"}
    return Invoice(
        **{name: getattr(row, name) for name in names},
        subscription=row.subscription_id,
        customer=row.customer_id,
    )
