from __future__ import annotations

import pytest

from billing.bank_accounts import InvalidBic, InvalidIban, bic, iban


def test_an_account_is_kept_without_spaces_and_in_capitals() -> None:
    assert iban("fr76 3000 6000 0112 3456 7890 189") == "FR7630006000011234567890189"
    assert bic("agri frpp 882") == "AGRIFRPP882"
    assert (iban(""), bic(" ")) == ("", "")


@pytest.mark.parametrize("text", ["FR7630006000011234567890188", "FR76", "hello", "0123456789"])
def test_a_number_that_no_account_has_is_refused(text: str) -> None:
    with pytest.raises(InvalidIban, match=r"is no IBAN.*FR76 3000") as refused:
        iban(text)
    assert (refused.value.code, refused.value.field) == ("invalid_iban", "iban")


@pytest.mark.parametrize("text", ["AGRI", "AGRIFRPP8", "1234FRPP"])
def test_a_code_that_no_bank_has_is_refused(text: str) -> None:
    with pytest.raises(InvalidBic, match=r"is no BIC.*AGRIFRPP") as refused:
        bic(text)
    assert (refused.value.code, refused.value.field) == ("invalid_bic", "bic")
