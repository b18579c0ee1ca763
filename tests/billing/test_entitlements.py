"""What is used and left of each feature."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.entitlements import Counted, uses
from billing.features import Feature, FeatureKind
from billing.prices import Aggregation

SUM, MAX = Aggregation.SUM, Aggregation.MAX


def counted(aggregation: Aggregation, *quantities: str) -> list[Counted]:
    return [Counted(aggregation, Decimal(quantity)) for quantity in quantities]


@pytest.mark.parametrize(
    ("feature", "meter", "expected"),
    [
        (Feature(key="sso"), [], (True, None, None, None)),
        (Feature(key="sso", on=False), [], (False, None, None, None)),
        (Feature(key="projects", kind=FeatureKind.LIMIT, limit=5), [], (True, 5, None, None)),
        (Feature(key="projects", kind=FeatureKind.LIMIT, limit=0), [], (True, 0, None, None)),
        (Feature(key="calls", kind=FeatureKind.METER, limit=1000), [], (True, 1000, None, None)),
        (Feature(key="calls", kind=FeatureKind.METER, limit=1000), counted(SUM, "0"), (True, 1000, 0, 1000)),
        (
            Feature(key="calls", kind=FeatureKind.METER, limit=1000),
            counted(SUM, "250", "50.5"),
            (True, 1000, Decimal("300.5"), Decimal("699.5")),
        ),
        (
            Feature(key="calls", kind=FeatureKind.METER, limit=1000),
            counted(SUM, "900", "200"),
            (True, 1000, 1100, 0),
        ),
        (Feature(key="calls", kind=FeatureKind.METER), counted(SUM, "250"), (True, None, 250, None)),
        (
            Feature(key="users", kind=FeatureKind.LIMIT, limit=10),
            counted(MAX, "7", "3"),
            (True, 10, 7, 3),
        ),
        # More was taken back than reported: nothing was used, and the earlier price keeps what it counted.
        (
            Feature(key="calls", kind=FeatureKind.METER, limit=1000),
            counted(SUM, "40", "-30"),
            (True, 1000, 40, 960),
        ),
        # The price of now says how it counts.
        (
            Feature(key="calls", kind=FeatureKind.METER, limit=1000),
            [*counted(MAX, "40"), *counted(SUM, "5")],
            (True, 1000, 45, 955),
        ),
        # A switch has no use, also where a meter has its name.
        (Feature(key="calls"), counted(SUM, "5"), (True, None, None, None)),
    ],
)
def test_a_feature_and_its_use(
    feature: Feature, meter: list[Counted], expected: tuple[object, object, object, object]
) -> None:
    (use,) = uses([feature], {feature.key: meter, "other": counted(SUM, "9")})
    assert (use.key, use.kind) == (feature.key, feature.kind)
    assert (use.on, use.limit, use.used, use.left) == expected
