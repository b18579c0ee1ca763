"""The file that is kept: PDF/A-3 with its fonts, its colours and its XML inside; and files spoilt on purpose."""

from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf
import pytest
from support.archived import flaws_of

from documents import samples
from documents.document import Document
from documents.pdf import Typesetter
from documents.rendering import render
from documents.structured import xml_of
from mails.formats import Language

Sample = Callable[[Language], Document]
WITH_XML: list[Sample] = [
    samples.domestic_business,
    samples.public_body,
    samples.reverse_charge,
    samples.outside_the_union,
    samples.credit_note,
    samples.long_invoice,
]
WITHOUT: list[Sample] = [samples.consumer, samples.non_professional]


@pytest.fixture(scope="module")
def typesetter() -> Typesetter:
    return Typesetter()


@pytest.fixture(scope="module")
def facturx(typesetter: Typesetter) -> bytes:
    """Several pages with an attachment."""
    return render(samples.long_invoice(), typesetter).content


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("sample", [*WITH_XML, *WITHOUT], ids=lambda sample: sample.__name__)
def test_every_kind_of_document_has_all_it_needs_inside(
    typesetter: Typesetter, sample: Sample, language: Language
) -> None:
    document = sample(language)
    structured = xml_of(document) if sample in WITH_XML else None
    assert flaws_of(render(document, typesetter).content, structured=structured) == []


def test_the_same_document_gives_the_same_bytes(typesetter: Typesetter, facturx: bytes) -> None:
    assert render(samples.long_invoice(), typesetter).content == facturx


# A check that sees nothing proves nothing


def _a_font_is_left_out(pdf: pikepdf.Pdf) -> None:
    fonts = pdf.pages[1].resources.Font
    del fonts[next(iter(fonts.keys()))].DescendantFonts[0].FontDescriptor["/FontFile3"]


def _a_drawing_has_a_font_of_its_own(pdf: pikepdf.Pdf) -> None:
    helvetica = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    drawing = pdf.make_stream(b"")
    drawing.Subtype = pikepdf.Name.Form
    drawing.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=helvetica))
    pdf.pages[0].resources.XObject = pikepdf.Dictionary(X1=drawing)


def _no_output_intent(pdf: pikepdf.Pdf) -> None:
    del pdf.Root["/OutputIntents"]


def _no_profile(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.OutputIntents[0]["/DestOutputProfile"]


def _a_profile_that_is_none(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OutputIntents[0].DestOutputProfile.write(b"sRGB, more or less" * 20)


def _no_label(pdf: pikepdf.Pdf) -> None:
    with pdf.open_metadata() as said:
        del said["pdfaid:part"]


def _only_attached(pdf: pikepdf.Pdf) -> None:
    del pdf.Root["/AF"]


def _only_associated(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.Names["/EmbeddedFiles"]


def _no_relationship(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.AF[0]["/AFRelationship"]


def _no_type(pdf: pikepdf.Pdf) -> None:
    del pdf.Root.AF[0].EF.F["/Subtype"]


def _other_xml(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AF[0].EF.F.write(xml_of(samples.public_body()))


@pytest.mark.parametrize(
    ("spoil", "flaw"),
    [
        (_a_font_is_left_out, "page 2: the font /f0 is not embedded"),
        (_a_drawing_has_a_font_of_its_own, "page 1: the font /F1 is not embedded"),
        (_no_output_intent, "there is no PDF/A output intent"),
        (_no_profile, "the output intent has no ICC profile"),
        (_a_profile_that_is_none, "the output intent has no ICC profile"),
        (_no_label, "the metadata do not say PDF/A-3b"),
        (_only_attached, "factur-x.xml is not associated with the document"),
        (_only_associated, "factur-x.xml is not among the embedded files"),
        (_no_relationship, "the attachment does not say what it is to the pages"),
        (_no_type, "the attachment is not declared as XML"),
        (_other_xml, "the attachment is not the XML of the document"),
    ],
)
def test_the_check_sees_a_spoilt_file(
    facturx: bytes, spoil: Callable[[pikepdf.Pdf], None], flaw: str
) -> None:
    structured = xml_of(samples.long_invoice())
    with pikepdf.open(io.BytesIO(facturx)) as pdf:
        spoil(pdf)
        spoilt = io.BytesIO()
        pdf.save(spoilt)
    assert flaw in flaws_of(spoilt.getvalue(), structured=structured)


def test_the_check_sees_the_version_of_another_decade(facturx: bytes) -> None:
    old = facturx.replace(b"%PDF-1.7", b"%PDF-1.3", 1)
    assert flaws_of(old, structured=xml_of(samples.long_invoice())) == [
        "the file calls itself %PDF-1.3, PDF/A-3 is a PDF 1.7"
    ]


def test_the_check_sees_xml_where_none_belongs(facturx: bytes) -> None:
    assert flaws_of(facturx) == ["there is an attachment"]
