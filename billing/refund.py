"""Money going back: its states, and how an amount is spread over the payments that it goes back on (rules 11)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from billing.errors import InvalidInput
from billing.values import Value


class RefundState(StrEnum):
    """Where a refund stands. `succeeded` may still turn to `failed`: a bank can send money back."""

    QUEUED = "queued"
    """Written, not yet taken by the provider."""
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    """The provider asks the customer where to send it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def counts(self) -> bool:
        """Whether the money is gone, or going: it can't go back a second time."""
        return self not in (RefundState.FAILED, RefundState.CANCELED)

    @property
    def was_taken(self) -> bool:
        """Whether the provider has taken it, and the money off our account with it."""
        return self in (RefundState.PENDING, RefundState.REQUIRES_ACTION, RefundState.SUCCEEDED)

    def may_become(self, other: RefundState) -> bool:
        """Whether `other` is news: messages may come late and in any order, and nothing leaves its end state."""
        return other is not self and _RANK[other] > _RANK[self]


_RANK = {
    RefundState.QUEUED: 0,
    RefundState.PENDING: 1,
    RefundState.REQUIRES_ACTION: 2,
    RefundState.SUCCEEDED: 3,
    RefundState.FAILED: 4,
    RefundState.CANCELED: 4,
}


class MoneySource(StrEnum):
    """Whose money it is before it goes back, or pays an invoice."""

    BALANCE = "balance"
    """What we owe the customer."""
    UNAPPLIED = "unapplied_cash"
    """Money that no invoice claimed."""


class RefundExceedsPayments(InvalidInput):
    """More than what is left to go back on these payments.

    Attributes:
        requested_minor: what was asked for.
        left_minor: the most that can still go back.
    """

    def __init__(self, requested_minor: int, left_minor: int) -> None:
        super().__init__(
            f"{requested_minor} minor units are more than the {left_minor} that can still go back on these payments. "
            f"Refund {left_minor} at most; the rest can become balance, or be paid out by other means.",
            field="amount",
        )
        self.requested_minor = requested_minor
        self.left_minor = left_minor


class Refundable(Value):
    """A payment, and what can still go back on it."""

    attempt_id: str
    left_minor: int


class RefundPart(Value):
    """A part of an amount, on one payment."""

    attempt_id: str
    amount_minor: int


def spread(amount_minor: int, payments: Sequence[Refundable]) -> tuple[RefundPart, ...]:
    """An amount over payments, each filled before the next is begun.

    Args:
        amount_minor: what is to go back, positive.
        payments: in the order in which they are taken, the newest first.

    Raises:
        InvalidInput: the amount is not positive; field `amount`.
        RefundExceedsPayments: they do not hold that much; field `amount`.
    """
    if amount_minor <= 0:
        raise InvalidInput("Give a positive amount to refund.", field="amount")
    left = sum(payment.left_minor for payment in payments)
    if amount_minor > left:
        raise RefundExceedsPayments(amount_minor, left)
    parts, rest = [], amount_minor
    for payment in payments:
        part = min(rest, payment.left_minor)
        if part > 0:
            parts.append(RefundPart(attempt_id=payment.attempt_id, amount_minor=part))
            rest -= part
    return tuple(parts)
