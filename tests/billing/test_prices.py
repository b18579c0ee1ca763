from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.priced import TIERS, plan, price, terms

from billing.errors import InvalidInput
from billing.money import InvalidUnitAmount
from billing.prices import Charging, InvalidPrice, Price, PricingModel, Tier
from billing.terms import AmountTooLarge, InvalidQuantity, Terms

GRADUATED = Price(id="calls", model=PricingModel.GRADUATED, tiers=TIERS)
VOLUME = Price(id="calls", model=PricingModel.VOLUME, tiers=TIERS)
PACKAGE = price("9.00", PricingModel.PACKAGE, package_size=100)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [(0, "0.00"), (1, "5.00"), (10, "50.00"), (11, "54.00"), (50, "210.00"), (51, "213.00"), (120, "420.00")],
)
def test_t1_each_unit_at_the_price_of_its_tier(quantity: int, amount: str) -> None:
    assert GRADUATED.whole_amount(quantity) == Fraction(amount)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [(0, "0.00"), (1, "5.00"), (10, "50.00"), (11, "44.00"), (50, "200.00"), (51, "153.00"), (120, "360.00")],
)
def test_t2_all_units_at_the_tier_reached(quantity: int, amount: str) -> None:
    assert VOLUME.whole_amount(quantity) == Fraction(amount)


@pytest.mark.parametrize(
    ("quantity", "amount"), [(0, "0.00"), (1, "9.00"), (100, "9.00"), (101, "18.00"), (250, "27.00")]
)
def test_t3_a_started_package_costs_a_whole_one(quantity: int, amount: str) -> None:
    assert PACKAGE.whole_amount(quantity) == Fraction(amount)


def test_flat_and_unit_prices() -> None:
    assert price("29.00").whole_amount(7) == 29
    assert price("12.00", PricingModel.PER_UNIT).whole_amount(7) == 84
    # 1,234,567 calls at 0.0015
    assert price("0.0015", PricingModel.PER_UNIT).whole_amount(1_234_567) == Fraction("1851.8505")
    assert price("29.00").billed_quantity(7) == 1
    assert price("12.00", PricingModel.PER_UNIT).billed_quantity(7) == 7


def test_a_tier_can_cost_something_by_itself() -> None:
    tiers = (
        Tier(up_to=10, unit_amount=Decimal(0), flat_amount=Decimal("20.00")),
        Tier(unit_amount=Decimal("1.50"), flat_amount=Decimal("5.00")),
    )
    graduated = Price(id="seats", model=PricingModel.GRADUATED, tiers=tiers)
    volume = Price(id="seats", model=PricingModel.VOLUME, tiers=tiers)
    assert [graduated.whole_amount(n) for n in (0, 1, 10, 12)] == [0, 20, 20, 28]
    assert [volume.whole_amount(n) for n in (0, 1, 10, 12)] == [0, 20, 20, 23]


def test_usage_may_have_decimals() -> None:
    # 10 at 5.00 and half a unit at 4.00; all at 4.00
    assert GRADUATED.whole_amount(Decimal("10.5")) == 52
    assert VOLUME.whole_amount(Decimal("10.5")) == 42
    assert PACKAGE.whole_amount(Decimal("100.001")) == 18


def refused(**changes: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as error:
        Price.model_validate({"id": "base", **changes})
    return error.value


def tiers(*ends: int | None) -> list[dict[str, Any]]:
    return [{"up_to": end, "unit_amount": "1.00"} for end in ends]


@pytest.mark.parametrize(
    ("ends", "field"),
    [
        ((50, 10, None), "tiers.1.up_to"),
        ((10, 10, None), "tiers.1.up_to"),
        ((None, 10), "tiers.0.up_to"),
        ((None, None), "tiers.0.up_to"),
        ((10, 50), "tiers.1.up_to"),
        ((10,), "tiers.0.up_to"),
    ],
)
@pytest.mark.parametrize("model", ["graduated", "volume"])
def test_tiers_out_of_order_overlapping_or_open_are_refused(
    model: str, ends: tuple[int | None, ...], field: str
) -> None:
    error = refused(model=model, tiers=tiers(*ends))
    assert (type(error), error.field) == (InvalidPrice, field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tiers": tiers(None)}, "tiers"),
        ({"model": "graduated"}, "tiers"),
        ({"model": "volume", "tiers": tiers(None), "unit_amount": "1.00"}, "unit_amount"),
        ({"model": "package", "unit_amount": "9.00"}, "package_size"),
        ({"model": "per_unit", "unit_amount": "9.00", "package_size": 10}, "package_size"),
        ({"model": "per_unit", "charging": "metered"}, "meter"),
        ({"model": "per_unit", "meter": "calls"}, "meter"),
        ({"model": "flat", "charging": "metered", "meter": "calls"}, "model"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(changes: dict[str, Any], field: str) -> None:
    error = refused(**changes)
    assert (type(error), error.field) == (InvalidPrice, field)
    assert "." in error.message


@pytest.mark.parametrize("amount", ["-0.01", "1000000000", "0.0000000000001", "1e-13"])
def test_an_amount_that_cannot_be_billed_is_refused_with_its_field(amount: str) -> None:
    assert (type(error := refused(unit_amount=amount)), error.field) == (InvalidUnitAmount, "unit_amount")
    in_a_tier = {"model": "graduated", "tiers": [*tiers(10), {"unit_amount": amount}]}
    assert refused(**in_a_tier).field == "tiers.1.unit_amount"
    once_per_tier = {"model": "graduated", "tiers": [{"unit_amount": "1.00", "flat_amount": amount}]}
    assert refused(**once_per_tier).field == "tiers.0.flat_amount"


def test_twelve_decimals_are_kept() -> None:
    fine = price("0.000000000001", PricingModel.PER_UNIT)
    assert fine.whole_amount(10**6) == Fraction(1, 10**6)
    assert Price.model_validate_json(fine.model_dump_json()) == fine


@pytest.mark.parametrize("value", ["NaN", "Infinity", "much", None, True, [1]])
def test_no_number_is_no_amount(value: object) -> None:
    with pytest.raises((ValidationError, InvalidUnitAmount)):
        Price.model_validate({"id": "base", "unit_amount": value})


@pytest.mark.parametrize("quantity", [-1, 0, 1_000_001, 10**12])
def test_a_quantity_out_of_range_is_refused(quantity: int) -> None:
    with pytest.raises(InvalidQuantity) as error:
        Terms.model_validate(terms("12.00").model_dump() | {"quantity": quantity})
    assert error.value.field == "quantity"


def test_what_no_document_can_carry_is_refused() -> None:
    with pytest.raises(AmountTooLarge) as error:
        terms("999999999", quantity=1_000_000)
    assert error.value.field == "quantity"
    with pytest.raises(AmountTooLarge, match="price calls"):
        plan(
            Price(id="calls", model=PricingModel.VOLUME, tiers=(Tier(unit_amount=Decimal(999_999_999)),)),
            quantity=1_000_000,
        )


def test_prices_of_a_plan_are_told_apart() -> None:
    with pytest.raises(InvalidInput, match="same id") as error:
        plan(price("29.00"), price("12.00"))
    assert error.value.field == "prices"


def test_terms_that_are_too_large_for_a_state_are_refused() -> None:
    many = tuple(
        Price(
            id=f"price_{number}",
            description="x" * 100,
            model=PricingModel.GRADUATED,
            tiers=(
                *(Tier(up_to=n, unit_amount=Decimal("0.123456789012")) for n in range(1, 20)),
                Tier(unit_amount=Decimal("0.01")),
            ),
        )
        for number in range(10)
    )
    with pytest.raises(InvalidInput, match="of at most 3000") as error:
        plan(*many)
    assert error.value.field == "prices"


def test_terms_know_whether_the_quantity_matters() -> None:
    assert terms("12.00", quantity=1).has_unit_price
    assert not terms("12.00").has_unit_price
    calls = price("0.01", PricingModel.PER_UNIT, id="calls", charging=Charging.METERED, meter="calls")
    assert not plan(price("29.00"), calls).has_unit_price
    assert plan(price("29.00"), calls).metered_prices == (calls,)


def test_terms_survive_json_and_stay_small() -> None:
    full = plan(
        price("12.000000000001", PricingModel.PER_UNIT, id="seats"),
        price("500.00", id="setup", charging=Charging.ONCE),
        Price(id="calls", charging=Charging.METERED, meter="calls", model=PricingModel.VOLUME, tiers=TIERS),
        quantity=1_000_000,
    )
    as_json = full.model_dump_json()
    assert Terms.model_validate_json(as_json) == full
    assert len(as_json) < 1800
    assert len(terms("12.000000000001", quantity=1_000_000).model_dump_json(exclude_defaults=True)) < 350


ENDS = st.lists(st.integers(1, 500), unique=True, max_size=5).map(sorted)
CENTS = st.integers(0, 10_000).map(lambda cents: Decimal(cents) / 100)


@given(ENDS, st.lists(CENTS, min_size=6, max_size=6), st.integers(0, 600))
def test_graduated_units_are_each_at_their_own_price(
    ends: list[int], per_unit: list[Decimal], units: int
) -> None:
    """Counted one by one, the slow way."""
    rows = tuple(
        Tier(up_to=end, unit_amount=amount) for end, amount in zip([*ends, None], per_unit, strict=False)
    )
    expected = Fraction()
    for unit in range(1, units + 1):
        tier = sum(end < unit for end in ends)
        expected += Fraction(per_unit[tier])
    assert Price(id="g", model=PricingModel.GRADUATED, tiers=rows).whole_amount(units) == expected
    reached = per_unit[sum(end < units for end in ends)]
    assert (
        Price(id="v", model=PricingModel.VOLUME, tiers=rows).whole_amount(units) == Fraction(reached) * units
    )
