"""VAT on receipts: what has been received of an invoice, per rate, up to a day (rules 7, 16).

For services VAT falls due when they are paid (in France CGI art. 269-2-c), in the month of the money: a payment that a
bank takes back gives its VAT back in the month in which that happens, not in that of the payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing.credit import credit_gross
from billing.tax import RateTotal, Totals
from billing.values import Value


class MoneyMoved(Value):
    """Money that came for an invoice, by whatever way, or was taken back."""

    on: date
    amount_minor: int
    """Negative where it was taken back."""


class NoteIssued(Value):
    """A credit note of the invoice."""

    on: date
    totals: Totals
    """Negative."""
    closes_minor: int
    """The part of it that closed what was open: never received, so never given back."""
    pays_back_minor: int
    """The part that had been paid."""


def received_before(
    invoice: Totals, notes: Sequence[NoteIssued], moved: Sequence[MoneyMoved], day: date
) -> Totals:
    """Net and VAT that were received of an invoice before a day, less what was given back of it.

    A part takes its share of net and VAT per rate, and what completes the invoice takes the rest: so the months add up
    to the documents, to the cent.

    Args:
        invoice: its totals.
        notes: its credit notes.
        moved: what was paid on it and taken back.
        day: exclusive.
    """
    issued = [note for note in notes if note.on < day]
    closed = [_share(-note.totals, note.closes_minor) for note in issued]
    claimed = sum((-part for part in closed), start=invoice)
    paid = sum(one.amount_minor for one in moved if one.on < day)
    received = _share(claimed, paid)
    for note, part in zip(issued, closed, strict=True):
        received += -_share(-note.totals + -part, note.pays_back_minor)
    return received


def _share(whole: Totals, amount_minor: int) -> Totals:
    """What a gross amount takes of positive totals, per rate; no more than all of it, and nothing of nothing."""
    amount = min(amount_minor, whole.total_minor)
    if amount <= 0:
        nothing = (RateTotal(rate=part.rate, base_minor=0, vat_minor=0) for part in whole.per_rate)
        return Totals(per_rate=tuple(nothing))
    return -credit_gross(whole, amount)
