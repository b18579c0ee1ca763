"""The journal: append-only entries whose lines sum to zero, from which any balance can be recomputed (I11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.calendar import local_date
from models.tables import Customer, Invoice, JournalLine, LegalEntity

RECEIVABLE: Final = "receivable"
"""What customers owe."""
REVENUE: Final = "revenue"
VAT: Final = "vat"
CASH: Final = "cash"
"""What the payment provider took for us."""
BANK: Final = "bank"
"""What came in and went out by other means than the payment provider."""
BALANCE: Final = "balance"
"""What we owe a customer, from credits of paid invoices."""
UNAPPLIED: Final = "unapplied_cash"
"""Money that no invoice claimed. Below zero: money that went back without a credit note (rules 33)."""
REFUNDS_DUE: Final = "refunds_due"
"""Money on its way back: taken from balance or unapplied cash, and not yet taken by the payment provider."""
DISPUTED: Final = "disputed"
"""What a bank has taken from us and has not decided about yet."""
PROVIDER_FEES: Final = "provider_fees"
"""What the payment provider keeps of us for disputes and for debits that failed."""
SMALL_DIFFERENCE: Final = "small_difference"
"""What was too little to be asked for, and closed an invoice (rules 17)."""
LATE_RECEIVABLE: Final = "late_receivable"
"""What was claimed from a business for late payment, beside the invoice and outside VAT (rules 31)."""
LATE_INTEREST: Final = "late_interest"
RECOVERY_COSTS: Final = "recovery_costs"
OPENING: Final = "opening"
"""What was owed and held in another system on the day on which it was brought in: the other side of such entries."""

# Kinds of entries, named so that their amounts can be told apart in the sums of I11.
INVOICE: Final = "invoice"
CREDIT_NOTE: Final = "credit_note"
PAYMENT: Final = "payment"
REFUND: Final = "refund"
REFUND_TAKEN: Final = "refund_taken"
"""The payment provider took a refund: the cash is gone."""
REFUND_FAILED: Final = "refund_failed"
"""It came back, or never left."""
PAYOUT: Final = "payout"
"""Money that a person sent back by other means than the payment provider."""
BALANCE_USED: Final = "balance_used"
"""The balance paid an invoice at its issue."""
APPLIED: Final = "applied"
"""A person had an invoice paid with money that we held."""
MOVED: Final = "moved"
"""What was paid on an invoice pays the one that replaces it."""
DISPUTE: Final = "dispute"
"""A bank took the money of a payment from us, to decide about it."""
DISPUTE_WON: Final = "dispute_won"
"""It gave it back."""
DISPUTE_FEE: Final = "dispute_fee"
FAILURE_FEE: Final = "failure_fee"
"""A debit failed after days, and the provider charges us for it."""
TAKEN_BACK: Final = "payment_taken_back"
"""A payment was taken back for good, by a bank or because it was recorded by mistake: what it had paid is owed
again, from this day on (rules 16)."""
DIFFERENCE: Final = "difference"
"""A small difference closed an invoice (rules 17)."""
DIFFERENCE_TAKEN_BACK: Final = "difference_taken_back"
LATE_CLAIM: Final = "late_claim"
"""A person asked a business for what its late payment costs (rules 31)."""
LATE_CLAIM_WAIVED: Final = "late_claim_waived"
BROUGHT_IN: Final = "brought_in"
"""A debt or a balance came from another system: no sale, and no VAT of ours."""
BROUGHT_IN_UNDONE: Final = "brought_in_undone"
"""Its import was undone."""


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
    currency: str | None = None,
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
        currency: where it is not the invoice's.

    Raises:
        UnbalancedEntry: the amounts do not sum to zero.
    """
    _append(
        session,
        entity,
        entry=entry,
        amounts=amounts,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        currency=currency or invoice.currency,
        on=on or local_date(at, entity.timezone),
        at=at,
    )


def book_for(
    session: AsyncSession,
    entity: LegalEntity,
    customer: Customer,
    *,
    entry: str,
    amounts: Mapping[str, int],
    currency: str,
    at: datetime,
) -> None:
    """Append an entry that is about a customer and no invoice; otherwise as `book`.

    Raises:
        UnbalancedEntry: the amounts do not sum to zero.
    """
    on = local_date(at, entity.timezone)
    _append(
        session,
        entity,
        entry=entry,
        amounts=amounts,
        customer_id=customer.id,
        invoice_id=None,
        currency=currency,
        on=on,
        at=at,
    )


def _append(
    session: AsyncSession,
    entity: LegalEntity,
    *,
    entry: str,
    amounts: Mapping[str, int],
    customer_id: str,
    invoice_id: str | None,
    currency: str,
    on: date,
    at: datetime,
) -> None:
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
                currency=currency,
                entity_id=entity.id,
                customer_id=customer_id,
                invoice_id=invoice_id,
                on=on,
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
