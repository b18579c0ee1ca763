"""A price in a reader's words: `12,00 € par unité`, `€0.10 up to 1,000, then €0.08`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from billing.prices import Price, PricingModel
from mails.context import PriceLine
from mails.formats import Language, format_number, format_unit_amount

_EACH: Final = {Language.FR: "par unité", Language.EN: "a unit"}
_FLAT: Final = {Language.FR: "par période", Language.EN: "a period"}
_COLON: Final = {Language.FR: "\N{NO-BREAK SPACE}:", Language.EN: ":"}
_BREAK: Final = {Language.FR: "\N{NO-BREAK SPACE}; ", Language.EN: "; "}


def price_lines(
    before: Sequence[Price], after: Sequence[Price], currency: str, language: Language
) -> tuple[PriceLine, ...]:
    """Old and new prices side by side; those that stay as they are too, so that nothing is left to guess."""
    new = {price.id: price for price in after}
    old = {price.id: price for price in before}
    return tuple(
        PriceLine(
            description=_named(new.get(key) or old[key], language),
            before=in_words(old[key], currency, language) if key in old else None,
            after=in_words(new[key], currency, language) if key in new else None,
        )
        for key in {**old, **new}
    )


def _named(price: Price, language: Language) -> str:
    fallback = {Language.FR: "Prix", Language.EN: "Price"}[language]
    return price.description or price.meter or fallback


def in_words(price: Price, currency: str, language: Language) -> str:
    """A price for one reader."""
    if price.tiers:
        return _tiers(price, currency, language)
    amount = format_unit_amount(price.unit_amount, currency, language)
    if price.package_size is not None:
        size = format_number(Decimal(price.package_size), language)
        return f"{amount} {'par lot de' if language is Language.FR else 'per'} {size}"
    words = _FLAT if price.model is PricingModel.FLAT else _EACH
    return f"{amount} {words[language]}"


def _tiers(price: Price, currency: str, language: Language) -> str:
    parts = []
    for tier in price.tiers:
        amount = format_unit_amount(tier.unit_amount, currency, language)
        if tier.flat_amount:
            amount += f" + {format_unit_amount(tier.flat_amount, currency, language)}"
        if tier.up_to is None:
            parts.append(f"{'au-delà' if language is Language.FR else 'beyond'} {amount}")
        else:
            until = "jusqu’à" if language is Language.FR else "up to"
            parts.append(f"{until} {format_number(Decimal(tier.up_to), language)}{_COLON[language]} {amount}")
    return _BREAK[language].join(parts)
