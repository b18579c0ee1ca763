"""Subscriptions of Stripe Billing, as far as one is looked at that is taken over. They stand still: none is billed."""

import calendar
from datetime import UTC, datetime

from sandbox.stripe import customers
from sandbox.stripe.errors import Document, missing, refused
from sandbox.stripe.fields import merge_metadata, new_metadata
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, snapshot


def create(call: Call, params: Document) -> Document:
    """`POST /v1/subscriptions`; a `billing_cycle_anchor` to come ends the period that runs."""
    customers.alive(call, params["customer"], param="customer")
    now = call.now(params["customer"])
    items = params.get("items")
    if not items:
        raise refused("A subscription needs at least one item with price_data.", param="items")
    trial_end = params.get("trial_end")
    subscription: Document = {
        "id": new_id("sub"),
        "object": "subscription",
        "billing_cycle_anchor": params.get("billing_cycle_anchor", trial_end or now),
        "cancel_at": None,
        "cancel_at_period_end": params.get("cancel_at_period_end", False),
        "canceled_at": None,
        "collection_method": "charge_automatically",
        "created": now,
        "currency": items[0]["price_data"]["currency"],
        "customer": params["customer"],
        "default_payment_method": params.get("default_payment_method"),
        "discounts": [],
        "ended_at": None,
        "items": {"object": "list", "data": [], "has_more": False, "url": "/v1/subscription_items"},
        "livemode": False,
        "metadata": new_metadata(params),
        "pause_collection": None,
        "start_date": params.get("backdate_start_date", now),
        "status": "trialing" if trial_end else "active",
        "trial_end": trial_end,
        "trial_start": now if trial_end else None,
    }
    for item in items:
        end = trial_end or params.get("billing_cycle_anchor") or _one_later(now, item["price_data"])
        subscription["items"]["data"].append(_item(item, subscription["id"], now, end))
    return call.books.put("subscription", subscription)


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/subscriptions/{id}`."""
    found: Document = snapshot(_named(call, identifier))
    return found


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/subscriptions/{id}`: what stops it from renewing, and takes that back."""
    subscription = _named(call, identifier)
    if subscription["status"] == "canceled":
        raise refused("A canceled subscription can only update its metadata.", param="id")
    for name in ("cancel_at_period_end", "cancel_at", "default_payment_method"):
        if name in params:
            subscription[name] = params[name]
    if "pause_collection" in params:
        paused = params["pause_collection"]
        subscription["pause_collection"] = {"resumes_at": None, **paused} if paused else None
    merge_metadata(subscription, params)
    return call.books.put("subscription", subscription)


def cancel(call: Call, identifier: str) -> Document:
    """`DELETE /v1/subscriptions/{id}`: at once."""
    subscription = _named(call, identifier)
    now = call.now(subscription["customer"])
    subscription.update(status="canceled", canceled_at=now, ended_at=now)
    return call.books.put("subscription", subscription)


def _named(call: Call, identifier: str) -> Document:
    subscription = call.books.get("subscription", identifier)
    if subscription is None:
        raise missing("subscription", identifier)
    return subscription


def _item(item: Document, subscription: str, start: int, end: int) -> Document:
    data = item["price_data"]
    return {
        "id": new_id("si", 14),
        "object": "subscription_item",
        "current_period_start": start,
        "current_period_end": end,
        "price": {
            "id": new_id("price"),
            "object": "price",
            "currency": data["currency"],
            "product": data["product"],
            "recurring": data["recurring"],
            "unit_amount": data.get("unit_amount"),
        },
        "quantity": item.get("quantity", 1),
        "subscription": subscription,
    }


def _one_later(start: int, price: Document) -> int:
    """One interval after an instant, cut back in short months."""
    at = datetime.fromtimestamp(start, UTC)
    count = int(price["recurring"].get("interval_count", 1))
    months = {"month": count, "year": 12 * count}.get(price["recurring"]["interval"])
    if months is None:
        days = {"day": 1, "week": 7}[price["recurring"]["interval"]]
        return start + days * count * 86_400
    years, month = divmod(at.month - 1 + months, 12)
    last = calendar.monthrange(at.year + years, month + 1)[1]
    return int(at.replace(year=at.year + years, month=month + 1, day=min(at.day, last)).timestamp())
