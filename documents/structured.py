"""The XML of a document: UN/CEFACT's Cross Industry Invoice in the EN 16931 profile of Factur-X.

Terms are named by their numbers in EN 16931 (BT-...). What the reform asks of invoices between French businesses is in
`_reform`: its rules are the ones called BR-FR-*.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from facturx import generate_cii_xml, xml_check_xsd

from billing.errors import RelanceError
from billing.money import exponent, round_half_up, to_exact_minor, to_major
from billing.tax_mentions import mention
from documents.document import (
    FRENCH,
    Document,
    DocumentForm,
    DocumentKind,
    DocumentLine,
    PaymentMeans,
    RateLine,
)
from documents.sentences import late_payment_terms, legal_parts, line_name, means_sentence
from mails.content import clean
from models.parties import Address, Buyer, Seller

LEVEL: Final = "en16931"
SERVICES: Final = "S1"
"""BT-23: an invoice of services, to be paid (reform)."""
BUSINESS_TO_BUSINESS: Final = "B2B"
OUTSIDE_THE_SCOPE: Final = "O"
"""Category under which no VAT number may be given (BR-O-02)."""

_TYPE: Final = {DocumentKind.INVOICE: "380", DocumentKind.CREDIT_NOTE: "381"}
"""UNTDID 1001."""
_MEANS: Final = {
    PaymentMeans.CARD: "48",
    PaymentMeans.SEPA_DEBIT: "59",
    PaymentMeans.TRANSFER: "58",
    PaymentMeans.OPEN: "1",
}
"""UNTDID 4461; 1 is an instrument that is not agreed."""
_SIREN: Final = "0002"
_DIRECTORY: Final = "0225"
"""Scheme of addresses in the directory of the reform, which begin with the SIREN."""
_MAIL: Final = "EM"
_PIECE: Final = "C62"
_DAY: Final = "DAY"
_DISCOUNT: Final = "95"
"""UNTDID 5189."""
_PRICE_PLACES: Final = 4
"""Most decimals of a price; what needs more is told as an amount for a number of units (BT-149)."""
_QUANTITY_PLACES: Final = 4

Terms = dict[str, Any]


class InvalidStructure(RelanceError):
    """The XML does not fit the schema of its profile."""


def xml_of(document: Document) -> bytes:
    """The document as XML, checked against the schema.

    Raises:
        InvalidStructure: it does not fit the schema.
    """
    made: bytes = generate_cii_xml(
        _cleaned(_terms(document)), level=LEVEL, check_xsd=False, check_schematron=None
    )
    try:
        xml_check_xsd(made, flavor="factur-x", level=LEVEL)
    except Exception as problem:  # noqa: BLE001 - the library raises nothing finer
        raise InvalidStructure(f"The XML of {document.number} does not fit its schema: {problem}") from None
    return made


def _terms(document: Document) -> Terms:
    outside = any(part.rate.category == OUTSIDE_THE_SCOPE for part in document.per_rate)
    due = document.due_minor if document.kind is DocumentKind.INVOICE else document.total_minor
    prepaid = document.from_balance_minor + document.paid_minor
    terms: Terms = {
        "BT-1": document.number,
        "BT-2": document.issued_on,
        "BT-3": _TYPE[document.kind],
        "BT-5": document.currency,
        "BT-8": _when_due(document),
        "BT-13": document.buyer.purchase_order,
        "BG-1": _notes(document),
        "BG-4": _seller(document.seller, document, with_vat=not outside),
        "BG-7": _buyer(document.buyer, with_vat=not outside),
        "BT-72": document.last_on or document.issued_on,
        "BT-73": document.start,
        "BT-74": document.last_on,
        "BG-23": [_rate(part, document) for part in document.per_rate],
        "BG-25": [_line(number, line, document) for number, line in enumerate(document.lines, start=1)],
        "BT-106": _amount(document.net_minor, document),
        "BT-109": _amount(document.net_minor, document),
        "BT-110": _amount(document.vat_minor, document),
        "BT-112": _amount(document.total_minor, document),
        "BT-113": _amount(prepaid, document) if prepaid else None,
        "BT-115": _amount(due, document),
        **_payment(document),
    }
    if document.corrects:
        terms["BG-3"] = [{"BT-25": document.corrects.number, "BT-26": document.corrects.issued_on}]
    if document.vat_eur_minor is not None:
        terms["BT-6"] = "EUR"
        terms["BT-111"] = _major(document.vat_eur_minor, "EUR")
    if document.form is DocumentForm.FACTURX_FR:
        terms.update(_reform(terms))
    return terms


def _reform(terms: Terms) -> Terms:
    """What the reform adds: the frame of the invoice, and that it goes from business to business."""
    return {"BT-23": SERVICES, "BG-1": [*terms["BG-1"], {"BT-21": "BAR", "BT-22": BUSINESS_TO_BUSINESS}]}


def _notes(document: Document) -> list[Terms]:
    legal = " - ".join(legal_parts(document.seller, document.language))
    notes = [{"BT-21": "REG", "BT-22": legal}] if legal else []
    return notes + [{"BT-21": code, "BT-22": text} for code, text in late_payment_terms(document)]


def _seller(seller: Seller, document: Document, *, with_vat: bool) -> Terms:
    party = {"name": seller.name, **_address(seller.address)}
    party["contacts"] = [{"name": seller.name, "email": seller.sender}]
    party |= _registered(seller.siren)
    if with_vat and seller.vat_number:
        party["vat_identifier"] = seller.vat_number
    elif with_vat and seller.siren:
        party["tax_identifier"] = seller.siren  # who charges no VAT has no VAT number (BR-E-02)
    if document.form is DocumentForm.FACTURX_FR:
        return party | {"einvoicing_addr": seller.siren, "einvoicing_addr_schemeid": _DIRECTORY}
    return party | {"einvoicing_addr": seller.sender, "einvoicing_addr_schemeid": _MAIL}


def _buyer(buyer: Buyer, *, with_vat: bool) -> Terms:
    party = {"name": buyer.name, **_address(buyer.address), **_registered(buyer.siren)}
    if with_vat and buyer.vat_number:
        party["vat_identifier"] = buyer.vat_number
    if buyer.siren:
        party |= {"einvoicing_addr": buyer.siren, "einvoicing_addr_schemeid": _DIRECTORY}
    return party


def _registered(siren: str) -> Terms:
    return {"legal_identifier": siren, "legal_identifier_schemeid": _SIREN} if siren else {}


def _address(address: Address | None) -> Terms:
    if address is None:
        return {}
    return {
        "addr_l1": address.line1,
        "addr_l2": address.line2,
        "postcode": address.postal_code,
        "city": address.city,
        "country_code": address.country,
    }


def _when_due(document: Document) -> str | None:
    """When the VAT of services falls due in France: when it is paid, or on invoicing by choice (CGI art. 269-2 c)."""
    if document.seller.address.country not in FRENCH or any(
        p.rate.category != "S" for p in document.per_rate
    ):
        return None
    return "invoice" if document.seller.vat_on_debits else "payment"


def _payment(document: Document) -> Terms:
    if document.kind is DocumentKind.CREDIT_NOTE:
        return {}
    sentence = means_sentence(document)
    terms: Terms = {"BT-9": document.due_on, "BT-20": sentence}
    means, iban = document.means, document.seller.iban
    if means is PaymentMeans.TRANSFER and not iban:
        means = PaymentMeans.OPEN
    terms |= {"BT-81": _MEANS[means], "BT-82": sentence, "BT-83": document.number}
    if (
        means is PaymentMeans.SEPA_DEBIT and document.due_minor > 0
    ):  # BG-19; the account itself Stripe does not tell
        terms["BT-89"] = document.mandate_reference or None
        terms["BT-90"] = document.creditor_id or None
    if means is PaymentMeans.TRANSFER:
        terms |= {"BT-84": "".join(iban.split()), "BT-85": document.seller.name}
        terms["BT-86"] = document.seller.bic or None
    return terms


def _rate(part: RateLine, document: Document) -> Terms:
    terms: Terms = {
        "BT-116": _amount(part.base_minor, document),
        "BT-117": _amount(part.vat_minor, document),
        "BT-118": part.rate.category,
        "BT-119": None if part.rate.category == OUTSIDE_THE_SCOPE else _number(part.rate.percent),
    }
    if part.mention:
        said = mention(part.mention, seller_country=document.seller.address.country)
        terms |= {"BT-120": said.text(document.language.value), "BT-121": said.reason_code}
    return terms


def _line(number: int, line: DocumentLine, document: Document) -> Terms:
    off_minor = line.list_minor - line.net_minor
    is_discounted = off_minor != 0 and line.net_minor >= 0
    priced_minor = line.list_minor if is_discounted else line.net_minor
    terms: Terms = {
        "BT-126": str(number),
        "BT-131": _amount(line.net_minor, document),
        "BT-134": line.start,
        "BT-135": line.last_on,
        "BT-151": line.rate.category,
        "BT-152": None if line.rate.category == OUTSIDE_THE_SCOPE else _number(line.rate.percent),
        "BT-153": line_name(line, document),
        **_price(line, priced_minor, document),
    }
    if is_discounted:
        terms["BG-27"] = [
            {
                "amount": _amount(off_minor, document),
                "reason": ", ".join(line.discounts),
                "reason_code": _DISCOUNT,
            }
        ]
    return terms


def _price(line: DocumentLine, amount_minor: int, document: Document) -> Terms:
    """Quantity, price and base quantity (BT-129, 146, 149), such that quantity x price / base rounds to the amount.

    Where the unit price alone gives the amount, it is told as it is. Everything else, such as a part of a period, tiers
    or a price with tax, is told as the amount for so many days or units: no rounding can then come between the two.
    """
    sign = -1 if amount_minor < 0 else 1
    amount = to_major(abs(amount_minor), document.currency)
    unit = line.unit_amount
    if unit is not None and line.package_size is None and not line.is_part and not document.tax_included:
        exact = to_exact_minor(unit * abs(line.quantity), document.currency)
        told = _fits(unit, _PRICE_PLACES) and _fits(line.quantity, _QUANTITY_PLACES)
        if told and round_half_up(exact) == abs(amount_minor):
            return _priced(sign * abs(line.quantity), _PIECE, _at_least_minor(unit, document.currency))
    if line.is_part and line.days:
        return _priced(sign * Decimal(line.days), _DAY, amount, base=Decimal(line.days))
    quantity = abs(line.quantity)
    if quantity == 0 or not _fits(quantity, _QUANTITY_PLACES):
        return _priced(Decimal(sign), _PIECE, amount)
    return _priced(sign * quantity, _PIECE, amount, base=quantity if quantity != 1 else None)


def _priced(quantity: Decimal, unit: str, price: Decimal, *, base: Decimal | None = None) -> Terms:
    terms: Terms = {"BT-129": _number(quantity), "BT-130": unit, "BT-146": f"{price:f}"}
    if base is not None:
        terms["BT-149"] = _number(base)
    return terms


def _fits(number: Decimal, places: int) -> bool:
    return -int(number.normalize().as_tuple().exponent) <= places


def _at_least_minor(unit: Decimal, currency: str) -> Decimal:
    """The same price with at least the decimals of its currency."""
    places = exponent(currency)
    return unit.quantize(Decimal(1).scaleb(-places)) if _fits(unit, places) else unit.normalize()


def _amount(minor: int, document: Document) -> str:
    return _major(minor, document.currency)


def _major(minor: int, currency: str) -> str:
    return f"{to_major(minor, currency):f}"


def _number(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _cleaned(value: Any) -> Any:  # noqa: ANN401
    """The same without characters that XML does not know."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {key: _cleaned(part) for key, part in value.items()}
        case list():
            return [_cleaned(part) for part in value]
        case _:
            return value
