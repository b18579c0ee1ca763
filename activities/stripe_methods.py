"""Payment methods at Stripe: taking one away."""

from __future__ import annotations

import stripe

from activities.gateway import require_key
from activities.stripe_faults import fault_of

_UNKNOWN_THING = "resource_missing"


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
