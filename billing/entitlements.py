"""What a subscription may use of each feature, and how much of it is used and left in its current period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.features import Feature, FeatureKind
from billing.prices import Aggregation
from billing.values import Value


@dataclass(frozen=True)
class Counted:
    """What one meter counted at one price.

    Attributes:
        aggregation: what becomes of several such.
        quantity: everything reported; negative where more was taken back than reported.
    """

    aggregation: Aggregation
    quantity: Decimal


class FeatureUse(Value):
    """One feature as a backend asks for it."""

    key: str
    kind: FeatureKind
    on: bool
    """Of a switch; true for the others."""
    limit: int | None
    """Of a limit or a meter; None is unlimited, and on a switch."""
    used: Decimal | None
    """In the current period; None where nothing counts under this name."""
    left: Decimal | None
    """Of the limit, never below zero; None where it is unlimited or nothing counts."""


def uses(features: Sequence[Feature], counted: Mapping[str, Sequence[Counted]]) -> tuple[FeatureUse, ...]:
    """Every feature with what is used and left of it.

    Args:
        features: of the terms.
        counted: by meter, what it counted in the current period, oldest first. A feature has its meter's name.
    """
    return tuple(_use(feature, used_in_all(counted.get(feature.key, ()))) for feature in features)


def used_in_all(counted: Sequence[Counted]) -> Decimal | None:
    """What was used over all prices that a meter had, oldest first; None where it never counted.

    Added up, or the highest, as the latest price says. Each counts for at least nothing, as it is billed.
    """
    if not counted:
        return None
    quantities = [max(Decimal(0), each.quantity) for each in counted]
    return max(quantities) if counted[-1].aggregation is Aggregation.MAX else sum(quantities, Decimal(0))


def _use(feature: Feature, used: Decimal | None) -> FeatureUse:
    is_switch = feature.kind is FeatureKind.SWITCH
    used = None if is_switch else used
    left = None if feature.limit is None or used is None else max(Decimal(0), feature.limit - used)
    return FeatureUse(
        key=feature.key, kind=feature.kind, on=feature.on, limit=feature.limit, used=used, left=left
    )
