"""Identifiers: a prefix that says what it is, then 24 characters that sort by time of creation."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Final

from billing.errors import InvalidInput

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(r"^[a-z]{2,5}_[A-Za-z0-9_-]{1,60}$")


def new_id(prefix: str) -> str:
    """A fresh identifier such as `sub_01kb...`: 10 characters of milliseconds, 14 of randomness."""
    stamp = time.time_ns() // 1_000_000
    head = ""
    for _ in range(10):
        stamp, digit = divmod(stamp, 32)
        head = ALPHABET[digit] + head
    return f"{prefix}_{head}{''.join(secrets.choice(ALPHABET) for _ in range(14))}"


def derived_id(prefix: str, *parts: str | int) -> str:
    """The identifier of something that its parts fully determine, so that writing it twice is writing it once."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return f"{prefix}_{''.join(ALPHABET[byte % 32] for byte in digest[:24])}"


def check_id(value: str, prefix: str, *, field: str) -> str:
    """`value` when it looks like an id with this prefix.

    Raises:
        InvalidInput: it does not; the message says what one looks like.
    """
    if not _ID.match(value) or not value.startswith(f"{prefix}_"):
        raise InvalidInput(f"{value!r} is no {field}: one looks like {prefix}_abc123.", field=field)
    return value


def event_id(subscription_id: str, sequence: int) -> str:
    """The id of an event: that of its subscription and its number there, so that no two installations share one."""
    return f"evt_{subscription_id}_{sequence}"


def event_place(key: str) -> tuple[str, int]:
    """The subscription and the number that the id of an event stands for.

    Raises:
        InvalidInput: it is none; field `event`.
    """
    subscription_id, _, sequence = key.removeprefix("evt_").rpartition("_")
    if not key.startswith("evt_") or not subscription_id or not (sequence.isascii() and sequence.isdecimal()):
        raise InvalidInput(f"{key!r} is no event: one looks like evt_sub_abc123_7.", field="event")
    return subscription_id, int(sequence)
