"""Who sells, who buys, and how they pay. As values: these snapshots are printed on documents and never change."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field, field_validator

from billing.errors import InvalidInput
from billing.values import Value


class Address(Value):
    """A postal address."""

    line1: str = Field(min_length=1, max_length=200)
    line2: str = Field(default="", max_length=200)
    postal_code: str = Field(default="", max_length=20)
    city: str = Field(min_length=1, max_length=100)
    country: str = Field(pattern="^[A-Z]{2}$")
    """ISO 3166-1 alpha-2."""

    def lines(self) -> tuple[str, ...]:
        """The address as it is printed, one entry a line."""
        town = f"{self.postal_code} {self.city}".strip()
        return tuple(line for line in (self.line1, self.line2, town, self.country) if line)


class Seller(Value):
    """The legal entity as it stands on a document."""

    name: str
    legal_form: str = ""
    capital: str = ""
    siren: str = ""
    registration: str = ""
    """Where a company is registered, as printed beside its SIREN: `RCS Paris`."""
    vat_number: str = ""
    vat_on_debits: bool = False
    """Its VAT is due on invoicing and not, as for services by default, when it is paid."""
    address: Address
    iban: str = ""
    bic: str = ""
    sender: str
    """Mail address that mails come from and answers go to."""
    locale: str = "fr"


class Buyer(Value):
    """The customer as it stands on a document."""

    name: str
    kind: str
    vat_number: str = ""
    siren: str = ""
    purchase_order: str = ""
    address: Address | None = None


class Contact(Value):
    """Somebody who receives a customer's mails."""

    email: str = Field(max_length=254)
    name: str = Field(default="", max_length=200)

    @field_validator("email")
    @classmethod
    def _is_an_address(cls, email: str) -> str:
        if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email) is None:
            raise InvalidInput(f"{email!r} is no mail address. Give one like ada@example.com.", field="email")
        return email


class Locale(StrEnum):
    """The languages of mails and portal."""

    FR = "fr"
    EN = "en"
