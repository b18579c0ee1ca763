"""VAT numbers and SIRENs: what is taken, how it is kept, and what is refused."""

import pytest

from billing.errors import InvalidInput
from billing.tax_numbers import check_fits, check_same_company, siren, state_of_vat_number, vat_number
from billing.tax_places import place_of


@pytest.mark.parametrize(
    ("typed", "kept", "state"),
    [
        ("FR40303265045", "FR40303265045", "FR"),
        ("fr 40 303 265 045", "FR40303265045", "FR"),
        ("DE 136,695 976".replace(",", "."), "DE136695976", "DE"),
        ("ATU13585627", "ATU13585627", "AT"),
        ("BE 0428.759.497", "BE0428759497", "BE"),
        ("NL004495445B01", "NL004495445B01", "NL"),
        ("ESX-5910266W", "ESX5910266W", "ES"),
        ("IE6433435F", "IE6433435F", "IE"),
        ("EL 094259216", "EL094259216", "GR"),
        ("GR094259216", "EL094259216", "GR"),
        ("XI980780684", "XI980780684", None),
        ("GB980780684", "GB980780684", None),
        ("CHE-116.281.710 MWST", "CHE116281710MWST", None),
        ("", "", None),
        ("   ", "", None),
    ],
)
def test_a_number_is_kept_in_one_form(typed: str, kept: str, state: str | None) -> None:
    assert vat_number(typed) == kept
    assert state_of_vat_number(kept) == state


@pytest.mark.parametrize(
    "typed",
    [
        "FR41303265045",  # check digits
        "DE136695977",
        "ATU13585626",
        "IT00743110158",
        "PL8567346216",
        "DE12345",  # too short
        "303265045",  # without its State
        "FR",
        "FRANCE40303265045",
        "DE136695976; DROP",
        "XI980780685",
    ],
)
def test_a_number_that_no_state_gave_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        vat_number(typed)
    assert refusal.value.field == "vat_number"


@pytest.mark.parametrize(
    ("number", "country", "code", "fits"),
    [
        ("FR40303265045", "FR", "75002", True),
        ("FR40303265045", "FR", "97400", True),
        ("FR40303265045", "MC", "98000", True),
        ("EL094259216", "GR", "10552", True),
        ("ESX5910266W", "IC", "35001", True),
        ("", "DE", "", True),
        ("GB980780684", "GB", "", True),
        ("GB980780684", "US", "", True),
        ("DE136695976", "FR", "75002", False),
        ("DE136695976", "CH", "8001", False),
        ("GB980780684", "FR", "75002", False),
        ("XI980780684", "IE", "", False),
    ],
)
def test_number_and_address_fit(number: str, country: str, code: str, *, fits: bool) -> None:
    if fits:
        check_fits(number, place_of(country, code))
    else:
        with pytest.raises(InvalidInput, match="do not fit"):
            check_fits(number, place_of(country, code))


def test_a_siren_has_a_check_digit() -> None:
    assert siren("732 829 320") == "732829320"
    assert siren("") == ""
    for wrong in ("732829321", "73282932", "73282932000074", "abc"):
        with pytest.raises(InvalidInput) as refusal:
            siren(wrong)
        assert refusal.value.field == "siren"


def test_siren_and_french_number_are_of_one_company() -> None:
    check_same_company("FR44732829320", "732829320")
    check_same_company("DE136695976", "732829320")
    check_same_company("", "732829320")
    with pytest.raises(InvalidInput, match="two companies"):
        check_same_company("FR40303265045", "732829320")
