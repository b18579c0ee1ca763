"""What the payment provider keeps of us for disputes and for debits that failed."""

from __future__ import annotations

from sqlmodel import select

from activities.books.journal import CASH, PROVIDER_FEES, book
from activities.books.rows import entity_of
from activities.books.work import Work
from billing.payment import ProviderFee
from models.tables import Invoice, JournalLine


async def book_fee(work: Work, invoice: Invoice, kind: str, fee: ProviderFee) -> None:
    """Book a fee once, whoever is right: it is not the customer's.

    Args:
        work: in whose transaction.
        invoice: whose payment it was taken for.
        kind: of entry.
        fee: nothing is booked for one of nothing.
    """
    entry = f"{kind}/{fee.id}"
    known = await work.session.exec(select(JournalLine.id).where(JournalLine.entry == entry).limit(1))
    if fee.amount_minor == 0 or known.first() is not None:
        return
    book(
        work.session,
        await entity_of(work.session, invoice),
        invoice,
        entry=entry,
        amounts={PROVIDER_FEES: fee.amount_minor, CASH: -fee.amount_minor},
        at=work.at,
        currency=fee.currency,
    )
