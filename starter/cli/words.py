"""How amounts, instants and rows read for people, the same under every noun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from billing.money import to_major

_TRIGGERS: Final = {
    "first": "first charge",
    "repeat": "repeat within hours",
    "promise": "as promised",
    "method_replaced": "new payment method",
    "customer": "asked by the customer",
    "support": "asked by support",
}


def amount(minor: int, currency: str) -> str:
    """An amount in major units: `58.80 EUR`."""
    return f"{to_major(minor, currency)} {currency}"


def instant(at: datetime | None) -> str | None:
    """An instant to the minute, in UTC: `2027-01-31 09:00 UTC`."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def local_date(at: datetime | None, timezone: str) -> str | None:
    """The date of an instant in an IANA zone: `2027-01-31`."""
    return None if at is None else f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d}"


def trigger(name: str) -> str:
    """Why a payment attempt was made: `first charge`, `asked by the customer`."""
    return _TRIGGERS.get(name, name.replace("_", " "))


def local(at: datetime | None, timezone: str) -> str | None:
    """An instant to the minute, as the clocks of an IANA zone show it: `2027-01-31 10:00`."""
    return None if at is None else f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
