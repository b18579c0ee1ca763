from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.tax import RateTotal, TaxRate, Totals, totals_by_rate


def rate(percent: str, category: str = "S", contained: str | None = None) -> TaxRate:
    return TaxRate(
        category=category,
        percent=Decimal(percent),
        contained_percent=None if contained is None else Decimal(contained),
    )


VAT_20 = rate("20")
REVERSE_CHARGE = rate("0", "AE", contained="20")


def per_rate(totals: Totals) -> list[tuple[str, int, int]]:
    return [(str(part.rate.percent), part.base_minor, part.vat_minor) for part in totals.per_rate]


def test_v1_vat_once_on_the_sum_of_the_lines() -> None:
    taxed = totals_by_rate([(3333, VAT_20), (3333, VAT_20), (3333, VAT_20)], tax_included=False)
    assert (taxed.totals.net_minor, taxed.totals.vat_minor, taxed.totals.total_minor) == (9999, 2000, 11999)
    assert taxed.net_minor == (3333, 3333, 3333)


def test_v2_several_rates() -> None:
    taxed = totals_by_rate(
        [(1005, rate("20")), (777, rate("5.5")), (2010, rate("20.0")), (333, rate("2.1"))],
        tax_included=False,
    )
    assert per_rate(taxed.totals) == [("20", 3015, 603), ("5.5", 777, 43), ("2.1", 333, 7)]
    assert taxed.totals.total_minor == 4778
    assert taxed.net_minor == (1005, 777, 2010, 333)


def test_v3_a_price_with_tax_keeps_its_gross() -> None:
    taxed = totals_by_rate([(999, VAT_20)], tax_included=True)
    assert (taxed.totals.net_minor, taxed.totals.vat_minor, taxed.totals.total_minor) == (833, 166, 999)


def test_v4_lines_with_tax_share_the_net() -> None:
    taxed = totals_by_rate([(999, VAT_20)] * 3, tax_included=True)
    assert (taxed.totals.net_minor, taxed.totals.vat_minor, taxed.totals.total_minor) == (2498, 499, 2997)
    assert taxed.net_minor == (833, 833, 832)


def test_a_credit_mirrors_its_charge() -> None:
    taxed = totals_by_rate([(-999, VAT_20)] * 3, tax_included=True)
    assert per_rate(taxed.totals) == [("20", -2498, -499)]
    assert taxed.net_minor == (-833, -833, -832)
    # P3: -8.51 at 20 % is -1.702
    assert per_rate(totals_by_rate([(-3406, VAT_20), (2555, VAT_20)], tax_included=False).totals) == [
        ("20", -851, -170)
    ]


def test_credit_and_charge_with_tax_on_one_document_keep_their_own_net() -> None:
    # 10.00 and -9.99 with 20 %: 8.333... and -8.325; together 0.01, of which 0.0083 net
    taxed = totals_by_rate([(1000, VAT_20), (-999, VAT_20)], tax_included=True)
    assert per_rate(taxed.totals) == [("20", 1, 0)]
    assert taxed.net_minor == (833, -832)


def test_half_a_cent_of_vat_goes_away_from_zero() -> None:
    # 0.10 at 5 % is half a cent
    assert totals_by_rate([(10, rate("5"))], tax_included=False).totals.vat_minor == 1
    assert totals_by_rate([(-10, rate("5"))], tax_included=False).totals.vat_minor == -1


@pytest.mark.parametrize("category", ["AE", "E", "Z", "G", "O"])
def test_untaxed_categories_bill_their_base_alone(category: str) -> None:
    taxed = totals_by_rate([(5000, rate("0", category))], tax_included=False)
    assert per_rate(taxed.totals) == [("0", 5000, 0)]


def test_a_reverse_charge_buyer_of_a_price_with_tax_pays_its_net() -> None:
    taxed = totals_by_rate([(999, REVERSE_CHARGE)] * 3, tax_included=True)
    assert per_rate(taxed.totals) == [("0", 2498, 0)]
    assert taxed.net_minor == (833, 833, 832)


def test_one_percent_in_two_categories_is_two_groups() -> None:
    taxed = totals_by_rate([(100, rate("0", "E")), (200, rate("0", "AE"))], tax_included=False)
    assert [(part.rate.category, part.base_minor) for part in taxed.totals.per_rate] == [
        ("E", 100),
        ("AE", 200),
    ]


def test_an_empty_document_is_zero() -> None:
    assert totals_by_rate([], tax_included=False).totals == Totals(per_rate=())
    assert Totals(per_rate=()).total_minor == 0


def test_totals_add_rate_by_rate() -> None:
    invoice = totals_by_rate([(1000, VAT_20), (500, rate("5.5"))], tax_included=False).totals
    more = Totals(
        per_rate=(
            RateTotal(rate=rate("20.00"), base_minor=-400, vat_minor=-80),
            RateTotal(rate=rate("10"), base_minor=100, vat_minor=10),
        )
    )
    assert per_rate(invoice + more) == [("20", 600, 120), ("5.5", 500, 28), ("10", 100, 10)]
    assert (invoice + -invoice).total_minor == 0


@pytest.mark.parametrize(
    ("category", "percent"), [("S", "-1"), ("S", "101"), ("S", "NaN"), ("AE", "20"), ("s", "20")]
)
def test_rates_that_make_no_sense_are_refused(category: str, percent: str) -> None:
    with pytest.raises(ValidationError):
        rate(percent, category)


AMOUNTS = st.integers(-1_000_000, 1_000_000)
RATES = st.sampled_from([rate("20"), rate("10"), rate("5.5"), rate("2.1"), rate("0", "E"), REVERSE_CHARGE])
DOCUMENTS = st.lists(st.tuples(AMOUNTS, RATES), max_size=8)


@given(DOCUMENTS, st.booleans())
def test_lines_sum_to_totals(document: list[tuple[int, TaxRate]], tax_included: bool) -> None:  # noqa: FBT001
    taxed = totals_by_rate(document, tax_included=tax_included)
    assert sum(taxed.net_minor) == taxed.totals.net_minor
    for part in taxed.totals.per_rate:
        nets = [
            net
            for net, (_, own) in zip(taxed.net_minor, document, strict=True)
            if own.group == part.rate.group
        ]
        assert sum(nets) == part.base_minor
        assert abs(part.vat_minor - part.base_minor * Fraction(part.rate.percent) / 100) <= 1
    mirrored = totals_by_rate([(-amount, own) for amount, own in document], tax_included=tax_included)
    assert mirrored.totals == -taxed.totals
    assert mirrored.net_minor == tuple(-net for net in taxed.net_minor)


@given(st.lists(st.tuples(AMOUNTS, st.sampled_from([rate("20"), rate("5.5")])), max_size=8))
def test_the_gross_of_prices_with_tax_is_kept(document: list[tuple[int, TaxRate]]) -> None:
    taxed = totals_by_rate(document, tax_included=True)
    assert taxed.totals.total_minor == sum(amount for amount, _ in document)
