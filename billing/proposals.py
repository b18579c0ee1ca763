"""Whose a transfer that names no invoice could be: proposed to a person with the reasons, never booked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from billing.values import Value

MOST_PROPOSALS: Final = 3
SHORTEST_NAME: Final = 4
"""A name of fewer letters is alike to too many others."""


class OpenInvoice(Value):
    """An invoice that is still to be paid."""

    invoice_id: str
    number: str
    open_minor: int


class Candidate(Value):
    """A customer whose payment it could be."""

    customer_id: str
    name: str
    has_paid_from_account: bool
    """Whether the payer's account has paid for this customer before."""
    invoices: tuple[OpenInvoice, ...]
    """Open ones in the transfer's currency, oldest first."""


class Proposal(Value):
    """Invoices that a transfer could be meant for."""

    customer_id: str
    customer_name: str
    numbers: tuple[str, ...]
    open_minor: int
    """Of these invoices together."""
    why: tuple[str, ...]


def propose(amount_minor: int, payer_name: str, candidates: Iterable[Candidate]) -> tuple[Proposal, ...]:
    """Whose it could be, the likeliest first: by amount, by the payer's account and name."""
    found = [proposal for one in candidates if (proposal := _propose(amount_minor, payer_name, one))]
    return tuple(sorted(found, key=lambda one: (-len(one.why), one.customer_name))[:MOST_PROPOSALS])


def _propose(amount_minor: int, payer_name: str, candidate: Candidate) -> Proposal | None:
    if not candidate.invoices:
        return None
    chosen, why = _by_amount(amount_minor, candidate.invoices)
    if candidate.has_paid_from_account:
        why.append("the account has paid for this customer before")
    if are_alike(payer_name, candidate.name):
        why.append("the payer is called like the customer")
    if not why:
        return None
    return Proposal(
        customer_id=candidate.customer_id,
        customer_name=candidate.name,
        numbers=tuple(invoice.number for invoice in chosen),
        open_minor=sum(invoice.open_minor for invoice in chosen),
        why=tuple(why),
    )


def _by_amount(
    amount_minor: int, invoices: tuple[OpenInvoice, ...]
) -> tuple[tuple[OpenInvoice, ...], list[str]]:
    """The oldest invoice of that amount, or all of them together; else all, for no reason of their own."""
    same = [invoice for invoice in invoices if invoice.open_minor == amount_minor]
    if same:
        return (same[0],), ["its amount is open on it"]
    if len(invoices) > 1 and sum(invoice.open_minor for invoice in invoices) == amount_minor:
        return invoices, ["its amount is all that is open"]
    return invoices, []


def are_alike(one: str, other: str) -> bool:
    """Whether two names are one, or one contains the other, whatever their accents, signs and capitals."""
    first, second = _plain(one), _plain(other)
    if min(len(first), len(second)) < SHORTEST_NAME:
        return False
    return f" {first} " in f" {second} " or f" {second} " in f" {first} "


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", bare.lower()))
