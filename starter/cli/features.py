"""Features of a subscription as a person reads them, the same on every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from billing.features import FeatureKind
from starter.cli import output

if TYPE_CHECKING:
    from billing.entitlements import FeatureUse


def print_features(features: Sequence[FeatureUse]) -> None:
    """Print a line for each: what was agreed, and what is used and left in the current period."""
    output.show_table(
        [
            {
                "Feature": use.key,
                "Kind": use.kind.value,
                "Agreed": _agreed(use),
                "Used": use.used,
                "Left": use.left,
            }
            for use in features
        ],
        title="Features",
        empty="No feature was agreed.",
    )


def _agreed(use: FeatureUse) -> str:
    if use.kind is FeatureKind.SWITCH:
        return "on" if use.on else "off"
    return "unlimited" if use.limit is None else str(use.limit)
