from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.transfers import Owing, Share, allot, may_name_more, numbers_in

ONE_EURO = 100


def owing(*open_minor: int) -> list[Owing]:
    return [Owing(invoice_id=f"in_{place}", open_minor=minor) for place, minor in enumerate(open_minor, 1)]


def test_r2_too_much_leaves_unapplied_cash() -> None:
    assert allot(13000, owing(12000), tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=12000, unapplied_minor=1000),
    )


def test_r2_a_little_too_little_closes_the_invoice() -> None:
    assert allot(11950, owing(12000), tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=11950, small_difference_minor=50),
    )


@pytest.mark.parametrize(
    ("received", "small"),
    [(11900, 100), (11899, 0), (12000, 0), (1, 0)],
    ids=["just within", "a cent beyond", "exact", "a cent"],
)
def test_the_tolerance_is_what_may_be_missing_at_most(received: int, small: int) -> None:
    (share,) = allot(received, owing(12000), tolerance_minor=ONE_EURO)
    assert (share.pays_minor, share.small_difference_minor) == (received, small)


def test_several_are_paid_in_their_order_and_the_last_takes_what_is_left() -> None:
    assert allot(15000, owing(12000, 5000, 8000), tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=12000),
        Share(invoice_id="in_2", pays_minor=3000),
    )


def test_an_invoice_that_gets_nothing_is_not_closed_although_it_asks_for_little() -> None:
    assert allot(12000, owing(12000, 80), tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=12000),
    )


def test_what_was_claimed_for_late_payment_is_paid_after_every_invoice() -> None:
    late = [
        Owing(invoice_id="in_1", open_minor=0, claimed_minor=5798),
        Owing(invoice_id="in_2", open_minor=12000),
    ]
    assert allot(15000, late, tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=0, claim_minor=3000),
        Share(invoice_id="in_2", pays_minor=12000),
    )
    assert allot(20000, late, tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=0, claim_minor=5798),
        Share(invoice_id="in_2", pays_minor=12000, unapplied_minor=2202),
    )


def test_money_for_what_was_paid_before_is_unapplied_cash() -> None:
    assert allot(12000, owing(0), tolerance_minor=ONE_EURO) == (
        Share(invoice_id="in_1", pays_minor=0, unapplied_minor=12000),
    )


@given(
    amount=st.integers(min_value=1, max_value=10**9),
    asked=st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**6)), min_size=1, max_size=8),
    tolerance=st.integers(min_value=0, max_value=1000),
)
def test_every_cent_has_its_place_and_no_invoice_gets_more_than_it_asks_for(
    amount: int, asked: list[tuple[int, int]], tolerance: int
) -> None:
    by_id = {
        f"in_{place}": Owing(invoice_id=f"in_{place}", open_minor=minor, claimed_minor=claimed)
        for place, (minor, claimed) in enumerate(asked)
    }
    shares = allot(amount, list(by_id.values()), tolerance_minor=tolerance)
    assert sum(share.received_minor for share in shares) == amount
    for share in shares:
        invoice = by_id[share.invoice_id]
        assert share.pays_minor + share.small_difference_minor <= invoice.open_minor
        assert 0 <= share.claim_minor <= invoice.claimed_minor
        assert 0 <= share.small_difference_minor <= tolerance


@pytest.mark.parametrize(
    "text",
    [
        "F-000012",
        "facture f-000012 du 31/01",
        "F 000012",
        "/INV/F000012/",
        "PAIEMENT F/000012.",
        "n°F_000012,merci",
    ],
)
def test_a_number_is_found_whatever_signs_the_bank_left_of_it(text: str) -> None:
    assert numbers_in(text, ["F", "A"]) == ("F-000012",)


@pytest.mark.parametrize(
    "text",
    ["", "F-12", "REF-000012", "XF000012", "000012", "F-00001", "FA-000012", "facture 000012"],
)
def test_what_could_mean_anything_names_nothing(text: str) -> None:
    assert numbers_in(text, ["F"]) == ()


def test_several_numbers_are_named_in_their_order_each_once() -> None:
    text = "F-000014 + F-000012, F 000014 et A-000003"
    assert numbers_in(text, ["F", "A"]) == ("F-000014", "F-000012", "A-000003")


def test_the_longest_series_that_fits_is_meant() -> None:
    series = ["F", "T-0VTESTCLCK-F"]
    assert numbers_in("T-0VTESTCLCK-F-000001", series) == ("T-0VTESTCLCK-F-000001",)
    assert numbers_in("T 0VTESTCLCK F 000001 F-000002", series) == ("T-0VTESTCLCK-F-000001", "F-000002")


def test_numbers_grow_beyond_six_digits() -> None:
    assert numbers_in("F-1234567", ["F"]) == ("F-1234567",)
    assert numbers_in("nothing numbered yet: F-000001", []) == ()


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("F-000001/000002", True),
        ("F-000001F-000002", True),
        ("F000001 000002", True),
        ("F-000001 et F-000002", False),
        ("F-000001 client 4711", False),
        ("F-000001 IBAN FR7630006000011234567890189", False),
    ],
)
def test_what_may_be_another_number_in_short_is_noticed(text: str, *, more: bool) -> None:
    assert may_name_more(text, ["F"]) is more
