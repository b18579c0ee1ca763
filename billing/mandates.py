"""SEPA mandates: what a payer agreed to, and for how long it holds."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address
from typing import Final

from pydantic import AwareDatetime, Field, model_validator

from billing.calendar import add_months
from billing.errors import InvalidInput
from billing.values import Value

SCHEME_NOTICE_DAYS: Final = 14
"""Calendar days of notice where payer and creditor agreed on nothing shorter; the longest that a mandate asks for."""
NOTICE_DAYS: Final = 3
"""Our default. Stripe has its merchants show a mandate text in which the payer agrees to two days; ProAbono's is 3."""
UNUSED_MONTHS: Final = 36
"""A mandate under which nothing was collected for this long is void."""


class Mandate(Value):
    """A payer's consent to debits of one account, as far as the rules read it."""

    accepted_on: date
    notice_days: int = Field(ge=1, le=SCHEME_NOTICE_DAYS)
    """As the payer agreed, in calendar days."""
    last_debit_on: date | None = None
    """The last collection date, whatever became of that debit: a rejected one counts."""
    ended_on: date | None = None
    """When it was revoked or replaced."""

    @property
    def expires_on(self) -> date:
        """The last day on which it may be used if it is not used before."""
        return add_months(self.last_debit_on or self.accepted_on, UNUSED_MONTHS)

    def is_valid_on(self, day: date) -> bool:
        """Whether it may be debited on this day."""
        return self.ended_on is None and day <= self.expires_on


class Consent(Value):
    """How a payer accepted a mandate, for whoever makes it.

    Raises:
        InvalidInput: the address is none, or one of the two proofs of an online consent is missing.
    """

    accepted_at: AwareDatetime
    ip_address: str = ""
    """Of the payer who accepted online; empty for one on paper."""
    user_agent: str = Field(default="", max_length=500)
    """The payer's browser."""

    @model_validator(mode="after")
    def _is_whole(self) -> Consent:
        if bool(self.ip_address) != bool(self.user_agent):
            missing = "user_agent" if self.ip_address else "ip_address"
            raise InvalidInput(
                f"A consent online is proven by address and browser: give {missing} too, or neither for paper.",
                field=missing,
            )
        if self.ip_address:
            check_address(self.ip_address)
        return self


def check_address(text: str) -> str:
    """An IP address, as it was given.

    Raises:
        InvalidInput: it is none; field `ip_address`.
    """
    try:
        ip_address(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no IP address. One looks like 203.0.113.7.", field="ip_address"
        ) from None
    return text
