"""What the books show to be wrong with money going back, and what a person has to look at at the provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.journal import UNAPPLIED
from activities.books.matters import open_matters
from activities.gateway import KEY_LIFETIME
from billing.dispute import DisputeState
from billing.money import to_major
from billing.refund import RefundState
from models.tables import Dispute, JournalLine, Matter, MatterKind, Refund
from starter.symptoms import Finding, Trouble

STUCK: Final = timedelta(minutes=15)
"""A refund that was tried first so long ago, and has an error, is not just waiting its turn."""


async def money_symptoms(session: AsyncSession, now: datetime) -> AsyncIterator[Finding]:
    """Refunds that do not leave, disputes that wait for us, facts that fit nowhere, and warnings of fraud.

    Args:
        session: for looking.
        now: real time.
    """
    async for finding in _refunds(session, now):
        yield finding
    async for finding in _disputes(session):
        yield finding
    for matter in await open_matters(session):
        yield _matter(matter)
    async for finding in _gone_without_credit(session):
        yield finding


async def _refunds(session: AsyncSession, now: datetime) -> AsyncIterator[Finding]:
    """Those that the provider did not take, or for which it needs the customer."""
    states = (RefundState.QUEUED, RefundState.REQUIRES_ACTION)
    query = select(Refund).where(col(Refund.state).in_(states)).order_by(col(Refund.at), col(Refund.id))
    for refund in (await session.exec(query)).all():
        what = f"{_amount(refund.amount_minor, refund.currency)} for {refund.customer_id}"
        if refund.state is RefundState.REQUIRES_ACTION:
            yield Finding(
                trouble=Trouble.REFUND,
                about=refund.id,
                says=f"{what}: the provider asks the customer where to send it",
                remedy="Ask the customer to answer the provider's mail.",
            )
        elif refund.sent_at is not None and refund.last_error and now - refund.sent_at >= STUCK:
            is_old = now - refund.sent_at >= KEY_LIFETIME
            yield Finding(
                trouble=Trouble.REFUND,
                about=refund.id,
                says=f"{what} has not left since {refund.sent_at:%Y-%m-%d %H:%M} UTC: {refund.last_error}",
                remedy=_SEND_OR_DROP.format(id=refund.id) if is_old else "It is tried again by itself.",
            )


_SEND_OR_DROP: Final = (
    "Look at the payment at the provider. Nothing went back: relance payment send {id}; "
    "it is not to go back any more: relance payment drop {id} --reason ..."
)


async def _disputes(session: AsyncSession) -> AsyncIterator[Finding]:
    """Those for which the provider waits for our evidence."""
    query = select(Dispute).where(col(Dispute.answer_by).is_not(None))
    for dispute in (await session.exec(query.order_by(col(Dispute.answer_by), col(Dispute.id)))).all():
        inquiry = dispute.state is DisputeState.INQUIRY
        what = "the bank asks about" if inquiry else "the payer disputes"
        ways = "Answer it at the provider, or refund it" if inquiry else "Send evidence at the provider"
        yield Finding(
            trouble=Trouble.DISPUTE,
            about=dispute.invoice_id,
            says=f"{what} {_amount(dispute.amount_minor, dispute.currency)} ({dispute.reason.replace('_', ' ')})",
            remedy=f"{ways}, until {dispute.answer_by:%Y-%m-%d %H:%M} UTC: {dispute.provider_id}",
        )


def _matter(matter: Matter) -> Finding:
    sum_ = "" if matter.amount_minor is None else f", {_amount(matter.amount_minor, matter.currency)}"
    return Finding(
        trouble=Trouble.FRAUD if matter.kind is MatterKind.FRAUD_WARNING else Trouble.MONEY,
        about=matter.provider_id,
        says=f"{matter.says}{sum_}",
        remedy=_WHAT_TO_DO[matter.kind].format(id=matter.id),
    )


_LOOKED: Final = "relance payment resolve {id} --reason ..."
_WHAT_TO_DO: Final = {
    MatterKind.PAYMENT: f"Refund it at the provider, or credit the customer by hand; then: {_LOOKED}",
    MatterKind.REFUND: f"relance payment link {{id}} INVOICE, where it belongs to one of ours; else: {_LOOKED}",
    MatterKind.DISPUTE: f"relance payment link {{id}} INVOICE, where it belongs to one of ours; else: {_LOOKED}",
    MatterKind.FRAUD_WARNING: "Refund it before it is disputed (relance invoice credit --then refund), or leave it; "
    f"tell the customer nothing; then: {_LOOKED}",
}


async def _gone_without_credit(session: AsyncSession) -> AsyncIterator[Finding]:
    """Customers who got money back without a credit note: it was refunded at the provider by hand (rules 33)."""
    total = func.sum(JournalLine.amount_minor)
    query = (
        select(JournalLine.customer_id, JournalLine.currency, total)
        .where(JournalLine.account == UNAPPLIED)
        .group_by(JournalLine.customer_id, JournalLine.currency)
        .having(total > 0)
        .order_by(JournalLine.customer_id, JournalLine.currency)
    )
    for customer_id, currency, amount in (await session.exec(query)).all():
        yield Finding(
            trouble=Trouble.MONEY,
            about=customer_id,
            says=f"{_amount(int(amount), currency)} went back without a credit note",
            remedy="Credit the invoice that was paid by it: relance invoice credit. It is not sent back twice.",
        )


def _amount(amount_minor: int, currency: str) -> str:
    return f"{to_major(amount_minor, currency)} {currency}"
