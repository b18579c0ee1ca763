"""Stripe's own page on which payers save a method: Checkout Sessions in setup mode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

import stripe

from activities.gateway import require_key
from activities.hosted_setups import HostedSetup
from activities.stripe_faults import fault_of
from activities.stripe_reading import id_of

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams


_OURS: Final = {"relance": "payment_method"}
"""Metadata of the pages that are made here."""


class StripeHostedSetups(ABC):
    """`HostedSetups` over Stripe's API, for the gateway that has the client."""

    _stripe: stripe.StripeClient

    @abstractmethod
    async def _turn(self) -> None:
        """Wait until a call may be made."""

    async def create_hosted_setup(
        self,
        *,
        customer: str,
        back_to: str,
        given_up: str,
        language: str,
        debits: bool,
        idempotency_key: str,
    ) -> HostedSetup:
        """A Checkout Session; see `HostedSetups.create_hosted_setup`."""
        params: SessionCreateParams = {
            "mode": "setup",
            "customer": customer,
            "success_url": back_to,
            "cancel_url": given_up,
            "locale": "fr" if language == "fr" else "en",
            "metadata": _OURS,
            "allowed_payment_method_types": ["card", "sepa_debit"] if debits else ["card"],
        }
        key = require_key(idempotency_key)
        await self._turn()
        try:
            made = await self._stripe.v1.checkout.sessions.create_async(params, {"idempotency_key": key})
        except stripe.StripeError as error:
            raise fault_of(error) from error
        return _hosted_setup(made.to_dict())

    async def look_at_hosted_setup(self, hosted: str) -> HostedSetup:
        """What came of a Checkout Session; see `HostedSetups.look_at_hosted_setup`."""
        await self._turn()
        try:
            found = await self._stripe.v1.checkout.sessions.retrieve_async(
                hosted, {"expand": ["setup_intent"]}
            )
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
        is_ours=_OURS.items() <= (page.get("metadata") or {}).items(),
        payment_method=id_of(setup.get("payment_method")) if is_done and isinstance(setup, dict) else None,
    )
