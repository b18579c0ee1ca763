"""What is on offer: plans and coupons."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from billing.calendar import Alignment
from billing.features import MAX_FEATURES, Feature
from billing.prices import Price
from billing.terms import MAX_PRICES, CollectionMethod, WithoutMethod
from starter.resources.common import (
    Body,
    CurrencyCode,
    Day,
    EntityId,
    Metadata,
    Money,
    Reference,
    Resource,
    example,
)


class PlanContent(Body):
    """Everything about a plan. It never changes: another price is another plan."""

    model_config = example(
        name="Pro",
        currency="EUR",
        every="1month",
        amount="49.00",
        trial_days=14,
        features=[{"key": "projects", "kind": "limit", "limit": 20}],
    )

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["Pro"])]
    currency: CurrencyCode
    every: Annotated[str, Field(max_length=20, examples=["1month"])]
    """`1month`, `2week`, `1year`, or monthly, bimonthly, quarterly, semiannual, annual."""
    amount: Money | None = None
    """Price of one interval, where there is a single one; else `prices`."""
    per_seat: bool = False
    """Whether `amount` is for each unit of the quantity."""
    prices: Annotated[tuple[Price, ...], Field(max_length=MAX_PRICES)] = ()
    quantity: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    alignment: Alignment = Alignment.ANNIVERSARY
    billing_day: Annotated[int, Field(ge=1, le=31)] | None = None
    """Day of the month on which periods start; the day of the first payment, if not given."""
    tax_included: bool = False
    features: Annotated[tuple[Feature, ...], Field(max_length=MAX_FEATURES)] = ()
    """What a customer of this plan may use."""
    commitment_periods: Annotated[int, Field(ge=0, le=120)] = 0
    early_exit_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=3)] | None = None
    trial_days: Annotated[int, Field(ge=0, le=730)] = 0
    trial_needs_method: bool = False
    without_method_at_trial_end: WithoutMethod = WithoutMethod.CANCEL
    dunning_policy: Annotated[str, Field(max_length=80)] | None = None
    collection_method: CollectionMethod = CollectionMethod.CHARGE
    payment_terms: Annotated[str, Field(max_length=60, examples=["30 days"])] | None = None
    """Of transfers: `30 days`, or `45 days, then end of month`."""
    metadata: Metadata = Field(default_factory=dict)


class PlanUpdate(Body):
    """What is new about a plan beside its terms, which never change. What is not sent stays."""

    model_config = example(metadata={"tier": "2"}, archived=False)

    metadata: Metadata | None = None
    """In place of what there is; `{}` takes all of it away."""
    archived: bool | None = None
    """Whether it is off the offer; `false` puts it back on."""


class NewPlan(PlanContent):
    """A plan to put on offer."""

    reference: Reference | None = None
    legal_entity: EntityId | None = None


class Plan(Resource):
    """A plan on offer."""

    id: str
    object: Literal["plan"] = "plan"
    reference: str | None
    legal_entity: str
    name: str
    currency: str
    every: str
    prices: tuple[Price, ...]
    quantity: int
    trial_days: int
    features: tuple[Feature, ...]
    collection_method: CollectionMethod
    dunning_policy: str | None
    tax_included: bool
    archived_at: datetime | None
    metadata: dict[str, JsonValue]
    created_at: datetime


class NewCoupon(Body):
    """A coupon to put on offer."""

    model_config = example(code="WELCOME20", percent="20", periods=3)

    code: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,40}$", examples=["WELCOME20"])]
    """What a customer types."""
    name: Annotated[str, Field(max_length=60)] = ""
    percent: Annotated[Decimal, Field(gt=0, le=100, examples=["20"])] | None = None
    amount: Money | None = None
    """Off each billed period, before tax; either this with its currency, or `percent`."""
    currency: CurrencyCode | None = None
    periods: Annotated[int, Field(ge=1, le=1200)] | None = None
    """For how many billed periods; for ever, if not given."""
    expires_on: Day | None = None
    max_redemptions: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    legal_entity: EntityId | None = None


class Coupon(Resource):
    """A discount on offer."""

    id: str
    object: Literal["coupon"] = "coupon"
    code: str
    name: str
    percent: Decimal | None
    amount: Decimal | None
    currency: str | None
    periods: int | None
    expires_on: date | None
    redemptions: int
    max_redemptions: int | None
    archived_at: datetime | None
    created_at: datetime
