"""Refunds through Stripe: what is asked, what a refusal means, and how one stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import stripe

from activities import stripe_reading as reading
from activities.gateway import require_key
from activities.provider_money import RefundNews, RefundRefused, RefundRequest
from activities.stripe_amounts import NotChargeable, to_stripe
from activities.stripe_faults import fault_of

if TYPE_CHECKING:
    from stripe.params import RefundCreateParams, RefundListParams

_MOST_LISTED = 100


async def send(client: stripe.StripeClient, request: RefundRequest) -> RefundNews | RefundRefused:
    """Ask Stripe to send money back; see `PaymentGateway.refund`."""
    try:
        amount = to_stripe(request.amount_minor, request.currency)
    except NotChargeable as fine:
        return RefundRefused(code=fine.code, message=fine.message)
    params: RefundCreateParams = {
        "amount": amount,
        "metadata": {reading.OUR_REFUND: request.refund_id},
    }
    if request.charge is not None:
        params["charge"] = request.charge
    elif request.payment_intent is not None:
        params["payment_intent"] = request.payment_intent
    try:
        refund = await client.v1.refunds.create_async(
            params, {"idempotency_key": require_key(request.refund_id)}
        )
    except stripe.InvalidRequestError as error:
        return RefundRefused(
            code=error.code or "refused", message=error.user_message or "Stripe did not say why."
        )
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return reading.refund_news(refund.to_dict())


async def look(client: stripe.StripeClient, provider_id: str) -> RefundNews:
    """A refund as Stripe has it now; see `PaymentGateway.look_at_refund`."""
    try:
        refund = await client.v1.refunds.retrieve_async(provider_id)
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return reading.refund_news(refund.to_dict())


async def of_charge(client: stripe.StripeClient, charge: str) -> tuple[RefundNews, ...]:
    """All refunds of a charge; see `PaymentGateway.refunds_of`."""
    try:
        page = await client.v1.refunds.list_async({"charge": charge, "limit": _MOST_LISTED})
        return tuple([reading.refund_news(refund.to_dict()) async for refund in page.auto_paging_iter()])
    except stripe.StripeError as error:
        raise fault_of(error) from error


async def find(client: stripe.StripeClient, request: RefundRequest) -> RefundNews | None:
    """Look through a charge's refunds for ours; see `PaymentGateway.find_refund`."""
    params: RefundListParams = {"limit": _MOST_LISTED}
    if request.charge is not None:
        params["charge"] = request.charge
    elif request.payment_intent is not None:
        params["payment_intent"] = request.payment_intent
    try:
        page = await client.v1.refunds.list_async(params)
        async for refund in page.auto_paging_iter():
            news = reading.refund_news(refund.to_dict())
            if news.refund_id == request.refund_id:
                return news
    except stripe.StripeError as error:
        raise fault_of(error) from error
    return None
