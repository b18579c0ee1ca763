"""Disputes in the books: what they freeze while they are open, and how they end (rules 16, 33, U17).

What the provider says may come late, twice and in any order. Each movement of money is booked once, by its name in
the journal; the state only goes forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import held_for
from activities.books.config import BookRules
from activities.books.crediting import paid_and_kept
from activities.books.gate import Prepares
from activities.books.journal import (
    BALANCE,
    CASH,
    DISPUTE,
    DISPUTE_FEE,
    DISPUTE_WON,
    DISPUTED,
    PAYMENT,
    RECEIVABLE,
    TAKEN_BACK,
    UNAPPLIED,
    book,
)
from activities.books.notices import emit
from activities.books.numbering import wait_for_turn
from activities.books.provider_fees import book_fee
from activities.books.refunding import refundable
from activities.books.reopening import reopen
from activities.books.rows import entity_of, lock, lock_invoice, lock_with_subscription
from activities.books.transitions import settle_standing
from activities.books.work import Work
from activities.provider_money import DisputeNews
from billing.dispute import DisputeState, lose
from billing.payment import AttemptState, ProviderFee
from mails.context import TakenBackBy
from models.ids import derived_id
from models.tables import Dispute, Invoice, JournalLine, PaymentAttempt, PaymentMethod

Replaced = list[Invoice]
"""An invoice that the payment paid, and those that replaced it since; the last one stands."""


async def record_dispute(
    session: AsyncSession,
    gateway: Prepares,
    rules: BookRules,
    attempt: PaymentAttempt,
    news: DisputeNews,
    *,
    at: datetime,
) -> Dispute:
    """Write down what became of a dispute, with everything that follows from it; what is known already changes nothing.

    Args:
        session: a transaction of its own.
        gateway: as in `Work`.
        rules: the seller's.
        attempt: the payment that is disputed; in the same currency.
        news: as the provider has it now.
        at: the business instant.
    """
    row, _ = await lock_with_subscription(session, attempt.invoice_id)
    attempt = await lock(session, PaymentAttempt, attempt.id, field="payment")
    work = Work(session, gateway, rules, row, at)
    paid = await _paid_by(session, attempt)
    dispute = await _row_of(work, attempt, paid, news)
    await _book_moves(work, dispute, paid[0][-1], news)
    state = _believed(dispute, news)
    if dispute.state.may_become(state):
        await _turn(work, dispute, attempt, paid, state)
    dispute.answer_by = news.answer_by
    await settle_standing(work)
    return dispute


def _believed(dispute: Dispute, news: DisputeNews) -> DisputeState:
    """What can be lost was taken before: until that is seen, a lost one is still open."""
    if news.state is DisputeState.LOST and dispute.withdrawn_at is None:
        return DisputeState.OPEN
    return news.state


async def _paid_by(session: AsyncSession, attempt: PaymentAttempt) -> list[Replaced]:
    """Every invoice that a payment paid, its own first; all locked."""
    paid = []
    for invoice_id in (attempt.invoice_id, *(str(also["invoice"]) for also in attempt.also)):
        chain = [await lock_invoice(session, invoice_id)]
        while (newer := await _replacement(session, chain[-1])) is not None:
            chain.append(await lock_invoice(session, newer))
        paid.append(chain)
    return paid


async def _replacement(session: AsyncSession, invoice: Invoice) -> str | None:
    return (await session.exec(select(Invoice.id).where(Invoice.replaces_id == invoice.id))).first()


async def _row_of(
    work: Work, attempt: PaymentAttempt, paid: Sequence[Replaced], news: DisputeNews
) -> Dispute:
    dispute_id = derived_id("dsp", news.provider_id)
    known = await work.session.get(Dispute, dispute_id)
    if known is not None:
        return await lock(work.session, Dispute, dispute_id, field="dispute")
    dispute = Dispute(
        id=dispute_id,
        provider_id=news.provider_id,
        attempt_id=attempt.id,
        invoice_id=paid[0][-1].id,
        customer_id=attempt.customer_id,
        method_id=attempt.method_id,
        fingerprint=attempt.fingerprint,
        amount_minor=news.amount_minor,
        currency=attempt.currency,
        state=DisputeState.INQUIRY,
        reason=news.reason,
        opened_at=work.at,
    )
    work.session.add(dispute)
    await work.session.flush()
    if news.state is DisputeState.INQUIRY:
        _tell(work, dispute, paid[0][-1], "dispute.inquiry")
    return dispute


async def _book_moves(work: Work, dispute: Dispute, invoice: Invoice, news: DisputeNews) -> None:
    """The money that left and came back, and the fees, each once."""
    amount = dispute.amount_minor
    if news.was_withdrawn and dispute.withdrawn_at is None:
        await _book(work, invoice, f"{DISPUTE}/{dispute.id}", {DISPUTED: amount, CASH: -amount})
        dispute.withdrawn_at = work.at
    if news.was_reinstated and dispute.reinstated_at is None:
        # Won on appeal: the invoice is open again by now, or paid by other means; a person decides.
        back = UNAPPLIED if dispute.state is DisputeState.LOST else DISPUTED
        await _book(work, invoice, f"{DISPUTE_WON}/{dispute.id}", {CASH: amount, back: -amount})
        dispute.reinstated_at = work.at
    for move in news.moves:
        fee = ProviderFee(id=move.id, amount_minor=move.fee_minor, currency=move.currency)
        await book_fee(work, invoice, DISPUTE_FEE, fee)


async def _turn(
    work: Work, dispute: Dispute, attempt: PaymentAttempt, paid: Sequence[Replaced], state: DisputeState
) -> None:
    dispute.state = state
    dispute.closed_at = work.at if state.is_over else None
    await work.session.flush()
    for chain in paid:
        await _freeze(work.session, chain)
    if state is DisputeState.LOST:
        await _take_back(work, dispute, attempt, paid)
    _tell(work, dispute, paid[0][-1], _SAID[state])


_SAID = {
    DisputeState.OPEN: "dispute.opened",
    DisputeState.WON: "dispute.won",
    DisputeState.LOST: "dispute.lost",
    DisputeState.CLOSED: "dispute.closed",
}


async def _freeze(session: AsyncSession, chain: Replaced) -> None:
    """An invoice is frozen while the bank decides about any payment of it, or of the one that it replaces."""
    ids = [invoice.id for invoice in chain]
    query = (
        select(PaymentAttempt)
        .join(Dispute, col(Dispute.attempt_id) == col(PaymentAttempt.id))
        .where(Dispute.state == DisputeState.OPEN, PaymentAttempt.subscription_id == chain[0].subscription_id)
    )
    disputed = (await session.exec(query)).all()
    frozen = any(a.invoice_id in ids or any(also["invoice"] in ids for also in a.also) for a in disputed)
    for invoice in chain:
        invoice.frozen = frozen


async def _take_back(work: Work, dispute: Dispute, attempt: PaymentAttempt, paid: Sequence[Replaced]) -> None:
    """The bank decided for the payer: what the payment had paid is owed again, without that card."""
    session = work.session
    await _stop_card(session, dispute)
    await wait_for_turn(session, paid[0][-1].entity_id)
    held = await held_for(session, dispute.customer_id, dispute.currency)
    loss = lose(
        dispute.amount_minor,
        [await _kept(session, attempt, chain) for chain in paid],
        unapplied_minor=held.unapplied_minor,
        balance_minor=held.free_minor,
    )
    (payment,) = await refundable(session, [attempt])
    if attempt.state is AttemptState.SUCCEEDED and payment.left_minor == 0:
        attempt.state, attempt.returned_at = AttemptState.RETURNED, work.at
    rest = loss.unapplied_minor + loss.balance_minor
    amounts = {UNAPPLIED: loss.unapplied_minor, BALANCE: loss.balance_minor, DISPUTED: -rest}
    await _book(work, paid[0][-1], f"{TAKEN_BACK}/{dispute.id}", amounts)
    method = await session.get_one(PaymentMethod, dispute.method_id)
    by = TakenBackBy.RETURN if method.kind == "sepa_debit" else TakenBackBy.DISPUTE
    for chain, part in zip(paid, loss.reopens_minor, strict=True):
        if part:
            entry = f"{TAKEN_BACK}/{dispute.id}/{chain[-1].id}"
            await _book(work, chain[-1], entry, {RECEIVABLE: part, DISPUTED: -part})
            await reopen(work, chain[-1], part, by)
            await session.flush()


async def _kept(session: AsyncSession, attempt: PaymentAttempt, chain: Replaced) -> int:
    """What the payment paid of an invoice and no credit has given back since, in minor units."""
    first = chain[0]
    entry = f"{PAYMENT}/{attempt.id}" + ("" if first.id == attempt.invoice_id else f"/{first.id}")
    query = select(JournalLine.amount_minor).where(
        JournalLine.entry == entry, JournalLine.account == RECEIVABLE
    )
    applied = -((await session.exec(query)).first() or 0)
    return min(applied, await paid_and_kept(session, chain[-1]))


async def _stop_card(session: AsyncSession, dispute: Dispute) -> None:
    """The card is never charged again, however often the customer saved it; one given later is another wish."""
    same = col(PaymentMethod.id) == dispute.method_id
    if dispute.fingerprint is not None:
        same = same | (col(PaymentMethod.fingerprint) == dispute.fingerprint)
    query = select(PaymentMethod).where(PaymentMethod.customer_id == dispute.customer_id, same)
    for method in (await session.exec(query.order_by(col(PaymentMethod.id)).with_for_update())).all():
        method.stopped = True


async def _book(work: Work, invoice: Invoice, entry: str, amounts: dict[str, int]) -> None:
    entity = await entity_of(work.session, invoice)
    book(work.session, entity, invoice, entry=entry, amounts=amounts, at=work.at)


def _tell(work: Work, dispute: Dispute, invoice: Invoice, name: str) -> None:
    facts: dict[str, Any] = {
        "dispute": dispute.id,
        "invoice": invoice.id,
        "number": invoice.number,
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "reason": dispute.reason,
    }
    emit(work.session, work.row, name, facts, work.at, work.rules.access)
