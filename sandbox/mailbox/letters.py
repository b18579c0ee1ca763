"""What the mailbox keeps: one letter per personalization, as its reader would get it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from typing_extensions import override


class Party(BaseModel):
    """A sender or reader."""

    model_config = ConfigDict(frozen=True)

    email: str
    name: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


class Attachment(BaseModel):
    """A file in a letter; `content` is base64, as it came."""

    model_config = ConfigDict(frozen=True)

    filename: str
    type: str
    disposition: str
    content_id: str
    content: str

    @property
    def body(self) -> bytes:
        """The file itself."""
        return base64.b64decode(self.content)


class Letter(BaseModel):
    """One accepted mail to one set of readers.

    Attributes:
        id: ours, in the page's addresses.
        message_id: what SendGrid would have answered in `X-Message-Id`; shared by the personalizations of a request.
        accepted_at: instant of acceptance, on the wall clock.
        custom_args: the sender's own arguments. Three of them are shown: `kind` (what sort of mail), `as_of`
            (ISO 8601 instant at which the sender says that it happened: on a test clock not today) and, failing
            `kind`, the first category.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    message_id: str
    accepted_at: datetime
    sender: Party
    reply_to: Party | None
    to: tuple[Party, ...]
    cc: tuple[Party, ...]
    bcc: tuple[Party, ...]
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    custom_args: dict[str, str]
    categories: tuple[str, ...]
    attachments: tuple[Attachment, ...]

    @property
    def kind(self) -> str:
        """What sort of mail the sender says it is; empty if it does not."""
        return self.custom_args.get("kind") or (self.categories[0] if self.categories else "")

    @property
    def shown_at(self) -> datetime:
        """The instant to show: the sender's, if it named one, else that of acceptance."""
        try:
            named = datetime.fromisoformat(self.custom_args.get("as_of", ""))
        except ValueError:
            return self.accepted_at
        return named if named.tzinfo else named.replace(tzinfo=UTC)

    def reaches(self, address: str) -> bool:
        """Whether one of the readers' addresses contains `address`, in any case."""
        wanted = address.strip().lower()
        return any(wanted in party.email.lower() for party in (*self.to, *self.cc, *self.bcc))

    def summary(self) -> dict[str, Any]:
        """For programs: all of the letter, with sizes in place of the attachments' content."""
        shown = self.model_dump(mode="json", exclude={"attachments"})
        files = [
            {**a.model_dump(exclude={"content"}), "size_bytes": len(a.body), "index": index}
            for index, a in enumerate(self.attachments)
        ]
        return {**shown, "kind": self.kind, "attachments": files}


class Letters:
    """All letters, oldest first; also in a file of JSON lines if one is named, which outlives the process."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._letters: dict[str, Letter] = {}
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                letter = Letter.model_validate_json(line)
                self._letters[letter.id] = letter

    def __len__(self) -> int:
        return len(self._letters)

    def keep(self, letters: tuple[Letter, ...]) -> None:
        """Adds letters, all or none."""
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write("".join(letter.model_dump_json() + "\n" for letter in letters))
        self._letters.update({letter.id: letter for letter in letters})

    def get(self, letter_id: str) -> Letter | None:
        """One letter."""
        return self._letters.get(letter_id)

    def find(self, *, to: str = "", kind: str = "") -> list[Letter]:
        """Letters to an address (a part of it is enough) and of a kind (exactly); empty matches all."""
        return [
            letter
            for letter in self._letters.values()
            if (not to or letter.reaches(to)) and (not kind or letter.kind == kind)
        ]

    def kinds(self) -> list[str]:
        """Every kind that occurs, in alphabetical order."""
        return sorted({letter.kind for letter in self._letters.values() if letter.kind})

    def clear(self) -> int:
        """Throws all letters away and says how many there were."""
        count = len(self._letters)
        self._letters.clear()
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        return count


def letters_from(body: Mapping[str, Any], *, message_id: str, accepted_at: datetime) -> tuple[Letter, ...]:
    """The letters of a request that was checked before (`checks.faults_of`): one per personalization."""
    return tuple(_letters(body, message_id, accepted_at))


def _letters(body: Mapping[str, Any], message_id: str, accepted_at: datetime) -> Iterator[Letter]:
    contents = {part["type"]: part["value"] for part in body["content"]}
    attachments = tuple(
        Attachment(
            filename=file["filename"],
            type=file.get("type", "application/octet-stream"),
            disposition=file.get("disposition", "attachment"),
            content_id=file.get("content_id", ""),
            content=file["content"],
        )
        for file in body.get("attachments", ())
    )
    for person in body["personalizations"]:
        yield Letter(
            id=secrets.token_hex(8),
            message_id=message_id,
            accepted_at=accepted_at,
            sender=Party(**(person.get("from") or body["from"])),
            reply_to=Party(**body["reply_to"]) if body.get("reply_to") else None,
            to=tuple(Party(**party) for party in person["to"]),
            cc=tuple(Party(**party) for party in person.get("cc", ())),
            bcc=tuple(Party(**party) for party in person.get("bcc", ())),
            subject=person.get("subject") or body.get("subject", ""),
            text=contents.get("text/plain", ""),
            html=contents.get("text/html", ""),
            headers={**body.get("headers", {}), **person.get("headers", {})},
            custom_args={**body.get("custom_args", {}), **person.get("custom_args", {})},
            categories=tuple(body.get("categories", ())),
            attachments=attachments,
        )
