"""Pieces of diaries that are the same in every life."""

from __future__ import annotations


def joined(day: str, amount: str) -> list[str]:
    """A sign-up that is paid at once."""
    return [
        f"{day} invoice {amount} issued",
        f"{day} charge paid {amount}",
        f"{day} status active",
        f"{day} access begins",
        f"{day} mail invoice_issued",
        f"{day} mail receipt",
    ]


def renewed(day: str, amount: str) -> list[str]:
    """An invoice that is paid at once."""
    return [
        f"{day} invoice {amount} issued",
        f"{day} charge paid {amount}",
        f"{day} mail invoice_issued",
        f"{day} mail receipt",
    ]


def fell_behind(day: str, amount: str, code: str = "insufficient_funds") -> list[str]:
    """A renewal whose first charge is declined."""
    return [
        f"{day} invoice {amount} issued",
        f"{day} charge declined: {code}",
        f"{day} status past_due",
        f"{day} mail invoice_issued",
        f"{day} mail payment_failed",
    ]


def joined_by_debit(day: str, amount: str) -> list[str]:
    """A sign-up whose account will be debited: it begins with the bank's order."""
    return [
        f"{day} invoice {amount} issued",
        f"{day} status active",
        f"{day} access begins",
        f"{day} mail debit_notice",
        f"{day} mail invoice_issued",
    ]
