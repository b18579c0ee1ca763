from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing.money import UnknownCurrency
from mails.formats import Language, format_amount, format_date, format_instant, format_month

FR, EN = Language.FR, Language.EN


@pytest.mark.parametrize(
    ("amount_minor", "currency", "language", "expected"),
    [
        (5880, "EUR", FR, "58,80\u00a0€"),
        (5880, "EUR", EN, "€58.80"),
        (105880, "EUR", FR, "1\u202f058,80\u00a0€"),
        (105880, "EUR", EN, "€1,058.80"),
        (0, "EUR", FR, "0,00\u00a0€"),
        (-5880, "EUR", FR, "-58,80\u00a0€"),
        (-5880, "EUR", EN, "-€58.80"),
        (1, "EUR", EN, "€0.01"),
        (1235, "JPY", FR, "1\u202f235\u00a0JPY"),
        (1235, "JPY", EN, "JP¥1,235"),
        (1058123, "BHD", FR, "1\u202f058,123\u00a0BHD"),
        (1058123, "BHD", EN, "BHD\u00a01,058.123"),
        (1500, "IQD", EN, "IQD\u00a01.500"),
        (1050, "CHF", FR, "10,50\u00a0CHF"),
        (1050, "CHF", EN, "CHF\u00a010.50"),
        (1050, "USD", EN, "US$10.50"),
        (100000000000000005, "EUR", EN, "€1,000,000,000,000,000.05"),
    ],
)
def test_amounts_are_exact_in_the_readers_format(
    amount_minor: int, currency: str, language: Language, expected: str
) -> None:
    assert format_amount(amount_minor, currency, language) == expected


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(UnknownCurrency):
        format_amount(100, "EURO", FR)


@pytest.mark.parametrize(
    ("on", "french", "english"),
    [
        (date(2027, 1, 31), "31 janvier 2027", "31 January 2027"),
        (date(2027, 1, 1), "1er janvier 2027", "1 January 2027"),
        (date(2027, 8, 11), "11 août 2027", "11 August 2027"),
        (date(2027, 12, 21), "21 décembre 2027", "21 December 2027"),
    ],
)
def test_dates_in_full(on: date, french: str, english: str) -> None:
    assert format_date(on, FR) == french
    assert format_date(on, EN) == english


def test_months() -> None:
    assert format_month(date(2027, 2, 1), FR) == "février 2027"
    assert format_month(date(2027, 2, 1), EN) == "February 2027"


@pytest.mark.parametrize(
    ("timezone", "french", "english"),
    [
        (
            "Europe/Paris",
            "1er février 2027 à 00:12 (heure de référence\u00a0: Paris)",
            "1 February 2027 at 00:12 (Paris time)",
        ),
        (
            "America/Argentina/Buenos_Aires",
            "31 janvier 2027 à 20:12 (heure de référence\u00a0: Buenos Aires)",
            "31 January 2027 at 20:12 (Buenos Aires time)",
        ),
        (
            "UTC",
            "31 janvier 2027 à 23:12 (heure de référence\u00a0: UTC)",
            "31 January 2027 at 23:12 (UTC time)",
        ),
    ],
)
def test_an_instant_is_shown_in_the_readers_zone(timezone: str, french: str, english: str) -> None:
    at = datetime(2027, 1, 31, 23, 12, tzinfo=UTC)
    assert format_instant(at, timezone, FR) == french
    assert format_instant(at, timezone, EN) == english


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("fr", FR),
        ("fr-CA", FR),
        ("fr_FR", FR),
        ("FR", FR),
        ("en-GB", EN),
        ("de-DE", EN),
        ("fro", EN),
        ("", EN),
    ],
)
def test_french_for_french_locales_and_english_for_all_others(locale: str, language: Language) -> None:
    assert Language.of(locale) is language
