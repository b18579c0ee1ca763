"""Numbers by which businesses are known to the State: form and check digits, without asking anybody.

The check digits come from python-stdnum, which knows those of every member state.
"""

from __future__ import annotations

import re
from typing import Final

from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError as WrongNumber
from stdnum.fr import siren as french_siren

from billing.errors import InvalidInput
from billing.tax_places import EU_STATES, TaxPlace

_GREEK_PREFIX: Final = "EL"
"""Greece's numbers begin with it although its country code is GR."""
_NORTHERN_IRELAND: Final = "XI"
"""In the Union for goods only: to a seller of services it is as good as outside (protocol of 2019, art. 8)."""
_EXAMPLES: Final = {"FR": "FR40303265045", "DE": "DE136695976"}


class InvalidVatNumber(InvalidInput):
    """A VAT number that no State can have given."""


class InvalidSiren(InvalidInput):
    """A number that no French company can have."""


def vat_number(text: str) -> str:
    """A VAT number as it is stored and printed: prefix and figures, without spaces, dots or hyphens.

    Numbers of member states are checked to the last digit, of others the form alone: they change no tax.

    Args:
        text: as typed; the prefix is the State's. Empty stays empty.

    Raises:
        InvalidVatNumber: it cannot be one.
    """
    bare = re.sub(r"[\s.\-/]", "", text).upper()
    if not bare:
        return ""
    prefix = bare[:2]
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9+*]{2,18}", bare):
        raise InvalidVatNumber(
            f"{text!r} is no VAT number. It begins with the two letters of its State, as in "
            f"{_EXAMPLES['FR']} or {_EXAMPLES['DE']}.",
            field="vat_number",
        )
    try:
        if prefix == "GR":
            bare = _GREEK_PREFIX + bare[2:]
        if state_of_vat_number(bare) is not None or prefix == _NORTHERN_IRELAND:
            return str(eu_vat.validate(bare))
    except WrongNumber:
        raise InvalidVatNumber(
            f"{text!r} is no VAT number of {prefix}: its form or its check digits are wrong. Ask the customer to "
            "look at it again.",
            field="vat_number",
        ) from None
    return bare


def state_of_vat_number(number: str) -> str | None:
    """The member state (ISO 3166-1) that gave a VAT number, None for any other."""
    state = "GR" if number[:2] == _GREEK_PREFIX else number[:2]
    return state if state in EU_STATES else None


def check_fits(number: str, place: TaxPlace) -> None:
    """Refuse a VAT number of another State than that of the address.

    Raises:
        InvalidVatNumber: they contradict each other.
    """
    state = state_of_vat_number(number)
    if number and state != place.country and (state is not None or place.country in EU_STATES):
        raise InvalidVatNumber(
            f"The VAT number {number} and an address in {place.country} do not fit. Give the number and the "
            "address of the establishment that buys.",
            field="vat_number",
        )


def siren(text: str) -> str:
    """The number of a French company: nine figures, without spaces. Empty stays empty.

    Raises:
        InvalidSiren: its form or check digit is wrong.
    """
    bare = re.sub(r"[\s.]", "", text)
    if not bare:
        return ""
    try:
        return str(french_siren.validate(bare))
    except WrongNumber:
        raise InvalidSiren(
            f"{text!r} is no SIREN: nine figures, the last one a check digit, as in 732 829 320.",
            field="siren",
        ) from None


def check_same_company(number: str, company: str) -> None:
    """Refuse a SIREN and a French VAT number of two companies: the number ends with the SIREN.

    Raises:
        InvalidSiren: they differ.
    """
    if company and number.startswith("FR") and not number.endswith(company):
        raise InvalidSiren(
            f"The SIREN {company} and the VAT number {number} are of two companies: a French VAT number ends with "
            "the SIREN.",
            field="siren",
        )
