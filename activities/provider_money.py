"""What the payment provider says of money that goes back: refunds, disputes, and warnings of fraud."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from billing.dispute import DisputeState
from billing.refund import RefundState
from billing.values import Value


class RefundRequest(Value):
    """Money to send back on a charge, in our own terms."""

    refund_id: str
    """Ours; it is the idempotency key too."""
    payment_intent: str | None
    charge: str | None
    """The provider's ids of the payment; one of the two is known."""
    amount_minor: int = Field(gt=0)
    """ISO 4217 minor units."""
    currency: str


class RefundNews(Value):
    """What the provider says of a refund, in an answer or in an event."""

    provider_id: str
    state: RefundState
    failure: str = ""
    """Why it failed, in the provider's word."""
    refund_id: str | None = None
    """Ours; None for one that we did not ask for."""
    payment_intent: str | None = None
    charge: str | None = None
    amount_minor: int
    """ISO 4217 minor units."""
    currency: str
    """ISO 4217 code, in capitals."""


class RefundRefused(Value):
    """The provider does not send this money back, and asking again will not help. News, not a fault."""

    code: str
    """`charge_already_refunded`, `charge_disputed`, or what else it said."""
    message: str


class DisputeMove(Value):
    """Money that a dispute took from our account at the provider, or brought back to it."""

    id: str
    """The provider's."""
    amount_minor: int
    """ISO 4217 minor units; negative where it was taken."""
    fee_minor: int
    """What the provider keeps, in the same currency; negative where it gives a fee back."""
    currency: str
    """ISO 4217 code, in capitals: that of our account, which need not be that of the payment."""


class DisputeNews(Value):
    """What the provider says of a dispute."""

    provider_id: str
    state: DisputeState
    reason: str
    """Why the payer disputes, in the provider's word: `fraudulent`, `product_not_received`."""
    charge: str | None = None
    payment_intent: str | None = None
    amount_minor: int
    """Disputed, in ISO 4217 minor units of the payment's currency."""
    currency: str
    """ISO 4217 code, in capitals."""
    answer_by: datetime | None = None
    """Until when the provider waits for our evidence; None where it waits for none."""
    moves: tuple[DisputeMove, ...] = ()

    @property
    def was_withdrawn(self) -> bool:
        """Whether the money was taken from our account."""
        return any(move.amount_minor < 0 for move in self.moves)

    @property
    def was_reinstated(self) -> bool:
        """Whether it came back."""
        return any(move.amount_minor > 0 for move in self.moves)


class FraudWarning(Value):
    """A card's issuer warns that a payment was fraudulent, before anybody disputes it."""

    provider_id: str
    charge: str | None = None
    payment_intent: str | None = None
    fraud_type: str
    """In the provider's word: `made_with_stolen_card`."""
    actionable: bool
    """Whether a refund would still spare us a dispute."""
