"""The journal: append-only entries whose lines sum to zero, from which any balance can be recomputed (I11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.calendar import local_date
from models.tables import Invoice, JournalLine, LegalEntity

RECEIVABLE: Final = "receivable"
"""What customers owe."""
REVENUE: Final = "revenue"
VAT: Final = "vat"
CASH: Final = "cash"
"""What the payment provider took for us."""
BALANCE: Final = "balance"
"""What we owe a customer, from credits of paid invoices."""
UNAPPLIED: Final = "unapplied_cash"
"""Money that no invoice claimed."""


class UnbalancedEntry(ValueError):
    """The lines of an entry do not sum to zero: a fault of ours."""


def book(
    session: AsyncSession,
    entity: LegalEntity,
    invoice: Invoice,
    *,
    entry: str,
    amounts: Mapping[str, int],
    at: datetime,
    on: date | None = None,
) -> None:
    """Append one entry; accounts with nothing in them are left out.

    Args:
        session: the transaction of the fact.
        entity: whose local date is the accounting date (rules 1).
        invoice: what it is about.
        entry: its unique name, `kind/id`: the same fact cannot be booked twice.
        amounts: signed minor units per account, debits positive.
        at: the instant of the fact.
        on: the accounting date, where a document has its own: its issue date; else the entity's local date of `at`.

    Raises:
        UnbalancedEntry: the amounts do not sum to zero.
    """
    if sum(amounts.values()) != 0:
        raise UnbalancedEntry(f"{entry}: {dict(amounts)}")
    for account, amount in amounts.items():
        if amount == 0:
            continue
        session.add(
            JournalLine(
                entry=entry,
                kind=entry.partition("/")[0],
                account=account,
                amount_minor=amount,
                currency=invoice.currency,
                entity_id=entity.id,
                customer_id=invoice.customer_id,
                invoice_id=invoice.id,
                on=on or local_date(at, entity.timezone),
                at=at,
            )
        )


async def balances(session: AsyncSession, customer_id: str) -> dict[tuple[str, str], int]:
    """The sum of every account of a customer, by account and currency, from the journal alone."""
    query = (
        select(JournalLine.account, JournalLine.currency, func.sum(JournalLine.amount_minor))
        .where(JournalLine.customer_id == customer_id)
        .group_by(JournalLine.account, JournalLine.currency)
    )
    return {(account, currency): int(total) for account, currency, total in (await session.exec(query)).all()}
