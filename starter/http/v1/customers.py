"""Customers: who buys, and what they may use."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from activities.books.balance import Held
from billing.money_back import SendBack
from models.ids import derived_id
from models.tables import Customer as CustomerRow
from starter import entitlements, orders
from starter.finding import REFERENCE
from starter.http.calling import Call, GivesBack, Reads, Writes
from starter.http.v1.common import Paging, api_router, page
from starter.problems import AlreadyExists
from starter.resources.common import Page, built
from starter.resources.customers import (
    Balance,
    Balances,
    Customer,
    CustomerContent,
    CustomerUpdate,
    Entitlement,
    Entitlements,
    GiveBack,
    GivenBack,
    NewCustomer,
)

router = api_router("customers", "Customers")

CustomerKey = Annotated[
    str, Path(max_length=110, description="Id of the customer, or your own reference as `ref:...`.")
]
_TAX = ("kind", "vat_number", "siren", "address", "evidence")
"""What decides about the tax, and is checked together."""


@router.post("", status_code=201)
async def create_customer(body: NewCustomer, call: Writes) -> Customer:
    """Create a customer, here and at Stripe.

    The same reference with the same content twice is one customer; with other content it is refused. To change what
    is there, use PUT or PATCH.
    """
    return show_customer(await _create(body, body.reference, body.legal_entity, call))


@router.get("")
async def list_customers(
    call: Reads,
    paging: Paging,
    test_clock: Annotated[str | None, Query(max_length=70, description="Those on a test clock.")] = None,
) -> Page[Customer]:
    """List customers, newest first."""
    found = await call.relance.listing.customers(paging, test_clock=test_clock)
    return page(Customer, found, show_customer)


@router.get("/{customer}")
async def get_customer(customer: CustomerKey, call: Reads) -> Customer:
    """Look a customer up."""
    return show_customer(await call.relance.customer(customer))


@router.put("/{customer}")
async def put_customer(customer: CustomerKey, body: CustomerContent, call: Writes) -> Customer:
    """Create the customer with this reference, or bring them to this content.

    By `ref:...` it creates or updates; by id it updates. Time zone and test clock stay as they were at the start.
    """
    if not customer.startswith(REFERENCE):
        return show_customer(await _bring_to(customer, body, call))
    try:
        row = await _create(body, customer.removeprefix(REFERENCE), None, call)
    except AlreadyExists:
        row = await _bring_to(customer, body, call)
    return show_customer(row)


@router.patch("/{customer}")
async def update_customer(customer: CustomerKey, body: CustomerUpdate, call: Writes) -> Customer:
    """Change some of what is known of a customer. It shows on documents from the next one on."""
    return show_customer(await _update(customer, body, call))


@router.get("/{customer}/entitlements")
async def get_entitlements(customer: CustomerKey, call: Reads) -> Entitlements:
    """What a customer may use, and how much of it is used: for your backend to ask before it lets somebody in.

    Answered from the database, also while nothing else runs. You may rely on it until `access_until`.
    """
    row = await call.relance.customer(customer)
    found = [_show_entitlement(each) for each in await call.relance.entitlements.of(row.id)]
    until = [each.access_until for each in found if each.entitled and each.access_until is not None]
    return Entitlements(
        customer=row.id,
        entitled=any(each.entitled for each in found),
        access_until=max(until, default=None),
        subscriptions=tuple(found),
    )


@router.get("/{customer}/balances")
async def get_balances(customer: CustomerKey, call: Reads) -> Balances:
    """What is held for a customer: credits, and money that no invoice claimed."""
    row = await call.relance.customer(customer)
    held = await call.relance.payments.held(row.id)
    return Balances(customer=row.id, balances=tuple(map(_show_balance, held)))


@router.post("/{customer}/refunds", status_code=201)
async def refund_held_money(customer: CustomerKey, body: GiveBack, call: GivesBack) -> GivenBack:
    """Send back money that is held for a customer, on their payments, the newest first."""
    row = await call.relance.customer(customer)
    if call.caller.is_limited:
        await _spend_held(row, body, call)
    order = built(
        SendBack,
        command_id=call.id,
        customer_id=row.id,
        amount_minor=body.amount_minor,
        currency=body.currency,
        by=call.by,
        reason=body.reason,
        source=body.source,
    )
    done = await call.relance.payments.give_back(order)
    return GivenBack(
        customer=done.customer_id,
        amount_minor=done.amount_minor,
        currency=done.currency,
        refunds=done.refunds,
        held_minor=done.held_minor,
    )


async def _spend_held(row: CustomerRow, body: GiveBack, call: Call) -> None:
    for held in await call.relance.payments.held(row.id):
        if body.currency in (None, held.currency):
            free = max(held.free_minor, held.unapplied_minor, 0)
            await call.spend(min(body.amount_minor or free, free), held.currency)


async def _create(
    body: CustomerContent, reference: str | None, legal_entity: str | None, call: Call
) -> CustomerRow:
    content = body.model_dump(include=set(CustomerContent.model_fields) - {"test_clock", "metadata"})
    order = built(
        orders.NewCustomer,
        **content,
        id=None if reference is not None else derived_id("cus", call.id),
        reference=reference,
        entity=legal_entity,
        clock=body.test_clock,
        custom=body.metadata,
    )
    return await call.relance.create_customer(order)


async def _bring_to(customer: str, body: CustomerContent, call: Call) -> CustomerRow:
    row = await call.relance.customer(customer)
    for name, now, wanted in (
        ("timezone", row.timezone, body.timezone),
        ("test_clock", row.clock_id, body.test_clock),
    ):
        if now != wanted:
            raise AlreadyExists(f"The {name} of a customer stays as it was: {now}.", field=name)
    names = set(CustomerUpdate.model_fields) & set(CustomerContent.model_fields)
    return await _update(row.id, built(CustomerUpdate, **body.model_dump(include=names)), call)


async def _update(customer: str, body: CustomerUpdate, call: Call) -> CustomerRow:
    tax: dict[str, Any] = {name: value for name in _TAX if (value := getattr(body, name)) is not None}
    if tax:
        await call.relance.taxes.change_facts(customer, built(orders.TaxFactsChange, **tax))
    change = built(
        orders.CustomerChange,
        name=body.name,
        contacts=body.contacts,
        locale=body.locale,
        segment=body.segment,
        custom=body.metadata,
    )
    return await call.relance.change_customer(customer, change)


def show_customer(row: CustomerRow) -> Customer:
    """A customer as the API shows them."""
    return Customer.model_validate(
        {
            **row.model_dump(include={"id", "reference", "kind", "name", "contacts", "locale", "timezone"}),
            **row.model_dump(include={"vat_number", "siren", "segment", "provider_id", "created_at"}),
            "address": row.address,
            "evidence": row.evidence,
            "legal_entity": row.entity_id,
            "default_payment_method": row.default_method_id,
            "test_clock": row.clock_id,
            "metadata": row.custom,
        }
    )


def _show_entitlement(each: entitlements.Entitlement) -> Entitlement:
    return Entitlement(
        subscription=each.subscription_id,
        reference=each.reference,
        plan=each.plan_id,
        plan_name=each.plan_name,
        quantity=each.quantity,
        status=each.status,
        entitled=each.entitled,
        access_until=each.access_until,
        reason=each.reason,
        current_period_start=each.period_start,
        current_period_end=each.period_end,
        features=each.features,
    )


def _show_balance(held: Held) -> Balance:
    return Balance(
        currency=held.currency, balance_minor=held.balance_minor, unapplied_minor=held.unapplied_minor
    )
