"""Discounts: coupons as one subscription has them (rules 9)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from billing.errors import InvalidInput
from billing.money import (
    allocate,
    check_unit_amount,
    exponent,
    round_half_up,
    to_exact_minor,
    to_minor,
)
from billing.values import Value

MAX_DISCOUNTS: Final = 5
"""Most discounts of one subscription at a time."""
MAX_PERCENT_PLACES: Final = 6
"""Most decimals of a percent."""


class InvalidDiscount(InvalidInput):
    """A discount that is no discount; `field` names what is wrong with it."""


class Discount(Value):
    """A coupon that was given to one subscription: a snapshot, so that a later change of the coupon does nothing.

    Raises:
        InvalidDiscount: neither or both of percent and amount, or out of range.
    """

    coupon_id: str = Field(min_length=1, max_length=64)
    name: str = Field(default="", max_length=60)
    """What the customer reads."""
    percent: Decimal | None = None
    """Above 0, at most 100."""
    amount: Annotated[Decimal, AfterValidator(check_unit_amount)] | None = None
    """Off each billed period, in major units of the subscription's currency."""
    periods: int | None = Field(default=None, ge=1, le=1200)
    """For how many billed periods; 1 is once, None for ever."""
    used: int = Field(default=0, ge=0)
    """Billed periods that it was taken off so far; neither trial nor pause counts."""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise InvalidDiscount("Give either a percent or an amount.", field="percent")
        if self.percent is not None and not 0 < self.percent <= 100:  # noqa: PLR2004
            raise InvalidDiscount(
                f"{self.percent} % is no discount. Give more than 0 and at most 100.", field="percent"
            )
        if self.percent is not None and -int(self.percent.as_tuple().exponent) > MAX_PERCENT_PLACES:
            raise InvalidDiscount(
                f"The percent has too many decimals. Give at most {MAX_PERCENT_PLACES}.", field="percent"
            )
        if self.amount is not None and self.amount <= 0:
            raise InvalidDiscount("A discount takes something off. Give more than 0.", field="amount")
        return self

    @property
    def is_used_up(self) -> bool:
        """Whether no further period is discounted."""
        return self.periods is not None and self.used >= self.periods

    def once_more(self) -> Discount:
        """The same with one more billed period."""
        return self.model_copy(update={"used": self.used + 1})


def check_discount(discount: Discount, currency: str, *, field: str) -> None:
    """Refuse an amount that is no whole number of minor units: a part of a cent takes nothing off.

    Args:
        discount: about to be put on offer, or given.
        currency: of its amount.
        field: how the caller names it.

    Raises:
        InvalidDiscount: it has too many decimals.
    """
    amount = discount.amount
    if amount is not None and to_exact_minor(amount, currency).denominator != 1:
        raise InvalidDiscount(
            f"{amount} {currency} has too many decimals. Give at most {exponent(currency)}.", field=field
        )


def for_next_period(discounts: Sequence[Discount]) -> tuple[Discount, ...]:
    """The discounts of the period that is about to be billed, that period counted."""
    return tuple(discount.once_more() for discount in discounts if not discount.is_used_up)


def in_this_period(discounts: Sequence[Discount]) -> tuple[Discount, ...]:
    """Those that the current period was billed with."""
    return tuple(discount for discount in discounts if discount.used)


def off_usage(discounts: Sequence[Discount], *, with_period: bool) -> tuple[Discount, ...]:
    """The percents that are taken off usage, in arrears; a fixed sum is taken off what is billed in advance.

    Args:
        discounts: of the subscription.
        with_period: whether the invoice of the period that has begun carries the usage, so that its discounts count.
            On an invoice of its own those count that the next period would have had, so that whoever leaves pays for
            the last usage what whoever stays pays.
    """
    counting = in_this_period(discounts) if with_period else for_next_period(discounts)
    return tuple(discount for discount in counting if discount.percent is not None)


class TakenOff(Value):
    """The discounts with which usage was billed first: late reports and corrections of it keep them (rules 9)."""

    discounts: tuple[Discount, ...] = ()


def take_off(
    amounts: Sequence[Fraction], discounts: Sequence[Discount], currency: str
) -> tuple[Fraction, ...]:
    """Amounts of whole periods after the discounts: percent first, then fixed ones (rules 9, worked C2 and C3).

    A fixed one is shared over the amounts in proportion, by largest remainder, and capped at their sum.

    Args:
        amounts: in minor units, not rounded. Nothing fixed is taken off a negative one, a correction of usage.
        discounts: all that apply.
        currency: of the amounts.
    """
    factor = Fraction(1)
    for discount in discounts:
        if discount.percent is not None:
            factor *= 1 - Fraction(discount.percent) / 100
    left = [amount * factor for amount in amounts]
    for discount in discounts:
        if discount.amount is not None:
            left = _less(left, to_minor(discount.amount, currency))
    return tuple(left)


def _less(amounts: Sequence[Fraction], off_minor: int) -> list[Fraction]:
    """The same amounts with a fixed sum taken off, at most all of it."""
    weights = [max(0, round_half_up(amount)) for amount in amounts]
    if off_minor >= sum(weights):
        return [min(Fraction(), amount) for amount in amounts]
    shares = allocate(off_minor, weights)
    return [
        max(Fraction(), amount - share) if share else amount
        for amount, share in zip(amounts, shares, strict=True)
    ]
