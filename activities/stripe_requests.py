"""The requests that charge, as Stripe takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.gateway import Charge, PreparedRequest
from activities.stripe_amounts import to_stripe, too_fine


def prepare(charge: Charge) -> PreparedRequest:
    """The request of an attempt: key and parameters, from stored facts alone.

    A generation's first attempt creates and confirms in one call; each later one confirms the same PaymentIntent,
    which can succeed only once. The method is named every time, since a failed try clears it. With the payer
    there, the bank is asked for consent to later charges without them. What is too fine for Stripe is not asked for.
    """
    fine = too_fine(charge.amount_minor, charge.currency)
    presence: dict[str, Any] = (
        {"setup_future_usage": "off_session"} if charge.on_session else {"off_session": True}
    )
    if charge.on_session and charge.return_url:
        presence["return_url"] = charge.return_url
    if charge.method_kind == "sepa_debit":
        presence["expand"] = ["latest_charge"]  # which says when the bank will debit the account
    if charge.payment_intent is not None:
        return PreparedRequest(
            operation="confirm",
            idempotency_key=f"{charge.invoice_id}:confirm:{charge.generation}:{charge.attempt_number}",
            payment_intent=charge.payment_intent,
            params={"payment_method": charge.payment_method, **presence},
            too_fine_minor=fine,
        )
    params: dict[str, Any] = {
        "amount": to_stripe(charge.amount_minor - fine, charge.currency),
        "currency": charge.currency.lower(),
        "customer": charge.customer,
        "payment_method": charge.payment_method,
        # Fixed now: another kind of method gets another PaymentIntent, when this one was seen cancelled.
        "allowed_payment_method_types": [charge.method_kind],
        "confirm": True,
        "description": charge.description,
        "metadata": _metadata(charge),
        **presence,
    }
    return PreparedRequest(
        operation="create_and_confirm",
        idempotency_key=f"{charge.invoice_id}:pi:{charge.generation}",
        params=params,
        too_fine_minor=fine,
    )


def _metadata(charge: Charge) -> Mapping[str, str]:
    return {**charge.metadata, "invoice": charge.invoice_id, "generation": str(charge.generation)}
