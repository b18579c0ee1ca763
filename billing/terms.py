"""The terms: the plan as one subscription has it, a snapshot plus what was agreed with this customer.

Terms travel in the state of a running subscription, so they hold what bills it and nothing to look at.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from billing.calendar import Alignment, Interval
from billing.errors import InvalidInput
from billing.money import MAX_AMOUNT_MINOR, check_currency, check_unit_amount, to_exact_minor
from billing.values import Value

MAX_QUANTITY = 1_000_000
"""Most seats that one subscription can have."""
MAX_PRICES = 10
"""Most prices of one plan: terms are part of a state that must stay small."""


class PricingModel(StrEnum):
    """How a price turns a quantity into an amount."""

    FLAT = "flat"
    """The same for every quantity."""
    PER_UNIT = "per_unit"
    """The unit price for each unit: seats."""


class WithoutMethod(StrEnum):
    """What the end of a trial does when there is nothing to charge (rules 3)."""

    CANCEL = "cancel"
    PAUSE = "pause"
    INVOICE = "invoice"
    """Issued and collected with a pay link."""


class CollectionMethod(StrEnum):
    """How the invoices of a subscription are paid."""

    CHARGE = "charge"
    """We charge the stored payment method."""
    TRANSFER = "transfer"
    """The customer sends the money by the due date."""


class InvalidQuantity(InvalidInput):
    """A quantity that is not between 1 and `MAX_QUANTITY`.

    Attributes:
        quantity: what was given.
    """

    def __init__(self, quantity: int) -> None:
        super().__init__(
            f"The quantity {quantity} is out of range. Give a whole number from 1 to {MAX_QUANTITY}.",
            field="quantity",
        )
        self.quantity = quantity


class AmountTooLarge(InvalidInput):
    """Price times quantity is more than a document can carry."""


def check_quantity(quantity: int) -> int:
    """The quantity itself, if it is one that can be billed.

    Raises:
        InvalidQuantity: below 1 or above `MAX_QUANTITY`.
    """
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidQuantity(quantity)
    return quantity


class Price(Value):
    """One price of a plan.

    Raises:
        InvalidUnitAmount: `unit_amount` is negative, too large or too fine.
    """

    id: str = Field(min_length=1, max_length=64)
    """Tells the prices of one plan apart; the same in two plans where it is the same price."""
    description: str = Field(default="", max_length=100)
    """What the customer reads beside the plan's name; empty where the name says it all."""
    model: PricingModel = PricingModel.FLAT
    unit_amount: Annotated[Decimal, AfterValidator(check_unit_amount)]
    """Per interval and unit, in major units of the plan's currency, at most 12 decimals (rules 5)."""

    def billed_quantity(self, quantity: int) -> int:
        """How many units of `quantity` this price counts: a flat price always one."""
        return 1 if self.model is PricingModel.FLAT else quantity

    def whole_amount(self, quantity: int) -> Fraction:
        """What a whole period costs for `quantity` units, in major units, not rounded."""
        return Fraction(self.unit_amount) * self.billed_quantity(quantity)


class Terms(Value):
    """What one subscription pays, how often, and how it is collected.

    Raises:
        UnknownCurrency: `currency` is no ISO 4217 code.
        InvalidQuantity: `quantity` is out of range.
        AmountTooLarge: a price times the quantity is beyond what a document can carry.
    """

    plan_id: str = Field(min_length=1, max_length=64)
    plan_name: str = Field(min_length=1, max_length=100)
    currency: Annotated[str, AfterValidator(check_currency)]
    interval: Interval
    alignment: Alignment = Alignment.ANNIVERSARY
    prices: tuple[Price, ...] = Field(min_length=1, max_length=MAX_PRICES)
    quantity: Annotated[int, AfterValidator(check_quantity)] = 1
    tax_included: bool = False
    """Whether the prices contain the tax; then lines are gross and their gross is kept (rules 6)."""
    trial_days: int = Field(default=0, ge=0, le=730)
    without_method_at_trial_end: WithoutMethod = WithoutMethod.CANCEL
    dunning_policy: str | None = Field(default=None, max_length=80)
    """Name of the policy; None takes the default for the interval (rules 24)."""
    collection_method: CollectionMethod = CollectionMethod.CHARGE
    payment_terms_days: int = Field(default=0, ge=0, le=365)
    """Days from issue to the due date, for transfers."""

    @model_validator(mode="after")
    def _prices_are_told_apart(self) -> Self:
        ids = [price.id for price in self.prices]
        if len(set(ids)) < len(ids):
            raise InvalidInput("Two prices of the plan have the same id. Give each its own.", field="prices")
        return self

    @model_validator(mode="after")
    def _amounts_fit_a_document(self) -> Self:
        for price in self.prices:
            if to_exact_minor(price.whole_amount(self.quantity), self.currency) > MAX_AMOUNT_MINOR:
                raise AmountTooLarge(
                    f"{price.unit_amount} {self.currency} times {self.quantity} is too large for an invoice. "
                    "Lower the price or the quantity.",
                    field="quantity",
                )
        return self

    @property
    def has_unit_price(self) -> bool:
        """Whether any price depends on the quantity."""
        return any(price.model is not PricingModel.FLAT for price in self.prices)

    def same_rhythm_as(self, other: Terms) -> bool:
        """Whether a change from one to the other keeps the periods as they are."""
        return (self.interval, self.alignment) == (other.interval, other.alignment)
