"""Terms made to measure: what was agreed with one customer, in place of what the plan says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import Field

from billing.calendar import Alignment, Interval
from billing.errors import InvalidInput
from billing.features import Feature, overridden
from billing.payment_terms import TypedPaymentTerms, one_of_both
from billing.prices import Price, UnitAmount
from billing.terms import CollectionMethod, Terms, WithoutMethod
from billing.values import Value


class Agreed(Value):
    """Overrides for one subscription. What is None or empty stays the plan's; the plan itself is never touched."""

    amount: UnitAmount | None = None
    """Another unit price, in major units, where the plan has a single price without tiers."""
    prices: tuple[Price, ...] = ()
    """All prices anew."""
    quantity: int | None = None
    interval: Interval | None = None
    alignment: Alignment | None = None
    billing_day: int | None = Field(default=None, ge=1, le=31)
    trial_days: int | None = Field(default=None, ge=0, le=730)
    trial_needs_method: bool | None = None
    without_method_at_trial_end: WithoutMethod | None = None
    features: tuple[Feature, ...] = ()
    """Each in place of the plan's feature with the same key, or beside them."""
    collection_method: CollectionMethod | None = None
    payment_terms_days: int | None = Field(default=None, ge=0, le=365)
    payment_terms: TypedPaymentTerms | None = None
    """In place of the days alone, as `30 days` or `45 days, then end of month`."""
    dunning_policy: str | None = Field(default=None, max_length=80)
    commitment_periods: int | None = Field(default=None, ge=0, le=120)
    early_exit_percent: Decimal | None = Field(default=None, ge=0, le=100, decimal_places=3)


def terms_agreed(offered: Terms, agreed: Agreed) -> Terms:
    """The plan's terms with what was agreed in their place.

    Raises:
        InvalidInput: an amount was agreed for a plan with several prices or with tiers (field `amount`), payment terms
            were agreed in both ways, or a value is out of range or does not fit the others; `field` names it.
    """
    changes: dict[str, Any] = {
        name: value for name in _SIMPLE if (value := getattr(agreed, name)) is not None
    }
    changes |= _payment_terms(agreed)
    if agreed.prices:
        changes["prices"] = agreed.prices
    if agreed.amount is not None:
        changes["prices"] = (_single_price(offered, agreed.amount),)
    if agreed.features:
        changes["features"] = overridden(offered.features, agreed.features)
    return Terms.model_validate({**dict(offered), **changes})


_SIMPLE = (
    "quantity",
    "interval",
    "alignment",
    "billing_day",
    "trial_days",
    "trial_needs_method",
    "without_method_at_trial_end",
    "collection_method",
    "dunning_policy",
    "commitment_periods",
    "early_exit_percent",
)


def _payment_terms(agreed: Agreed) -> dict[str, Any]:
    given = one_of_both(agreed.payment_terms, agreed.payment_terms_days)
    if given is None:
        return {}
    return {"payment_terms_days": given.days, "payment_terms_month_end": given.month_end}


def _single_price(offered: Terms, amount: Decimal) -> Price:
    if len(offered.prices) != 1 or offered.prices[0].model.has_tiers:
        raise InvalidInput(
            f"The plan {offered.plan_id} has several prices or tiers: an amount for one of them is not clear. Give "
            "the prices instead.",
            field="amount",
        )
    return offered.prices[0].model_copy(update={"unit_amount": amount})
