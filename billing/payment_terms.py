"""By when a transfer is due: days from the issue, or days and the end of a month, and what the law allows at most."""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field
from typing_extensions import override

from billing.calendar import add_months, first_of_month
from billing.errors import InvalidInput
from billing.values import Value

LONGEST_DAYS: Final = 60
"""From the issue, between French businesses (commercial code L441-10)."""
LONGEST_DAYS_WITH_MONTH_END: Final = 45
"""Where the end of a month is counted too (the same)."""

_DAYS: Final = re.compile(r"(\d{1,3}) days?", re.IGNORECASE)
_DAYS_FIRST: Final = re.compile(r"(\d{1,3}) days?,? then (?:the )?end of (?:the )?month", re.IGNORECASE)
_MONTH_FIRST: Final = re.compile(r"end of (?:the )?month,? then (\d{1,3}) days?", re.IGNORECASE)
_UNCLEAR: Final = re.compile(r"(\d{1,3}) days?,? end of (?:the )?month", re.IGNORECASE)


class PaymentTermsTooLong(InvalidInput):
    """Payment terms above the legal maximum between French businesses."""


class MonthEnd(StrEnum):
    """How the end of a month comes into a due date. Both readings are in use in France: a contract says which."""

    NONE = "none"
    DAYS_FIRST = "days_first"
    """The days from the issue, then on to the end of that month."""
    MONTH_FIRST = "month_first"
    """The end of the month of the issue, then the days."""


class PaymentTerms(Value):
    """By when an invoice is to be paid, counted from its date of issue."""

    days: int = Field(default=0, ge=0, le=365)
    month_end: MonthEnd = MonthEnd.NONE

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `30 days`, `45 days, then end of month` or `end of month, then 45 days`.

        Raises:
            InvalidInput: it is none of them, or leaves open which reading is meant; field `payment_terms`.
        """
        plain = " ".join(text.split())
        for pattern, month_end in _READINGS:
            if (found := pattern.fullmatch(plain)) is not None:
                return cls(days=int(found[1]), month_end=month_end)
        if (unclear := _UNCLEAR.fullmatch(plain)) is not None:
            days = unclear[1]
            raise InvalidInput(
                f"{text!r} has two readings. Write '{days} days, then end of month' (from the issue on to the end of "
                f"that month) or 'end of month, then {days} days'.",
                field="payment_terms",
            )
        raise InvalidInput(
            f"{text!r} are no payment terms. Write '30 days', '45 days, then end of month' or 'end of month, then 45 "
            "days'.",
            field="payment_terms",
        )

    def due_on(self, issued_on: date) -> date:
        """The last day on which an invoice of this date is paid in time."""
        days = timedelta(days=self.days)
        match self.month_end:
            case MonthEnd.DAYS_FIRST:
                return _end_of_month(issued_on + days)
            case MonthEnd.MONTH_FIRST:
                return _end_of_month(issued_on) + days
            case _:
                return issued_on + days

    def check_lawful_between_businesses(self) -> None:
        """Refuse terms that French businesses may not agree on.

        Raises:
            PaymentTermsTooLong: field `payment_terms`.
        """
        most = LONGEST_DAYS if self.month_end is MonthEnd.NONE else LONGEST_DAYS_WITH_MONTH_END
        if self.days > most:
            raise PaymentTermsTooLong(
                f"Payment terms of '{self}' are above the legal maximum between French businesses (commercial code "
                f"L441-10). Agree on {LONGEST_DAYS} days from the issue at most, or on "
                f"{LONGEST_DAYS_WITH_MONTH_END} days with the end of the month.",
                field="payment_terms",
            )

    @override
    def __str__(self) -> str:
        days = "1 day" if self.days == 1 else f"{self.days} days"
        match self.month_end:
            case MonthEnd.DAYS_FIRST:
                return f"{days}, then end of month"
            case MonthEnd.MONTH_FIRST:
                return f"end of month, then {days}"
            case _:
                return days


_READINGS: Final = (
    (_DAYS, MonthEnd.NONE),
    (_DAYS_FIRST, MonthEnd.DAYS_FIRST),
    (_MONTH_FIRST, MonthEnd.MONTH_FIRST),
)


def one_of_both(terms: PaymentTerms | None, days: int | None) -> PaymentTerms | None:
    """Payment terms that may be given in full or as days alone; None where they are not given.

    Raises:
        InvalidInput: both ways; field `payment_terms`.
    """
    if days is None:
        return terms
    if terms is not None:
        raise InvalidInput("Give payment_terms or payment_terms_days, not both.", field="payment_terms")
    return PaymentTerms(days=days)


def _end_of_month(on: date) -> date:
    return add_months(first_of_month(on), 1) - timedelta(days=1)


def _read(given: object) -> object:
    return PaymentTerms.parse(given) if isinstance(given, str) else given


TypedPaymentTerms = Annotated[PaymentTerms, BeforeValidator(_read)]
"""Payment terms that may be given as a person writes them."""
