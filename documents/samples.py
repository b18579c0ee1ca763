"""Made-up documents, one for each kind that the law treats differently: for the preview, the tests and the bench."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from billing.lines import LineKind
from billing.subscription import CustomerKind
from billing.tax import TaxRate
from billing.taxation import OUTSIDE_EU_MENTION, REVERSE_CHARGE_MENTION
from documents.document import Corrected, Document, DocumentKind, DocumentLine, PaymentMeans, RateLine
from mails.formats import Language
from models.parties import Address, Buyer, Seller

SELLER: Final = Seller(
    name="Atelier Nord",
    legal_form="SAS",
    capital="10 000 €",
    siren="732829320",
    registration="RCS Lille",
    vat_number="FR44732829320",
    address=Address(line1="12 rue des Tanneurs", postal_code="59000", city="Lille", country="FR"),
    iban="FR7630006000011234567890189",
    bic="AGRIFRPP",
    sender="facturation@ateliernord.example",
)
_BUYERS: Final = {
    "domestic": Buyer(
        name="Boulangerie Lefèvre & Fils",
        kind=CustomerKind.BUSINESS,
        siren="552100554",
        vat_number="FR96552100554",
        purchase_order="BC-7781",
        address=Address(line1="3 place du Marché", postal_code="69002", city="Lyon", country="FR"),
    ),
    "public_body": Buyer(
        name="Commune de Villeneuve",
        kind=CustomerKind.PUBLIC_BODY,
        siren="217500016",
        address=Address(line1="1 place de la Mairie", postal_code="01400", city="Villeneuve", country="FR"),
    ),
    "reverse_charge": Buyer(
        name="Schmidt Maschinenbau GmbH",
        kind=CustomerKind.BUSINESS,
        vat_number="DE136695976",
        address=Address(line1="Hafenstraße 4", postal_code="20457", city="Hamburg", country="DE"),
    ),
    "abroad": Buyer(
        name="Northwind Robotics Inc.",
        kind=CustomerKind.BUSINESS,
        address=Address(
            line1="400 Market Street", postal_code="94105", city="San Francisco CA", country="US"
        ),
    ),
    "consumer": Buyer(
        name="Anna Rossi",
        kind=CustomerKind.CONSUMER,
        address=Address(line1="8 rue Oberkampf", postal_code="75011", city="Paris", country="FR"),
    ),
    "non_professional": Buyer(
        name="Association des parents d’élèves",
        kind=CustomerKind.NON_PROFESSIONAL,
        address=Address(line1="2 rue de l’École", postal_code="31000", city="Toulouse", country="FR"),
    ),
}
_TWENTY: Final = TaxRate(category="S", percent=Decimal(20))
_REDUCED: Final = TaxRate(category="S", percent=Decimal("5.5"))
_REVERSE: Final = TaxRate(category="AE", percent=Decimal(0))
_OUTSIDE: Final = TaxRate(category="O", percent=Decimal(0))


def seats(net_minor: int = 24000, rate: TaxRate = _TWENTY) -> DocumentLine:
    """Five seats for a month."""
    return DocumentLine(
        kind=LineKind.SUBSCRIPTION,
        name="Team",
        description="sièges",
        quantity=Decimal(5),
        unit_amount=Decimal(48),
        start=date(2027, 1, 31),
        end=date(2027, 2, 28),
        whole_days=28,
        list_minor=24000,
        net_minor=net_minor,
        rate=rate,
    )


def _flat(net_minor: int, rate: TaxRate, unit_amount: str) -> DocumentLine:
    return DocumentLine(
        kind=LineKind.SUBSCRIPTION,
        name="Pro",
        quantity=Decimal(1),
        unit_amount=Decimal(unit_amount),
        start=date(2027, 1, 31),
        end=date(2027, 2, 28),
        whole_days=28,
        list_minor=net_minor,
        net_minor=net_minor,
        rate=rate,
    )


_USAGE: Final = DocumentLine(
    kind=LineKind.USAGE,
    name="Team",
    description="appels d’API",
    quantity=Decimal(12345),
    unit_amount=Decimal("0.0015"),
    start=date(2026, 12, 31),
    end=date(2027, 1, 31),
    list_minor=1852,
    net_minor=1852,
    rate=_TWENTY,
)
_SET_UP: Final = DocumentLine(
    kind=LineKind.ONE_OFF,
    name="Team",
    description="mise en service",
    quantity=Decimal(1),
    unit_amount=Decimal(150),
    start=date(2027, 1, 31),
    end=date(2027, 2, 1),
    whole_days=1,
    discounts=("BIENVENUE",),
    list_minor=15000,
    net_minor=10000,
    rate=_TWENTY,
)
_GUIDE: Final = DocumentLine(
    kind=LineKind.ONE_OFF,
    name="Guide imprimé",
    quantity=Decimal(2),
    unit_amount=Decimal("19.00"),
    start=date(2027, 1, 31),
    end=date(2027, 2, 1),
    whole_days=1,
    list_minor=3800,
    net_minor=3800,
    rate=_REDUCED,
)
_UNUSED: Final = DocumentLine(
    kind=LineKind.PRORATION_CREDIT,
    name="Starter",
    quantity=Decimal(1),
    unit_amount=Decimal("19.00"),
    start=date(2027, 2, 14),
    end=date(2027, 2, 28),
    whole_days=28,
    list_minor=-950,
    net_minor=-950,
    rate=_TWENTY,
)


def domestic_business(language: Language = Language.FR) -> Document:
    """A French business that pays by transfer: seats, usage, a set-up fee at a discount, two rates, some balance."""
    return Document(
        kind=DocumentKind.INVOICE,
        language=language,
        number="F-2027-000131",
        issued_on=date(2027, 1, 31),
        due_on=date(2027, 3, 2),
        seller=SELLER,
        buyer=_BUYERS["domestic"],
        currency="EUR",
        lines=(seats(), _USAGE, _SET_UP, _GUIDE, _UNUSED),
        per_rate=(
            RateLine(rate=_TWENTY, base_minor=34902, vat_minor=6980),
            RateLine(rate=_REDUCED, base_minor=3800, vat_minor=209),
        ),
        from_balance_minor=5000,
        means=PaymentMeans.TRANSFER,
    )


def _simple(buyer: str, language: Language, rate: TaxRate, vat_minor: int, mention: str = "") -> Document:
    return Document(
        kind=DocumentKind.INVOICE,
        language=language,
        number="F-2027-000132",
        issued_on=date(2027, 1, 31),
        due_on=date(2027, 1, 31),
        seller=SELLER,
        buyer=_BUYERS[buyer],
        currency="EUR",
        lines=(_flat(4900, rate, "49.00"),),
        per_rate=(RateLine(rate=rate, base_minor=4900, vat_minor=vat_minor, mention=mention),),
        means=PaymentMeans.CARD,
        method_label="Visa •••• 4242",
    )


def public_body(language: Language = Language.FR) -> Document:
    """A town hall, with a SEPA mandate."""
    return _simple("public_body", language, _TWENTY, 980).model_copy(
        update={
            "means": PaymentMeans.SEPA_DEBIT,
            "method_label": "SEPA •••• 7061",
            "mandate_reference": "RELANCE-7F3K2",
            "creditor_id": "FR72ZZZ123456",
        }
    )


def reverse_charge(language: Language = Language.EN) -> Document:
    """A business in another member state: no VAT, and the mention that says why."""
    return _simple("reverse_charge", language, _REVERSE, 0, REVERSE_CHARGE_MENTION)


def outside_the_union(language: Language = Language.EN) -> Document:
    """An American business, in dollars."""
    return _simple("abroad", language, _OUTSIDE, 0, OUTSIDE_EU_MENTION).model_copy(
        update={
            "currency": "USD",
            "vat_eur_minor": 0,
            "exchange_rate": Decimal("1.0842"),
            "exchange_rate_on": date(2027, 1, 29),
        }
    )


def consumer(language: Language = Language.FR) -> Document:
    """A consumer's plan at a price with VAT: 9.99, of which 1.66 is VAT (worked example V3)."""
    simple = _simple("consumer", language, _TWENTY, 980)
    line = _flat(833, _TWENTY, "9.99").model_copy(update={"gross_minor": 999})
    return simple.model_copy(
        update={
            "tax_included": True,
            "lines": (line,),
            "per_rate": (RateLine(rate=_TWENTY, base_minor=833, vat_minor=166),),
        }
    )


def non_professional(language: Language = Language.FR) -> Document:
    """An association, which is neither a consumer nor a business."""
    return _simple("non_professional", language, _TWENTY, 980)


def credit_note(language: Language = Language.FR) -> Document:
    """What a cancel gives back: part of it closes the invoice, the rest goes to the customer."""
    line = _flat(2450, _TWENTY, "49.00").model_copy(
        update={"kind": LineKind.CREDIT, "start": date(2027, 2, 14)}
    )
    return Document(
        kind=DocumentKind.CREDIT_NOTE,
        language=language,
        number="A-2027-000007",
        issued_on=date(2027, 2, 13),
        seller=SELLER,
        buyer=_BUYERS["domestic"],
        currency="EUR",
        lines=(line,),
        per_rate=(RateLine(rate=_TWENTY, base_minor=2450, vat_minor=490),),
        corrects=Corrected(number="F-2027-000132", issued_on=date(2027, 1, 31)),
        to_open_minor=940,
        to_customer_minor=2000,
    )


def long_invoice(language: Language = Language.FR, lines: int = 60) -> Document:
    """Several pages."""
    simple = _simple("domestic", language, _TWENTY, 980)
    return simple.model_copy(
        update={
            "lines": tuple(_flat(4900, _TWENTY, "49.00") for _ in range(lines)),
            "per_rate": (RateLine(rate=_TWENTY, base_minor=4900 * lines, vat_minor=980 * lines),),
        }
    )
