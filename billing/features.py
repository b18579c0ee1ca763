"""Features: the named rights of a plan, which a backend asks for before it lets a customer do something."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Self

from pydantic import Field, model_validator

from billing.errors import InvalidInput
from billing.values import Value

MAX_FEATURES: Final = 30
"""Most features of one plan: terms are part of a state that must stay small."""


class FeatureKind(StrEnum):
    """What the value of a feature means."""

    SWITCH = "switch"
    """On or off."""
    LIMIT = "limit"
    """A number that the backend compares with what there is: projects, gigabytes."""
    METER = "meter"
    """Usage that is counted here, period by period; the limit is what is included."""


class Feature(Value):
    """One right.

    Raises:
        InvalidInput: value and kind do not fit.
    """

    key: str = Field(pattern="^[a-z0-9][a-z0-9_.-]{0,49}$")
    """A meter's feature has the meter's name."""
    kind: FeatureKind = FeatureKind.SWITCH
    on: bool = True
    limit: int | None = Field(default=None, ge=0)
    """Of a limit or a meter; None is unlimited."""

    @model_validator(mode="after")
    def _value_fits_the_kind(self) -> Self:
        if self.kind is FeatureKind.SWITCH and self.limit is not None:
            raise InvalidInput("A switch is on or off and has no limit. Make it a limit.", field="limit")
        return self


def check_keys(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """The features themselves, if each has its own key.

    Raises:
        InvalidInput: two have the same; field `features`.
    """
    keys = [feature.key for feature in features]
    if len(set(keys)) < len(keys):
        raise InvalidInput("Two features of the plan have the same key. Give each its own.", field="features")
    return tuple(features)


def overridden(features: Sequence[Feature], own: Sequence[Feature]) -> tuple[Feature, ...]:
    """A plan's features with those of one subscription in their place, and after them what is new."""
    by_key = {feature.key: feature for feature in features}
    by_key.update({feature.key: feature for feature in own})
    return tuple(by_key.values())
