"""What Stripe charges for a bank debit that failed: it stands on the movements of its charge."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import stripe

from activities.stripe_amounts import from_stripe
from activities.stripe_faults import fault_of
from activities.stripe_reading import Json, id_of
from billing.payment import ProviderFee

_MOVES: Final = ("balance_transaction", "failure_balance_transaction")
"""The money that a pending debit announced, and its end."""

logger = logging.getLogger(__name__)


async def fees_of_failure(
    client: stripe.StripeClient, charge: Json | None, turn: Callable[[], Awaitable[None]]
) -> tuple[ProviderFee, ...]:
    """The fees of a charge that was pending and failed; none for one that its bank declined at once.

    Args:
        client: of the account.
        charge: the whole charge.
        turn: waits until another call may be made.

    Raises:
        ProviderUnavailable, ProviderMisconfigured: Stripe can't be asked.
    """
    if charge is None or charge.get("failure_balance_transaction") is None:
        return ()
    fees = []
    for move in filter(None, (id_of(charge.get(name)) for name in _MOVES)):
        try:
            await turn()
            found = (await client.v1.balance_transactions.retrieve_async(move)).to_dict()
        except (stripe.PermissionError, stripe.InvalidRequestError):
            # That it failed is certain, and must not get lost because the key may not read what it costs.
            logger.warning("balance transaction %s can't be read: its fee is not booked", move)
            continue
        except stripe.StripeError as fault:
            raise fault_of(fault) from fault
        currency = str(found["currency"]).upper()
        amount = from_stripe(int(found.get("fee") or 0), currency)
        fees.append(ProviderFee(id=move, amount_minor=amount, currency=currency))
    return tuple(fee for fee in fees if fee.amount_minor)
