"""Setting a mail's blocks as plain text, 72 columns wide."""

from __future__ import annotations

import textwrap

from mails.content import Block, Box, Button, Content, Paragraph, Table, without_marks
from mails.formats import Language

WIDTH = 72

_COLON = {Language.FR: "\u00a0:", Language.EN: ":"}


def set_as_text(content: Content, language: Language) -> str:
    """The whole mail as text, ending with a newline. Only addresses of links may be longer than `WIDTH`."""
    parts = [f"=== {content.banner} ==="] if content.banner else []
    parts += [_block(block, language) for block in content.blocks]
    parts.append("-- \n" + "\n".join("\n".join(_wrap(line)) for line in content.footer))
    return without_marks("\n\n".join(parts)) + "\n"


def _block(block: Block, language: Language) -> str:
    match block:
        case Paragraph(text):
            return "\n".join(_wrap(text))
        case Box(paragraphs):
            return _box(paragraphs)
        case Table(rows):
            lines: list[str] = []
            for row in rows:
                if row.is_total and lines and not lines[-1].startswith("-"):
                    lines.append("-" * WIDTH)
                lines += _row(row.label, row.value)
            return "\n".join(lines)
        case Button(url, label):
            return f"{label}{_COLON[language]}\n{url}"


def _box(paragraphs: tuple[str, ...]) -> str:
    edge = "+" + "-" * (WIDTH - 2) + "+"
    inside = WIDTH - 4
    lines = [f"| {line:<{inside}} |" for text in paragraphs for line in _wrap(text, inside)]
    return "\n".join([edge, *lines, edge])


def _row(label: str, value: str) -> list[str]:
    value = without_marks(value)
    *above, last = _wrap(label, max(WIDTH - len(value) - 2, WIDTH // 2))
    if len(last) + len(value) + 2 > WIDTH:
        return [*above, last, *(f"{line:>{WIDTH}}" for line in _wrap(value))]
    return [*above, f"{last}{value:>{WIDTH - len(last)}}"]


def _wrap(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(without_marks(text), width, break_on_hyphens=False, break_long_words=False) or [""]
