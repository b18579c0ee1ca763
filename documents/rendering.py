"""A document as the file that is kept: Factur-X or a plain PDF, by its form (rules 18)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pypdf import PdfReader, PdfWriter
from pypdf.generic import IndirectObject, StreamObject

from billing.errors import RelanceError
from documents.document import Document, DocumentForm
from documents.pdf import Typesetter
from documents.structured import xml_of

ATTACHMENT: Final = "factur-x.xml"
FACTURX_NAMESPACE: Final = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_SCHEMA: Final = (Path(__file__).parent / "facturx.xmp").read_text(encoding="utf-8").strip()
_BAG: Final = "<pdfaExtension:schemas><rdf:Bag>"
_END: Final = "</rdf:RDF>"
_PROPERTIES: Final = (
    f'<rdf:Description rdf:about="" xmlns:fx="{FACTURX_NAMESPACE}">'
    "<fx:DocumentType>INVOICE</fx:DocumentType><fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>"
    "<fx:Version>1.0</fx:Version><fx:ConformanceLevel>EN 16931</fx:ConformanceLevel></rdf:Description>"
)


class UnexpectedPdf(RelanceError):
    """typst writes its metadata in another way than this release knows."""


@dataclass(frozen=True)
class Rendered:
    """A document as a file.

    Attributes:
        content: the PDF, the same bytes for the same document and version.
        form: what it is.
        version: of the template.
    """

    content: bytes
    form: DocumentForm
    version: str

    @property
    def sha256(self) -> str:
        """Of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def render(document: Document, typesetter: Typesetter) -> Rendered:
    """The document as it is sent and kept. CPU work, some milliseconds: call it in a thread.

    Raises:
        CannotTypeset: the template has an error.
        InvalidStructure: the XML does not fit its schema.
    """
    if document.form.has_xml:
        content = declare_facturx(typesetter.pdf(document, structured=xml_of(document)))
    else:
        content = typesetter.pdf(document)
    return Rendered(content=content, form=document.form, version=typesetter.version)


def structured_part(pdf: bytes) -> bytes:
    """The XML inside a Factur-X.

    Raises:
        UnexpectedPdf: there is none.
    """
    attached = PdfReader(io.BytesIO(pdf)).attachments.get(ATTACHMENT)
    if not attached:
        raise UnexpectedPdf(f"The PDF has no {ATTACHMENT}.")
    return attached[0]


def declare_facturx(pdf: bytes) -> bytes:
    """The same PDF, which now says in its metadata that its attachment is Factur-X.

    The file is already PDF/A-3 and has the attachment: a label alone would prove nothing.

    Raises:
        UnexpectedPdf: there is no place for the declaration.
    """
    reader = PdfReader(io.BytesIO(pdf))
    writer = PdfWriter(clone_from=reader)
    writer.pdf_header = reader.pdf_header  # a new file of pypdf's calls itself PDF 1.3
    reference = writer.root_object.raw_get("/Metadata")
    metadata = reference.get_object() if isinstance(reference, IndirectObject) else reference
    if not isinstance(metadata, StreamObject):
        raise UnexpectedPdf("The PDF has no metadata.")
    said = metadata.get_data().decode()
    if said.count(_BAG) != 1 or said.count(_END) != 1:
        raise UnexpectedPdf("The metadata of the PDF has no list of schemas.")
    said = said.replace(_BAG, _BAG + _SCHEMA).replace(_END, _PROPERTIES + _END)
    metadata.set_data(said.encode())
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()
