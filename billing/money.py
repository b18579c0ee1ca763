"""Currencies, minor units and the two ways of rounding: half up once, or shared out to the last unit.

Sums are exact fractions until the one place where they are rounded, so that neither the number of decimals
of a unit price nor a quantity of a million loses a digit on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import trunc

from billing.errors import InvalidInput

MAX_UNIT_AMOUNT = Decimal(1_000_000_000)
"""Unit prices stay below this, in major units."""
MAX_UNIT_PLACES = 12
"""Most decimals of a unit price, in major units (rules 5)."""
MAX_AMOUNT_MINOR = 10**15
"""No line may pass this: sums of many such lines still fit a 64-bit column."""

# ISO 4217's active currencies, without funds, metals and test codes. Written out rather than taken from CLDR,
# whose decimals follow habit and not the standard (there Iraqi dinars have none, in ISO 4217 three).
_EXPONENT_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_EXPONENT_2 = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP
    CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE
    SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR
    ZMW ZWG
"""
_EXPONENT_3 = "BHD IQD JOD KWD LYD OMR TND"

EXPONENTS: dict[str, int] = {
    code: places
    for places, codes in ((0, _EXPONENT_0), (2, _EXPONENT_2), (3, _EXPONENT_3))
    for code in codes.split()
}
"""Decimals of each currency: 2 for EUR, 0 for JPY, 3 for KWD."""

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


class UnknownCurrency(InvalidInput):
    """Not the ISO 4217 code of a currency in use.

    Attributes:
        currency: what was given.
    """

    def __init__(self, currency: str) -> None:
        super().__init__(
            f"{currency!r} is no currency in use. Give its ISO 4217 code in capitals, for example EUR.",
            field="currency",
        )
        self.currency = currency


class InvalidUnitAmount(InvalidInput):
    """A unit price that is no number, negative, too large or too fine."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="unit_amount")


def check_currency(code: str) -> str:
    """The code itself, if it is the ISO 4217 code of a currency in use.

    Raises:
        UnknownCurrency: it is not, or is not written in capitals.
    """
    if code not in EXPONENTS:
        raise UnknownCurrency(code)
    return code


def exponent(currency: str) -> int:
    """How many decimals amounts of `currency` have on documents.

    Raises:
        UnknownCurrency: `currency` is not in use.
    """
    return EXPONENTS[check_currency(currency)]


def round_half_up(value: Decimal | Fraction) -> int:
    """The nearest whole number; halves go away from zero, so that a credit mirrors its charge (rules 5)."""
    exact = Fraction(value)
    magnitude = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return magnitude if exact >= 0 else -magnitude


def to_exact_minor(amount: Decimal | Fraction, currency: str) -> Fraction:
    """An amount in major units as minor units of `currency`, not yet rounded."""
    return Fraction(amount) * int(10 ** exponent(currency))


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount in major units as whole minor units of `currency`, rounded half up (rules 5)."""
    return round_half_up(to_exact_minor(amount, currency))


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Whole minor units as an amount in major units, with the decimals of `currency`: 1450 is 14.50 EUR."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def check_unit_amount(amount: Decimal) -> Decimal:
    """The unit price itself, in major units and written without exponent, if it can be billed (rules 5).

    Raises:
        InvalidUnitAmount: not finite, negative, `MAX_UNIT_AMOUNT` or more, or finer than 12 decimals.
    """
    if not amount.is_finite():
        raise InvalidUnitAmount("The unit price is no finite number. Give an amount such as 29.00.")
    if amount < 0:
        raise InvalidUnitAmount(f"The unit price {amount} is negative. Give 0 or more.")
    if amount >= MAX_UNIT_AMOUNT:
        raise InvalidUnitAmount(f"The unit price {amount} is too large. Give less than {MAX_UNIT_AMOUNT}.")
    places = -int(amount.as_tuple().exponent)
    if places > MAX_UNIT_PLACES and amount != round(amount, MAX_UNIT_PLACES):
        raise InvalidUnitAmount(
            f"The unit price has {places} decimals. Give at most {MAX_UNIT_PLACES} (rules 5)."
        )
    return round(amount, min(max(places, 0), MAX_UNIT_PLACES))


def parse_unit_amount(text: str) -> Decimal:
    """Read a unit price in major units, with a point as decimal mark: `29.00`, `0.0015`.

    Raises:
        InvalidUnitAmount: no number, or one that `check_unit_amount` refuses.
    """
    number = plain_number(text.strip())
    if number is None:
        raise InvalidUnitAmount(f"{text!r} is no unit price. Give a number such as 29.00.")
    return check_unit_amount(number)


def plain_number(text: str) -> Decimal | None:
    """A number written in figures with a point as decimal mark, to the last digit; None for anything else.

    Python would also read underscores, figures of other scripts, exponents and spaces.
    """
    return Decimal(text) if _PLAIN_NUMBER.fullmatch(text) else None


def share_out(total: int, exact: Sequence[Fraction]) -> list[int]:
    """Whole parts that sum to `total`, each less than one away from its exact share (largest remainder).

    Shares may be of either sign. Each is cut towards zero; what is then missing goes, one unit each, to the
    shares that lost most, the earlier one first where they lost the same. Negated shares give negated parts.

    Args:
        total: what the parts sum to; within half a unit of the sum of `exact`.
        exact: the share of each part, not rounded.

    Raises:
        ValueError: `total` is further away from the sum of the shares.
    """
    if 2 * abs(total - sum(exact, Fraction())) > 1:
        raise ValueError(f"{total} is not the rounded sum of its shares")
    parts = [trunc(share) for share in exact]
    missing = total - sum(parts)
    unit = 1 if missing > 0 else -1
    by_loss = sorted(range(len(parts)), key=lambda i: (-unit * (exact[i] - parts[i]), i))
    for i in by_loss[: abs(missing)]:
        parts[i] += unit
    return parts


def allocate(total_minor: int, weights: Sequence[int]) -> list[int]:
    """`total_minor` shared in proportion to `weights` by largest remainder; the parts sum to it exactly.

    Args:
        total_minor: what is shared, of either sign.
        weights: one per part, none negative, not all zero.

    Raises:
        ValueError: a negative weight, or nothing to share by.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must not be negative, and one at least must be positive")
    return share_out(total_minor, [Fraction(total_minor * weight, whole) for weight in weights])
