"""Fields that several forms have: the countries to choose from."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

from babel import Locale

from billing.errors import InvalidInput
from mails.formats import Language, country_name
from models.tax_identity import check_country

_PARTS_OF_OTHERS: Final = frozenset({"AC", "CP", "CQ", "DG", "EA", "IC", "QO", "TA"})
"""Codes of places that ISO 3166-1 counts to a country. `XK` stays: by it the Union writes Kosovo, which has no code."""


@cache
def countries(language: Language) -> tuple[tuple[str, str], ...]:
    """Code and name of every country, by name."""
    codes = [str(code) for code in Locale("en").territories]
    found = []
    for code in (each for each in codes if len(each) == 2 and each.isalpha()):  # noqa: PLR2004
        try:
            check_country(code)
        except InvalidInput:
            continue
        if code not in _PARTS_OF_OTHERS:
            found.append((code, country_name(code, language)))
    return tuple(sorted(found, key=lambda pair: _alphabetical(pair[1])))


def _alphabetical(name: str) -> tuple[str, str]:
    """As a dictionary of French or English orders names: letters first, accents only where those are the same."""
    bare = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return bare.casefold().replace("’", "'"), name
