"""Refusing, at the door, what a seller or buyer cannot be: numbers, addresses and kinds that contradict each other."""

from __future__ import annotations

import re
from functools import lru_cache

from babel import Locale

from billing.errors import InvalidInput
from billing.subscription import CustomerKind
from billing.tax_numbers import check_fits, check_same_company, state_of_vat_number
from billing.tax_places import place_of
from models.parties import Address

_MISTAKEN = {"UK": "GB", "EL": "GR"}
"""Prefixes of VAT numbers that people take for country codes."""
_NO_COUNTRIES = {*_MISTAKEN, "EU", "EZ", "UN", "ZZ", "XA", "XB"}
"""Two letters that stand for something else than a country."""


def check_buyer(
    kind: CustomerKind, *, vat_number: str = "", siren: str = "", address: Address | None = None
) -> None:
    """Refuse a buyer whose facts contradict each other. The numbers themselves were checked before.

    Raises:
        InvalidInput: `field` is `vat_number`, `siren`, `kind` or `address`.
    """
    check_same_company(vat_number, siren)
    if address is not None:
        check_country(address.country)
        check_fits(vat_number, place_of(address.country, address.postal_code))
    if vat_number and kind is CustomerKind.CONSUMER:
        raise InvalidInput(
            "A consumer has no VAT number. Say kind business, or public_body or non_professional.",
            field="kind",
        )
    if vat_number and address is None:
        raise InvalidInput(
            f"The address that goes with the VAT number {vat_number} is missing: its State decides the tax, and "
            "the invoice must show it.",
            field="address",
        )


def check_seller(*, vat_number: str, siren: str, address: Address) -> None:
    """Refuse a seller whose facts contradict each other.

    Raises:
        InvalidInput: `field` is `vat_number`, `siren` or `address`.
    """
    check_country(address.country)
    check_same_company(vat_number, siren)
    if state_of_vat_number(vat_number) is not None:
        check_fits(vat_number, place_of(address.country, address.postal_code))


def check_country(code: str) -> None:
    """Refuse a country that does not exist: it would count as one outside the Union.

    Raises:
        InvalidInput: with what was meant, where that can be told.
    """
    if code in _countries():
        return
    meant = f" Write {_MISTAKEN[code]}." if code in _MISTAKEN else " Give one of ISO 3166-1, as FR."
    raise InvalidInput(f"{code} is no country code.{meant}", field="address")


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    pairs = re.compile("[A-Z]{2}")
    return frozenset(filter(pairs.fullmatch, Locale("en").territories)) - _NO_COUNTRIES
