"""A plan's prices as a buyer is shown them: consumers with the tax that will be billed (consumer code, L112-1)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from typing import Final

from billing.money import to_major, to_minor
from billing.prices import Price, PricingModel
from billing.subscription import CustomerKind
from billing.tax import TaxRate, totals_by_rate
from billing.taxation import TaxTreatment
from billing.terms import Terms
from billing.values import Value

_MORE_DECIMALS: Final = 3
"""Of a unit price with tax than without: as many as a rate such as 5.5 % adds."""
_MOST_DECIMALS: Final = 12
"""That a unit price has (rules 5)."""


class PriceTax(StrEnum):
    """What a price that is shown says of tax."""

    BEFORE = "before"
    """It comes on top."""
    INCLUDED = "included"
    NONE = "none"
    """There is none: the price is all that there is to pay."""


class ShownPrices(Value):
    """The prices of a plan as one buyer is shown them."""

    prices: tuple[Price, ...]
    tax: PriceTax


def shown_prices(terms: Terms, kind: CustomerKind, treatment: TaxTreatment) -> ShownPrices:
    """Prices with tax for consumers and non-professionals, and as agreed for all others.

    Args:
        terms: the plan's.
        kind: the buyer's.
        treatment: how a sale to them is taxed now.
    """
    if kind not in (CustomerKind.CONSUMER, CustomerKind.NON_PROFESSIONAL):
        tax = PriceTax.INCLUDED if terms.tax_included else PriceTax.BEFORE
        return ShownPrices(prices=terms.prices, tax=tax)
    prices = tuple(_with_tax(price, terms, treatment.rate_for(price.tax_class)) for price in terms.prices)
    is_taxed = any(treatment.rate_for(price.tax_class).percent for price in terms.prices)
    return ShownPrices(prices=prices, tax=PriceTax.INCLUDED if is_taxed else PriceTax.NONE)


def _with_tax(price: Price, terms: Terms, rate: TaxRate) -> Price:
    def whole(amount: Decimal) -> Decimal:
        """Billed as it is, so rounded as the document that bills it."""
        minor = to_minor(amount, terms.currency)
        taxed = totals_by_rate([(minor, rate)], tax_included=terms.tax_included)
        return to_major(taxed.totals.total_minor, terms.currency)

    def each(amount: Decimal) -> Decimal:
        """Billed many times over, so not rounded to cents."""
        return _gross(amount, rate, tax_included=terms.tax_included)

    tiers = tuple(
        tier.model_copy(
            update={"unit_amount": each(tier.unit_amount), "flat_amount": _kept(tier.flat_amount, each)}
        )
        for tier in price.tiers
    )
    of_unit = whole if price.model is PricingModel.FLAT else each
    return price.model_copy(update={"unit_amount": _kept(price.unit_amount, of_unit), "tiers": tiers})


def _kept(amount: Decimal, taxed: Callable[[Decimal], Decimal]) -> Decimal:
    return taxed(amount) if amount else amount


def _gross(amount: Decimal, rate: TaxRate, *, tax_included: bool) -> Decimal:
    if tax_included and rate.contains_what_it_charges:
        return amount
    contained = (rate.contained_percent or Decimal(0)) if tax_included else Decimal(0)
    own = max(0, -int(amount.normalize().as_tuple().exponent))
    places = min(own + _MORE_DECIMALS, _MOST_DECIMALS)
    with localcontext() as exact:
        exact.prec = 60
        gross = amount * (100 + rate.percent) / (100 + contained)
        return gross.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
