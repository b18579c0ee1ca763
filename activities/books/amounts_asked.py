"""What a charge of an invoice asks for: what is open on it, and small amounts that are not charged alone (rules 10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypedDict

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from billing.payment import LIVE_STATES, Trigger
from models.tables import ELSEWHERE, Invoice, InvoiceStatus, PaymentAttempt


class Joined(TypedDict):
    """Another invoice that an attempt pays as well, and what is asked for it."""

    invoice: str
    amount_minor: int


MOST_JOINED: Final = 10
"""Invoices that one PaymentIntent takes along: their ids have to fit into its metadata."""


async def joined_amounts(
    session: AsyncSession, rules: BookRules, invoice: Invoice, trigger: Trigger = Trigger.FIRST
) -> list[Joined]:
    """What else an attempt on this invoice asks for: open amounts too small to be charged alone (rules 10).

    Of the same subscription, oldest first; none for which another attempt is under way.
    """
    query = (
        select(Invoice)
        .where(
            Invoice.subscription_id == invoice.subscription_id,
            Invoice.currency == invoice.currency,
            Invoice.status == InvoiceStatus.OPEN,
            Invoice.id != invoice.id,
            col(Invoice.frozen).is_(False),
            Invoice.owner != ELSEWHERE,
        )
        .order_by(col(Invoice.period_start), col(Invoice.id))
    )
    small = [
        other
        for other in (await session.exec(query)).all()
        if 0 < other.open_minor < rules.minimum(other.currency)
        and (other.automatic_collecting or not trigger.is_automatic)
    ]
    if not small:
        return []
    taken = await _asked_elsewhere(session, invoice)
    return [
        Joined(invoice=other.id, amount_minor=other.open_minor) for other in small if other.id not in taken
    ][:MOST_JOINED]


async def _asked_elsewhere(session: AsyncSession, invoice: Invoice) -> set[str]:
    query = select(PaymentAttempt).where(
        PaymentAttempt.subscription_id == invoice.subscription_id,
        PaymentAttempt.invoice_id != invoice.id,
        col(PaymentAttempt.state).in_(LIVE_STATES),
    )
    live = (await session.exec(query)).all()
    return {a.invoice_id for a in live} | {one["invoice"] for a in live for one in a.also}


async def amount_asked(session: AsyncSession, rules: BookRules, invoice: Invoice) -> int:
    """What a charge of this invoice takes now, in minor units, with what is too small to be charged alone."""
    return total_asked(invoice, await joined_amounts(session, rules, invoice))


def total_asked(invoice: Invoice, also: Iterable[Joined]) -> int:
    """What is open on the invoice, with what its charge takes along; in minor units."""
    return invoice.open_minor + sum(one["amount_minor"] for one in also)
