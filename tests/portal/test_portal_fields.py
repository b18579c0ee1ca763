"""The countries to choose from: those that there are, where a reader looks for them."""

from __future__ import annotations

import pytest

from mails.formats import Language
from portal.fields import countries

NO_COUNTRIES = {
    "AC",
    "CP",
    "CQ",
    "DG",
    "EA",
    "EU",
    "EZ",
    "IC",
    "QO",
    "TA",
    "UN",
    "XA",
    "XB",
    "ZZ",
    "UK",
    "EL",
}


@pytest.mark.parametrize("language", list(Language), ids=str)
def test_only_countries_are_offered(language: Language) -> None:
    codes = [code for code, _ in countries(language)]
    assert NO_COUNTRIES & set(codes) == set()
    # 249 of ISO 3166-1, and Kosovo.
    assert (len(codes), len(set(codes))) == (250, 250)
    assert {"FR", "DE", "GB", "GR", "RE", "XK"} <= set(codes)


def test_accents_do_not_send_a_country_to_the_end() -> None:
    french = [name for _, name in countries(Language.FR)]
    assert (french[0], french[-1]) == ("Afghanistan", "Zimbabwe")
    for three in (
        ["Dominique", "Égypte", "Émirats arabes unis"],
        ["Espagne", "Estonie", "Eswatini", "État de la Cité du Vatican", "États-Unis", "Éthiopie"],
        ["Guinée", "Guinée équatoriale", "Guinée-Bissau"],
    ):
        at = french.index(three[0])
        assert french[at : at + len(three)] == three
    english = [name for _, name in countries(Language.EN)]
    assert english[:3] == ["Afghanistan", "Åland Islands", "Albania"]
