"""What we owe a customer: the journal's balance and unapplied cash, and how it pays an invoice (rules 11, 12).

The journal is the ledger; there is no second one to keep in step. Who takes from it waits for its turn first (see
`wait_for_turn`), so that two transactions never spend the same money, and nothing is locked after that.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.journal import BALANCE, BALANCE_USED, RECEIVABLE, UNAPPLIED, book
from activities.books.numbering import wait_for_turn
from billing.credit import use_balance
from billing.refund import MoneySource
from billing.values import Value
from models.tables import Customer, Invoice, InvoiceStatus, JournalLine, LegalEntity

ACCOUNT_OF = {MoneySource.BALANCE: BALANCE, MoneySource.UNAPPLIED: UNAPPLIED}


class Held(Value):
    """Money that we hold for a customer in one currency, in minor units."""

    currency: str
    balance_minor: int
    """What we owe the customer; never below zero."""
    set_aside_minor: int
    """The part of it that drafts wait to use: it is still owed, and not free."""
    unapplied_minor: int
    """Money that no invoice claimed. Below zero: money that went back without a credit note (rules 33)."""

    @property
    def free_minor(self) -> int:
        """Balance that nothing waits for."""
        return self.balance_minor - self.set_aside_minor

    def of(self, source: MoneySource) -> int:
        """What can be taken out of one of the two."""
        return max(0, self.free_minor if source is MoneySource.BALANCE else self.unapplied_minor)


async def held_for(session: AsyncSession, customer_id: str, currency: str) -> Held:
    """What we hold for a customer now. Take nothing out of it without waiting for your turn first."""
    await session.flush()
    query = (
        select(JournalLine.account, func.sum(JournalLine.amount_minor))
        .where(
            JournalLine.customer_id == customer_id,
            JournalLine.currency == currency,
            col(JournalLine.account).in_((BALANCE, UNAPPLIED)),
        )
        .group_by(JournalLine.account)
    )
    booked = {account: -int(total) for account, total in (await session.exec(query)).all()}
    return Held(
        currency=currency,
        balance_minor=booked.get(BALANCE, 0),
        set_aside_minor=await _set_aside(session, customer_id, currency),
        unapplied_minor=booked.get(UNAPPLIED, 0),
    )


async def currencies_held(session: AsyncSession, customer_id: str) -> list[str]:
    """The currencies in which we ever held money for a customer."""
    query = (
        select(JournalLine.currency)
        .where(JournalLine.customer_id == customer_id, col(JournalLine.account).in_((BALANCE, UNAPPLIED)))
        .distinct()
        .order_by(JournalLine.currency)
    )
    return list((await session.exec(query)).all())


async def _set_aside(session: AsyncSession, customer_id: str, currency: str) -> int:
    query = select(func.sum(Invoice.balance_minor)).where(
        Invoice.customer_id == customer_id,
        Invoice.currency == currency,
        Invoice.status == InvoiceStatus.DRAFT,
    )
    return int((await session.exec(query)).one() or 0)


async def free_balance_seen(session: AsyncSession, customer: Customer, currency: str) -> int:
    """Balance that an invoice could use now, for a preview: another invoice may take it first."""
    return max(0, (await held_for(session, customer.id, currency)).free_minor)


async def free_balance(session: AsyncSession, customer: Customer, currency: str) -> int:
    """Balance that an invoice can use now; where there is any, nobody else takes it until this transaction ends."""
    if (await held_for(session, customer.id, currency)).free_minor <= 0:
        return 0
    await wait_for_turn(session, customer.entity_id)
    return max(0, (await held_for(session, customer.id, currency)).free_minor)


async def left_to_charge(session: AsyncSession, customer: Customer, currency: str, total_minor: int) -> int:
    """What of an invoice's total would be left to charge after the balance."""
    return use_balance(total_minor, await free_balance(session, customer, currency)).to_charge_minor


async def set_balance_aside(session: AsyncSession, customer: Customer, invoice: Invoice) -> None:
    """Let the balance pay an invoice, as far as it goes, before it is asked for; booked when it is issued.

    A gated draft keeps what was set aside when it was written: the amount of its PaymentIntent does not change.
    """
    if invoice.balance_minor or invoice.total_minor == 0:
        return
    free = await free_balance(session, customer, invoice.currency)
    used = use_balance(invoice.open_minor, free).from_balance_minor
    invoice.balance_minor += used
    invoice.paid_minor += used
    await session.flush()


def give_back_what_was_set_aside(draft: Invoice) -> None:
    """A draft is dropped: its share of the balance is free again."""
    draft.paid_minor -= draft.balance_minor
    draft.balance_minor = 0


def book_balance_used(
    session: AsyncSession, entity: LegalEntity, invoice: Invoice, *, at: datetime, on: date
) -> None:
    """The journal's side of what the balance paid, in the transaction that issues the invoice."""
    book(
        session,
        entity,
        invoice,
        entry=f"{BALANCE_USED}/{invoice.id}",
        amounts={BALANCE: invoice.balance_minor, RECEIVABLE: -invoice.balance_minor},
        at=at,
        on=on,
    )
