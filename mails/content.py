"""The convention in which mails are written, and the blocks that text and HTML are both set from.

A content file is a Jinja template in `templates/<language>/`. Lines that begin with `@` are commands:

    @subject ...            one line
    @preheader ...          one line, shown beside the subject in a mail program's list
    @row label | value      a row of a table; rows that follow each other form one table
    @total label | value    the same, set off as a total
    @box ... @end           paragraphs in a visible box
    @button link | label    the call to action, at most one in a mail
    @banner ..., @footer ...

All other lines are paragraphs, separated by empty lines; a line that holds nothing but one Jinja tag is as if it
were not there. `**so**` is strong, `~` is a no-break space, and the
spaces that French sets before `: ; ! ?` and inside « » become no-break ones by themselves.

The signs of the convention are turned into private characters while the file is read, before any value is
filled in, and values lose such characters: a customer cannot be named like a command.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from billing.errors import RelanceError
from mails.formats import Language

COMMAND = "\ue000"
SEPARATOR = "\ue001"
STRONG = "\ue002"
END_STRONG = "\ue003"

_JINJA = re.compile(r"(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})", re.DOTALL)
_BIDI_CONTROLS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class MailContentError(RelanceError):
    """A content file breaks the convention, or prints a value that may be missing. For whoever edits it."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Box:
    """Paragraphs that must catch the eye."""

    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled value of a table."""

    label: str
    value: str
    is_total: bool

    @property
    def value_wraps(self) -> bool:
        """Whether the value may go over two lines; amounts have only no-break spaces and never do."""
        return " " in self.value


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that belong together."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Button:
    """The one thing to do."""

    url: str
    label: str


Block = Paragraph | Box | Table | Button


@dataclass(slots=True)
class Content:
    """A mail's words in order, with `STRONG` marks still in them."""

    subject: str = ""
    preheader: str = ""
    banner: str = ""
    blocks: list[Block] = field(default_factory=list)
    footer: list[str] = field(default_factory=list)


def prepare(source: str, language: Language) -> str:
    """The Jinja source of a content file with the convention's signs turned into private characters."""
    source = re.sub(r"^@(?=[a-z])", COMMAND, source, flags=re.MULTILINE)
    source = re.sub(r"\*\*(.+?)\*\*", rf"{STRONG}\1{END_STRONG}", source, flags=re.DOTALL)
    source = re.sub(r"^[ \t]*(\{%[^\n]*?%\})[ \t]*\n", r"\1", source, flags=re.MULTILINE)
    pieces = _JINJA.split(source)
    pieces[::2] = [_typeset(piece, language) for piece in pieces[::2]]
    return "".join(pieces)


def _typeset(text: str, language: Language) -> str:
    text = text.replace(" | ", SEPARATOR).replace("~", "\u00a0")
    if language is Language.FR:
        text = re.sub(r" (?=[:»])|(?<=«) ", "\u00a0", text)
        text = re.sub(r" (?=[;!?])", "\u202f", text)
    return text


def clean(value: str) -> str:
    """A value as it may stand in a line: no line breaks, control or private characters, no bidi overrides."""
    kept = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in value if _is_harmless(c))
    return re.sub(r" {2,}", " ", "".join(kept))


def _is_harmless(character: str) -> bool:
    return unicodedata.category(character) != "Co" and character not in _BIDI_CONTROLS


def without_marks(text: str) -> str:
    """Text without strong marks."""
    return text.replace(STRONG, "").replace(END_STRONG, "")


def parse(rendered: str) -> Content:
    """Read a rendered content file.

    Raises:
        MailContentError: unknown command, second subject or button, row without value, box left open.
    """
    reader = _Reader()
    for line in rendered.splitlines():
        reader.read(line.strip())
    return reader.finish()


class _Reader:
    """Turns lines into blocks, one after the other."""

    def __init__(self) -> None:
        self._content = Content()
        self._paragraph: list[str] = []
        self._rows: list[Row] = []
        self._box: list[str] | None = None

    def read(self, line: str) -> None:
        if line.startswith(COMMAND):
            name, _, rest = line[1:].partition(" ")
            self._close_paragraph()
            if name not in ("row", "total"):
                self._close_table()
            self._obey(name, rest.strip())
        elif line:
            self._close_table()
            self._paragraph.append(line)
        else:
            self._close_paragraph()

    def finish(self) -> Content:
        self._close_paragraph()
        self._close_table()
        if self._box is not None:
            raise MailContentError("A @box is not closed. Add a line with @end.")
        return self._content

    def _obey(self, name: str, rest: str) -> None:
        match name:
            case "subject" | "preheader" | "banner":
                if getattr(self._content, name):
                    raise MailContentError(f"There is more than one @{name}. Keep one.")
                setattr(self._content, name, without_marks(rest))
            case "footer":
                self._content.footer.append(rest)
            case "row" | "total":
                label, value = _pair(name, rest)
                self._rows.append(Row(label, value, is_total=name == "total"))
            case "button":
                self._add_button(*_pair(name, rest))
            case "box" | "end":
                self._switch_box(opens=name == "box")
            case _:
                raise MailContentError(f"@{name} is no command. See mails/content.py for what there is.")

    def _add_button(self, url: str, label: str) -> None:
        if any(isinstance(block, Button) for block in self._content.blocks):
            raise MailContentError("There is more than one @button. Keep the one that matters.")
        self._content.blocks.append(Button(url, without_marks(label)))

    def _switch_box(self, *, opens: bool) -> None:
        if opens == (self._box is not None):
            raise MailContentError("@box and @end must take turns.")
        if self._box is not None:
            self._content.blocks.append(Box(tuple(self._box)))
        self._box = [] if opens else None

    def _close_paragraph(self) -> None:
        if self._paragraph:
            text = " ".join(self._paragraph)
            self._paragraph = []
            if self._box is None:
                self._content.blocks.append(Paragraph(text))
            else:
                self._box.append(text)

    def _close_table(self) -> None:
        if self._rows:
            self._content.blocks.append(Table(tuple(self._rows)))
            self._rows = []


def _pair(name: str, rest: str) -> tuple[str, str]:
    left, separator, right = rest.partition(SEPARATOR)
    if not (separator and left.strip() and right.strip()):
        raise MailContentError(f"@{name} needs two parts with a bar between them: @{name} this | that.")
    return left.strip(), right.strip()
