"""Prices that are billed once, such as a set-up fee: each of them once to a subscription, whatever it changes to."""

from __future__ import annotations

from collections.abc import Iterable

from billing.prices import Charging
from billing.subscription import Subscription
from billing.terms import Terms


def fees_of(terms: Terms) -> frozenset[str]:
    """The ids of its prices that are billed once."""
    return frozenset(price.id for price in terms.prices if price.charging is Charging.ONCE)


def fees_due(terms: Terms, before: Terms | None, left: Iterable[str]) -> frozenset[str]:
    """Which of them the first invoice at these terms bills: what no terms before them had.

    Args:
        terms: that are billed from now on.
        before: that applied until now; None where nothing was billed yet.
        left: the ids in terms that were left before, `Subscription.fees_left`.
    """
    known = frozenset() if before is None else fees_of(before)
    return fees_of(terms) - known - frozenset(left)


def fees_left_by(sub: Subscription) -> tuple[str, ...]:
    """What `Subscription.fees_left` becomes when its terms are left for others."""
    if sub.anchor is None:
        return sub.fees_left  # nothing was billed yet
    return tuple(sorted({*sub.fees_left, *fees_of(sub.terms)}))
