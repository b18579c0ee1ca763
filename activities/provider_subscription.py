"""A subscription that the payment provider bills by itself, as values: it may be taken over."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from billing.values import Value


class SoldItem(Value):
    """What a subscription at the provider bills."""

    price: str
    """The provider's id."""
    unit_amount: Decimal | None
    """In major units; None where it has tiers."""
    currency: str
    """ISO 4217 code, in capitals."""
    quantity: int


class ProviderSubscription(Value):
    """A subscription that the provider bills by itself, as it stands there: it may be taken over."""

    id: str
    customer: str
    status: str
    """In the provider's word: `active`, `trialing`, `canceled` ..."""
    is_over: bool
    ends_by_itself: bool
    """It is to end with the period that runs."""
    is_held: bool
    """Its collection is paused, and nobody said until when."""
    paid_until: datetime | None
    """End of the period, or of the trial, that runs."""
    anchor: datetime
    """From which its periods are counted."""
    trial_ends_at: datetime | None = None
    payment_method: str | None = None
    """Its own, else the customer's default."""
    items: tuple[SoldItem, ...] = ()

    @property
    def renews(self) -> bool:
        """Whether the provider will bill another period by itself."""
        return not (self.is_over or self.ends_by_itself or self.is_held)
