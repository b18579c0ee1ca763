"""Subscriptions: starting them, and how they stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from billing.subscription import Status
from models.ids import derived_id
from starter import orders
from starter.finding import REFERENCE
from starter.http.calling import Call, Reads, Writes
from starter.http.v1.common import Paging, api_router
from starter.http.v1.subscription_commands import SubscriptionKey
from starter.http.v1.subscription_views import first_payment, show_present, show_rows
from starter.overview import Overview
from starter.resources.common import Page, built
from starter.resources.subscriptions import (
    NewSubscription,
    Subscription,
    SubscriptionContent,
    SubscriptionUpdate,
)

router = api_router("subscriptions", "Subscriptions")


@router.post("", status_code=201)
async def create_subscription(body: NewSubscription, call: Writes) -> Subscription:
    """Start a subscription. The same reference with the same content twice is one subscription.

    With `wait_for_payment` the answer comes when the first payment has an outcome, and says which: paid, under way,
    to be confirmed by the customer at `pay_url` (3-D Secure), or declined and why.
    """
    return await _start(body, body.reference, body.legal_entity, call)


@router.get("")
async def list_subscriptions(
    call: Reads,
    paging: Paging,
    customer: Annotated[str | None, Query(max_length=110, description="Id or `ref:...`.")] = None,
    plan: Annotated[str | None, Query(max_length=110, description="Id or `ref:...`.")] = None,
    status: Annotated[Status | None, Query(description="Those in this status.")] = None,
) -> Page[Subscription]:
    """List subscriptions as the books have them, newest first."""
    found = await call.relance.listing.subscriptions(paging, customer=customer, plan=plan, status=status)
    shown = await show_rows(call, found.rows)
    return Page[Subscription](data=tuple(shown), has_more=found.has_more)


@router.get("/{subscription}")
async def get_subscription(subscription: SubscriptionKey, call: Reads) -> Subscription:
    """How a subscription stands, and what happens next.

    Answered by its workflow; where no worker is up, by the books. `source` and `as_of` say which, and how fresh.
    """
    return await show_present(call, subscription)


@router.get("/{subscription}/overview")
async def get_subscription_overview(subscription: SubscriptionKey, call: Reads) -> Overview:
    """Everything that support wants to know: what is owed, what was tried, what comes next and why."""
    return await call.relance.show(subscription)


@router.put("/{subscription}")
async def put_subscription(
    subscription: SubscriptionKey, body: SubscriptionContent, call: Writes
) -> Subscription:
    """Start the subscription with this reference, or bring the metadata of the one that was started to those sent.

    By `ref:...` it starts or updates; by id it updates. What it bills stays: where anything else differs from what it
    was started with, and plan and quantity also from what they are now, the call is refused. `field` then names what
    differs, and `remedy` the call that changes it.
    """
    if subscription.startswith(REFERENCE):
        return await _start(body, subscription.removeprefix(REFERENCE), None, call, or_describe=True)
    known = await call.relance.subscription(subscription)
    return await _start(
        body, known.reference, known.entity_id, call, subscription_id=known.id, or_describe=True
    )


@router.patch("/{subscription}")
async def update_subscription(
    subscription: SubscriptionKey, body: SubscriptionUpdate, call: Writes
) -> Subscription:
    """Change the metadata of a subscription. What it bills is changed by `change`, which says when and how."""
    row = await call.relance.describe_subscription(subscription, dict(body.metadata))
    return await show_present(call, row.id)


async def _start(
    body: SubscriptionContent,
    reference: str | None,
    entity: str | None,
    call: Call,
    *,
    subscription_id: str | None = None,
    or_describe: bool = False,
) -> Subscription:
    names = set(SubscriptionContent.model_fields) - {"metadata", "wait_for_payment"}
    order = built(
        orders.NewSubscription,
        **{name: getattr(body, name) for name in names},
        id=subscription_id or (None if reference is not None else derived_id("sub", call.id)),
        reference=reference,
        entity=entity,
        custom=body.metadata,
    )
    started = await call.relance.start_subscription(order, or_describe=or_describe)
    if not body.wait_for_payment:
        return await show_present(call, started.subscription_id)
    payment = await first_payment(call, started.subscription_id)
    shown = await show_present(call, started.subscription_id)
    return shown.model_copy(update={"first_payment": payment})
