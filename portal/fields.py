"""Fields that several forms have: reading them into values, and the countries to choose from."""

from __future__ import annotations

from babel import Locale

from billing.errors import InvalidInput
from mails.formats import Language, country_name
from models.tax_identity import check_country


def countries(language: Language) -> list[tuple[str, str]]:
    """Code and name of every country, by name."""
    codes = [str(code) for code in Locale("en").territories]
    found = []
    for code in (each for each in codes if len(each) == 2 and each.isalpha()):  # noqa: PLR2004
        try:
            check_country(code)
        except InvalidInput:
            continue
        if (name := country_name(code, language)) != code:
            found.append((code, name))
    return sorted(found, key=lambda pair: pair[1])
