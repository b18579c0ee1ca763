"""Payment methods at Stripe: the hosted page on which payers save one, and taking one away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import stripe

from activities.gateway import HostedSetup, require_key
from activities.stripe_faults import fault_of
from activities.stripe_reading import id_of

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

_UNKNOWN_THING = "resource_missing"


async def create_hosted_setup(
    client: stripe.StripeClient,
    *,
    customer: str,
    back_to: str,
    given_up: str,
    language: Literal["fr", "en"],
    types: list[Literal["card", "sepa_debit"]],
    idempotency_key: str,
) -> HostedSetup:
    """A Checkout Session in setup mode; see `PaymentGateway.create_hosted_setup`."""
    params: SessionCreateParams = {
        "mode": "setup",
        "customer": customer,
        "success_url": back_to,
        "cancel_url": given_up,
        "locale": language,
        "allowed_payment_method_types": [*types],
    }
    key = require_key(idempotency_key)
    try:
        made = await client.v1.checkout.sessions.create_async(params, {"idempotency_key": key})
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return _hosted_setup(made.to_dict())


async def look_at_hosted_setup(client: stripe.StripeClient, hosted: str) -> HostedSetup:
    """What came of a Checkout Session; see `PaymentGateway.look_at_hosted_setup`."""
    try:
        found = await client.v1.checkout.sessions.retrieve_async(hosted, {"expand": ["setup_intent"]})
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return _hosted_setup(found.to_dict())


def _hosted_setup(page: dict[str, Any]) -> HostedSetup:
    setup = page.get("setup_intent")
    is_done = page.get("status") == "complete" and isinstance(setup, dict)
    return HostedSetup(
        id=page["id"],
        customer=id_of(page.get("customer")) or "",
        url=page.get("url"),
        payment_method=id_of(setup.get("payment_method")) if is_done and isinstance(setup, dict) else None,
    )


async def detach(client: stripe.StripeClient, payment_method: str, *, idempotency_key: str) -> None:
    """Let a payment method never be charged again. One that belongs to nobody any more, or is unknown, is no fault."""
    key = require_key(idempotency_key)
    try:
        await client.v1.payment_methods.detach_async(payment_method, {}, {"idempotency_key": key})
    except stripe.InvalidRequestError as refusal:
        if refusal.code != _UNKNOWN_THING and await _is_attached(client, payment_method):
            raise fault_of(refusal) from refusal
    except stripe.StripeError as error:
        raise fault_of(error) from error


async def _is_attached(client: stripe.StripeClient, payment_method: str) -> bool:
    try:
        method = await client.v1.payment_methods.retrieve_async(payment_method)
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return method.customer is not None
