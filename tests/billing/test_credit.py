from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.priced import JUNE, terms

from billing.changing import unused
from billing.credit import (
    BalanceUse,
    CreditExceedsInvoice,
    NothingToCredit,
    PayBack,
    close_then_pay_back,
    credit_all,
    credit_by_rate,
    credit_gross,
    use_balance,
    what_is_left,
)
from billing.lines import lines_for
from billing.tax import RateTotal, TaxRate, Totals, totals, totals_by_rate

VAT_20 = TaxRate(percent=Decimal(20))
VAT_5_5 = TaxRate(percent=Decimal("5.5"))


def document(*parts: tuple[TaxRate, int, int]) -> Totals:
    return Totals(
        per_rate=tuple(RateTotal(rate=rate, base_minor=base, vat_minor=vat) for rate, base, vat in parts)
    )


def parts(of: Totals) -> list[tuple[int, int]]:
    return [(part.base_minor, part.vat_minor) for part in of.per_rate]


SIXTY = document((VAT_20, 6000, 1200))


def test_p7_credit_of_an_unpaid_invoice_never_becomes_money() -> None:
    billed = lines_for(terms("60.00"), JUNE)
    invoice = totals(billed, VAT_20, tax_included=False).totals
    assert invoice == SIXTY
    (line,) = unused(billed, date(2027, 6, 11))
    credit = credit_by_rate(invoice, [(line.amount_minor, VAT_20)], tax_included=False).totals
    assert parts(credit) == [(-4000, -800)]
    assert credit.total_minor == -4800
    assert close_then_pay_back(4800, open_minor=7200, paid_minor=0) == PayBack(
        closes_minor=4800, pays_back_minor=0, unfunded_minor=0
    )
    assert what_is_left(invoice, [credit]).total_minor == 2400


@pytest.mark.parametrize(
    ("credit", "still_open", "paid", "goes"),
    [
        (4800, 0, 7200, (0, 4800, 0)),
        (4800, 7200, 0, (4800, 0, 0)),
        (4800, 2200, 5000, (2200, 2600, 0)),
        (7200, 2200, 5000, (2200, 5000, 0)),
        # 120.00 settled by 119.50 within the tolerance: the missing half euro is nobody's money
        (12000, 0, 11950, (0, 11950, 50)),
    ],
)
def test_a_credit_closes_what_is_open_first(
    credit: int, still_open: int, paid: int, goes: tuple[int, int, int]
) -> None:
    back = close_then_pay_back(credit, open_minor=still_open, paid_minor=paid)
    assert (back.closes_minor, back.pays_back_minor, back.unfunded_minor) == goes


@pytest.mark.parametrize(
    ("total", "balance", "used", "to_charge"),
    [
        (6000, 6000, 6000, 0),  # R1
        (6000, 2500, 2500, 3500),
        (6000, 9000, 6000, 0),
        (6000, 0, 0, 6000),
        (0, 9000, 0, 0),
    ],
)
def test_r1_balance_pays_after_tax(total: int, balance: int, used: int, to_charge: int) -> None:
    assert use_balance(total, balance) == BalanceUse(from_balance_minor=used, to_charge_minor=to_charge)


def test_a_full_credit_takes_everything() -> None:
    credit = credit_all(SIXTY)
    assert parts(credit) == [(-6000, -1200)]
    assert what_is_left(SIXTY, [credit]).total_minor == 0


def test_the_last_part_takes_the_rest() -> None:
    # 9.99 with tax: 8.33 + 1.66, given back in three
    invoice = document((VAT_20, 833, 166))
    first = credit_gross(invoice, 333)
    assert parts(first) == [(-278, -55)]
    second = credit_gross(what_is_left(invoice, [first]), 333)
    assert parts(second) == [(-278, -55)]
    last = credit_gross(what_is_left(invoice, [first, second]), 333)
    assert parts(last) == [(-277, -56)]


def test_a_partial_refund_is_shared_over_the_rates() -> None:
    # 120.00 at 20 % and 10.55 at 5.5 %: half of each is 60.00 and 5.275
    invoice = document((VAT_20, 10000, 2000), (VAT_5_5, 1000, 55))
    assert parts(credit_gross(invoice, 6528)) == [(-5000, -1000), (-500, -28)]


def test_lines_with_tax_share_the_net_that_is_left() -> None:
    invoice = totals_by_rate([(999, VAT_20)] * 3, tax_included=True).totals
    note = credit_by_rate(invoice, [(-500, VAT_20)] * 3, tax_included=True)
    # 15.00 of 29.97: 12.5025 net
    assert parts(note.totals) == [(-1250, -250)]
    assert note.net_minor == (-417, -417, -416)


def test_a_reverse_charge_buyer_gets_back_the_net_that_was_billed() -> None:
    reverse_charge = TaxRate(category="AE", percent=Decimal(0), contained_percent=Decimal(20))
    invoice = totals_by_rate([(12000, reverse_charge)], tax_included=True).totals
    assert parts(invoice) == [(10000, 0)]
    note = credit_by_rate(invoice, [(-6000, reverse_charge)], tax_included=True)
    assert (parts(note.totals), note.net_minor) == ([(-5000, 0)], (-5000,))
    whole = credit_by_rate(invoice, [(-12000, reverse_charge)], tax_included=True)
    assert parts(whole.totals) == [(-10000, 0)]


def test_vat_follows_the_net_that_is_left() -> None:
    # 0.33 at 20 % has 0.07 of VAT; a third of it is 0.0233, then half of 0.05, then what remains
    invoice = document((VAT_20, 33, 7))
    first = credit_by_rate(invoice, [(-11, VAT_20)], tax_included=False).totals
    assert parts(first) == [(-11, -2)]
    second = credit_by_rate(what_is_left(invoice, [first]), [(-11, VAT_20)], tax_included=False).totals
    assert parts(second) == [(-11, -3)]
    third = credit_by_rate(what_is_left(invoice, [first, second]), [(-11, VAT_20)], tax_included=False).totals
    assert parts(third) == [(-11, -2)]


def test_more_than_what_is_left_is_refused() -> None:
    left = what_is_left(SIXTY, [credit_gross(SIXTY, 7000)])
    with pytest.raises(CreditExceedsInvoice, match="200 at most") as refused:
        credit_gross(left, 201)
    assert (refused.value.field, refused.value.requested_minor, refused.value.left_minor) == (
        "amount",
        201,
        200,
    )
    with pytest.raises(CreditExceedsInvoice):
        credit_by_rate(SIXTY, [(-6001, VAT_20)], tax_included=False)
    with pytest.raises(CreditExceedsInvoice):
        credit_by_rate(SIXTY, [(-7201, VAT_20)], tax_included=True)


def test_a_rate_that_the_invoice_does_not_have_is_refused() -> None:
    with pytest.raises(CreditExceedsInvoice) as refused:
        credit_by_rate(SIXTY, [(-1, VAT_5_5)], tax_included=False)
    assert refused.value.left_minor == 0


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_and_less_are_no_credit(amount: int) -> None:
    with pytest.raises(NothingToCredit):
        credit_gross(SIXTY, amount)
    with pytest.raises(NothingToCredit):
        credit_by_rate(SIXTY, [(-amount, VAT_20)], tax_included=False)
    with pytest.raises(NothingToCredit):
        credit_all(what_is_left(SIXTY, [credit_all(SIXTY)]))


def test_no_lines_are_no_credit() -> None:
    with pytest.raises(NothingToCredit):
        credit_by_rate(SIXTY, [], tax_included=False)


RATES = st.sampled_from([VAT_20, VAT_5_5, TaxRate(percent=Decimal("2.1"))])
INVOICES = st.lists(st.tuples(st.integers(1, 100_000), RATES), min_size=1, max_size=4)


@settings(max_examples=80)
@given(
    INVOICES,
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(["gross", "net", "with_tax"]), st.integers(1, 200_000)), max_size=8),
)
def test_credits_never_pass_the_charge_whatever_the_order(
    lines: list[tuple[int, TaxRate]],
    tax_included: bool,  # noqa: FBT001
    asked: list[tuple[str, int]],
) -> None:
    invoice = totals_by_rate(lines, tax_included=tax_included).totals
    notes: list[Totals] = []
    for how, amount in asked:
        left = what_is_left(invoice, notes)
        try:
            if how == "gross":
                note = credit_gross(left, amount)
                assert note.total_minor == -amount
            else:
                priced = [(-amount, invoice.per_rate[0].rate)]
                note = credit_by_rate(left, priced, tax_included=how == "with_tax").totals
        except CreditExceedsInvoice as refused:
            assert refused.left_minor < amount  # noqa: PT017
            continue
        notes.append(note)
        now_left = what_is_left(invoice, notes)
        for before, after in zip(left.per_rate, now_left.per_rate, strict=True):
            assert 0 <= after.base_minor <= before.base_minor
            assert 0 <= after.vat_minor <= before.vat_minor
    left = what_is_left(invoice, notes)
    if left.total_minor:
        notes.append(credit_all(left))
    assert all(part == (0, 0) for part in parts(what_is_left(invoice, notes)))


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_goes_back_was_paid(credit: int, still_open: int, paid: int) -> None:
    back = close_then_pay_back(credit, still_open, paid)
    assert back.closes_minor + back.pays_back_minor + back.unfunded_minor == credit
    assert 0 <= back.closes_minor <= still_open
    assert 0 <= back.pays_back_minor <= paid
    assert back.unfunded_minor == max(0, credit - still_open - paid)
