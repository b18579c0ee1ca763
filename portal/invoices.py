"""Invoices and credit notes: the list, the files, and paying what is open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Query, Response

from activities.books.rows import NotFound
from models.tables import InvoiceStatus, PaymentState
from portal.pages import file, redirect
from portal.visiting import Visit, Visitor, page_router
from starter.http.pay import PORTAL_COOKIE
from starter.listing import Cursor
from starter.portal_sessions import SESSION_LIFETIME

router = page_router()

A_PAGE: Final = 24
_UNDER_WAY: Final = (PaymentState.PROCESSING, PaymentState.UNKNOWN)


@router.get("/invoices")
async def invoices(visit: Visitor, after: Annotated[str | None, Query(max_length=70)] = None) -> Response:
    """What was billed and given back, the latest first."""
    listing, customer = visit.door.relance.listing, visit.customer.id
    if after is not None:
        await _check_own(visit, after)
    found = await listing.invoices(Cursor(A_PAGE, after), customer=customer)
    notes = () if after else (await listing.credit_notes(Cursor(A_PAGE), customer=customer)).rows
    issued = [row for row in found.rows if row.number is not None]
    open_now = (row for row in issued if row.status in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE))
    payable = {
        row.id
        for row in open_now
        if row.open_minor > 0 and row.owner == "collection" and row.payment_state not in _UNDER_WAY
    }
    return visit.show(
        "invoices.html",
        page="invoices",
        invoices=issued,
        notes=notes,
        payable=payable,
        under_way=_UNDER_WAY,
        more=found.rows[-1].id if found.has_more else None,
    )


@router.get("/invoices/{invoice}/pay")
async def pay(visit: Visitor, invoice: str) -> Response:
    """On to the pay page of an invoice of theirs. It opens at top level, as their bank's page does, and leads back."""
    await _check_own(visit, invoice)
    settings = visit.door.settings
    answer = redirect(settings, visit.door.links.pay(invoice, now=datetime.now(UTC)))
    answer.set_cookie(
        PORTAL_COOKIE,
        visit.token,
        path="/pay",
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.public_url.startswith("https:"),
    )
    return answer


@router.get("/documents/{document}")
async def document(visit: Visitor, document: str) -> Response:
    """The file of an invoice or credit note of theirs."""
    await _check_own(visit, document)
    found = await visit.door.relance.documents.file(document)
    return file(visit.door.settings, found.content, name=found.name)


async def _check_own(visit: Visit, document: str) -> None:
    """Look only at what is the customer's own; somebody else's is not there.

    Raises:
        NotFound: it is not.
    """
    owner = await visit.door.relance.documents.owner(document)
    if owner != visit.customer.id:
        raise NotFound(f"There is no document {document}.", field="document")
