"""Bank accounts: the form and check digits of IBAN, BIC and creditor identifier, without asking any bank."""

from __future__ import annotations

import re

from stdnum import bic as bank_codes
from stdnum import iban as account_numbers
from stdnum.eu import at_02 as creditor_identifiers
from stdnum.exceptions import ValidationError as WrongNumber

from billing.errors import InvalidInput


class InvalidIban(InvalidInput):
    """A number that no bank account can have."""


class InvalidBic(InvalidInput):
    """A code that no bank can have."""


class InvalidCreditorId(InvalidInput):
    """An identifier that no creditor of direct debits can have."""


def iban(text: str) -> str:
    """An IBAN as it is stored: without spaces, in capitals. Empty stays empty.

    Raises:
        InvalidIban: its form or its check digits are wrong.
    """
    bare = _bare(text)
    try:
        return str(account_numbers.validate(bare)) if bare else ""
    except WrongNumber:
        raise InvalidIban(
            f"{text!r} is no IBAN: its form or its check digits are wrong. One looks like "
            "FR76 3000 6000 0112 3456 7890 189.",
            field="iban",
        ) from None


def bic(text: str) -> str:
    """A BIC as it is stored: 8 or 11 characters in capitals. Empty stays empty.

    Raises:
        InvalidBic: its form is wrong.
    """
    bare = _bare(text)
    try:
        return str(bank_codes.validate(bare)) if bare else ""
    except WrongNumber:
        raise InvalidBic(
            f"{text!r} is no BIC. One looks like AGRIFRPP or AGRIFRPP882.", field="bic"
        ) from None


def creditor_id(text: str) -> str:
    """A SEPA creditor identifier (ICS) as it is stored: without spaces, in capitals. Empty stays empty.

    Raises:
        InvalidCreditorId: its form or its check digits are wrong.
    """
    bare = _bare(text)
    try:
        return str(creditor_identifiers.validate(bare)) if bare else ""
    except WrongNumber:
        raise InvalidCreditorId(
            f"{text!r} is no SEPA creditor identifier: its form or its check digits are wrong. One looks like "
            "FR72 ZZZ 123456.",
            field="creditor_id",
        ) from None


def _bare(text: str) -> str:
    return re.sub(r"[\s.-]", "", text).upper()
