"""What a person types on the command line, read once for every command."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Final

from billing.errors import InvalidInput
from billing.money import InvalidUnitAmount, parse_unit_amount, to_exact_minor

_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_date(text: str, *, field: str) -> date:
    """A date in ISO 8601.

    Raises:
        InvalidInput: it is none.
    """
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInput(f"{text!r} is not a date. Give one as 2027-01-31.", field=field)


def read_amount(text: str, currency: str, *, field: str) -> int:
    """An amount in major units, as whole minor units of `currency`: 12.50 EUR is 1250.

    Raises:
        InvalidInput: it is no positive amount, or finer than the currency.
    """
    try:
        exact = to_exact_minor(parse_unit_amount(text), currency)
    except InvalidUnitAmount:
        exact = Fraction()
    if exact <= 0 or exact.denominator != 1:
        raise InvalidInput(f"{text!r} is no amount of {currency}. Give one such as 12.50.", field=field)
    return int(exact)
