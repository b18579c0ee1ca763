"""Amounts, dates and instants as a reader of French or English expects them.

Mails, documents and portal share these.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date as babel_date
from babel.dates import get_timezone_location
from babel.numbers import format_currency, format_decimal, get_currency_symbol

from billing.money import exponent, to_major

_NO_BREAK_SPACE = "\u00a0"


class Language(StrEnum):
    """A language that customers are written to in."""

    FR = "fr"
    EN = "en"

    @classmethod
    def of(cls, locale: str) -> Language:
        """The language for a customer's locale (`fr`, `fr-CA`, `fr_FR`, `en-GB`); English for all others."""
        return cls.FR if locale.replace("_", "-").lower().split("-")[0] == "fr" else cls.EN


@cache
def _cldr(language: Language) -> Locale:
    return Locale.parse("fr_FR" if language is Language.FR else "en_GB")


@cache
def _currency_pattern(language: Language, currency: str) -> str:
    """CLDR's pattern with ISO 4217's number of decimals: CLDR's own follows habit (no decimals for IQD)."""
    decimals = exponent(currency)
    pattern = str(_cldr(language).currency_formats["standard"].pattern)
    pattern = pattern.replace("0.00", "0." + "0" * decimals if decimals else "0")
    if pattern.startswith("¤") and get_currency_symbol(currency, _cldr(language))[-1].isalpha():
        pattern = pattern.replace("¤", "¤" + _NO_BREAK_SPACE)
    return pattern


def format_amount(amount_minor: int, currency: str, language: Language) -> str:
    """An amount in minor units of `currency`, exactly: `58,80 €` in French, `€58.80` in English.

    French groups thousands with a narrow no-break space (U+202F) and puts a no-break space (U+00A0) before
    the symbol. Never rounds.

    Raises:
        UnknownCurrency: `currency` is no ISO 4217 code in use.
    """
    return format_currency(
        to_major(amount_minor, currency),
        currency,
        format=_currency_pattern(language, currency),
        locale=_cldr(language),
        currency_digits=False,
    )


def format_unit_amount(amount: Decimal, currency: str, language: Language) -> str:
    """A unit price in major units, with all its decimals: `0,0015 €`, `€49.00`. Never rounds.

    Raises:
        UnknownCurrency: `currency` is no ISO 4217 code in use.
    """
    places = exponent(currency)
    decimals = max(places, -int(amount.normalize().as_tuple().exponent))
    pattern = _currency_pattern(language, currency)
    if decimals > places:
        pattern = pattern.replace("0." + "0" * places if places else "0", "0." + "0" * decimals)
    return format_currency(
        amount,
        currency,
        format=pattern,
        locale=_cldr(language),
        currency_digits=False,
        decimal_quantization=False,
    )


def format_number(number: Decimal, language: Language) -> str:
    """A quantity or a percentage with the decimals that it has: `1 250,5`, `1,250.5`."""
    return format_decimal(
        number.normalize(), "#,##0.############", locale=_cldr(language), decimal_quantization=False
    )


def format_percent(percent: Decimal, language: Language) -> str:
    """A rate: `5,5 %` in French, `5.5%` in English."""
    return format_number(percent, language) + (f"{_NO_BREAK_SPACE}%" if language is Language.FR else "%")


def country_name(code: str, language: Language) -> str:
    """The name of an ISO 3166-1 country; the code itself where it has none."""
    return str(_cldr(language).territories.get(code, code))


def format_short_date(on: date, language: Language) -> str:
    """A date for a table: `31/01/2027` in French, `31 Jan 2027` in English."""
    return babel_date(on, "dd/MM/y" if language is Language.FR else "d MMM y", locale=_cldr(language))


def format_date(on: date, language: Language) -> str:
    """A date in full: `31 janvier 2027` (and `1er janvier 2027`), `31 January 2027`."""
    text = babel_date(on, "d MMMM y", locale=_cldr(language))
    return text.replace("1 ", "1er ", 1) if language is Language.FR and on.day == 1 else text


def format_month(on: date, language: Language) -> str:
    """The month that `on` lies in: `février 2027`, `February 2027`."""
    return babel_date(on, "MMMM y", locale=_cldr(language))


def format_instant(at: datetime, timezone: str, language: Language) -> str:
    """An aware instant as date and time in an IANA zone, which is named after its city.

    `1er février 2027 à 08:12 (heure de référence : Paris)`, `1 February 2027 at 08:12 (Paris time)`.
    """
    local = at.astimezone(ZoneInfo(timezone))
    city = get_timezone_location(timezone, locale=_cldr(language), return_city=True).rpartition("/")[2]
    day, clock = format_date(local.date(), language), f"{local:%H:%M}"
    if language is Language.FR:
        return f"{day} à {clock} (heure de référence{_NO_BREAK_SPACE}: {city})"
    return f"{day} at {clock} ({city} time)"
