"""New prices that a customer was told of in time, and that apply to a running subscription later."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from billing.features import MAX_FEATURES, Feature
from billing.prices import Charging, Price
from billing.terms import MAX_PRICES, Terms
from billing.values import Value


class Announced(Value):
    """What another plan's prices and features make of a subscription, from its first renewal on or after a date.

    All else stays as it was agreed: seats, discounts, payment terms, dunning policy.
    """

    command_id: str
    from_plan_id: str
    """The plan that it replaces; with another one in between it does not apply any more."""
    plan_id: str
    plan_name: str
    prices: tuple[Price, ...] = Field(min_length=1, max_length=MAX_PRICES)
    features: tuple[Feature, ...] = Field(default=(), max_length=MAX_FEATURES)
    from_on: date
    """First day of that renewal, on the customer's calendar."""

    def applied_to(self, terms: Terms) -> Terms:
        """The terms from then on."""
        return Terms.model_validate(
            {
                **dict(terms),
                "plan_id": self.plan_id,
                "plan_name": self.plan_name,
                "prices": self.prices,
                "features": self.features,
            }
        )

    def still_holds_for(self, before: Terms, after: Terms) -> bool:
        """Whether it applies to a subscription whose terms change: not once another plan or price was agreed."""
        return after.plan_id == self.from_plan_id and after.prices == before.prices


def running_prices(prices: tuple[Price, ...]) -> tuple[Price, ...]:
    """Those that are billed again and again: a set-up fee is not billed to those who are set up already."""
    return tuple(price for price in prices if price.charging is not Charging.ONCE)
