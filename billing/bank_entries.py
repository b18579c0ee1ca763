"""What a bank says came in, as plain values: statements and their entries, whatever format they were read from."""

from __future__ import annotations

from datetime import date

from billing.values import Value


class BankEntry(Value):
    """Money that the bank booked to an account."""

    key: tuple[str, ...]
    """What makes it unique at the bank: reading it again gives the same."""
    amount_minor: int
    currency: str
    booked_on: date
    value_on: date | None = None
    reference: str = ""
    """The bank's own, or the payer's where the bank has none."""
    payer_name: str = ""
    payer_account: str = ""
    remittance: str = ""
    """All that the payer wrote, structured or not."""
    line: int
    """Of the file."""


class Passed(Value):
    """An entry that is no payment of a customer, or not one yet."""

    line: int
    why: str


class Statement(Value):
    """One statement of one account."""

    id: str
    account: str
    """IBAN, or the bank's own number."""
    line: int
    entries: tuple[BankEntry, ...]
    """Payments that came in."""
    passed: tuple[Passed, ...] = ()
    """Debits, reversals and what is not booked yet."""
