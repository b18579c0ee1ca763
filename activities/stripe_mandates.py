"""SEPA mandates through Stripe, which makes one when a payer saves an account with their consent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import stripe

from activities.gateway import MandateFacts, MethodFacts, ProviderRefused, require_key
from activities.stripe_faults import fault_of
from activities.stripe_reading import Json, id_of
from billing.declines import DeclineEvidence, read_decline
from billing.mandates import Consent
from billing.payment import Declined

if TYPE_CHECKING:
    from stripe.params import SetupIntentCreateParams, SetupIntentCreateParamsMandateDataCustomerAcceptance

_MOST_LISTED = 100


async def find(client: stripe.StripeClient, payment_method: str) -> MandateFacts | None:
    """The newest mandate of a saved account; see `PaymentGateway.find_mandate`.

    Stripe lists no mandates: each is named by the SetupIntent that made it.
    """
    try:
        newest = await _set_up(client, payment_method)
        if newest is None:
            return None
        return mandate_facts((await client.v1.mandates.retrieve_async(newest)).to_dict())
    except stripe.StripeError as error:
        raise fault_of(error) from error


async def look(client: stripe.StripeClient, method: MethodFacts, mandate: str | None) -> MandateFacts | None:
    """The mandate under which an account has been debited so far; see `PaymentGateway.look_at_mandate`.

    Where no SetupIntent names it, the debits of the account do.
    """
    try:
        debits = [] if method.customer is None else await _debits(client, method.customer, method.id)
        used = next((name for name, _ in debits), None)
        name = mandate or await _set_up(client, method.id) or used
        if name is None:
            return None
        found = (await client.v1.mandates.retrieve_async(name)).to_dict()
    except stripe.StripeError as error:
        raise fault_of(error) from error
    if id_of(found["payment_method"]) != method.id:
        raise ProviderRefused(f"{name} is the mandate of another account than {method.id}.", field="mandate")
    under_it = (at for name, at in debits if name == found["id"])
    return mandate_facts(found).model_copy(update={"last_debit_at": max(under_it, default=None)})


async def _set_up(client: stripe.StripeClient, payment_method: str) -> str | None:
    page = await client.v1.setup_intents.list_async({"payment_method": payment_method, "limit": _MOST_LISTED})
    made = [id_of(setup.to_dict().get("mandate")) for setup in page.data if setup.status == "succeeded"]
    return next((mandate for mandate in made if mandate is not None), None)


async def _debits(
    client: stripe.StripeClient, customer: str, payment_method: str
) -> list[tuple[str, datetime]]:
    """Under which mandate an account was debited and when, newest first; those of long ago are left out."""
    page = await client.v1.charges.list_async({"customer": customer, "limit": _MOST_LISTED})
    found = []
    for charge in page.data:
        debit: Json = (charge.to_dict().get("payment_method_details") or {}).get("sepa_debit") or {}
        mandate = id_of(debit.get("mandate"))
        if charge.payment_method == payment_method and mandate is not None:
            found.append((mandate, datetime.fromtimestamp(charge.created, UTC)))
    return found


async def make(
    client: stripe.StripeClient,
    payment_method: str,
    *,
    customer: str,
    consent: Consent,
    idempotency_key: str,
) -> MandateFacts | Declined:
    """Save an account with its payer's consent; see `PaymentGateway.make_mandate`."""
    params: SetupIntentCreateParams = {
        "customer": customer,
        "payment_method": payment_method,
        "usage": "off_session",
        "allowed_payment_method_types": ["sepa_debit"],
        "confirm": True,
        "mandate_data": {"customer_acceptance": _acceptance(consent)},
        "expand": ["mandate"],
    }
    try:
        setup = await client.v1.setup_intents.create_async(
            params, {"idempotency_key": require_key(idempotency_key)}
        )
    except stripe.CardError as error:
        reading = read_decline(DeclineEvidence(code=error.code))
        return Declined(code=reading.code, decline_class=reading.decline_class)
    except stripe.StripeError as error:
        raise fault_of(error) from error
    mandate = setup.to_dict().get("mandate")
    if not isinstance(mandate, dict):
        raise ProviderRefused(f"Stripe made no mandate for {payment_method}.", field="payment_method")
    return mandate_facts(mandate)


def _acceptance(consent: Consent) -> SetupIntentCreateParamsMandateDataCustomerAcceptance:
    accepted_at = int(consent.accepted_at.timestamp())
    if not consent.ip_address:
        return {"type": "offline", "offline": {}, "accepted_at": accepted_at}
    return {
        "type": "online",
        "online": {"ip_address": consent.ip_address, "user_agent": consent.user_agent},
        "accepted_at": accepted_at,
    }


def mandate_facts(mandate: Json) -> MandateFacts:
    """A mandate as Stripe has it."""
    acceptance: Json = mandate["customer_acceptance"]
    online: Json = acceptance.get("online") or {}
    debit: Json = mandate["payment_method_details"]["sepa_debit"]
    accepted_at = acceptance.get("accepted_at")
    return MandateFacts(
        id=str(mandate["id"]),
        reference=str(debit["reference"]),
        is_active=mandate["status"] == "active",
        accepted_at=datetime.fromtimestamp(int(accepted_at), UTC) if accepted_at is not None else None,
        ip_address=str(online.get("ip_address") or ""),
        user_agent=str(online.get("user_agent") or ""),
        document_url=str(debit.get("url") or ""),
    )
