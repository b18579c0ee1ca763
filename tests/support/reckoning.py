"""What a subscription should cost, worked out a second time: whole numbers, and no function of the product.

A price for some days of a period is price x days / days of the period, half up. The days that a change, a pause or a
cancel leaves unused go back at what they cost, and never more than is left (rules 7, 8, 12).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

from billing.calendar import Interval, Period
from billing.discounts import Discount
from billing.prices import Price, PricingModel
from billing.terms import Terms

ONE_DAY = timedelta(days=1)
DECIMALS = {"JPY": 0, "EUR": 2, "KWD": 3}
BASE, SEAT = "base", "seat"
PLANS: dict[str, tuple[str, dict[str, int]]] = {
    "small": ("1month", {BASE: 290000}),
    "big": ("1month", {BASE: 990037}),
    "team": ("1month", {BASE: 290000, SEAT: 123450}),
    "year": ("1year", {BASE: 4900000}),
}
"""The rhythm of each plan and its prices, in hundredths of a minor unit of whichever currency; seats are counted."""


def terms_of(
    name: str, currency: str, *, tax_included: bool = False, prices: dict[str, int] | None = None
) -> Terms:
    """A plan as terms; with other prices where they are given."""
    every, usual = PLANS[name]
    places = 2 + DECIMALS[currency]
    return Terms(
        plan_id=f"{name}_{currency}_{'gross' if tax_included else 'net'}",
        plan_name=name,
        currency=currency,
        interval=Interval.parse(every),
        tax_included=tax_included,
        prices=tuple(
            Price(
                id=price_id,
                model=PricingModel.PER_UNIT if price_id == SEAT else PricingModel.FLAT,
                unit_amount=Decimal(hundredths).scaleb(-places),
            )
            for price_id, hundredths in (prices or usual).items()
        ),
    )


def half_up(over: int, under: int) -> int:
    """A fraction of whole numbers, not negative, as the nearest whole number."""
    return (2 * over + under) // (2 * under)


@dataclass(frozen=True)
class Days:
    """Days that are billed: a price for a part of a period."""

    price_id: str
    quantity: int
    over: int
    under: int
    """Minor units for the whole period after discounts, as a fraction."""
    start: date
    end: date
    whole_days: int
    home: str = ""
    """The invoice on which they can be given back."""

    def cost_from(self, day: date) -> int:
        """Of the days from one on."""
        days = max(0, (self.end - max(day, self.start)).days)
        return half_up(self.over * days, self.under * self.whole_days)

    @property
    def cost(self) -> int:
        return self.cost_from(self.start)

    def is_billed_again_by(self, new: Days, day: date) -> bool:
        """Whether `new` bills the same from a day on: then both sides stay away."""
        same_price = (self.price_id, self.quantity) == (new.price_id, new.quantity)
        same_amount = self.over * new.under == new.over * self.under
        mine = (max(day, self.start), self.end, self.whole_days)
        return same_price and same_amount and mine == (new.start, new.end, new.whole_days)


def days_of(terms: Terms, discounts: tuple[Discount, ...], period: Period) -> list[Days]:
    """What these terms bill for a period, percents off."""
    over, under = 1, 100
    for discount in discounts:
        over, under = over * (100 - int(discount.percent or 0)), under * 100
    return [
        Days(
            price_id=price_id,
            quantity=(quantity := terms.quantity if price_id == SEAT else 1),
            over=hundredths * quantity * over,
            under=under,
            start=period.start,
            end=period.end,
            whole_days=(period.whole_end - period.whole_start).days,
        )
        for price_id, hundredths in PLANS[terms.plan_name][1].items()
    ]


@dataclass
class Reckoning:
    """The days that are billed to one subscription, and not given back."""

    billed: list[Days] = field(default_factory=list)

    def bill(self, days: list[Days], home: str) -> None:
        """These days are on an invoice."""
        self.billed += [replace(each, home=home) for each in days]

    def give_back(self, day: date, *, left: int, again: list[Days] | None = None) -> int:
        """What goes back for the days from one on; what is billed `again` as it was leaves that list instead."""
        back = [each for each in self.billed if each.end > day]
        for each in list(back):
            same = next((new for new in again or () if each.is_billed_again_by(new, day)), None)
            if again is not None and same is not None:
                back.remove(each)
                again.remove(same)
        wanted = sum(each.cost_from(day) for each in back)
        for each in back:
            self.billed.remove(each)
            if each.start < day:
                self.billed.append(replace(each, end=day))
        return min(wanted, left)

    def forget(self, home: str) -> None:
        """All of an invoice was taken back."""
        self.billed = [each for each in self.billed if each.home != home]

    def copy(self) -> Reckoning:
        return Reckoning(list(self.billed))
