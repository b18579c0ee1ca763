"""Refunds in the books: what can go back on which payment, and what became of it (rules 11, 33).

A refund is a row before it is sent, and takes its money out of the customer's balance, or out of unapplied cash, in
the same transaction: so it can't be spent twice. It is cash in transit until the provider has taken it. One that
fails returns to where it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import ACCOUNT_OF
from activities.books.journal import (
    BANK,
    CASH,
    PAYOUT,
    REFUND,
    REFUND_FAILED,
    REFUND_TAKEN,
    REFUNDS_DUE,
    book,
)
from activities.books.notices import AccessRules, emit
from activities.books.rows import entity_of, lock, lock_with_subscription
from billing.dispute import DisputeState
from billing.payment import AttemptState
from billing.refund import MoneySource, Refundable, RefundPart, RefundState
from models.ids import derived_id
from models.tables import CreditNote, Dispute, Invoice, PaymentAttempt, Refund, SubscriptionRow

NOT_COUNTED = [state for state in RefundState if not state.counts]


async def payments_of(session: AsyncSession, invoice: Invoice) -> list[PaymentAttempt]:
    """The charges that paid an invoice, or one that it replaces, newest first; also those that paid others too.

    None that is disputed: its money is not ours to give back (U17).
    """
    chain = await _with_replaced(session, invoice)
    query = (
        select(PaymentAttempt)
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(
            PaymentAttempt.subscription_id == invoice.subscription_id,
            PaymentAttempt.state == AttemptState.SUCCEEDED,
            col(Invoice.frozen).is_(False),
        )
    )
    found = (await session.exec(query)).all()
    mine = [a for a in found if a.invoice_id in chain or chain & {str(also["invoice"]) for also in a.also}]
    return _newest_first(mine)


async def payments_of_customer(
    session: AsyncSession, customer_id: str, currency: str
) -> list[PaymentAttempt]:
    """Every charge of a customer that succeeded, newest first; none on an invoice that is disputed (U17)."""
    query = (
        select(PaymentAttempt)
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(
            PaymentAttempt.customer_id == customer_id,
            PaymentAttempt.currency == currency,
            PaymentAttempt.state == AttemptState.SUCCEEDED,
            col(Invoice.frozen).is_(False),
        )
    )
    return _newest_first((await session.exec(query)).all())


def _newest_first(attempts: Sequence[PaymentAttempt]) -> list[PaymentAttempt]:
    return sorted(attempts, key=lambda a: (a.settled_at or a.begun_at, a.number, a.id), reverse=True)


async def _with_replaced(session: AsyncSession, invoice: Invoice) -> set[str]:
    chain, replaces = {invoice.id}, invoice.replaces_id
    while replaces is not None:
        chain.add(replaces)
        replaces = (await session.get_one(Invoice, replaces)).replaces_id
    return chain


async def refundable(session: AsyncSession, payments: Sequence[PaymentAttempt]) -> list[Refundable]:
    """What refunds and lost disputes have left of each payment; they are locked until the transaction ends.

    The lock is what lets only one of two refunds at the same moment take the last of a payment.
    """
    found = []
    for key in sorted(payment.id for payment in payments):
        await lock(session, PaymentAttempt, key, field="payment")
    for payment in payments:
        query = select(func.sum(Refund.amount_minor)).where(
            Refund.attempt_id == payment.id, col(Refund.state).not_in(NOT_COUNTED)
        )
        gone = int((await session.exec(query)).one() or 0)
        lost = select(func.sum(Dispute.amount_minor)).where(
            Dispute.attempt_id == payment.id, Dispute.state == DisputeState.LOST
        )
        gone += int((await session.exec(lost)).one() or 0)
        found.append(Refundable(attempt_id=payment.id, left_minor=max(0, payment.amount_minor - gone)))
    return found


async def write_refunds(
    session: AsyncSession,
    parts: Sequence[RefundPart],
    *,
    source: MoneySource,
    command_id: str,
    reason: str,
    by: str,
    at: datetime,
    rules: AccessRules,
    note: CreditNote | None = None,
) -> list[Refund]:
    """Write refunds that are to be sent, and take their money out of what we hold.

    Args:
        session: with the payments and the customer's balance locked.
        parts: of `spread`.
        source: what they are taken out of.
        command_id: what asked for them; it gives them their ids, so that asking twice is asking once.
        reason: for the books.
        by: who asked.
        at: the business instant.
        rules: for the event.
        note: the credit note that they pay back, if there is one.
    """
    refunds = []
    for place, part in enumerate(parts):
        attempt = await session.get_one(PaymentAttempt, part.attempt_id)
        invoice = await session.get_one(Invoice, attempt.invoice_id)
        refund = Refund(
            id=derived_id("rf", command_id, place, attempt.id),
            attempt_id=attempt.id,
            invoice_id=invoice.id,
            customer_id=attempt.customer_id,
            credit_note_id=note.id if note is not None else None,
            command_id=command_id,
            source=source,
            amount_minor=part.amount_minor,
            currency=attempt.currency,
            state=RefundState.QUEUED,
            reason=reason,
            by=by,
            at=at,
        )
        session.add(refund)
        await _book(session, invoice, refund, REFUND, {ACCOUNT_OF[source]: 1, REFUNDS_DUE: -1}, at)
        row = await session.get_one(SubscriptionRow, invoice.subscription_id)
        emit(session, row, "refund.requested", facts_of(refund, invoice), at, rules)
        refunds.append(refund)
    await session.flush()
    return refunds


async def write_payout(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    amount_minor: int,
    *,
    source: MoneySource,
    command_id: str,
    reason: str,
    by: str,
    at: datetime,
    rules: AccessRules,
) -> Refund:
    """Write down that a person sent money back by other means than the payment provider."""
    refund = Refund(
        id=derived_id("rf", command_id, "by hand"),
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        command_id=command_id,
        source=source,
        amount_minor=amount_minor,
        currency=invoice.currency,
        state=RefundState.SUCCEEDED,
        reason=reason,
        by=by,
        at=at,
        settled_at=at,
    )
    session.add(refund)
    await _book(session, invoice, refund, PAYOUT, {ACCOUNT_OF[source]: 1, BANK: -1}, at)
    emit(session, row, "balance.paid_out", facts_of(refund, invoice), at, rules)
    await session.flush()
    return refund


async def record_refund(
    session: AsyncSession,
    refund_id: str,
    *,
    state: RefundState,
    provider_id: str | None,
    at: datetime,
    rules: AccessRules,
    failure: str = "",
) -> Refund:
    """Write down what became of a refund, if it is news: answers and messages come late and in any order.

    Money that came back, or never left, returns to where it was taken from; a person is told by the event.
    """
    known = await session.get_one(Refund, refund_id)
    row, invoice = await lock_with_subscription(session, known.invoice_id)
    refund = await lock(session, Refund, refund_id, field="refund")
    refund.provider_id = refund.provider_id or provider_id
    if not refund.state.may_become(state):
        return refund
    was_taken = refund.state.was_taken
    if state.was_taken and not was_taken:
        await _book(session, invoice, refund, REFUND_TAKEN, {REFUNDS_DUE: 1, CASH: -1}, at)
    if not state.counts:
        back_from = CASH if was_taken else REFUNDS_DUE
        amounts = {back_from: 1, ACCOUNT_OF[refund.source]: -1}
        await _book(session, invoice, refund, REFUND_FAILED, amounts, at)
        refund.failure = failure or state.value
    refund.state = state
    refund.leased_until, refund.last_error = None, ""
    if state not in (RefundState.PENDING, RefundState.REQUIRES_ACTION):
        refund.settled_at = at
    emit(session, row, f"refund.{state.value}", facts_of(refund, invoice), at, rules)
    await session.flush()
    return refund


async def book_unasked(
    session: AsyncSession,
    attempt: PaymentAttempt,
    *,
    provider_id: str,
    amount_minor: int,
    state: RefundState,
    at: datetime,
    rules: AccessRules,
    failure: str = "",
) -> Refund:
    """Book a refund that began at the provider (rules 33).

    There is no credit note, so it goes out of unapplied cash, which may fall below zero: that shows, and the next
    credit note makes it good instead of giving the same money back twice.
    """
    row, invoice = await lock_with_subscription(session, attempt.invoice_id)
    await lock(session, PaymentAttempt, attempt.id, field="payment")
    refund_id = derived_id("rf", provider_id)
    known = await session.get(Refund, refund_id)
    if known is None:
        refund = Refund(
            id=refund_id,
            attempt_id=attempt.id,
            invoice_id=invoice.id,
            customer_id=attempt.customer_id,
            source=MoneySource.UNAPPLIED,
            provider_id=provider_id,
            amount_minor=amount_minor,
            currency=attempt.currency,
            state=RefundState.QUEUED,
            reason="made at the payment provider",
            at=at,
        )
        session.add(refund)
        amounts = {ACCOUNT_OF[MoneySource.UNAPPLIED]: 1, REFUNDS_DUE: -1}
        await _book(session, invoice, refund, REFUND, amounts, at)
        emit(session, row, "refund.not_asked_for", facts_of(refund, invoice), at, rules)
        await session.flush()
    return await record_refund(
        session, refund_id, state=state, provider_id=provider_id, at=at, rules=rules, failure=failure
    )


async def _book(
    session: AsyncSession, invoice: Invoice, refund: Refund, kind: str, signs: dict[str, int], at: datetime
) -> None:
    book(
        session,
        await entity_of(session, invoice),
        invoice,
        entry=f"{kind}/{refund.id}",
        amounts={account: sign * refund.amount_minor for account, sign in signs.items()},
        at=at,
    )


def facts_of(refund: Refund, invoice: Invoice) -> dict[str, Any]:
    """What an event says of a refund."""
    return {
        "refund": refund.id,
        "invoice": invoice.id,
        "number": invoice.number,
        "credit_note": refund.credit_note_id,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "state": refund.state.value,
        "failure": refund.failure,
    }
