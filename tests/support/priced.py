"""Terms, periods and what their lines add up to, as short as a test wants to type them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from billing.calendar import Interval, Period
from billing.lines import Line
from billing.prices import Price, PricingModel, Tier
from billing.tax import TaxRate, totals
from billing.terms import Terms

VAT_20 = TaxRate(percent=Decimal(20))

TIERS = (
    Tier(up_to=10, unit_amount=Decimal("5.00")),
    Tier(up_to=50, unit_amount=Decimal("4.00")),
    Tier(unit_amount=Decimal("3.00")),
)
"""Worked T1 and T2: 1-10: 5.00, 11-50: 4.00, 51+: 3.00."""


def plan(*prices: Price, every: str = "1month", currency: str = "EUR", **changes: Any) -> Terms:
    """Terms with these prices."""
    given: dict[str, Any] = {
        "plan_id": "plan_pro",
        "plan_name": "Pro",
        "currency": currency,
        "interval": Interval.parse(every),
        "prices": prices,
    }
    return Terms(**given | changes)


def terms(unit_amount: str, *, quantity: int | None = None, **changes: Any) -> Terms:
    """One price of its own plan; per seat where a quantity is given, else flat."""
    model = PricingModel.FLAT if quantity is None else PricingModel.PER_UNIT
    price = Price(id=f"price_{unit_amount}", model=model, unit_amount=Decimal(unit_amount))
    named = {"plan_id": f"plan_{unit_amount}", "plan_name": f"Plan {unit_amount}"}
    return plan(price, quantity=quantity or 1, **named | changes)


def price(unit_amount: str, model: PricingModel = PricingModel.FLAT, **changes: Any) -> Price:
    """A price that is called base, where nothing else is said."""
    return Price(**{"id": "base", "model": model, "unit_amount": Decimal(unit_amount)} | changes)


def whole(start: str, end: str) -> Period:
    """A whole period between two dates, the last one exclusive."""
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    return Period(index=0, start=first, end=last, whole_start=first, whole_end=last)


MARCH = whole("2027-03-01", "2027-04-01")
APRIL = whole("2027-04-01", "2027-05-01")
JUNE = whole("2027-06-01", "2027-07-01")


def amounts(lines: Iterable[Line]) -> list[int]:
    """What each line bills."""
    return [line.amount_minor for line in lines]


def taxed(
    lines: Iterable[Line], rate: TaxRate = VAT_20, *, tax_included: bool = False
) -> tuple[int, int, int]:
    """Net, VAT and total of a document with these lines."""
    document = totals(tuple(lines), rate, tax_included=tax_included).totals
    return document.net_minor, document.vat_minor, document.total_minor
