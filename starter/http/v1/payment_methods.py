"""How customers pay: methods that Stripe holds, and saving new ones."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from models.tables import PaymentMethod as MethodRow
from starter.http.calling import Reads, Writes
from starter.http.v1.common import Paging, api_router, page
from starter.resources.common import Page
from starter.resources.customers import (
    NewPaymentMethod,
    NewSetupIntent,
    PaymentMethod,
    SavedPaymentMethod,
    SetupIntent,
)

router = api_router("payment_methods", "Payment methods")
setup_router = api_router("setup_intents", "Payment methods")


@router.post("", status_code=201)
async def save_payment_method(body: NewPaymentMethod, call: Writes) -> SavedPaymentMethod:
    """Save a payment method and make it the default; whatever is open is charged with it, the oldest first.

    The outcome of those charges is on the invoices. A bank that refuses to have it saved is a 402.
    """
    done = await call.relance.set_payment_method(body.customer, body.token, command_id=call.id)
    rows = await call.relance.list_methods(done.customer_id)
    saved = next(row for row in rows if row.id == done.method_id)
    shown = _show(saved, done.method_id)
    return SavedPaymentMethod(**shown.model_dump(), charging=done.charging)


@router.get("")
async def list_payment_methods(
    call: Reads,
    paging: Paging,
    customer: Annotated[str, Query(min_length=1, max_length=110, description="Id or `ref:...`.")],
) -> Page[PaymentMethod]:
    """List the payment methods of a customer, newest first."""
    default = (await call.relance.customer(customer)).default_method_id
    found = await call.relance.listing.payment_methods(paging, customer=customer)
    return page(PaymentMethod, found, lambda row: _show(row, default))


@setup_router.post("", status_code=201)
async def create_setup_intent(body: NewSetupIntent, call: Writes) -> SetupIntent:
    """Let a customer save a payment method in your own page, with Stripe's front end.

    Give Stripe's `confirmSetup` the client secret; give the payment method that comes of it to
    `POST /v1/payment_methods`.
    """
    customer = await call.relance.customer(body.customer)
    facts = await call.relance.begin_setup(customer.id, command_id=call.id)
    return SetupIntent(
        id=facts.id, customer=customer.id, status=facts.status, client_secret=facts.client_secret
    )


def _show(row: MethodRow, default: str | None) -> PaymentMethod:
    return PaymentMethod(
        id=row.id,
        customer=row.customer_id,
        kind=row.kind,
        brand=row.brand,
        last4=row.last4,
        exp_month=row.exp_month,
        exp_year=row.exp_year,
        is_default=row.id == default,
        stopped=row.stopped,
        provider_id=row.provider_id,
        created_at=row.created_at,
    )
