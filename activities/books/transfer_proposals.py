"""Reading whose a transfer could be: customers with its amount open, its account, or a name like the payer's."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.transfers import oldest_first
from billing.proposals import Candidate, OpenInvoice, Proposal, propose
from billing.transfers import TransferState
from models.tables import Customer, Invoice, InvoiceStatus, Transfer

MOST_CANDIDATES: Final = 20
_OWED: Final = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)


async def proposals_for(session: AsyncSession, transfer: Transfer) -> tuple[Proposal, ...]:
    """Whose an unmatched transfer could be, the likeliest first."""
    by_account = await _who_paid_from(session, transfer)
    ids = by_account | await _with_the_amount(session, transfer) | await _called(session, transfer)
    if not ids:
        return ()
    customers = (await session.exec(select(Customer).where(col(Customer.id).in_(ids)))).all()
    query = select(Invoice).where(col(Invoice.customer_id).in_(ids), *_owed_in_its_currency(transfer))
    owed: defaultdict[str, list[Invoice]] = defaultdict(list)
    for invoice in oldest_first((await session.exec(query)).all()):
        owed[invoice.customer_id].append(invoice)
    candidates = [
        Candidate(
            customer_id=customer.id,
            name=customer.name,
            has_paid_from_account=customer.id in by_account,
            invoices=tuple(
                OpenInvoice(invoice_id=one.id, number=one.number or "", open_minor=one.open_minor)
                for one in owed[customer.id]
            ),
        )
        for customer in customers
    ]
    return propose(transfer.amount_minor, transfer.payer_name, candidates)


def _owed_in_its_currency(transfer: Transfer) -> list[ColumnElement[bool]]:
    return [
        col(Invoice.entity_id) == transfer.entity_id,
        col(Invoice.currency) == transfer.currency,
        col(Invoice.status).in_(_OWED),
    ]


async def _who_paid_from(session: AsyncSession, transfer: Transfer) -> set[str]:
    if not transfer.payer_account:
        return set()
    query = (
        select(Transfer.customer_id)
        .where(
            Transfer.payer_account == transfer.payer_account,
            Transfer.entity_id == transfer.entity_id,
            Transfer.state == TransferState.MATCHED,
        )
        .distinct()
        .limit(MOST_CANDIDATES)
    )
    return {found for found in (await session.exec(query)).all() if found is not None}


async def _with_the_amount(session: AsyncSession, transfer: Transfer) -> set[str]:
    left = (
        col(Invoice.total_minor)
        - col(Invoice.credited_minor)
        - col(Invoice.paid_minor)
        - col(Invoice.small_difference_minor)
    )
    query = (
        select(Invoice.customer_id)
        .where(*_owed_in_its_currency(transfer), left == transfer.amount_minor)
        .distinct()
        .limit(MOST_CANDIDATES)
    )
    return set((await session.exec(query)).all())


async def _called(session: AsyncSession, transfer: Transfer) -> set[str]:
    if not transfer.payer_name.strip():
        return set()
    query = (
        select(Customer.id)
        .where(
            Customer.entity_id == transfer.entity_id,
            func.lower(Customer.name) == transfer.payer_name.strip().lower(),
        )
        .limit(MOST_CANDIDATES)
    )
    return set((await session.exec(query)).all())
