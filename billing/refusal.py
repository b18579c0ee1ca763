"""Why a subscription does not take a command."""

from __future__ import annotations

from billing.calendar import local_date
from billing.errors import RelanceError
from billing.subscription import Subscription
from billing.terms import Terms


class Refused(RelanceError):
    """The subscription cannot take this command in its present state."""


class AlreadyEnded(Refused):
    """The subscription is over; a return is a new subscription that names the old one (U6)."""

    def __init__(self, sub: Subscription) -> None:
        ended = f" on {local_date(sub.ended_at, sub.timezone)}" if sub.ended_at else ""
        super().__init__(
            f"Subscription {sub.id} ended{ended} ({sub.end_reason}). Start a new subscription instead.",
            field="subscription",
        )


class PlanCurrencyMismatch(Refused):
    """A plan in another currency (design 4.1)."""

    def __init__(self, sub: Subscription, requested: Terms) -> None:
        super().__init__(
            f"The plan {requested.plan_id} bills in {requested.currency}, this subscription in "
            f"{sub.terms.currency}. Start a new subscription to change currency.",
            field="plan",
        )
        self.subscription = sub.id
        self.current = sub.terms.currency
        self.requested = requested.currency


class SeatsNotPriced(Refused):
    """A quantity for a plan that has no price per unit."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(
            f"The plan {terms.plan_id} has no price per unit, so a quantity changes nothing. Leave it at 1.",
            field="quantity",
        )
