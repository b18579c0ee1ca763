"""Whatever the code asks to be written has words: a mail of an unknown kind would be refused on its way out."""

from __future__ import annotations

import ast
from pathlib import Path

from mails.kinds import MailKind

ROOT = Path(__file__).parents[2]


def asked_for() -> set[str]:
    """What `Notify`, `write_mail` and `end_for_good` are given as the mail, where that is a word."""
    found = set()
    for folder in ("activities", "billing"):
        for file in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text())):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                    continue
                named = [word.value for word in call.keywords if word.arg in {"kind", "notice"}]
                said = call.args[:1] if call.func.id == "Notify" else named
                if call.func.id in {"Notify", "write_mail", "end_for_good"}:
                    found |= {word.value for word in said if isinstance(word, ast.Constant)}
    return {word for word in found if isinstance(word, str)}


def test_every_mail_that_is_asked_for_has_words() -> None:
    asked = asked_for()
    assert {
        "invoice_issued",
        "plan_changed",
        "credit_note_issued",
        "change_not_made",
        "withdrawal_confirmed",
    } <= asked
    assert asked <= {kind.value for kind in MailKind}
