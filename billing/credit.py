"""Giving back: credit notes that never pass what was charged, and where the money goes (rules 7, 11, 12).

Invoices are positive, credit notes negative, so that what is left of an invoice is the sum of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import trunc

from billing.errors import InvalidInput
from billing.money import round_half_up, share_out
from billing.tax import RateTotal, TaxedLines, TaxRate, Totals, by_group
from billing.values import Value


class NothingToCredit(InvalidInput):
    """A credit of nothing, or of a negative amount."""


class CreditExceedsInvoice(InvalidInput):
    """A credit larger than what earlier credit notes left of the invoice.

    Attributes:
        requested_minor: what was asked for.
        left_minor: the most that can still be credited.
    """

    def __init__(self, requested_minor: int, left_minor: int) -> None:
        super().__init__(
            f"The credit of {requested_minor} minor units is more than the {left_minor} left on the invoice. "
            f"Credit {left_minor} at most.",
            field="amount",
        )
        self.requested_minor = requested_minor
        self.left_minor = left_minor


class PayBack(Value):
    """Where a credit goes, in minor units, none negative (rules 12)."""

    closes_minor: int
    """Taken off what is still open on the invoice that it corrects."""
    pays_back_minor: int
    """Becomes balance or refund, as the caller chose: never more than was really paid."""
    unfunded_minor: int
    """Neither open nor paid, such as a small difference that closed an invoice: no money moves."""


class BalanceUse(Value):
    """How a total is met when the seller owes the customer money, in minor units (rules 11)."""

    from_balance_minor: int
    to_charge_minor: int


def what_is_left(invoice: Totals, credit_notes: Iterable[Totals]) -> Totals:
    """Net and VAT per rate that can still be credited: the invoice and its credit notes, summed."""
    return sum(credit_notes, start=invoice)


def credit_all(left: Totals) -> Totals:
    """The credit note that takes all that is left, to the last unit.

    Args:
        left: of `what_is_left`.

    Raises:
        NothingToCredit: nothing is left; field `amount`.
    """
    if left.total_minor <= 0:
        raise NothingToCredit("Nothing is left of this invoice to credit.", field="amount")
    return -left


def credit_gross(left: Totals, amount_minor: int) -> Totals:
    """The credit note of a part of what is left, such as a partial refund (rules 7).

    Each rate gives its share of the amount, and within a rate net and VAT give theirs, by largest remainder.
    An amount equal to what is left takes the rest.

    Args:
        left: of `what_is_left`.
        amount_minor: tax included, positive.

    Raises:
        NothingToCredit: `amount_minor` is not positive; field `amount`.
        CreditExceedsInvoice: it is more than what is left; field `amount`.
    """
    if amount_minor <= 0:
        raise NothingToCredit("Give a positive amount to credit.", field="amount")
    whole = left.total_minor
    if amount_minor > whole:
        raise CreditExceedsInvoice(amount_minor, max(whole, 0))
    exact = [Fraction(amount_minor * part.gross_minor, whole) for part in left.per_rate]
    shares = share_out(amount_minor, exact)
    return Totals(
        per_rate=tuple(_gross_part(part, share) for part, share in zip(left.per_rate, shares, strict=True))
    )


def credit_by_rate(left: Totals, amounts: Sequence[tuple[int, TaxRate]], *, tax_included: bool) -> TaxedLines:
    """The credit note of negative lines: each rate gives its share of what is left of net and VAT (rules 7).

    Lines without tax name the net, and VAT follows in proportion to what is left of both; lines with tax name
    the gross, and net and VAT share it. What equals the rest takes the rest.

    Args:
        left: of `what_is_left`.
        amounts: of each line, in minor units, with its rate on the invoice; negative in sum at each rate.
        tax_included: whether the amounts are gross.

    Raises:
        NothingToCredit: the lines give back nothing, or charge more than that at one rate; field `amount`.
        CreditExceedsInvoice: more than what is left at one rate; field `amount`.
    """
    sums = [sum(amounts[i][0] for i in indexes) for indexes in by_group(rate for _, rate in amounts)]
    if max(sums, default=0) > 0 or not any(sums):
        raise NothingToCredit(
            "These lines give nothing back. A credit note takes lines that are negative in sum.",
            field="amount",
        )
    parts, nets = [], [0] * len(amounts)
    for indexes in by_group(rate for _, rate in amounts):
        group = [(-amounts[i][0], amounts[i][1]) for i in indexes]
        part = _part(_left_at(left, group[0][1]), group, tax_included=tax_included)
        parts.append(part)
        given = [amounts[i][0] for i in indexes]
        for i, net in zip(indexes, _share_base(part.base_minor, given), strict=True):
            nets[i] = net
    return TaxedLines(totals=Totals(per_rate=tuple(parts)), net_minor=tuple(nets))


def spread_credit(
    given: Sequence[tuple[int, int, TaxRate]], left: Sequence[Totals], *, tax_included: bool
) -> list[list[tuple[int, int]]]:
    """On which invoices lines are given back: each on its own first, then on the others in their order (rules 7, 12).

    After a change inside a period its credit stands on the change's own invoice, so that neither invoice alone may
    have enough left for what a later cancel gives back; all together always have. What none has left is lost: credits
    never exceed what was charged.

    Args:
        given: of each line the position of the invoice that billed it, the amount that it gives back, positive, and
            its rate.
        left: of `what_is_left`, for each invoice.
        tax_included: whether amounts are gross.

    Returns:
        For each invoice the lines that it gives back, by position, with their amounts, positive.
    """
    spread: list[list[tuple[int, int]]] = [[] for _ in left]
    room: dict[tuple[int, tuple[str, Decimal]], int] = {}
    for place, (home, amount_minor, rate) in enumerate(given):
        wanted = amount_minor
        for invoice in (home, *(i for i in range(len(left)) if i != home)):
            key = invoice, rate.group
            most = room.setdefault(key, _room(_left_at(left[invoice], rate), rate, tax_included=tax_included))
            taken = min(wanted, most)
            if taken > 0:
                spread[invoice].append((place, taken))
                room[key], wanted = most - taken, wanted - taken
    return spread


def _room(left: RateTotal, rate: TaxRate, *, tax_included: bool) -> int:
    """How much a rate of an invoice can still give back, in the terms in which lines are written."""
    if not tax_included:
        return max(0, left.base_minor)
    if rate.contains_what_it_charges:
        return max(0, left.gross_minor)
    contained = Fraction(rate.percent if rate.contained_percent is None else rate.contained_percent)
    return max(0, trunc(left.base_minor * (1 + contained / 100)))


def close_then_pay_back(credit_minor: int, open_minor: int, paid_minor: int) -> PayBack:
    """What a credit does: it closes what is open, and only money that came in goes back (rules 12).

    Args:
        credit_minor: total of the credit note as a positive amount.
        open_minor: what the invoice still asks for, not negative.
        paid_minor: what was paid on it and has not gone back since, not negative.
    """
    closes = min(credit_minor, open_minor)
    pays_back = min(credit_minor - closes, paid_minor)
    return PayBack(
        closes_minor=closes,
        pays_back_minor=pays_back,
        unfunded_minor=credit_minor - closes - pays_back,
    )


def use_balance(total_minor: int, balance_minor: int) -> BalanceUse:
    """Balance pays an invoice after tax, up to its total (rules 11).

    Args:
        total_minor: of the invoice, tax included.
        balance_minor: what we owe the customer in this currency, not negative.
    """
    used = max(0, min(total_minor, balance_minor))
    return BalanceUse(from_balance_minor=used, to_charge_minor=total_minor - used)


def _left_at(left: Totals, rate: TaxRate) -> RateTotal:
    """What is left at `rate`: nothing where the invoice does not have it."""
    at_rate = (part for part in left.per_rate if part.rate.group == rate.group)
    return next(at_rate, RateTotal(rate=rate, base_minor=0, vat_minor=0))


def _part(left: RateTotal, group: Sequence[tuple[int, TaxRate]], *, tax_included: bool) -> RateTotal:
    """Credits positive amounts that all belong to one rate."""
    amount = sum(amount for amount, _ in group)
    if not tax_included:
        return _net_part(left, amount)
    if all(rate.contains_what_it_charges for _, rate in group):
        return _gross_part(left, amount)
    # The invoice billed the net of these prices only, so no more than that goes back (rules 6).
    return _net_part(left, round_half_up(sum((rate.net_of(amount) for amount, rate in group), Fraction())))


def _gross_part(left: RateTotal, gross_minor: int) -> RateTotal:
    """Credits `gross_minor` of a rate, net and VAT in proportion to what is left of each."""
    _check_cap(gross_minor, left.gross_minor)
    if gross_minor == 0:
        return RateTotal(rate=left.rate, base_minor=0, vat_minor=0)
    exact = [Fraction(gross_minor * share, left.gross_minor) for share in (left.base_minor, left.vat_minor)]
    base, vat = share_out(gross_minor, exact)
    return RateTotal(rate=left.rate, base_minor=-base, vat_minor=-vat)


def _net_part(left: RateTotal, net_minor: int) -> RateTotal:
    """Credits `net_minor` of a rate, with the VAT that belongs to it."""
    _check_cap(net_minor, left.base_minor)
    if net_minor == 0:
        return RateTotal(rate=left.rate, base_minor=0, vat_minor=0)
    vat = round_half_up(Fraction(left.vat_minor * net_minor, left.base_minor))
    return RateTotal(rate=left.rate, base_minor=-net_minor, vat_minor=-vat)


def _check_cap(requested_minor: int, left_minor: int) -> None:
    if abs(requested_minor) > abs(left_minor) or requested_minor * left_minor < 0:
        raise CreditExceedsInvoice(requested_minor, max(left_minor, 0))


def _share_base(base_minor: int, given: Sequence[int]) -> list[int]:
    """The net of each line: itself where lines are net, its share by largest remainder where they are gross."""
    whole = sum(given)
    if whole == 0:
        return [0] * len(given)
    return share_out(base_minor, [Fraction(base_minor * amount, whole) for amount in given])
