"""What a price says to whoever reads it: consumers read what they will pay, businesses what is agreed before tax."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.priced import plan, price

from billing.prices import Price, PricingModel, Tier
from billing.shown_prices import PriceTax, shown_prices
from billing.subscription import CustomerKind
from billing.tax import TaxRate
from billing.taxation import TaxTreatment, TreatmentKind


def taxed(percent: str, category: str = "S", contained: str | None = None) -> TaxTreatment:
    rate = TaxRate(
        category=category,
        percent=Decimal(percent),
        contained_percent=None if contained is None else Decimal(contained),
    )
    return TaxTreatment(kind=TreatmentKind.DOMESTIC, country="FR", rates={"standard": rate})


VAT_20 = taxed("20")


@pytest.mark.parametrize(
    ("kind", "amount", "tax"),
    [
        (CustomerKind.CONSUMER, "58.80", PriceTax.INCLUDED),
        (CustomerKind.NON_PROFESSIONAL, "58.80", PriceTax.INCLUDED),
        (CustomerKind.BUSINESS, "49.00", PriceTax.BEFORE),
        (CustomerKind.PUBLIC_BODY, "49.00", PriceTax.BEFORE),
    ],
)
def test_who_reads_prices_with_tax(kind: CustomerKind, amount: str, tax: PriceTax) -> None:
    shown = shown_prices(plan(price("49.00")), kind, VAT_20)
    assert ([each.unit_amount for each in shown.prices], shown.tax) == ([Decimal(amount)], tax)


@pytest.mark.parametrize(
    ("treatment", "net", "model", "shown"),
    [
        # 9.99 and 20 % are 11.988: a flat price is billed as 11.99, three seats as 35.96.
        (VAT_20, "9.99", PricingModel.FLAT, "11.99"),
        (VAT_20, "9.99", PricingModel.PER_UNIT, "11.988"),
        (VAT_20, "0.0015", PricingModel.PER_UNIT, "0.0018"),
        (taxed("5.5"), "0.15", PricingModel.PER_UNIT, "0.15825"),
        (VAT_20, "0", PricingModel.PER_UNIT, "0"),
    ],
)
def test_what_is_billed_many_times_keeps_its_decimals(
    treatment: TaxTreatment, net: str, model: PricingModel, shown: str
) -> None:
    found = shown_prices(plan(price(net, model)), CustomerKind.CONSUMER, treatment)
    assert [each.unit_amount for each in found.prices] == [Decimal(shown)]


def test_tiers_are_shown_with_tax_too() -> None:
    tiers = (
        Tier(up_to=10, unit_amount=Decimal("1.50"), flat_amount=Decimal("5.00")),
        Tier(up_to=None, unit_amount=Decimal("1.05")),
    )
    terms = plan(Price(id="calls", model=PricingModel.GRADUATED, tiers=tiers))
    (found,) = shown_prices(terms, CustomerKind.CONSUMER, VAT_20).prices
    assert [(tier.unit_amount, tier.flat_amount) for tier in found.tiers] == [
        (Decimal("1.80"), Decimal("6.00")),
        (Decimal("1.26"), Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("treatment", "flat", "seat", "tax"),
    [
        (VAT_20, "12.00", "12.00", PriceTax.INCLUDED),
        # A seller's price contains 20 %; where 8.5 % is charged, 12.00 / 1.2 * 1.085 is 10.85.
        (taxed("8.5", contained="20"), "10.85", "10.85", PriceTax.INCLUDED),
        (taxed("0", "O", contained="20"), "10.00", "10.00", PriceTax.NONE),
    ],
)
def test_prices_that_contain_tax(treatment: TaxTreatment, flat: str, seat: str, tax: PriceTax) -> None:
    terms = plan(
        price("12.00", id="flat"), price("12.00", PricingModel.PER_UNIT, id="seat"), tax_included=True
    )
    shown = shown_prices(terms, CustomerKind.CONSUMER, treatment)
    assert [each.unit_amount for each in shown.prices] == [Decimal(flat), Decimal(seat)]
    assert shown.tax is tax
    of_business = shown_prices(terms, CustomerKind.BUSINESS, treatment)
    assert (of_business.prices, of_business.tax) == (terms.prices, PriceTax.INCLUDED)


def test_where_there_is_no_tax_the_price_is_all() -> None:
    shown = shown_prices(plan(price("49.00")), CustomerKind.CONSUMER, taxed("0", "E"))
    assert ([each.unit_amount for each in shown.prices], shown.tax) == ([Decimal("49.00")], PriceTax.NONE)
