"""The portal's words: every one of them in French too, and none that no page says."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import portal
from mails.formats import Language
from portal.language import CATALOGUES, spoken_by_browser, words

TEMPLATES = Path(portal.__file__).parent / "templates"
PLACES = re.compile(r"%\((\w+)\)s")


def said() -> set[str]:
    """Every sentence in the templates."""
    found = extract_from_dir(TEMPLATES, [("**.html", "jinja2")], {"**.html": {"silent": "false"}})
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_every_sentence_is_there_in_french_and_no_other() -> None:
    with (CATALOGUES / "fr.po").open("rb") as file:
        catalogue = read_po(file, locale="fr")
    french = {entry.id: entry.string for entry in catalogue if entry.id and not entry.fuzzy}
    assert len(said()) > 150
    assert said() - set(french) == set()
    assert set(french) - said() == set()
    assert [each for each, translated in french.items() if not translated] == []
    wrong = [
        each
        for each, translated in french.items()
        if set(PLACES.findall(str(each))) != set(PLACES.findall(str(translated)))
    ]
    assert wrong == []


def test_french_has_its_own_apostrophe_and_spaces() -> None:
    with (CATALOGUES / "fr.po").open("rb") as file:
        lines = [str(entry.string) for entry in read_po(file, locale="fr") if entry.id]
    assert [line for line in lines if "'" in line] == []
    assert [line for line in lines if re.search(r"\S[;:!?](\s|$)", line)] == []
    assert [line for line in lines if re.search(r" [;:!?]", line)] == []


def test_the_language_of_somebody_unknown_is_their_browser_s() -> None:
    assert spoken_by_browser("fr-FR,fr;q=0.9,en;q=0.8") is Language.FR
    assert spoken_by_browser("en-GB,en;q=0.9,fr;q=0.8") is Language.EN
    assert spoken_by_browser("") is Language.EN
    assert words(Language.FR).gettext("Invoices") == "Factures"
    assert words(Language.EN).gettext("Invoices") == "Invoices"
