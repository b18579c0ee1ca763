"""What the law wants printed on a document, and which of it is missing.

A missing mention costs 15 EUR a piece and the buyer its deduction, and an issued document never changes; so it is asked
before a number is given. Sources: CGI ann. II art. 242 nonies A; commercial code L441-9, R123-237, R123-238; directive
2006/112/EC art. 226 and 230.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from billing.errors import InvalidInput
from billing.subscription import CustomerKind
from billing.tax_numbers import InvalidSiren, InvalidVatNumber, siren, vat_number
from billing.tax_places import EU_STATES
from billing.taxation import SMALL_BUSINESS_MENTION, TaxTreatment, TreatmentKind
from billing.values import Value
from documents.document import BUSINESSES, FRENCH, Document, DocumentKind, is_domestic_sale
from models.parties import Address, Buyer, Seller

_INVOICE: Final = "CGI ann. II art. 242 nonies A"
_COMPANY: Final = "C. com. R123-238"
_REGISTER: Final = "C. com. R123-237"
_BUSINESS: Final = "C. com. L441-9"
_EURO: Final = "directive 2006/112/EC art. 230"

WITH_CAPITAL: Final = frozenset(
    {"SA", "SAS", "SASU", "SARL", "EURL", "SCA", "SELARL", "SELAS", "SELASU", "SELAFA", "SE"}
)
"""Legal forms of companies that state a share capital."""
_TAXED: Final = frozenset({"S", "Z"})
"""Categories that need no reason for the VAT that they show."""

_ENTITY: Final = "relance entity update {id} --{option} ..."
_CUSTOMER: Final = "relance tax set --customer {id} --{option} ..."


class Missing(Value):
    """A mention that is missing, or that cannot be right."""

    field: str
    """Where it belongs: `seller.siren`, `buyer.address`, `lines.2.description`."""
    what: str
    """What is wrong, as a sentence."""
    source: str
    """Of the law."""
    remedy: str = ""
    """The command that fills it; empty where none does."""

    @property
    def sentence(self) -> str:
        """All of it, for a person."""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.what} ({self.source}).{remedy}"


class MentionsMissing(InvalidInput):
    """A document cannot be issued as it would be.

    Attributes:
        missing: every mention that is missing, the first of which `field` names.
    """

    def __init__(self, missing: Sequence[Missing], *, told: str = "The document cannot be issued.") -> None:
        super().__init__(" ".join([told, *(one.sentence for one in missing)]), field=missing[0].field)
        self.missing = tuple(missing)


class EntityNotReady(MentionsMissing):
    """A seller lacks mentions that stand on every one of its documents."""


def check_entity_ready(seller: Seller, *, small_business: bool = False, entity: str = "ENTITY") -> None:
    """Refuse a seller that cannot issue a lawful document to anybody.

    Args:
        seller: as it would be printed.
        small_business: exempt, and so without a VAT number.
        entity: how the remedy names it.

    Raises:
        EntityNotReady: names every mention that is missing.
    """
    missing = missing_of_seller(seller, small_business=small_business, entity=entity)
    if missing:
        raise EntityNotReady(missing, told=f"{seller.name} cannot issue documents yet.")


def check_mentions(
    seller: Seller,
    buyer: Buyer,
    treatment: TaxTreatment | None = None,
    *,
    entity: str = "ENTITY",
    customer: str = "CUSTOMER",
) -> None:
    """Refuse to issue a document that would lack a mention about its parties. Call it before a number is given.

    Args:
        seller: as it will be printed.
        buyer: as it will be printed.
        treatment: how the sale is taxed; None as at home.
        entity: how remedies name the seller.
        customer: how remedies name the buyer.

    Raises:
        MentionsMissing: names every mention that is missing.
    """
    small = treatment is not None and treatment.mention == SMALL_BUSINESS_MENTION
    reverse = treatment is not None and treatment.kind is TreatmentKind.REVERSE_CHARGE
    missing = (
        *missing_of_seller(seller, small_business=small, entity=entity),
        *missing_of_buyer(seller, buyer, reverse_charge=reverse, customer=customer),
    )
    if missing:
        raise MentionsMissing(missing)


def check_buyer_mentions(seller: Seller, buyer: Buyer, *, customer: str = "CUSTOMER") -> None:
    """Refuse a buyer to whom no document could be issued; see `check_mentions`.

    Raises:
        MentionsMissing: names every mention that is missing.
    """
    missing = missing_of_buyer(seller, buyer, customer=customer)
    if missing:
        raise MentionsMissing(missing, told="No invoice can be issued to this customer.")


def missing_of_seller(
    seller: Seller, *, small_business: bool = False, entity: str = "ENTITY"
) -> tuple[Missing, ...]:
    """What a seller's documents would lack, whoever buys."""

    def lacks(field: str, what: str, source: str) -> Missing:
        return _lacks(f"seller.{field}", what, source, _ENTITY, entity)

    found = []
    if not seller.name.strip():
        found.append(lacks("name", "The seller’s name is missing", _INVOICE))
    found += [
        lacks(field, f"The seller’s {what} is missing", _INVOICE) for field, what in _holes(seller.address)
    ]
    if seller.address.country in FRENCH:
        if not _is_siren(seller.siren):
            found.append(lacks("siren", "The seller’s SIREN is missing or wrong", _REGISTER))
        if not seller.legal_form.strip():
            found.append(lacks("legal_form", "The seller’s legal form is missing", _COMPANY))
        if _has_capital(seller):
            if not seller.capital.strip():
                found.append(lacks("capital", "The company’s share capital is missing", _COMPANY))
            if not seller.registration.strip():
                found.append(
                    lacks("registration", "The register in which the company stands is missing", _REGISTER)
                )
    if not small_business and seller.address.country in EU_STATES and not _is_vat_number(seller.vat_number):
        found.append(lacks("vat_number", "The seller’s VAT number is missing or wrong", _INVOICE))
    return tuple(found)


def missing_of_buyer(
    seller: Seller, buyer: Buyer, *, reverse_charge: bool = False, customer: str = "CUSTOMER"
) -> tuple[Missing, ...]:
    """What a document for this buyer would lack of it.

    A consumer needs no address: a note for services to a consumer must not show it against their will (order of 3
    October 1983), and the place of supply is known from other evidence. Unknown kinds count as consumers (rules 18).
    """

    def lacks(field: str, what: str, source: str) -> Missing:
        return _lacks(f"buyer.{field}", what, source, _CUSTOMER, customer)

    found = []
    if not buyer.name.strip():
        found.append(lacks("name", "The customer’s name is missing", _INVOICE))
    if buyer.kind not in (*BUSINESSES, CustomerKind.NON_PROFESSIONAL):
        return tuple(found)
    if buyer.address is None:
        found.append(lacks("address", "The customer’s address is missing", _INVOICE))
    else:
        found += [
            lacks(field, f"The customer’s {what} is missing", _INVOICE)
            for field, what in _holes(buyer.address)
        ]
    if is_domestic_sale(seller, buyer) and not _is_siren(buyer.siren):
        found.append(lacks("siren", "The customer’s SIREN is missing or wrong", _INVOICE))
    if reverse_charge and not _is_vat_number(buyer.vat_number):
        found.append(lacks("vat_number", "The customer’s VAT number is missing or wrong", _INVOICE))
    return tuple(found)


def missing_mentions(document: Document) -> tuple[Missing, ...]:
    """Everything that a document lacks, parties and contents; nothing is missing on a lawful one."""
    keys = {part.mention for part in document.per_rate}
    reverse = any(part.rate.category == "AE" for part in document.per_rate)
    return (
        *missing_of_seller(document.seller, small_business=SMALL_BUSINESS_MENTION in keys),
        *missing_of_buyer(document.seller, document.buyer, reverse_charge=reverse),
        *_missing_contents(document),
    )


def _missing_contents(document: Document) -> Iterable[Missing]:
    is_invoice = document.kind is DocumentKind.INVOICE
    if is_invoice and document.is_for_a_business and document.due_on is None:
        yield Missing(field="due_on", what="The day by which to pay is missing", source=_BUSINESS)
    for number, line in enumerate(document.lines):
        if is_invoice and not line.name.strip():
            yield Missing(
                field=f"lines.{number}.name", what="A line does not say what was sold", source=_INVOICE
            )
        if is_invoice and line.start is None:
            yield Missing(
                field=f"lines.{number}.start", what="A line does not say for which time", source=_INVOICE
            )
    for number, part in enumerate(document.per_rate):
        if part.rate.category not in _TAXED and not part.mention:
            yield Missing(
                field=f"per_rate.{number}.mention", what="The reason for no VAT is missing", source=_INVOICE
            )
    if (
        document.currency != "EUR"
        and document.vat_eur_minor is None
        and document.seller.address.country in EU_STATES
    ):
        yield Missing(field="vat_eur_minor", what="The VAT in euros is missing", source=_EURO)


def _lacks(field: str, what: str, source: str, command: str, key: str) -> Missing:
    option = field.rpartition(".")[2].replace("_", "-")
    option = "line1" if option == "address" else option
    return Missing(
        field=field, what=what, source=source, remedy=f"Run: {command.format(id=key, option=option)}"
    )


def _holes(address: Address) -> Iterable[tuple[str, str]]:
    """What an address lacks to be one: the model lets a space pass, and some countries have no postal codes."""
    if not address.line1.strip():
        yield "line1", "street"
    if not address.city.strip():
        yield "city", "town"
    if address.country in FRENCH and not address.postal_code.strip():
        yield "postal_code", "postal code"


def _has_capital(seller: Seller) -> bool:
    return seller.legal_form.replace(".", "").split(" ")[0].upper() in WITH_CAPITAL


def _is_siren(number: str) -> bool:
    try:
        return bool(siren(number))
    except InvalidSiren:
        return False


def _is_vat_number(number: str) -> bool:
    try:
        return bool(vat_number(number))
    except InvalidVatNumber:
        return False
