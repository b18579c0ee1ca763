"""What a period, a change or a cancel puts on a document, line by line, before tax is worked out.

Every line is a price for some days of a period, or for some usage, rounded once (rules 5 and 8). A billed line knows
what a whole period of it costs, so days are given back from the lines that billed them, whatever the terms became
since. Lines carry the facts that a reader needs, not sentences: those are written in the reader's language where the
document is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from math import trunc
from typing import Any, Self

from pydantic import model_validator

from billing.calendar import Period
from billing.discounts import Discount, take_off
from billing.money import MAX_UNIT_PLACES, round_half_up, to_exact_minor
from billing.prices import STANDARD_TAX_CLASS, Price, PricingModel
from billing.terms import Terms
from billing.values import Value


class LineKind(StrEnum):
    """Why a line is there; chooses the sentence that describes it."""

    SUBSCRIPTION = "subscription"
    """A period, or the part of one with which a subscription begins or resumes."""
    ONE_OFF = "one_off"
    """A price that is billed once: a set-up fee."""
    USAGE = "usage"
    """What was used, in arrears."""
    EARLY_EXIT = "early_exit"
    """What leaving within a commitment costs."""
    PRORATION_CREDIT = "proration_credit"
    """Days of the old terms that a change gives back."""
    PRORATION_CHARGE = "proration_charge"
    """The same days at the new terms."""
    CREDIT = "credit"
    """Days that a cancel or a pause leaves unused."""

    @property
    def bills_days(self) -> bool:
        """Whether it bills days in advance, which can be given back."""
        return self in (LineKind.SUBSCRIPTION, LineKind.PRORATION_CHARGE)


class Line(Value):
    """One line of an invoice or credit note."""

    kind: LineKind
    price_id: str
    plan_name: str
    description: str = ""
    """Of the price; empty where the plan's name says it all."""
    model: PricingModel = PricingModel.FLAT
    quantity: Decimal
    """Units billed: 1 for a flat price. Never negative but for corrections of usage; the sign is in the amount."""
    unit_amount: Decimal
    """Per whole period, or per package, in major units; of a price with tiers the average, cut to 12 decimals."""
    package_size: int | None = None
    start: date
    end: date
    """Exclusive."""
    whole_days: int
    """Days of the whole period that prices the days of this line (rules 8)."""
    whole_minor: Decimal
    """What a whole period of this line costs after discounts, in minor units, exact and not rounded; positive on
    credits too. Of usage, the amount itself."""
    list_minor: int
    """What it would be without discounts, signed like the amount."""
    amount_minor: int
    """Signed, credits negative. Gross where the terms' prices contain the tax, else net (rules 6)."""
    discounts: tuple[str, ...] = ()
    """Names of the discounts in the amount."""
    tax_class: str = STANDARD_TAX_CLASS
    late: bool = False
    """Usage that came after its period was billed."""

    @model_validator(mode="before")
    @classmethod
    def _bring_up(cls, line: object) -> object:
        """Lines of the first release had flat and unit prices without discounts."""
        if not isinstance(line, Mapping) or "whole_minor" in line:
            return line
        return {"list_minor": line["amount_minor"], "whole_minor": _first_release_whole(line), **line}

    @model_validator(mode="after")
    def _days_are_within_the_whole(self) -> Self:
        if not 1 <= self.days <= self.whole_days:
            raise ValueError("a line covers at least one day and at most its whole period")
        return self

    @property
    def days(self) -> int:
        """Days that this line bills or gives back."""
        return (self.end - self.start).days

    @property
    def is_part(self) -> bool:
        """Whether the amount is prorated."""
        return self.days != self.whole_days

    @property
    def discount_minor(self) -> int:
        """What the discounts take off, signed like the amount."""
        return self.list_minor - self.amount_minor


@dataclass(frozen=True)
class Usage:
    """What was used of one meter while one price applied.

    Attributes:
        price: metered.
        plan_name: of the terms that had the price.
        quantity: all of it, aggregated.
        billed: how much of it an earlier invoice had billed; 0 for the first time.
        start: first date of the stretch.
        end: exclusive.
        discounts: those that are taken off it; percents.
        late: whether it came after its period was billed.
    """

    price: Price
    plan_name: str
    quantity: Decimal
    start: date
    end: date
    billed: Decimal = Decimal(0)
    discounts: tuple[Discount, ...] = ()
    late: bool = False


@dataclass(frozen=True)
class _Item:
    """A line in the making: what it costs for its whole period is still exact, and without discounts."""

    kind: LineKind
    price: Price
    plan_name: str
    quantity: Decimal
    exact_minor: Fraction
    start: date
    end: date
    whole_days: int
    late: bool = False


def lines_for(
    terms: Terms,
    period: Period,
    *,
    discounts: Sequence[Discount] = (),
    once: Collection[str] = (),
    kind: LineKind = LineKind.SUBSCRIPTION,
) -> tuple[Line, ...]:
    """The lines that bill `period` in advance; a part period by day over its whole (rules 8).

    Args:
        terms: what is agreed.
        period: what is billed; a part of its whole period where it is shorter.
        discounts: those of the period.
        once: the ids of the prices billed once that it bills.
        kind: of the lines that bill days.
    """
    items = [_days_item(kind, terms, price, period) for price in terms.prices if price.is_recurring]
    items += [_once_item(terms, price, period.start) for price in terms.prices if price.id in once]
    return _lines(items, discounts, terms.currency)


def usage_lines(usage: Iterable[Usage], currency: str) -> tuple[Line, ...]:
    """The lines that bill usage in arrears."""
    return tuple(
        line
        for stretch in usage
        for line in _lines([_usage_item(stretch, currency)], stretch.discounts, currency)
    )


def _days_item(kind: LineKind, terms: Terms, price: Price, period: Period) -> _Item:
    quantity = price.billed_quantity(terms.quantity)
    exact = to_exact_minor(price.whole_amount(terms.quantity), terms.currency)
    return _Item(kind, price, terms.plan_name, quantity, exact, period.start, period.end, period.whole_days)


def _once_item(terms: Terms, price: Price, day: date) -> _Item:
    quantity = price.billed_quantity(terms.quantity)
    exact = to_exact_minor(price.whole_amount(terms.quantity), terms.currency)
    return _Item(LineKind.ONE_OFF, price, terms.plan_name, quantity, exact, day, day + timedelta(days=1), 1)


def _usage_item(usage: Usage, currency: str) -> _Item:
    more = usage.price.whole_amount(usage.quantity) - usage.price.whole_amount(usage.billed)
    return _Item(
        LineKind.USAGE,
        usage.price,
        usage.plan_name,
        usage.quantity - usage.billed,
        to_exact_minor(more, currency),
        usage.start,
        usage.end,
        (usage.end - usage.start).days,
        usage.late,
    )


def _lines(items: Sequence[_Item], discounts: Sequence[Discount], currency: str) -> tuple[Line, ...]:
    exact = [item.exact_minor for item in items]
    after = take_off(exact, discounts, currency)
    return tuple(_line(item, discounted, discounts) for item, discounted in zip(items, after, strict=True))


def _line(item: _Item, discounted: Fraction, discounts: Sequence[Discount]) -> Line:
    days = (item.end - item.start).days
    share = Fraction(days, item.whole_days)
    return Line(
        kind=item.kind,
        price_id=item.price.id,
        plan_name=item.plan_name,
        description=item.price.description,
        model=item.price.model,
        quantity=item.quantity,
        unit_amount=_unit_amount(item),
        package_size=item.price.package_size,
        start=item.start,
        end=item.end,
        whole_days=item.whole_days,
        whole_minor=_as_decimal(discounted),
        list_minor=round_half_up(item.exact_minor * share),
        amount_minor=round_half_up(discounted * share),
        discounts=tuple(discount.name for discount in discounts) if discounted != item.exact_minor else (),
        tax_class=item.price.tax_class,
        late=item.late,
    )


def _unit_amount(item: _Item) -> Decimal:
    """The price's own, or with tiers what a unit costs on average."""
    if not item.price.model.has_tiers:
        return item.price.unit_amount
    units = Fraction(item.quantity)
    if units == 0:
        return Decimal(0)
    average = abs(item.price.whole_amount(item.quantity) / units) if units > 0 else Fraction()
    return _as_decimal(Fraction(trunc(average * 10**MAX_UNIT_PLACES), 10**MAX_UNIT_PLACES))


def _as_decimal(exact: Fraction) -> Decimal:
    """The same number as a decimal: prices, quantities and percents are decimals, so it ends."""
    with localcontext() as context:
        context.prec = 100
        number = Decimal(exact.numerator) / Decimal(exact.denominator)
    return Decimal(f"{number.normalize(context):f}")


def _first_release_whole(line: Mapping[str, Any]) -> Decimal:
    """The exact price of a whole period: the decimals of its currency are those that give the amount."""
    major = Fraction(str(line["unit_amount"])) * int(line["quantity"])
    days = (date.fromisoformat(str(line["end"])) - date.fromisoformat(str(line["start"]))).days
    amount = abs(int(line["amount_minor"]))
    for places in (2, 0, 3, 4):
        whole = major * 10**places
        if round_half_up(whole * days / int(line["whole_days"])) == amount:
            return _as_decimal(whole)
    raise ValueError("the amount of this line does not follow from its price")
