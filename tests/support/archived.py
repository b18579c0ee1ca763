"""What a PDF/A-3 file must have inside to be read in twenty years, read from the file itself (ISO 19005-3)."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pikepdf

FONT_FILES = ("/FontFile", "/FontFile2", "/FontFile3")
RELATIONSHIPS = ("/Source", "/Data", "/Alternative")
"""What the XML of a Factur-X file may be to its pages."""


def flaws_of(content: bytes, *, structured: bytes | None = None) -> list[str]:
    """Everything that is missing in a PDF.

    Args:
        content: the file.
        structured: the XML that has to be in it; None for a file that is to have none.
    """
    with pikepdf.open(io.BytesIO(content)) as pdf:
        return [
            *_version(content),
            *(flaw for n, page in enumerate(pdf.pages, 1) for flaw in _fonts(page.obj.get("/Resources"), n)),
            *_output_intent(pdf),
            *_metadata(pdf),
            *_attachment(pdf, structured),
        ]


def _version(content: bytes) -> Iterator[str]:
    if content[:8] != b"%PDF-1.7":
        yield f"the file calls itself {content[:8].decode('latin-1')}, PDF/A-3 is a PDF 1.7"


def _fonts(resources: pikepdf.Object | None, page: int) -> Iterator[str]:
    """Fonts without their outlines, also in drawings within the page (6.2.11.4)."""
    if resources is None:
        return
    for name, font in (resources.get("/Font") or {}).items():
        for part in font.get("/DescendantFonts") or [font]:
            descriptor = part.get("/FontDescriptor")
            if part.get("/Subtype") != "/Type3" and not _has_outlines(descriptor):
                yield f"page {page}: the font {name} is not embedded"
    for drawing in (resources.get("/XObject") or {}).values():
        yield from _fonts(drawing.get("/Resources"), page)


def _has_outlines(descriptor: pikepdf.Object | None) -> bool:
    if descriptor is None:
        return False
    return any(len(descriptor[name].read_bytes()) > 0 for name in FONT_FILES if name in descriptor)


def _output_intent(pdf: pikepdf.Pdf) -> Iterator[str]:
    """What the colours mean: an ICC profile, which has `acsp` at its 36th byte (6.2.3, ICC.1)."""
    intents = [i for i in pdf.Root.get("/OutputIntents") or [] if i.get("/S") == "/GTS_PDFA1"]
    if not intents:
        yield "there is no PDF/A output intent"
    for intent in intents:
        profile = intent.get("/DestOutputProfile")
        if profile is None or profile.read_bytes()[36:40] != b"acsp":
            yield "the output intent has no ICC profile"


def _metadata(pdf: pikepdf.Pdf) -> Iterator[str]:
    with pdf.open_metadata() as said:
        if (said.get("pdfaid:part"), said.get("pdfaid:conformance")) != ("3", "B"):
            yield "the metadata do not say PDF/A-3b"


def _attachment(pdf: pikepdf.Pdf, structured: bytes | None) -> Iterator[str]:
    """The XML, found from the document as a whole, and what it is to it (6.8)."""
    files = list(pdf.Root.get("/AF") or [])
    if structured is None:
        yield from ("there is an attachment" for _ in files or pdf.attachments)
        return
    if [str(file.get("/UF")) for file in files] != ["factur-x.xml"]:
        yield "factur-x.xml is not associated with the document"
    if list(pdf.attachments) != ["factur-x.xml"]:
        yield "factur-x.xml is not among the embedded files"
    for file in files:
        if file.get("/AFRelationship") not in RELATIONSHIPS:
            yield "the attachment does not say what it is to the pages"
        if file.EF.F.get("/Subtype") != "/text/xml":
            yield "the attachment is not declared as XML"
        if file.EF.F.read_bytes() != structured:
            yield "the attachment is not the XML of the document"
