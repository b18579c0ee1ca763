"""Who is taxed how. The expected outcomes are typed in from the law, case by case."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.subscription import CustomerKind
from billing.tax import TaxRate, totals_by_rate
from billing.tax_mentions import mention
from billing.tax_places import EU_STATES, TaxPlace, place_of
from billing.taxation import (
    TAX_CLASSES,
    BuyerFacts,
    NoRate,
    NumberProof,
    SellerFacts,
    TaxFacts,
    TaxTreatment,
    TreatmentKind,
    treatment_for,
)
from billing.vat_rates import default_rates

PARIS = place_of("FR", "75002")
NOW = date(2026, 11, 22)

CONSUMER, BUSINESS = CustomerKind.CONSUMER, CustomerKind.BUSINESS


def proof(*, valid: bool = True) -> NumberProof:
    return NumberProof(number="XX1", valid=valid, source="offline")


def decide(
    country: str | None,
    postal_code: str = "",
    *,
    kind: CustomerKind = CONSUMER,
    number: NumberProof | None = None,
    passed: bool = False,
    seller: TaxPlace = PARIS,
    small_business: bool = False,
    opted_in: bool = False,
    percent: str | None = None,
    on: date = NOW,
) -> TaxTreatment:
    facts = TaxFacts(
        seller=SellerFacts(
            place=seller,
            small_business=small_business,
            oss_opted_in=opted_in,
            standard_percent=None if percent is None else Decimal(percent),
        ),
        buyer=BuyerFacts(
            kind=kind, place=None if country is None else place_of(country, postal_code), number=number
        ),
        on=on,
        threshold_passed=passed,
    )
    return treatment_for(facts, default_rates())


def said(treatment: TaxTreatment) -> str:
    rate = treatment.rate_for("standard")
    where = "/".join(filter(None, (treatment.country, treatment.territory)))
    return (
        f"{treatment.kind} {where} {rate.category} {rate.percent.normalize():f} {treatment.mention}".strip()
    )


# Country, postal code; consumer below the threshold; consumer beyond it; business with a valid number.
FROM_PARIS = [
    ("FR", "69002", "domestic FR S 20", "domestic FR S 20", "domestic FR S 20"),
    ("FR", "20090", "domestic FR/corsica S 20", "domestic FR/corsica S 20", "domestic FR/corsica S 20"),
    ("MC", "98000", "domestic FR/monaco S 20", "domestic FR/monaco S 20", "domestic FR/monaco S 20"),
    ("FR", "98000", "domestic FR/monaco S 20", "domestic FR/monaco S 20", "domestic FR/monaco S 20"),
    *(
        (country, code, *(f"overseas FR/{name} S 8.5",) * 3)
        for country, code, name in (
            ("FR", "97110", "guadeloupe"),
            ("FR", "97200", "martinique"),
            ("FR", "97400", "reunion"),
            ("RE", "97400", "reunion"),
        )
    ),
    *(
        (country, code, *(f"overseas FR/{name} O 0 no_vat_overseas",) * 3)
        for country, code, name in (("FR", "97300", "guyane"), ("YT", "", "mayotte"), ("FR", "97600", "mayotte"))
    ),
    *(
        (country, code, *(f"outside_eu {where} O 0 outside_eu",) * 3)
        for country, code, where in (
            ("FR", "97150", "FR/saint_martin"),
            ("FR", "97133", "FR/saint_barthelemy"),
            ("GP", "97150", "FR/saint_martin"),
            ("PF", "98714", "FR/french_polynesia"),
            ("FR", "98800", "FR/new_caledonia"),
            ("ES", "35001", "ES/canary_islands"),
            ("ES", "51001", "ES/ceuta"),
            ("ES", "52001", "ES/melilla"),
            ("DE", "78266", "DE/busingen"),
            ("DE", "27498", "DE/heligoland"),
            ("IT", "23041", "IT/livigno"),
            ("IT", "22061", "IT/campione"),
            ("FI", "22100", "FI/aland"),
            ("AX", "22100", "FI/aland"),
            ("GR", "630 86", "GR/mount_athos"),
            ("GB", "SW1A 1AA", "GB"),
            ("GB", "BT1 1AA", "GB"),  # Northern Ireland is in the Union for goods only
            ("CH", "8001", "CH"),
            ("US", "10001", "US"),
            ("JP", "", "JP"),
        )
    ),
    *(
        (
            country,
            "",
            "below_threshold FR S 20",
            f"oss {country} S {percent}",
            f"reverse_charge {country} AE 0 reverse_charge",
        )
        for country, percent in (
            ("AT", "20"), ("BE", "21"), ("BG", "20"), ("CY", "19"), ("CZ", "21"), ("DE", "19"), ("DK", "25"),
            ("EE", "24"), ("ES", "21"), ("FI", "25.5"), ("GR", "24"), ("HR", "25"), ("HU", "27"), ("IE", "23"),
            ("IT", "22"), ("LT", "21"), ("LU", "17"), ("LV", "21"), ("MT", "18"), ("NL", "21"), ("PL", "23"),
            ("PT", "23"), ("RO", "21"), ("SE", "25"), ("SI", "22"), ("SK", "23"),
        )
    ),
    (
        "PT",
        "9000-018",
        "below_threshold FR S 20",
        "oss PT/madeira S 22",
        "reverse_charge PT/madeira AE 0 reverse_charge",
    ),
    (
        "PT",
        "9500-010",
        "below_threshold FR S 20",
        "oss PT/azores S 16",
        "reverse_charge PT/azores AE 0 reverse_charge",
    ),
    (
        "AT",
        "6691",
        "below_threshold FR S 20",
        "oss AT/jungholz_mittelberg S 19",
        "reverse_charge AT/jungholz_mittelberg AE 0 reverse_charge",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("country", "code", "below", "beyond", "business"), FROM_PARIS)
def test_a_seller_in_paris(country: str, code: str, below: str, beyond: str, business: str) -> None:
    assert said(decide(country, code)) == below
    assert said(decide(country, code, passed=True)) == beyond
    assert said(decide(country, code, kind=BUSINESS, number=proof())) == business


def test_the_cases_name_every_member_state() -> None:
    assert {country for country, *_ in FROM_PARIS} >= EU_STATES


def test_nothing_is_known_of_the_buyer() -> None:
    assert said(decide(None)) == "domestic FR S 20"
    assert said(decide(None, kind=BUSINESS, number=proof(), passed=True)) == "domestic FR S 20"


@pytest.mark.parametrize(
    ("kind", "number", "outcome"),
    [
        (BUSINESS, proof(), "reverse_charge DE AE 0 reverse_charge"),
        (BUSINESS, proof(valid=False), "oss DE S 19"),
        (BUSINESS, None, "oss DE S 19"),
        (CustomerKind.PUBLIC_BODY, proof(), "reverse_charge DE AE 0 reverse_charge"),
        (CustomerKind.PUBLIC_BODY, None, "oss DE S 19"),
        (CustomerKind.NON_PROFESSIONAL, proof(), "reverse_charge DE AE 0 reverse_charge"),
        (CustomerKind.NON_PROFESSIONAL, None, "oss DE S 19"),
        (CONSUMER, proof(), "oss DE S 19"),
    ],
)
def test_who_counts_as_a_business_in_another_member_state(
    kind: CustomerKind, number: NumberProof | None, outcome: str
) -> None:
    assert said(decide("DE", "10115", kind=kind, number=number, passed=True)) == outcome


def test_who_opted_in_taxes_where_the_consumer_is_from_the_first_euro() -> None:
    assert said(decide("DE", "10115", opted_in=True)) == "oss DE S 19"
    assert decide("DE", "10115", opted_in=True).consumed_in == "DE"


def test_the_threshold_counts_both_sides_of_it_and_nothing_else() -> None:
    assert decide("DE").consumed_in == "DE"
    assert decide("DE", passed=True).consumed_in == "DE"
    for other in (decide("FR"), decide("FR", "97400"), decide("US"), decide(None)):
        assert other.consumed_in is None
    assert decide("DE", kind=BUSINESS, number=proof()).consumed_in is None


@pytest.mark.parametrize(
    ("country", "code", "kind", "number", "outcome"),
    [
        ("FR", "69002", CONSUMER, None, "domestic FR E 0 small_business"),
        ("FR", "97400", CONSUMER, None, "overseas FR/reunion E 0 small_business"),
        ("DE", "", CONSUMER, None, "below_threshold FR E 0 small_business"),
        ("DE", "", BUSINESS, proof(), "reverse_charge DE AE 0 reverse_charge"),
        ("US", "", BUSINESS, None, "outside_eu US O 0 outside_eu"),
    ],
)
def test_a_small_business_charges_no_vat_at_home(
    country: str, code: str, kind: CustomerKind, number: NumberProof | None, outcome: str
) -> None:
    treatment = decide(country, code, kind=kind, number=number, small_business=True)
    assert said(treatment) == outcome
    assert treatment.rate_for("standard").contained_percent is None, "its prices contain no VAT"


@pytest.mark.parametrize(
    ("seller", "country", "code", "outcome"),
    [
        (place_of("DE", "10115"), "DE", "80331", "domestic DE S 19"),
        (place_of("DE", "10115"), "FR", "75002", "below_threshold DE S 19"),
        (place_of("DE", "10115"), "FR", "97400", "outside_eu FR/reunion O 0 outside_eu"),
        (place_of("FR", "97400"), "FR", "75002", "domestic FR S 20"),
        (place_of("FR", "97400"), "FR", "97400", "overseas FR/reunion S 8.5"),
        (place_of("FR", "97300"), "FR", "75002", "domestic FR S 20"),
        (place_of("FR", "97300"), "DE", "", "below_threshold FR/guyane O 0 no_vat_overseas"),
    ],
)
def test_sellers_elsewhere(seller: TaxPlace, country: str, code: str, outcome: str) -> None:
    assert said(decide(country, code, seller=seller)) == outcome


def test_a_seller_outside_the_union_has_the_rate_that_it_says_and_only_that() -> None:
    zurich = place_of("CH", "8001")
    assert said(decide("DE", seller=zurich, percent="8.1")) == "domestic CH S 8.1"
    assert said(decide("DE", seller=zurich, percent="0")) == "domestic CH Z 0"
    for nowhere in (zurich, place_of("PF", "98714")):
        with pytest.raises(NoRate) as refusal:
            decide("CH", seller=nowhere)
        assert refusal.value.field == "vat_percent"


def test_a_seller_s_own_rate_holds_at_home_and_below_the_threshold_only() -> None:
    assert said(decide("FR", "75001", percent="5.5")) == "domestic FR S 5.5"
    assert said(decide(None, percent="5.5")) == "domestic FR S 5.5"
    assert said(decide("DE", percent="5.5")) == "below_threshold FR S 5.5"
    assert said(decide("DE", percent="5.5", passed=True)) == "oss DE S 19"
    assert said(decide("FR", "97400", percent="5.5")) == "overseas FR/reunion S 8.5"


@pytest.mark.parametrize(
    ("country", "on", "percent"),
    [
        ("FI", date(2024, 8, 31), "24"),
        ("FI", date(2024, 9, 1), "25.5"),
        ("EE", date(2025, 6, 30), "22"),
        ("EE", date(2025, 7, 1), "24"),
        ("RO", date(2025, 7, 31), "19"),
        ("RO", date(2025, 8, 1), "21"),
        ("SK", date(2024, 12, 31), "20"),
        ("SK", date(2025, 1, 1), "23"),
        ("LU", date(2023, 12, 31), "16"),
        ("LU", date(2024, 1, 1), "17"),
    ],
)
def test_the_rate_is_that_of_the_day(country: str, on: date, percent: str) -> None:
    assert decide(country, passed=True, on=on).rate_for("standard").percent == Decimal(percent)


def test_classes_of_prices() -> None:
    french, danish = decide("FR"), decide("DK", passed=True)
    assert [french.rate_for(name).percent for name in TAX_CLASSES[:4]] == [
        Decimal(20), Decimal(10), Decimal("5.5"), Decimal("2.1"),
    ]  # fmt: skip
    assert danish.rate_for("reduced").percent == Decimal(25), "Denmark has one rate"
    exempt = french.rate_for("exempt")
    assert exempt == TaxRate(category="E", percent=Decimal(0))
    assert french.mention_for(exempt) == "exempt_supply"
    assert french.mention_for(french.rate_for("standard")) == ""


def test_a_business_that_owes_the_vat_itself_pays_the_net_of_a_price_with_tax() -> None:
    # 12.00 with 20 % French VAT is 10.00 net (rules 6).
    for treatment in (
        decide("DE", kind=BUSINESS, number=proof()),
        decide("US"),
        decide("FR", "97300"),
    ):
        taxed = totals_by_rate([(1200, treatment.rate_for("standard"))], tax_included=True)
        assert (taxed.totals.net_minor, taxed.totals.vat_minor) == (1000, 0)


def test_a_consumer_elsewhere_keeps_the_price_with_tax() -> None:
    # 11.90 with 19 % German VAT is 10.00 and 1.90.
    taxed = totals_by_rate([(1190, decide("DE", passed=True).rate_for("standard"))], tax_included=True)
    assert (taxed.totals.net_minor, taxed.totals.vat_minor) == (1000, 190)


def test_treatments_that_may_share_a_document() -> None:
    assert decide("FR").taxes_like(decide("FR", "69002", kind=BUSINESS, number=proof()))
    assert not decide("FR").taxes_like(decide("FR", "97400"))
    assert not decide("DE").taxes_like(decide("DE", kind=BUSINESS, number=proof()))


def test_sentences_of_the_law() -> None:
    assert mention("small_business", seller_country="FR").fr == "TVA non applicable, art. 293 B du CGI"
    assert "293 B" not in mention("small_business", seller_country="DE").en
    reverse = mention("reverse_charge", seller_country="FR")
    assert reverse.text("fr").startswith("Autoliquidation")
    assert reverse.text("en").startswith("Reverse charge")
    assert reverse.reason_code == "VATEX-EU-AE"


PLACES = st.builds(
    place_of,
    st.sampled_from([*sorted(EU_STATES), "CH", "GB", "US", "RE", "GF", "MC", "PF", "AX"]),
    st.from_regex(r"[0-9]{0,5}", fullmatch=True),
)
FACTS = st.builds(
    TaxFacts,
    seller=st.builds(SellerFacts, place=st.just(PARIS), standard_percent=st.none()),
    buyer=st.builds(
        BuyerFacts,
        kind=st.sampled_from(CustomerKind),
        place=st.none() | PLACES,
        number=st.none() | st.builds(proof, valid=st.booleans()),
    ),
    on=st.dates(date(2021, 7, 1), date(2060, 1, 1)),
)


@given(FACTS)
def test_every_sale_has_one_treatment_that_agrees_with_itself(facts: TaxFacts) -> None:
    treatment = treatment_for(facts, default_rates())
    standard = treatment.rate_for("standard")
    assert bool(treatment.mention) == (standard.category in {"AE", "O", "E"})
    assert bool(standard.percent) == (standard.category == "S")
    if treatment.kind is TreatmentKind.REVERSE_CHARGE:
        number = facts.buyer.number
        assert number is not None
        assert number.valid
        assert facts.buyer.kind is not CONSUMER
    if treatment.kind is TreatmentKind.OSS:
        assert facts.threshold_passed or facts.seller.oss_opted_in
    assert TaxTreatment.model_validate_json(treatment.model_dump_json()) == treatment
    for name in TAX_CLASSES:
        rate = treatment.rate_for(name)
        assert bool(rate.percent) != bool(treatment.mention_for(rate))
