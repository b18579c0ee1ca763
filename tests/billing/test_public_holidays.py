from datetime import date

import pytest

from billing.public_holidays import is_public_holiday


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("FR", "2027-01-01", "New Year"),
        ("FR", "2027-03-29", "Easter Monday: Easter is 28 March"),
        ("FR", "2028-04-17", "Easter Monday: Easter is 16 April"),
        ("FR", "2038-04-26", "Easter Monday: Easter is 25 April, as late as it can be"),
        ("FR", "2027-05-06", "Ascension"),
        ("FR", "2027-05-17", "Whit Monday"),
        ("FR", "2027-07-14", "Bastille Day"),
        ("DE", "2027-03-26", "Good Friday"),
        ("DE", "2027-10-03", "German Unity"),
        ("IT", "2027-10-04", "Saint Francis, since 2026"),
        ("IE", "2027-08-02", "first Monday of August"),
        ("IE", "2027-10-25", "last Monday of October"),
        ("SE", "2027-06-26", "Midsummer, a Saturday"),
        ("FI", "2027-06-25", "Midsummer Eve"),
        ("PL", "2027-05-27", "Corpus Christi"),
    ],
)
def test_a_public_holiday_is_known(country: str, day: str, name: str) -> None:
    assert is_public_holiday(date.fromisoformat(day), country), name


@pytest.mark.parametrize(
    ("country", "day"),
    [
        ("FR", "2027-03-26"),  # Good Friday
        ("FR", "2027-12-26"),
        ("DE", "2027-07-14"),
        ("XX", "2027-01-01"),
        ("", "2027-01-01"),
    ],
)
def test_other_days_are_working_days(country: str, day: str) -> None:
    assert not is_public_holiday(date.fromisoformat(day), country)
