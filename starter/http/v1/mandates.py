"""SEPA mandates: what customers agreed to for debits of their accounts. They are given with the account."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from starter.http.calling import Reads, Supports
from starter.http.v1.common import Paging, api_router, page
from starter.mandates import MandateView
from starter.resources.common import Page
from starter.resources.customers import Mandate, RevokeMandate

router = api_router("mandates", "Payment methods")

MandateKey = Annotated[str, Path(max_length=70, description="Id of the mandate.")]


@router.get("")
async def list_mandates(
    call: Reads,
    paging: Paging,
    customer: Annotated[str, Query(min_length=1, max_length=110, description="Id or `ref:...`.")],
) -> Page[Mandate]:
    """List the SEPA mandates of a customer, newest first, those that have ended too.

    One is given with its account: `POST /v1/payment_methods`.
    """
    owner = await call.relance.customer(customer)
    found = await call.relance.listing.mandates(paging, customer=owner.id)
    shown = {one.id: _resource(one) for one in await call.relance.mandates.shown(found.rows)}
    return page(Mandate, found, lambda row: shown[row.id])


@router.get("/{mandate}")
async def get_mandate(mandate: MandateKey, call: Reads) -> Mandate:
    """Get one mandate, with its proof."""
    return _resource(await call.relance.mandates.find(mandate))


@router.post("/{mandate}/revoke")
async def revoke_mandate(mandate: MandateKey, body: RevokeMandate, call: Supports) -> Mandate:
    """End a mandate that the customer took back: nothing is debited under it any more.

    What is due is asked for by mail. A debit that is under way runs on. One that has ended stays as it is.
    """
    return _resource(await call.relance.mandates.revoke(mandate, reason=body.reason))


def _resource(view: MandateView) -> Mandate:
    facts = view.model_dump(exclude={"customer_id", "method_id"})
    return Mandate(customer=view.customer_id, payment_method=view.method_id, **facts)
