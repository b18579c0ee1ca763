"""Money that comes by bank transfer: which invoices it names, what it pays, and what is left over (rules 17)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from pydantic import Field

from billing.values import Value

DIGITS: Final = 6
"""Of an invoice number at least, with the zeros that are printed: fewer could be anything."""


class TransferSource(StrEnum):
    """Where we know of a transfer from."""

    BANK_FILE = "bank_file"
    PERSON = "person"


class TransferState(StrEnum):
    """Where a transfer stands."""

    UNMATCHED = "unmatched"
    """Nobody knows yet whose it is, or for what: nothing of it is booked. A person has to say."""
    MATCHED = "matched"
    DISMISSED = "dismissed"
    """No payment of a customer, or recorded before."""
    TAKEN_BACK = "taken_back"
    """Recorded by mistake: it never came."""


class ClaimState(StrEnum):
    """Where what was claimed for late payment stands."""

    OPEN = "open"
    PAID = "paid"
    WAIVED = "waived"


class Owing(Value):
    """What one invoice asks for."""

    invoice_id: str
    open_minor: int = Field(ge=0)
    claimed_minor: int = Field(default=0, ge=0)
    """What was claimed for its late payment, and is still owed."""


class Share(Value):
    """What a transfer does to one invoice, in minor units."""

    invoice_id: str
    pays_minor: int
    small_difference_minor: int = 0
    """What is then still missing, too little to be asked for: it closes the invoice."""
    claim_minor: int = 0
    """What pays a claim for its late payment."""
    unapplied_minor: int = 0
    """What no invoice asks for."""

    @property
    def received_minor(self) -> int:
        """The part of the transfer that it stands for."""
        return self.pays_minor + self.claim_minor + self.unapplied_minor


def allot(amount_minor: int, owing: Sequence[Owing], *, tolerance_minor: int) -> tuple[Share, ...]:
    """What a transfer pays: one invoice after the other, then what was claimed for them; the rest is unapplied cash.

    An invoice that is then short of no more than the tolerance is closed by a small difference (rules 17).

    Args:
        amount_minor: what came, positive.
        owing: in the order in which they are paid; at least one.
        tolerance_minor: the largest difference that is not asked for.

    Returns:
        One share for each invoice to which something happens. What is left over stands with the last of them.
    """
    rest, shares = amount_minor, []
    for invoice in owing:
        pays = min(rest, invoice.open_minor)
        rest -= pays
        missing = invoice.open_minor - pays
        small = missing if pays and missing <= tolerance_minor else 0
        shares.append(Share(invoice_id=invoice.invoice_id, pays_minor=pays, small_difference_minor=small))
    for place, invoice in enumerate(owing):
        claim = min(rest, invoice.claimed_minor)
        rest -= claim
        shares[place] = shares[place].model_copy(update={"claim_minor": claim})
    touched = [share for share in shares if share.received_minor] or shares[-1:]
    touched[-1] = touched[-1].model_copy(update={"unapplied_minor": rest})
    return tuple(touched)


def numbers_in(text: str, series: Iterable[str]) -> tuple[str, ...]:
    """The document numbers that a text names, as they are printed, each once, in the order of the text.

    Banks drop and swap signs: `F-000012` may come as `F 000012`, `f000012` or `F/000012`. The digits must be there as
    they are printed, since `F 12` can mean anything.

    Args:
        text: what a payer wrote, in any case.
        series: in which documents are numbered; the longest that fits is meant.
    """
    by_pattern = {_loosely(one): one for one in series}
    found = []
    for match in _named(by_pattern, text):
        meant = next(one for pattern, one in by_pattern.items() if re.fullmatch(pattern, match[1]))
        found.append(f"{meant}-{int(match[2]):0{DIGITS}d}")
    return tuple(dict.fromkeys(found))


def may_name_more(text: str, series: Iterable[str]) -> bool:
    """Whether there is what may be the number of another document, beside those that `numbers_in` finds.

    As in `F-000001/000002` or `F-000001F-000002`. It may as well be a customer's number or a date: whether it means a
    document is for a person to say.
    """
    upper = text.upper()
    taken = [match.span() for match in _named({_loosely(one): one for one in series}, text)]
    groups = re.finditer(rf"(?<!\d)\d{{{DIGITS}}}(?!\d)", upper)
    return any(not any(start <= group.start() < end for start, end in taken) for group in groups)


def _named(by_pattern: Mapping[str, str], text: str) -> Iterator[re.Match[str]]:
    if not by_pattern:
        return iter(())
    longest_first = sorted(by_pattern, key=len, reverse=True)
    named = re.compile(rf"(?<![A-Z0-9])({'|'.join(longest_first)})[\W_]*(\d{{{DIGITS},}})(?!\d)")
    return named.finditer(text.upper())


def _loosely(series: str) -> str:
    """A pattern for a series with any signs, or none, in place of its own."""
    return r"[\W_]*".join(re.findall(r"[A-Z0-9]+", series.upper()))
