"""The words of the pages: gettext catalogues, English being what stands in the templates."""

from __future__ import annotations

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mails.formats import Language

CATALOGUES: Final = Path(__file__).parent / "translations"


@cache
def words(language: Language) -> gettext.NullTranslations:
    """The catalogue of a language; it is compiled in memory, once per process."""
    if language is Language.EN:
        return gettext.NullTranslations()
    compiled = BytesIO()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language.value))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def spoken_by_browser(accept_language: str) -> Language:
    """The language for somebody who is not known: the browser's first, where it is one of ours."""
    return Language.of(accept_language.strip()[:5].partition(",")[0].partition(";")[0])
