from __future__ import annotations

import pytest

from mails.content import (
    Box,
    Button,
    MailContentError,
    Paragraph,
    Row,
    Table,
    clean,
    parse,
    prepare,
    without_marks,
)
from mails.formats import Language


def written(source: str, language: Language = Language.EN) -> str:
    return prepare(source, language)


def test_the_convention_becomes_blocks_in_order() -> None:
    content = parse(
        written(
            "@subject Hello\n@preheader In short\n\nFirst line\nand second.\n\nNext.\n@row A | 1\n@row B | 2\n"
            "@total C | 3\n\n@box\nOne.\n\nTwo.\n@end\n@button https://pay.example/1 | Pay\n@footer Small\n"
        )
    )
    assert (content.subject, content.preheader, content.footer) == ("Hello", "In short", ["Small"])
    assert content.blocks == [
        Paragraph("First line and second."),
        Paragraph("Next."),
        Table((Row("A", "1", is_total=False), Row("B", "2", is_total=False), Row("C", "3", is_total=True))),
        Box(("One.", "Two.")),
        Button("https://pay.example/1", "Pay"),
    ]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("@button https://a.example | A\n@button https://b.example | B", "more than one @button"),
        ("@subject A\n@subject B", "more than one @subject"),
        ("@row only a label", "@row needs two parts"),
        ("@box\nnever closed", "not closed"),
        ("@end", "take turns"),
        ("@buton https://a.example | A", "@buton is no command"),
    ],
)
def test_what_breaks_the_convention_is_named(source: str, says: str) -> None:
    with pytest.raises(MailContentError, match=says):
        parse(written(source))


def test_french_spaces_do_not_break() -> None:
    assert written("« Pro » : oui ; non ! et ?", Language.FR) == (
        "«\u00a0Pro\u00a0»\u00a0: oui\u202f; non\u202f! et\u202f?"
    )


def test_typography_leaves_code_and_english_alone() -> None:
    assert written("{{ a if b else ' : ' }} : x", Language.FR) == "{{ a if b else ' : ' }}\u00a0: x"
    assert written("so : what ?") == "so : what ?"


def test_a_line_with_only_a_tag_is_as_if_it_were_not_there() -> None:
    assert written("{% if a %}\nx\n{% endif %}\ny {% if b %}z{% endif %}\nend") == (
        "{% if a %}x\n{% endif %}y {% if b %}z{% endif %}\nend"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Anna\r\nBcc: all@example.org", "Anna Bcc: all@example.org"),
        ("Anna\u2028Rossi\u0000", "Anna Rossi "),
        ("a\ue000subject b\ue001c", "asubject bc"),
        ("invoice\u202eexe.pdf", "invoiceexe.pdf"),
        ("1\u202f058,80\u00a0€", "1\u202f058,80\u00a0€"),
        ("علي 👩\u200d💻", "علي 👩\u200d💻"),
    ],
)
def test_a_value_stays_in_its_line_and_gives_no_commands(value: str, expected: str) -> None:
    assert clean(value) == expected


def test_strong_marks_are_private_until_they_are_set() -> None:
    source = written("**{{ amount }}** due")
    assert "*" not in source
    assert without_marks(source) == "{{ amount }} due"
