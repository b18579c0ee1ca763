"""Prices: how a quantity turns into an amount, and when it is billed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from billing.errors import InvalidInput
from billing.money import check_unit_amount
from billing.values import Value

MAX_TIERS: Final = 20
"""Most tiers of one price: terms are part of a state that must stay small."""
STANDARD_TAX_CLASS: Final = "standard"

UnitAmount = Annotated[Decimal, AfterValidator(check_unit_amount)]


def _check_flat_amount(amount: Decimal) -> Decimal:
    try:
        return check_unit_amount(amount)
    except InvalidInput as refused:
        refused.field = "flat_amount"
        raise


FlatAmount = Annotated[Decimal, AfterValidator(_check_flat_amount)]


class PricingModel(StrEnum):
    """How a price turns a quantity into an amount."""

    FLAT = "flat"
    """The same for every quantity."""
    PER_UNIT = "per_unit"
    """The unit price for each unit: seats, calls."""
    GRADUATED = "graduated"
    """Each unit at the price of the tier that it falls into."""
    VOLUME = "volume"
    """All units at the price of the tier that the quantity reaches."""
    PACKAGE = "package"
    """The unit price for each started package of `package_size` units."""

    @property
    def has_tiers(self) -> bool:
        """Whether the price is a table of tiers."""
        return self in (PricingModel.GRADUATED, PricingModel.VOLUME)


class Charging(StrEnum):
    """When a price is billed, and for what."""

    RECURRING = "recurring"
    """In advance, for each period."""
    ONCE = "once"
    """With the first invoice at the terms that have it, once to a subscription: a set-up fee."""
    METERED = "metered"
    """In arrears, for the usage that the backend reported."""


class Aggregation(StrEnum):
    """What becomes of the usage events of a period."""

    SUM = "sum"
    MAX = "max"


class InvalidPrice(InvalidInput):
    """A price that cannot be billed; `field` names what is wrong with it."""


class Tier(Value):
    """One row of a price table."""

    up_to: int | None = Field(default=None, ge=1)
    """Its last unit, inclusive; None for the last tier, which has no end."""
    unit_amount: UnitAmount
    """For each unit in it, in major units."""
    flat_amount: FlatAmount = Decimal(0)
    """Once, as soon as a unit falls into it, in major units."""


class Price(Value):
    """One price of a plan.

    Raises:
        InvalidUnitAmount: an amount is negative, too large or too fine.
        InvalidPrice: tiers, package or meter do not fit the model; `field` names which.
    """

    id: str = Field(min_length=1, max_length=64)
    """Tells the prices of one plan apart; the same in two plans where it is the same price."""
    description: str = Field(default="", max_length=100)
    """What the customer reads beside the plan's name; empty where the name says it all."""
    charging: Charging = Charging.RECURRING
    model: PricingModel = PricingModel.FLAT
    unit_amount: UnitAmount = Decimal(0)
    """Per interval and unit, or per package, in major units of the plan's currency, at most 12 decimals (rules 5)."""
    tiers: tuple[Tier, ...] = Field(default=(), max_length=MAX_TIERS)
    """Of a graduated or volume price, lowest first."""
    package_size: int | None = Field(default=None, ge=1, le=1_000_000_000)
    meter: str | None = Field(default=None, pattern="^[a-z0-9][a-z0-9_.-]{0,49}$")
    """Of a metered price: the name under which the backend reports the usage."""
    aggregation: Aggregation = Aggregation.SUM
    tax_class: str = Field(default=STANDARD_TAX_CLASS, pattern="^[a-z_]{1,32}$")
    """Which of the seller's rates it is taxed at."""

    @field_validator("tiers", mode="before")
    @classmethod
    def _tiers_name_their_place(cls, tiers: object) -> object:
        """An error in a tier says in which one."""
        if not isinstance(tiers, list | tuple):
            return tiers
        return tuple(_tier_at(place, tier) for place, tier in enumerate(tiers))

    @model_validator(mode="after")
    def _tiers_fit_the_model(self) -> Self:
        if not self.model.has_tiers:
            if self.tiers:
                raise InvalidPrice(
                    f"A {self.model} price has no tiers. Leave them out, or make it graduated or volume.",
                    field="tiers",
                )
            return self
        if not self.tiers:
            raise InvalidPrice(f"A {self.model} price needs tiers.", field="tiers")
        if self.unit_amount:
            raise InvalidPrice(
                "A price with tiers has its amounts there. Leave unit_amount out.", field="unit_amount"
            )
        _check_order(self.tiers)
        return self

    @model_validator(mode="after")
    def _package_fits_the_model(self) -> Self:
        if (self.package_size is not None) != (self.model is PricingModel.PACKAGE):
            raise InvalidPrice(
                "A package price needs package_size, and no other has one.", field="package_size"
            )
        return self

    @model_validator(mode="after")
    def _meter_fits_the_charging(self) -> Self:
        if (self.meter is not None) != (self.charging is Charging.METERED):
            raise InvalidPrice("A metered price names its meter, and no other has one.", field="meter")
        if self.charging is Charging.METERED and self.model is PricingModel.FLAT:
            raise InvalidPrice(
                "A flat price does not depend on usage. Make it per_unit, graduated, volume or package.",
                field="model",
            )
        return self

    @property
    def is_recurring(self) -> bool:
        """Whether it is billed in advance for each period."""
        return self.charging is Charging.RECURRING

    @property
    def is_metered(self) -> bool:
        """Whether it is billed in arrears, by usage."""
        return self.charging is Charging.METERED

    def billed_quantity(self, quantity: Decimal | int) -> Decimal:
        """How many units of `quantity` this price counts: a flat price always one."""
        return Decimal(1) if self.model is PricingModel.FLAT else Decimal(quantity)

    def whole_amount(self, quantity: Decimal | int) -> Fraction:
        """What `quantity` units cost for a whole period, in major units, not rounded (worked T1 to T3).

        Args:
            quantity: not negative; usage may have decimals.
        """
        units = Fraction(quantity)
        match self.model:
            case PricingModel.FLAT:
                return Fraction(self.unit_amount)
            case PricingModel.PER_UNIT:
                return Fraction(self.unit_amount) * units
            case PricingModel.GRADUATED:
                return _graduated(self.tiers, units)
            case PricingModel.VOLUME:
                return _volume(self.tiers, units)
            case PricingModel.PACKAGE:
                return Fraction(self.unit_amount) * -(-units // Fraction(self.package_size or 1))


def _tier_at(place: int, tier: object) -> Tier:
    try:
        return Tier.model_validate(tier)
    except InvalidInput as refused:
        refused.field = f"tiers.{place}.{refused.field}"
        raise


def _check_order(tiers: Sequence[Tier]) -> None:
    for place, (tier, following) in enumerate(pairwise(tiers)):
        if tier.up_to is None:
            raise InvalidPrice(
                f"Tier {place + 1} has no end, so none can follow it. Give it up_to.",
                field=f"tiers.{place}.up_to",
            )
        if following.up_to is not None and following.up_to <= tier.up_to:
            raise InvalidPrice(
                f"Tier {place + 2} ends at {following.up_to}, not after the one before, at {tier.up_to}. Give the "
                "tiers in order, without overlap.",
                field=f"tiers.{place + 1}.up_to",
            )
    if tiers[-1].up_to is not None:
        raise InvalidPrice(
            f"Units above {tiers[-1].up_to} have no price. Leave up_to of the last tier out.",
            field=f"tiers.{len(tiers) - 1}.up_to",
        )


def _graduated(tiers: Sequence[Tier], units: Fraction) -> Fraction:
    amount, below = Fraction(), Fraction()
    for tier in tiers:
        if units <= below:
            break
        top = units if tier.up_to is None else min(units, Fraction(tier.up_to))
        amount += (top - below) * Fraction(tier.unit_amount) + Fraction(tier.flat_amount)
        below = top
    return amount


def _volume(tiers: Sequence[Tier], units: Fraction) -> Fraction:
    if units <= 0:
        return Fraction()
    reached = next(tier for tier in tiers if tier.up_to is None or units <= tier.up_to)
    return units * Fraction(reached.unit_amount) + Fraction(reached.flat_amount)
