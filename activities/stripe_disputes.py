"""Disputes and early fraud warnings as Stripe has them. Events about them are hints only."""

from __future__ import annotations

import stripe

from activities import stripe_reading as reading
from activities.provider_money import DisputeNews, FraudWarning
from activities.stripe_faults import fault_of


async def look(client: stripe.StripeClient, provider_id: str) -> DisputeNews:
    """A dispute with the money that it moved; see `PaymentGateway.look_at_dispute`."""
    try:
        dispute = await client.v1.disputes.retrieve_async(provider_id)
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return reading.dispute_news(dispute.to_dict())


async def look_at_warning(client: stripe.StripeClient, provider_id: str) -> FraudWarning:
    """A warning of fraud; see `PaymentGateway.look_at_warning`."""
    try:
        warning = await client.v1.radar.early_fraud_warnings.retrieve_async(provider_id)
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return reading.fraud_warning(warning.to_dict())
