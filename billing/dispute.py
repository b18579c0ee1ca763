"""Disputes: where one stands, and what a lost one takes back from whom (rules 16, 33, U17)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from billing.errors import InvalidInput
from billing.values import Value


class DisputeState(StrEnum):
    """Where a dispute stands."""

    INQUIRY = "inquiry"
    """The bank only asks: no money has moved, and a refund still ends it."""
    OPEN = "open"
    """The bank has taken the money and decides."""
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"
    """It ended without a decision: an inquiry that led to nothing, or a dispute that was prevented."""

    @property
    def is_over(self) -> bool:
        """Whether the bank has decided, or will not."""
        return self in (DisputeState.WON, DisputeState.LOST, DisputeState.CLOSED)

    def may_become(self, other: DisputeState) -> bool:
        """Whether `other` is news. Messages come late and in any order; only an appeal turns a lost one to won."""
        return _RANK[other] > _RANK[self] or (self is DisputeState.LOST and other is DisputeState.WON)


_RANK = {
    DisputeState.INQUIRY: 0,
    DisputeState.OPEN: 1,
    DisputeState.WON: 2,
    DisputeState.LOST: 2,
    DisputeState.CLOSED: 2,
}


class Loss(Value):
    """Where a lost amount comes from, in minor units; the parts sum to it."""

    reopens_minor: tuple[int, ...]
    """Of each invoice that the payment had paid, in their order: this much is open again."""
    unapplied_minor: int
    """Out of unapplied cash, which may fall below zero: that shows, and the next credit makes it good (rules 33)."""
    balance_minor: int
    """Out of the customer's balance."""


def lose(amount_minor: int, kept_minor: Sequence[int], *, unapplied_minor: int, balance_minor: int) -> Loss:
    """What a lost dispute takes back.

    An invoice is open again for what was paid on it and is still there. What was given back before, by a credit, was
    the customer's already: so that nobody gets the same money twice it comes out of what we hold for them.

    Args:
        amount_minor: what the bank took, positive.
        kept_minor: for each invoice what the payment paid of it and no credit has given back since.
        unapplied_minor: unapplied cash that we hold.
        balance_minor: balance of the customer that nothing waits for.

    Raises:
        InvalidInput: the amount is not positive; field `amount`.
    """
    if amount_minor <= 0:
        raise InvalidInput("A dispute takes a positive amount.", field="amount")
    rest, reopens = amount_minor, []
    for kept in kept_minor:
        part = max(0, min(rest, kept))
        reopens.append(part)
        rest -= part
    held = max(0, min(rest, unapplied_minor))
    balance = max(0, min(rest - held, balance_minor))
    return Loss(reopens_minor=tuple(reopens), unapplied_minor=rest - balance, balance_minor=balance)
