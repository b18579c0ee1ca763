"""Reading a subscription of Stripe Billing: whether Stripe will go on billing it, and what for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import stripe

from activities.provider_subscription import ProviderSubscription, SoldItem
from activities.stripe_amounts import from_stripe
from activities.stripe_faults import fault_of
from activities.stripe_reading import Json, expanded, id_of
from billing.money import to_major

_OVER: Final = ("canceled", "incomplete_expired")


async def look(client: stripe.StripeClient, provider_id: str) -> ProviderSubscription:
    """A subscription of Stripe Billing as it stands now. Raises as every call of the gateway."""
    try:
        found = await client.v1.subscriptions.retrieve_async(provider_id, {"expand": ["customer"]})
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return subscription_of(found.to_dict())


def subscription_of(facts: Json) -> ProviderSubscription:
    """What Stripe says of one. The end of its period stands on its items; in earlier versions, on itself."""
    items = (facts.get("items") or {}).get("data") or []
    period_end = _instant(facts.get("current_period_end") or _latest(items, "current_period_end"))
    trial_end = _instant(facts.get("trial_end")) if facts["status"] == "trialing" else None
    cancel_at = _instant(facts.get("cancel_at"))
    ends_in_time = cancel_at is not None and period_end is not None and cancel_at <= period_end
    held = facts.get("pause_collection")
    customer = expanded(facts.get("customer")) or {}
    return ProviderSubscription(
        id=str(facts["id"]),
        customer=id_of(facts.get("customer")) or "",
        status=str(facts["status"]),
        is_over=facts["status"] in _OVER,
        ends_by_itself=bool(facts.get("cancel_at_period_end")) or ends_in_time,
        is_held=held is not None and held.get("resumes_at") is None,
        paid_until=trial_end or period_end,
        anchor=datetime.fromtimestamp(int(facts["billing_cycle_anchor"]), UTC),
        trial_ends_at=trial_end,
        payment_method=id_of(facts.get("default_payment_method")) or _default_of(customer),
        items=tuple(_item(item) for item in items),
    )


def _default_of(customer: Json) -> str | None:
    return id_of((customer.get("invoice_settings") or {}).get("default_payment_method"))


def _instant(seconds: Any) -> datetime | None:  # noqa: ANN401 - JSON
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)


def _latest(items: list[Json], name: str) -> int | None:
    return max((int(item[name]) for item in items if item.get(name) is not None), default=None)


def _item(item: Json) -> SoldItem:
    price = item["price"]
    currency = str(price["currency"]).upper()
    whole = price.get("unit_amount")
    return SoldItem(
        price=str(price["id"]),
        unit_amount=None if whole is None else to_major(from_stripe(int(whole), currency), currency),
        currency=currency,
        quantity=int(item.get("quantity") or 1),
    )
