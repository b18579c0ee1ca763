"""Stripe's minor units, where they are not ISO 4217's (rules 10). Our own rules never know.

Source: <https://docs.stripe.com/currencies>, "special cases" and "three-decimal currencies".
"""

from __future__ import annotations

from billing.errors import InvalidInput

_TIMES = {"ISK": 100, "UGX": 100}
"""No decimals in ISO 4217, but Stripe keeps two for the sake of old integrations: 5 ISK is 500."""

_DIVIDED_BY = {"MGA": 100}
"""Two decimals in ISO 4217, none at Stripe."""

_STEP_OF_TEN = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Three decimals in both, but Stripe wants the last digit to be 0."""


class NotChargeable(InvalidInput):
    """Stripe has no unit small enough for this amount.

    Attributes:
        amount_minor: ISO 4217 minor units.
        currency: the currency.
        step_minor: what the amount must be a multiple of.
    """

    def __init__(self, amount_minor: int, currency: str, step_minor: int) -> None:
        super().__init__(
            f"Stripe cannot move {amount_minor} minor units of {currency}: it takes multiples of {step_minor}. "
            f"Give an amount in such steps.",
            field="amount_minor",
        )
        self.amount_minor = amount_minor
        self.currency = currency
        self.step_minor = step_minor


def too_fine(amount_minor: int, currency: str) -> int:
    """The part of an amount for which Stripe has no unit small enough: 4 of 5,124 fils. Not negative."""
    return amount_minor % _step(currency)


def to_stripe(amount_minor: int, currency: str) -> int:
    """Stripe's amount for ISO 4217 minor units of `currency`.

    Raises:
        NotChargeable: the amount is finer than what Stripe takes.
    """
    step = _step(currency)
    if amount_minor % step:
        raise NotChargeable(amount_minor, currency, step)
    return amount_minor * _TIMES.get(currency, 1) // _DIVIDED_BY.get(currency, 1)


def _step(currency: str) -> int:
    return _DIVIDED_BY.get(currency, 10 if currency in _STEP_OF_TEN else 1)


def from_stripe(amount: int, currency: str) -> int:
    """ISO 4217 minor units of `currency` for Stripe's amount."""
    return amount * _DIVIDED_BY.get(currency, 1) // _TIMES.get(currency, 1)
