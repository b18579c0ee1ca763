"""What another billing system leaves to us in the books: balances and debts as opening entries, and taking them back.

A debt keeps the number of the document that another system issued. It is an invoice to collect, and none of ours: it
takes no number of our series, is not rendered, and has no VAT of ours, which is declared where it was issued.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import open_collection
from activities.books.issuing import buyer_of, seller_of
from activities.books.journal import (
    BALANCE,
    BROUGHT_IN,
    BROUGHT_IN_UNDONE,
    OPENING,
    RECEIVABLE,
    book,
    book_for,
)
from activities.books.notices import about, emit
from activities.books.transitions import settle_standing
from activities.books.work import Work
from billing.effects import InvoiceReason
from billing.tax import Totals
from billing.terms import CollectionMethod
from billing.values import Value
from models.tables import ELSEWHERE, Customer, Invoice, InvoiceStatus, LegalEntity


class Debt(Value):
    """An open invoice of another system."""

    number: str
    """As the customer knows it."""
    issued_on: date
    due_on: date
    amount_minor: int
    """What is still owed of it, with tax."""
    currency: str
    collected: bool
    """Whether we chase it from now on; else it is only shown."""


async def bring_in_debt(
    work: Work, entity: LegalEntity, customer: Customer, debt: Debt, *, invoice_id: str, waits_days: int
) -> Invoice:
    """Write a debt and its opening entry; one that is collected is handed to a chase.

    One too small to be charged alone waits for the next invoice, as any other does (rules 10).

    Args:
        work: on the subscription that it belongs to.
        entity: the seller.
        customer: who owes it.
        debt: as the other system has it.
        invoice_id: of its row.
        waits_days: after how many days the first charge is made, so that the import can still be undone.
    """
    invoice = Invoice(
        id=invoice_id,
        entity_id=entity.id,
        customer_id=customer.id,
        subscription_id=work.row.id,
        clock_id=work.row.clock_id,
        reason=InvoiceReason.BROUGHT_IN,
        command_id=invoice_id,
        period_index=0,
        period_start=debt.issued_on,
        period_end=debt.issued_on + timedelta(days=1),
        covers_until=debt.issued_on,
        status=InvoiceStatus.OPEN,
        number=debt.number,
        issued_on=debt.issued_on,
        issued_at=work.at,
        due_on=debt.due_on,
        currency=debt.currency,
        totals=Totals(per_rate=()),
        net_minor=debt.amount_minor,
        vat_minor=0,
        total_minor=debt.amount_minor,
        seller=seller_of(entity),
        buyer=buyer_of(customer),
        delay_days=waits_days,
        automatic_collecting=debt.collected,
        owner="subscription" if debt.collected else ELSEWHERE,
    )
    work.session.add(invoice)
    amounts = {RECEIVABLE: debt.amount_minor, OPENING: -debt.amount_minor}
    book(work.session, entity, invoice, entry=f"{BROUGHT_IN}/{invoice.id}", amounts=amounts, at=work.at)
    emit(work.session, work.row, "invoice.brought_in", about(invoice), work.at, work.rules.access)
    await work.session.flush()
    by_charge = work.row.state.terms.collection_method is CollectionMethod.CHARGE
    is_too_small = by_charge and debt.amount_minor < work.rules.minimum(debt.currency)
    if debt.collected and not is_too_small:
        await open_collection(work.session, work.row, invoice, work.at, on_delay=True)
    return invoice


def bring_in_balance(
    session: AsyncSession,
    entity: LegalEntity,
    customer: Customer,
    *,
    balance_id: str,
    amount_minor: int,
    currency: str,
    at: datetime,
) -> None:
    """What another system held for a customer pays their next invoices here."""
    amounts = {BALANCE: -amount_minor, OPENING: amount_minor}
    entry = f"{BROUGHT_IN}/{balance_id}"
    book_for(session, entity, customer, entry=entry, amounts=amounts, currency=currency, at=at)


def take_back_balance(
    session: AsyncSession,
    entity: LegalEntity,
    customer: Customer,
    *,
    balance_id: str,
    amount_minor: int,
    currency: str,
    at: datetime,
) -> None:
    """The import is undone: it is owed where it was owed before."""
    amounts = {BALANCE: amount_minor, OPENING: -amount_minor}
    entry = f"{BROUGHT_IN_UNDONE}/{balance_id}"
    book_for(session, entity, customer, entry=entry, amounts=amounts, currency=currency, at=at)


async def take_back_debt(work: Work, entity: LegalEntity, invoice: Invoice) -> None:
    """The import is undone: the debt is asked for where it was before, and its number is free again."""
    amounts = {RECEIVABLE: -invoice.open_minor, OPENING: invoice.open_minor}
    book(
        work.session, entity, invoice, entry=f"{BROUGHT_IN_UNDONE}/{invoice.id}", amounts=amounts, at=work.at
    )
    invoice.status, invoice.number, invoice.in_arrears = InvoiceStatus.VOID, None, False
    invoice.closed_by = "the import was undone"
    emit(work.session, work.row, "invoice.voided", about(invoice), work.at, work.rules.access)
    await settle_standing(work)
