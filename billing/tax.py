"""VAT of a document: once per category and rate, on the sum of its lines (rules 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, model_validator

from billing.lines import Line
from billing.money import round_half_up, share_out
from billing.values import Value

Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=9, decimal_places=6)]


class TaxRate(Value):
    """How a supply is taxed: one group of the totals of a document.

    Two rates are the same group when category and percent are the same.
    """

    category: str = Field(default="S", pattern="^[A-Z]{1,3}$")
    """UNTDID 5305 code: S standard or reduced, AE reverse charge, E exempt, Z zero, O outside the scope."""
    percent: Percent
    contained_percent: Percent | None = None
    """What prices with tax contain, where that is not what is charged: a reverse-charge or exempt buyer of a
    price with 20 % pays its net (rules 6). None: what is charged."""

    @model_validator(mode="after")
    def _only_taxed_categories_have_a_rate(self) -> Self:
        if self.category in UNTAXED_CATEGORIES and self.percent != 0:
            raise ValueError(f"category {self.category} carries no VAT, so its percent is 0")
        return self

    @property
    def group(self) -> tuple[str, Decimal]:
        """Category and percent in a form that compares and sorts: 20 and 20.00 are one rate."""
        return self.category, self.percent.normalize()

    @property
    def contains_what_it_charges(self) -> bool:
        """Whether the gross of a price with tax is kept."""
        return self.contained_percent in (None, self.percent)

    def net_of(self, gross_minor: int) -> Fraction:
        """The net in a gross amount, not rounded."""
        contained = self.percent if self.contained_percent is None else self.contained_percent
        return gross_minor / (1 + Fraction(contained) / 100)

    def tax_on(self, net_minor: int) -> int:
        """The tax on a net amount, rounded half up by magnitude (rules 5)."""
        return round_half_up(net_minor * Fraction(self.percent) / 100)


UNTAXED_CATEGORIES = frozenset({"AE", "E", "Z", "G", "K", "O"})
"""UNTDID 5305 codes under which no VAT is charged."""


class RateTotal(Value):
    """What a document bills at one rate, in signed minor units."""

    rate: TaxRate
    base_minor: int
    """Net."""
    vat_minor: int

    @property
    def gross_minor(self) -> int:
        """Net and VAT."""
        return self.base_minor + self.vat_minor

    def __neg__(self) -> RateTotal:
        return RateTotal(rate=self.rate, base_minor=-self.base_minor, vat_minor=-self.vat_minor)


class Totals(Value):
    """The totals of a document, per rate, in signed minor units; those of a credit note are negative."""

    per_rate: tuple[RateTotal, ...]
    """In the order in which the rates first appear on the document, each once."""

    @property
    def net_minor(self) -> int:
        """Sum of the bases."""
        return sum(part.base_minor for part in self.per_rate)

    @property
    def vat_minor(self) -> int:
        """Sum of the VAT."""
        return sum(part.vat_minor for part in self.per_rate)

    @property
    def total_minor(self) -> int:
        """What the document asks for, or gives back."""
        return self.net_minor + self.vat_minor

    def __neg__(self) -> Totals:
        return Totals(per_rate=tuple(-part for part in self.per_rate))

    def __add__(self, other: Totals) -> Totals:
        """Both together, rate by rate; rates of `other` that are new come last."""
        summed = {part.rate.group: part for part in self.per_rate}
        for part in other.per_rate:
            so_far = summed.get(part.rate.group)
            summed[part.rate.group] = part if so_far is None else _joined(so_far, part)
        return Totals(per_rate=tuple(summed.values()))


class TaxedLines(Value):
    """The lines of a document with their tax worked out."""

    totals: Totals
    net_minor: tuple[int, ...]
    """Net of each line, in order; per rate they sum to its base (rules 6)."""


def totals(lines: Sequence[Line], rate: TaxRate, *, tax_included: bool) -> TaxedLines:
    """The tax of a document whose lines all have the same rate.

    Args:
        lines: net where prices are without tax, gross where they contain it.
        rate: that of the seller for this buyer.
        tax_included: which of the two.
    """
    return totals_by_rate([(line.amount_minor, rate) for line in lines], tax_included=tax_included)


def totals_by_rate(amounts: Sequence[tuple[int, TaxRate]], *, tax_included: bool) -> TaxedLines:
    """The tax of a document, once per category and rate (rules 6).

    Without tax, VAT is the rate times the sum of the net lines. With tax the gross is kept: per rate net is
    gross / (1 + rate), rounded, VAT is the rest, and the lines share the net by largest remainder.

    Args:
        amounts: of each line, in signed minor units, with its rate.
        tax_included: whether the amounts are gross.
    """
    nets = [0] * len(amounts)
    per_rate = []
    for indexes in by_group(rate for _, rate in amounts):
        group = [amounts[i] for i in indexes]
        part, group_nets = _gross_group(group) if tax_included else _net_group(group)
        per_rate.append(part)
        for i, net in zip(indexes, group_nets, strict=True):
            nets[i] = net
    return TaxedLines(totals=Totals(per_rate=tuple(per_rate)), net_minor=tuple(nets))


def by_group(rates: Iterable[TaxRate]) -> list[list[int]]:
    """Positions of the rates that are one group, groups in the order in which they first appear."""
    groups: dict[tuple[str, Decimal], list[int]] = {}
    for i, rate in enumerate(rates):
        groups.setdefault(rate.group, []).append(i)
    return list(groups.values())


def _net_group(group: Sequence[tuple[int, TaxRate]]) -> tuple[RateTotal, list[int]]:
    rate = group[0][1]
    nets = [amount for amount, _ in group]
    base = sum(nets)
    return RateTotal(rate=rate, base_minor=base, vat_minor=rate.tax_on(base)), nets


def _gross_group(group: Sequence[tuple[int, TaxRate]]) -> tuple[RateTotal, list[int]]:
    rate = group[0][1]
    gross = sum(amount for amount, _ in group)
    exact = [own_rate.net_of(amount) for amount, own_rate in group]
    base = round_half_up(sum(exact, Fraction()))
    keeps_gross = all(own_rate.contains_what_it_charges for _, own_rate in group)
    vat = gross - base if keeps_gross else rate.tax_on(base)
    return RateTotal(rate=rate, base_minor=base, vat_minor=vat), share_out(base, exact)


def _joined(one: RateTotal, other: RateTotal) -> RateTotal:
    return RateTotal(
        rate=one.rate,
        base_minor=one.base_minor + other.base_minor,
        vat_minor=one.vat_minor + other.vat_minor,
    )
