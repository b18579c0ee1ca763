"""The lines of a credit note: the billed lines that it takes back, or one for each rate of an amount (rules 7, 11)."""

from __future__ import annotations

from fractions import Fraction

from billing.errors import InvalidInput
from billing.lines import Line, LineKind
from billing.money import round_half_up, to_major
from billing.tax import RateTotal


def taken_back(line: Line) -> Line:
    """The line that takes a whole billed line back, whatever its sign."""
    changes = {
        "kind": LineKind.CREDIT,
        "amount_minor": -line.amount_minor,
        "list_minor": -line.list_minor,
    }
    return line.model_copy(update=changes)


def part_taken_back(line: Line, amount_minor: int | None, currency: str) -> Line:
    """The line that takes a billed line back, or an amount of it.

    Args:
        line: of the invoice.
        amount_minor: as the line is printed, net or gross; None is all of it.
        currency: of the invoice.

    Raises:
        InvalidInput: the line gives something back itself, or bills less than that; field `lines`.
    """
    if line.amount_minor <= 0:
        raise InvalidInput("This line bills nothing. Choose a line with a positive amount.", field="lines")
    if amount_minor is None or amount_minor == line.amount_minor:
        return taken_back(line)
    if amount_minor > line.amount_minor:
        raise InvalidInput(
            f"The line bills {line.amount_minor} minor units. Credit {line.amount_minor} of it at most.",
            field="lines",
        )
    return _amount_of(line, amount_minor, currency)


def line_of_rate(template: Line, part: RateTotal, currency: str, *, tax_included: bool) -> Line:
    """The one line that stands for what a credit takes back at one rate.

    Args:
        template: a line of the invoice at that rate: what was sold, and for which days.
        part: of the credit note's totals, negative.
        currency: of the invoice.
        tax_included: whether lines are printed gross.
    """
    return _amount_of(template, -(part.gross_minor if tax_included else part.base_minor), currency)


def _amount_of(line: Line, amount_minor: int, currency: str) -> Line:
    share = Fraction(amount_minor, abs(line.amount_minor)) if line.amount_minor else Fraction(1)
    changes = {
        "kind": LineKind.CREDIT,
        "quantity": type(line.quantity)(1),
        "unit_amount": to_major(amount_minor, currency),
        "amount_minor": -amount_minor,
        "list_minor": -max(amount_minor, round_half_up(abs(line.list_minor) * share)),
    }
    return line.model_copy(update=changes)
