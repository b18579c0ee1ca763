"""Sets a document as PDF/A-3 with typst.

Fonts are our own and embedded, nothing is downloaded, and the same document gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from datetime import UTC, datetime, time
from pathlib import Path
from threading import Lock
from typing import Final

import typst

from billing.errors import RelanceError
from documents.document import Document
from documents.page import Json, page_of

logger = logging.getLogger(__name__)

HERE: Final = Path(__file__).parent
TEMPLATE: Final = HERE / "template.typ"
FONTS: Final = HERE / "fonts"
STANDARD: Final = "a-3b"
NO_GLYPH: Final = "\u25a1"
"""Stands for a character that no font has: PDF/A forbids to leave a gap. The structured data has the character."""

_WITHOUT_GLYPH: Final = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED: Final = re.compile(r"\\u\{([0-9a-f]+)\}")


class CannotTypeset(RelanceError):
    """typst refuses the template or the document."""


class Typesetter:
    """Sets documents with one template. Safe to use from several threads, which take turns.

    Attributes:
        version: of the template and the fonts, kept with each document that is set.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Read template and fonts.

        Args:
            folder: the seller's own, for what it has: `template.typ`, `logo.svg` or `logo.png`, and `fonts/`.

        Raises:
            CannotTypeset: the folder does not exist.
        """
        if folder is not None and not folder.is_dir():
            raise CannotTypeset(
                f"There is no folder {folder}. Unset it or make it.", field="documents_folder"
            )
        own = folder or HERE
        template = own / TEMPLATE.name if (own / TEMPLATE.name).is_file() else TEMPLATE
        logo = next((own / name for name in ("logo.svg", "logo.png") if (own / name).is_file()), None)
        fonts = [FONTS, *([own / "fonts"] if folder and (own / "fonts").is_dir() else [])]
        self.version = _version(template, logo)
        self._logo = logo
        self._turn = Lock()
        # The root is where paths in the template begin; a logo and a template of two folders need one above both.
        self._compiler = typst.Compiler(
            input=str(template),
            root=template.anchor if logo and logo.parent != template.parent else str(template.parent),
            font_paths=typst.Fonts(
                include_system_fonts=False,
                include_embedded_fonts=True,
                font_paths=[str(path) for path in fonts],
            ),
            ignore_system_fonts=True,
        )

    def pdf(self, document: Document, *, structured: bytes | None = None) -> bytes:
        """The document as PDF/A-3b.

        Args:
            document: what is printed.
            structured: the XML to attach; the file is not yet Factur-X by that.

        Raises:
            CannotTypeset: the template has an error.
        """
        return self._set(document, structured=structured, form="pdf")[0]

    def pictures(self, document: Document, *, ppi: float = 110) -> list[bytes]:
        """The pages as PNG, to look at."""
        return self._set(document, structured=None, form="png", ppi=ppi)

    def _set(
        self, document: Document, *, structured: bytes | None, form: str, ppi: float | None = None
    ) -> list[bytes]:
        page = page_of(document)
        at = datetime.combine(document.issued_on, time(), UTC)
        for _ in range(2):
            try:
                return self._compile(page, structured, at, form=form, ppi=ppi)
            except typst.TypstError as problem:
                missing = _without_glyph(problem)
                if not missing:
                    raise CannotTypeset(
                        f"{document.number} cannot be typeset: {problem}", field="template"
                    ) from None
                logger.warning("No font has %s; %s shows a box instead.", " ".join(missing), document.number)
                page = _replaced(page, missing)
        raise CannotTypeset(f"{document.number} has characters that no font can show.", field="fonts")

    def _compile(
        self, page: Json, structured: bytes | None, at: datetime, *, form: str, ppi: float | None
    ) -> list[bytes]:
        inputs = {"page": json.dumps(page, ensure_ascii=False)}
        if structured is not None:
            inputs["structured"] = structured.decode()
        if self._logo is not None:
            inputs["logo"] = str(
                self._logo.resolve() if self._logo.parent != TEMPLATE.parent else self._logo.name
            )
        with self._turn:
            made = self._compiler.compile(
                sys_inputs=inputs,
                format="png" if form == "png" else "pdf",
                ppi=ppi,
                pdf_standards=STANDARD if form == "pdf" else [],
                timestamp=at,
            )
        if made is None:
            return []
        return made if isinstance(made, list) else [made]


def _version(*files: Path | None) -> str:
    """Changes with every change of what is printed."""
    digest = hashlib.sha256()
    for path in (*files, HERE / "page.py", HERE / "wording.py", HERE / "sentences.py"):
        if path is not None:
            digest.update(path.read_bytes())
    return f"typst-{digest.hexdigest()[:12]}"


def _without_glyph(problem: typst.TypstError) -> list[str]:
    """The characters that the fonts lack, where that is what is wrong."""
    found = (
        _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text) for text in _WITHOUT_GLYPH.findall(str(problem))
    )
    return sorted({character for text in found for character in text})


def _replaced(page: Json, characters: list[str]) -> Json:
    written = json.dumps(page, ensure_ascii=False)
    for character in characters:
        written = written.replace(character, NO_GLYPH)
    changed: Json = json.loads(written)
    return changed
