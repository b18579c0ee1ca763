"""What somebody with a pay link may see: one invoice, what is left of it, and whether it can be charged now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import collection_key, load_case
from activities.books.config import BookRules
from activities.books.gate import attempts_of, is_payer_there
from activities.books.mail_facts import label
from activities.books.rows import customer_of, get, usable_method
from billing.asking import Refused, may_ask
from billing.payment import AttemptState, Trigger
from billing.values import Value
from mails.formats import Language, format_amount
from models.tables import (
    Collection,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentState,
    SubscriptionRow,
    TestClock,
)

OUTCOME_EXPECTED: Final = timedelta(minutes=2)
"""Real time for which a charge that was asked for counts as under way although no attempt shows it yet."""


class Standing(StrEnum):
    """How an invoice stands for whoever is asked to pay it."""

    PAID = "paid"
    UNDER_WAY = "under_way"
    DECLINED = "declined"
    """The charge that was just asked for did not go through; it can be asked for again."""
    TO_CONFIRM = "to_confirm"
    """The bank asks the payer to confirm, who was not there when it did."""
    AT_BANK = "at_bank"
    """The charge that was just asked for waits for the payer on their bank's page."""
    PAYABLE = "payable"
    NO_METHOD = "no_method"
    """There is nothing to charge: no method, or one that may not be used any more."""
    NOT_NOW = "not_now"
    """Too many tries, a dispute, or an amount too small to charge alone."""
    CLOSED = "closed"
    """Dropped, credited or given up: nothing is asked for."""


class Payable(Value):
    """An invoice as its payer sees it."""

    invoice_id: str
    customer_id: str
    number: str | None
    """None for a draft that waits for its first payment."""
    plan_name: str
    seller: str
    contact: str
    """Mail address of the seller."""
    language: Language
    amount: str
    """What is left to pay, in the reader's format."""
    method_label: str | None
    standing: Standing
    payment_intent: str | None = None
    """The payment that waits for the payer, at the provider."""
    as_of: datetime
    """The business instant: the test clock's where there is one."""


async def what_to_pay(
    session: AsyncSession, invoice_id: str, rules: BookRules, *, asked_at: datetime | None = None
) -> Payable:
    """The invoice behind a pay link.

    Args:
        session: for looking only.
        invoice_id: from the link.
        rules: the seller's.
        asked_at: real time at which the reader asked for a charge, if they just did.

    Raises:
        NotFound: there is no such invoice.
    """
    invoice = await get(session, Invoice, invoice_id, field="invoice")
    row = await get(session, SubscriptionRow, invoice.subscription_id, field="subscription")
    customer = await customer_of(session, invoice)
    now = await _business_now(session, invoice.clock_id)
    language = Language.of(customer.locale)
    return Payable(
        invoice_id=invoice.id,
        customer_id=customer.id,
        number=invoice.number,
        plan_name=row.state.terms.plan_name,
        seller=invoice.seller.name,
        contact=invoice.seller.sender,
        language=language,
        amount=format_amount(max(0, invoice.open_minor), invoice.currency, language),
        method_label=label(await usable_method(session, customer)),
        standing=await _standing(session, row, invoice, rules, now, asked_at),
        payment_intent=invoice.payment_intent,
        as_of=now,
    )


async def _business_now(session: AsyncSession, clock_id: str | None) -> datetime:
    if clock_id is None:
        return datetime.now(UTC)
    return (await get(session, TestClock, clock_id, field="clock")).now


async def _standing(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    rules: BookRules,
    now: datetime,
    asked_at: datetime | None,
) -> Standing:
    if invoice.status is InvoiceStatus.PAID:
        return Standing.PAID
    if invoice.status in (InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE):
        return Standing.CLOSED
    if invoice.payment_state in (PaymentState.PROCESSING, PaymentState.UNKNOWN):
        return Standing.UNDER_WAY
    after = await _after_asking(session, invoice, asked_at) if asked_at is not None else None
    if after is Standing.UNDER_WAY:
        return after
    collection = await session.get(Collection, collection_key(invoice))
    if collection is None:
        return Standing.UNDER_WAY  # the subscription is making the first charge, or is about to
    refusal = may_ask(await load_case(session, row, invoice, collection, rules), Trigger.CUSTOMER, now)
    if after is Standing.AT_BANK:
        return after
    waits = invoice.payment_state is PaymentState.ACTION_REQUIRED
    payable = after or (Standing.TO_CONFIRM if waits else Standing.PAYABLE)
    return payable if refusal is None else _AS_SEEN[refusal.reason]


async def _after_asking(session: AsyncSession, invoice: Invoice, asked_at: datetime) -> Standing | None:
    """What became of the charge that the reader just asked for."""
    since = [a for a in await attempts_of(session, invoice.id) if a.sent_at and a.sent_at >= asked_at]
    if not since:
        return Standing.UNDER_WAY if datetime.now(UTC) - asked_at < OUTCOME_EXPECTED else None
    return _outcome(since[-1])


def _outcome(attempt: PaymentAttempt) -> Standing | None:
    if attempt.state in (AttemptState.DECLINED, AttemptState.ABANDONED):
        return Standing.DECLINED
    if attempt.state is AttemptState.ACTION_REQUIRED:
        return Standing.AT_BANK if is_payer_there(attempt) else None
    return Standing.UNDER_WAY


async def is_answered(session: AsyncSession, command_id: str) -> bool:
    """Whether the provider has answered to the charge that a command asked for."""
    query = select(PaymentAttempt).where(PaymentAttempt.asked_by == command_id)
    attempt = (await session.exec(query)).first()
    return attempt is not None and attempt.state not in (AttemptState.QUEUED, AttemptState.STARTED)


async def still_waits_for_payer(session: AsyncSession, invoice_id: str) -> bool:
    """Whether the books have a payment that waits for what the payer does at their bank."""
    invoice = await get(session, Invoice, invoice_id, field="invoice")
    return invoice.payment_state is PaymentState.ACTION_REQUIRED


_AS_SEEN = {
    Refused.CLOSED: Standing.CLOSED,
    Refused.EXPIRED: Standing.CLOSED,
    Refused.UNDER_WAY: Standing.UNDER_WAY,
    Refused.NO_METHOD: Standing.NO_METHOD,
    Refused.METHOD_STOPPED: Standing.NO_METHOD,
    Refused.FROZEN: Standing.NOT_NOW,
    Refused.BELOW_MINIMUM: Standing.NOT_NOW,
    Refused.TOO_MANY: Standing.NOT_NOW,
    Refused.CARD_FULL: Standing.NO_METHOD,
}
