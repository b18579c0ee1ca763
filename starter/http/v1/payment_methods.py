"""How customers pay: methods that Stripe holds, and saving new ones."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from billing.errors import InvalidInput
from billing.mandates import Consent
from models.tables import PaymentMethod as MethodRow
from starter.http.calling import Call, Reads, Writes
from starter.http.v1.common import Paging, api_router, page
from starter.mandates import MandateGiven
from starter.payment_methods import MethodSet, role_of
from starter.resources.common import Page, built
from starter.resources.customers import (
    BackupMethod,
    NewMandate,
    NewPaymentMethod,
    NewSetupIntent,
    OfCustomer,
    PaymentMethod,
    RemovedPaymentMethod,
    SavedPaymentMethod,
    SetupIntent,
)

router = api_router("payment_methods", "Payment methods")
setup_router = api_router("setup_intents", "Payment methods")

MethodKey = Annotated[str, Path(max_length=100, description="Id of the payment method, ours or Stripe's.")]


@router.post("", status_code=201)
async def save_payment_method(body: NewPaymentMethod, call: Writes) -> SavedPaymentMethod:
    """Save a payment method. As the default it charges whatever is open, the oldest first.

    The outcome of those charges is on the invoices. A bank that refuses to have it saved is a 402. A SEPA account needs
    a mandate: one that its payer accepted on Stripe's page, or one that you pass on here.
    """
    done = await call.relance.methods.add(
        body.customer,
        body.token,
        as_default=body.as_default,
        mandate=None if body.mandate is None else _given(body.mandate),
        command_id=call.id,
    )
    return await _saved(call, done)


@router.post("/{payment_method}/make-default")
async def make_default(payment_method: MethodKey, body: OfCustomer, call: Writes) -> SavedPaymentMethod:
    """Charge this payment method from now on, and with it whatever is open."""
    done = await call.relance.methods.make_default(body.customer, payment_method, command_id=call.id)
    return await _saved(call, done)


@router.post("/{payment_method}/make-backup")
async def make_backup(payment_method: MethodKey, body: BackupMethod, call: Writes) -> SavedPaymentMethod:
    """Let a card stand in where the default method is dead or needs the customer, who agreed to that."""
    done = await call.relance.methods.make_backup(
        body.customer, payment_method, agreed=body.agreed, by=call.by
    )
    return await _saved(call, done)


@router.post("/{payment_method}/drop-backup")
async def drop_backup(payment_method: MethodKey, body: OfCustomer, call: Writes) -> PaymentMethod:
    """Let this card stand in no more. Where it is no backup, nothing happens."""
    await call.relance.methods.drop_backup(body.customer, payment_method)
    owner = await call.relance.customer(body.customer)
    rows = await call.relance.list_methods(owner.id)
    row = next(row for row in rows if payment_method in (row.id, row.provider_id))
    return _show(row, role_of(owner, row))


@router.post("/{payment_method}/detach")
async def detach(payment_method: MethodKey, body: OfCustomer, call: Writes) -> RemovedPaymentMethod:
    """Take a payment method away, here and at Stripe; not while something is open that it has to pay."""
    done = await call.relance.methods.remove(body.customer, payment_method)
    return RemovedPaymentMethod(id=done.method_id, customer=done.customer_id, takes_over=done.takes_over)


@router.get("")
async def list_payment_methods(
    call: Reads,
    paging: Paging,
    customer: Annotated[str, Query(min_length=1, max_length=110, description="Id or `ref:...`.")],
) -> Page[PaymentMethod]:
    """List the payment methods of a customer, newest first."""
    owner = await call.relance.customer(customer)
    found = await call.relance.listing.payment_methods(paging, customer=owner.id)
    return page(PaymentMethod, found, lambda row: _show(row, role_of(owner, row)))


@setup_router.post("", status_code=201)
async def create_setup_intent(body: NewSetupIntent, call: Writes) -> SetupIntent:
    """Let a customer save a payment method in your own page, with Stripe's front end.

    Give Stripe's `confirmSetup` the client secret; give the payment method that comes of it to
    `POST /v1/payment_methods`.
    """
    customer = await call.relance.customer(body.customer)
    facts = await call.relance.methods.begin_setup(customer.id, command_id=call.id)
    return SetupIntent(
        id=facts.id, customer=customer.id, status=facts.status, client_secret=facts.client_secret
    )


def _given(mandate: NewMandate) -> MandateGiven:
    consent = None
    proofs = {"ip_address": mandate.ip_address, "user_agent": mandate.user_agent}
    if mandate.accepted_at is not None:
        consent = built(Consent, accepted_at=mandate.accepted_at, **proofs)
    elif any(proofs.values()):
        raise InvalidInput("Say when the payer accepted it, there and then.", field="accepted_at")
    return MandateGiven(
        consent=consent,
        notice_days=mandate.notice_days,
        text=mandate.text,
        text_version=mandate.text_version,
    )


async def _saved(call: Call, done: MethodSet) -> SavedPaymentMethod:
    rows = await call.relance.list_methods(done.customer_id)
    shown = _show(next(row for row in rows if row.id == done.method_id), done.role)
    return SavedPaymentMethod(**shown.model_dump(), charging=done.charging, announced=done.announced)


def _show(row: MethodRow, role: str) -> PaymentMethod:
    return PaymentMethod(
        id=row.id,
        customer=row.customer_id,
        kind=row.kind,
        brand=row.brand,
        last4=row.last4,
        exp_month=row.exp_month,
        exp_year=row.exp_year,
        is_default=role == "default",
        is_backup=role == "backup",
        removed_at=row.detached_at,
        stopped=row.stopped,
        provider_id=row.provider_id,
        created_at=row.created_at,
    )
