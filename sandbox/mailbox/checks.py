"""What SendGrid refuses in `POST /v3/mail/send`, with its own shape of errors.

A mail that this accepts and SendGrid refuses would be found out in production, so when in doubt it refuses.
Templates stored at SendGrid do not exist here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_REQUEST_BYTES: Final = 30 * 1024 * 1024
MAX_PERSONALIZATIONS: Final = 1000
MAX_RECIPIENTS: Final = 1000
MAX_CUSTOM_ARGS_BYTES: Final = 10_000
MAX_CATEGORIES: Final = 10
MAX_CATEGORY_CHARACTERS: Final = 255

_DOCS: Final = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."
_ADDRESS: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+|[^@\s<>,;]+@localhost")
_RESERVED_HEADERS: Final = frozenset(
    {
        "x-sg-id",
        "x-sg-eid",
        "received",
        "dkim-signature",
        "content-type",
        "content-transfer-encoding",
        "to",
        "from",
        "subject",
        "reply-to",
        "cc",
        "bcc",
    }
)
_KNOWN: Final = frozenset(
    {
        "personalizations",
        "from",
        "reply_to",
        "reply_to_list",
        "subject",
        "content",
        "attachments",
        "template_id",
        "headers",
        "categories",
        "custom_args",
        "send_at",
        "batch_id",
        "asm",
        "ip_pool_name",
        "mail_settings",
        "tracking_settings",
    }
)
_KNOWN_OF_A_PERSON: Final = frozenset(
    {"to", "cc", "bcc", "from", "subject", "headers", "substitutions", "custom_args", "send_at"}
)


@dataclass(frozen=True)
class Fault:
    """One error as SendGrid words it: what, in which field, where its documentation is."""

    message: str
    field: str | None = None
    help: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The entry of the list `errors`."""
        return {"message": self.message, "field": self.field, "help": self.help}


def _wrong(message: str, field: str) -> Fault:
    return Fault(message, field, _DOCS + field.split(".", 1)[0])


def faults_of(body: object) -> list[Fault]:
    """All that SendGrid would object to in a decoded request; empty when it would accept."""
    if not isinstance(body, Mapping):
        return [Fault("Bad Request")]
    return [
        *(Fault(f"Additional property {name} is not allowed", name) for name in body if name not in _KNOWN),
        *_sender(body),
        *_personalizations(body),
        *_content(body),
        *_attachments(body),
        *_headers(body.get("headers"), "headers"),
        *_custom_args(body.get("custom_args"), "custom_args"),
        *_categories(body.get("categories")),
    ]


def _sender(body: Mapping[str, Any]) -> Iterator[Fault]:
    sender = body.get("from")
    if not isinstance(sender, Mapping) or not sender.get("email"):
        yield _wrong(
            "The from object must be provided for every email send. It is an object that requires the email "
            "parameter, but may also contain a name parameter.",
            "from.email",
        )
    else:
        yield from _party(sender, "from")
    if body.get("reply_to") is not None:
        yield from _party(body["reply_to"], "reply_to")


def _party(party: object, field: str) -> Iterator[Fault]:
    if not isinstance(party, Mapping) or not isinstance(party.get("email"), str):
        yield _wrong("The email address is required.", f"{field}.email")
        return
    if not _ADDRESS.fullmatch(party["email"]):
        yield _wrong("Does not contain a valid address.", f"{field}.email")
    if not isinstance(party.get("name", ""), str):
        yield _wrong("Invalid type. Expected: string.", f"{field}.name")
    for name in party:
        if name not in {"email", "name"}:
            yield Fault(f"Additional property {name} is not allowed", f"{field}.{name}")


def _personalizations(body: Mapping[str, Any]) -> Iterator[Fault]:
    people = body.get("personalizations")
    if not isinstance(people, list) or not people:
        yield _wrong(
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
        )
        return
    if len(people) > MAX_PERSONALIZATIONS:
        yield _wrong(f"There are more than {MAX_PERSONALIZATIONS} personalizations.", "personalizations")
    for index, person in enumerate(people):
        if isinstance(person, Mapping):
            yield from _personalization(person, f"personalizations.{index}", body)
        else:
            yield _wrong("Invalid type. Expected: object.", f"personalizations.{index}")


def _personalization(person: Mapping[str, Any], field: str, body: Mapping[str, Any]) -> Iterator[Fault]:
    for name in person:
        if name not in _KNOWN_OF_A_PERSON:
            yield Fault(f"Additional property {name} is not allowed", f"{field}.{name}")
    if not person.get("to"):
        yield _wrong(
            "The to array is required for all personalization objects, and must have at least one email object "
            "with a valid email address.",
            f"{field}.to",
        )
    yield from _recipients(person, field)
    if not (person.get("subject") or body.get("subject")):
        yield _wrong(
            "The subject is required. You can get around this requirement if you use a template with a subject "
            "defined or if every personalization has a subject defined.",
            "subject",
        )
    yield from _headers(person.get("headers"), f"{field}.headers")
    yield from _custom_args(person.get("custom_args"), f"{field}.custom_args")


def _recipients(person: Mapping[str, Any], field: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for role in ("to", "cc", "bcc"):
        parties = person.get(role) or []
        if not isinstance(parties, list):
            yield _wrong("Invalid type. Expected: array.", f"{field}.{role}")
            continue
        for index, party in enumerate(parties):
            yield from _party(party, f"{field}.{role}.{index}")
            address = str(party.get("email", "")).lower() if isinstance(party, Mapping) else ""
            if address in seen:
                yield _wrong(
                    "Each email address in the personalization block should be unique between to, cc, and bcc. "
                    f"We found the first duplicate instance of [{address}] in the {field}.{role} field.",
                    field,
                )
            seen.add(address)
    if len(seen) > MAX_RECIPIENTS:
        yield _wrong(f"There are more than {MAX_RECIPIENTS} recipients.", field)


def _content(body: Mapping[str, Any]) -> Iterator[Fault]:
    if body.get("template_id"):
        yield _wrong("The template_id must be a valid template id.", "template_id")
    parts = body.get("content")
    if not isinstance(parts, list) or not parts:
        yield _wrong(
            "Unless a valid template_id is provided, the content parameter is required. There must be at least "
            "one defined content block.",
            "content",
        )
        return
    for index, part in enumerate(parts):
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str) or "/" not in part["type"]:
            yield _wrong("The content type is required and must be a MIME type.", f"content.{index}.type")
        elif not isinstance(part.get("value"), str) or not part["value"]:
            yield _wrong(
                "The content value must be a string at least one character in length.",
                f"content.{index}.value",
            )
    kinds = [part.get("type") for part in parts if isinstance(part, Mapping)]
    if len(kinds) != len(set(kinds)):
        yield _wrong("If present, text/plain and text/html may only be provided once.", "content")
    if "text/plain" in kinds[1:]:
        yield _wrong("If present, text/plain must be first, followed by text/html.", "content")


def _attachments(body: Mapping[str, Any]) -> Iterator[Fault]:
    files = body.get("attachments")
    if files is None:
        return
    if not isinstance(files, list):
        yield _wrong("Invalid type. Expected: array.", "attachments")
        return
    for index, file in enumerate(files):
        field = f"attachments.{index}"
        if not isinstance(file, Mapping):
            yield _wrong("Invalid type. Expected: object.", field)
            continue
        if not isinstance(file.get("filename"), str) or not file["filename"]:
            yield _wrong("The filename of the attachment is required.", f"{field}.filename")
        if not _is_base64(file.get("content")):
            yield _wrong("The attachment content must be base64 encoded.", f"{field}.content")
        if file.get("disposition") not in {None, "inline", "attachment"}:
            yield _wrong('The disposition must be "inline" or "attachment".', f"{field}.disposition")


def _is_base64(content: object) -> bool:
    if not isinstance(content, str) or not content:
        return False
    try:
        base64.b64decode(content, validate=True)
    except binascii.Error:
        return False
    return True


def _headers(headers: object, field: str) -> Iterator[Fault]:
    if headers is None:
        return
    if not isinstance(headers, Mapping) or not all(isinstance(value, str) for value in headers.values()):
        yield _wrong("The headers must be an object of strings.", field)
        return
    for name in headers:
        if name.lower() in _RESERVED_HEADERS:
            yield _wrong(f"The header {name} is reserved and can not be overwritten.", field)
        if not name.isascii() or any(c in name + headers[name] for c in "\r\n"):
            yield _wrong("Headers must be ASCII and must not contain a new line.", field)


def _custom_args(arguments: object, field: str) -> Iterator[Fault]:
    if arguments is None:
        return
    if not isinstance(arguments, Mapping) or not all(isinstance(value, str) for value in arguments.values()):
        yield _wrong("Custom arguments must be an object of strings.", field)
    elif len(json.dumps(dict(arguments), ensure_ascii=False).encode()) > MAX_CUSTOM_ARGS_BYTES:
        yield _wrong(f"Custom arguments may not exceed {MAX_CUSTOM_ARGS_BYTES} bytes.", field)


def _categories(categories: object) -> Iterator[Fault]:
    if categories is None:
        return
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        yield _wrong("The categories must be an array of strings.", "categories")
        return
    if len(categories) > MAX_CATEGORIES:
        yield _wrong(f"There are more than {MAX_CATEGORIES} categories.", "categories")
    if len(categories) != len(set(categories)):
        yield _wrong("The categories must be unique.", "categories")
    if any(len(name) > MAX_CATEGORY_CHARACTERS for name in categories):
        yield _wrong(f"A category is longer than {MAX_CATEGORY_CHARACTERS} characters.", "categories")
