"""The terms: the plan as one subscription has it, a snapshot plus what was agreed with this customer.

Terms travel in the state of a running subscription, so they hold what bills it and nothing to look at.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from billing.calendar import Alignment, Interval, Schedule
from billing.errors import InvalidInput
from billing.features import MAX_FEATURES, Feature, check_keys
from billing.money import MAX_AMOUNT_MINOR, check_currency, to_exact_minor
from billing.payment_terms import MonthEnd, PaymentTerms
from billing.prices import Price, PricingModel
from billing.values import Value

MAX_QUANTITY = 1_000_000
"""Most seats that one subscription can have."""
MAX_PRICES = 10
"""Most prices of one plan: terms are part of a state that must stay small."""
MAX_TERMS_BYTES: Final = 3_000
"""Terms as JSON. A state holds two of them at most and stays under 8 KB (engine 14)."""


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
    features: Annotated[tuple[Feature, ...], AfterValidator(check_keys)] = Field(
        default=(), max_length=MAX_FEATURES
    )
    billing_day: int | None = Field(default=None, ge=1, le=31)
    """Day of the month on which periods start, cut back in short months; None is the day of the anchor (rules 3)."""
    commitment_periods: int = Field(default=0, ge=0, le=120)
    """Billed periods that the customer agreed to from the first paid day; 0 is none."""
    early_exit_percent: Decimal | None = Field(default=None, ge=0, le=100, decimal_places=3)
    """What leaving within the commitment costs: this share of the periods that are left. None is nothing for
    consumers and non-professionals and all of it for others."""
    trial_days: int = Field(default=0, ge=0, le=730)
    trial_needs_method: bool = False
    """Whether a trial begins only once there is a payment method."""
    without_method_at_trial_end: WithoutMethod = WithoutMethod.CANCEL
    dunning_policy: str | None = Field(default=None, max_length=80)
    """Name of the policy; None takes the default for the interval (rules 24)."""
    collection_method: CollectionMethod = CollectionMethod.CHARGE
    payment_terms_days: int = Field(default=0, ge=0, le=365)
    """Days from issue to the due date, for transfers."""
    payment_terms_month_end: MonthEnd = MonthEnd.NONE
    """How the end of a month comes into the due date."""

    @model_validator(mode="after")
    def _prices_are_told_apart(self) -> Self:
        ids = [price.id for price in self.prices]
        if len(set(ids)) < len(ids):
            raise InvalidInput("Two prices of the plan have the same id. Give each its own.", field="prices")
        return self

    @model_validator(mode="after")
    def _amounts_fit_a_document(self) -> Self:
        for price in self.prices:
            if price.is_metered:
                continue  # known only when it is used
            if to_exact_minor(price.whole_amount(self.quantity), self.currency) > MAX_AMOUNT_MINOR:
                raise AmountTooLarge(
                    f"The price {price.id} of {self.quantity} units is too large for an invoice in "
                    f"{self.currency}. Lower the price or the quantity.",
                    field="quantity",
                )
        return self

    @model_validator(mode="after")
    def _has_a_schedule(self) -> Self:
        """Refuses an interval, alignment or billing day that have no place in the calendar, as `Schedule` does."""
        Schedule(
            anchor=date(2027, 1, 1),
            interval=self.interval,
            timezone="UTC",
            alignment=self.alignment,
            billing_day=self.billing_day,
        )
        return self

    @model_validator(mode="after")
    def _fits_a_state(self) -> Self:
        size = len(self.model_dump_json(exclude_defaults=True))
        if size > MAX_TERMS_BYTES:
            raise InvalidInput(
                f"These terms take {size} bytes of at most {MAX_TERMS_BYTES}. Give them fewer prices, tiers or "
                "features, or shorter descriptions.",
                field="prices",
            )
        return self

    @property
    def has_unit_price(self) -> bool:
        """Whether any price depends on the quantity."""
        return any(not price.is_metered and price.model is not PricingModel.FLAT for price in self.prices)

    @property
    def payment_terms(self) -> PaymentTerms:
        """By when an invoice is to be paid: at once, but for transfers."""
        if self.collection_method is CollectionMethod.CHARGE:
            return PaymentTerms()
        return PaymentTerms(days=self.payment_terms_days, month_end=self.payment_terms_month_end)

    @property
    def metered_prices(self) -> tuple[Price, ...]:
        """Those billed in arrears, by usage."""
        return tuple(price for price in self.prices if price.is_metered)

    def same_rhythm_as(self, other: Terms) -> bool:
        """Whether a change from one to the other keeps the periods as they are."""
        return (self.interval, self.alignment, self.billing_day) == (
            other.interval,
            other.alignment,
            other.billing_day,
        )
