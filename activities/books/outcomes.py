"""Writing down what came of an attempt, once, with everything that follows from it (engine 2, 7)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import ask_others, chase_of, follow_attempt, open_collection, pass_gate
from activities.books.config import BookRules
from activities.books.correcting import carry_out_waiting
from activities.books.debits import is_ordered
from activities.books.gate import Prepares, is_collectable, is_payer_there, too_fine_of
from activities.books.issuing import number_invoice
from activities.books.journal import (
    CASH,
    FAILURE_FEE,
    PAYMENT,
    RECEIVABLE,
    SMALL_DIFFERENCE,
    UNAPPLIED,
    book,
)
from activities.books.mandates import end_mandate, is_direct_debit, mandate_of
from activities.books.notices import about, emit, write_mail
from activities.books.provider_fees import book_fee
from activities.books.rows import customer_of, entity_of, get, lock_invoice, lock_with_subscription
from activities.books.transitions import settle_standing
from activities.books.work import Work
from billing.banking_days import add_banking_days
from billing.calendar import local_date
from billing.payment import (
    ActionRequired,
    AttemptState,
    Canceled,
    DeclineClass,
    Declined,
    Outcome,
    Paid,
    Processing,
    Unknown,
)
from models.tables import (
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentMethod,
    PaymentState,
    SubscriptionRow,
)


async def record_outcome(
    session: AsyncSession,
    gateway: Prepares,
    rules: BookRules,
    *,
    attempt_id: str,
    outcome: Outcome,
    at: datetime,
    looked: bool = False,
) -> SubscriptionRow:
    """Compare and swap: an outcome is written from a live state only, but money that came is always booked.

    Whatever is not paid hands the invoice over to a collection, in this same transaction (engine 5).

    Returns:
        The subscription's row as it is afterwards.
    """
    attempt = await get(session, PaymentAttempt, attempt_id, field="attempt")
    row, invoice = await lock_with_subscription(session, attempt.invoice_id)
    await session.refresh(attempt)
    work = Work(session, gateway, rules, row, at)
    attempt.looked_at = at if looked else attempt.looked_at
    if _may_write(attempt, outcome):
        before = await chase_of(work, invoice)
        await _write(work, invoice, attempt, outcome)
        if before is not None:
            await follow_attempt(work, invoice, before, attempt)
        await carry_out_waiting(work, invoice)
    await _hand_over(work, invoice)
    await settle_standing(work)
    return row


async def _hand_over(work: Work, invoice: Invoice) -> None:
    """What the subscription's own try did not get paid is chased from now on (engine 5)."""
    if invoice.owner == "subscription" and is_collectable(invoice):
        await open_collection(work.session, work.row, invoice, work.at)


async def record_never_ran(
    session: AsyncSession, gateway: Prepares, rules: BookRules, *, attempt_id: str, at: datetime
) -> None:
    """The attempt left no trace at the provider: it is closed, and another with a new key is safe."""
    attempt = await get(session, PaymentAttempt, attempt_id, field="attempt")
    row, invoice = await lock_with_subscription(session, attempt.invoice_id)
    await session.refresh(attempt)
    if not attempt.state.is_live:
        return
    work = Work(session, gateway, rules, row, at)
    before = await chase_of(work, invoice)
    attempt.state, attempt.settled_at = AttemptState.ABANDONED, at
    attempt.decline_class = DeclineClass.RETRY
    invoice.payment_state = PaymentState.NONE
    if attempt.payment_intent is None and attempt.generation == invoice.generation:
        invoice.generation += 1  # the provider may keep what it answered under this key
    if before is not None:
        await follow_attempt(work, invoice, before, attempt)
    await carry_out_waiting(work, invoice)
    await _hand_over(work, invoice)
    await settle_standing(work)


def _may_write(attempt: PaymentAttempt, outcome: Outcome) -> bool:
    if isinstance(outcome, Paid):
        return attempt.state not in (AttemptState.SUCCEEDED, AttemptState.RETURNED)
    if isinstance(outcome, Unknown) and attempt.state is AttemptState.PROCESSING:
        return False
    return attempt.state.is_live


async def _write(work: Work, invoice: Invoice, attempt: PaymentAttempt, outcome: Outcome) -> None:
    attempt.payment_intent = outcome.payment_intent or attempt.payment_intent
    _keep_intent(invoice, attempt, outcome)
    match outcome:
        case Paid():
            await _write_paid(work, invoice, attempt, outcome)
        case Processing():
            await _write_processing(work, invoice, attempt, outcome)
        case Declined():
            await _write_declined(work, invoice, attempt, outcome)
        case ActionRequired():
            attempt.state = AttemptState.ACTION_REQUIRED
            invoice.payment_state = PaymentState.ACTION_REQUIRED
            _fall_into_arrears(invoice)
            if not is_payer_there(attempt):  # else their bank asks them at once, and declined nothing
                attempt.decline_code = outcome.code
                await _ask_to_authenticate(work, invoice, attempt)
            _tell(work, "payment.action_required", invoice, attempt)
        case Unknown():
            attempt.state = AttemptState.UNKNOWN
            invoice.payment_state = PaymentState.UNKNOWN
        case Canceled():
            _write_abandoned(invoice, attempt, work.at)


async def _write_processing(
    work: Work, invoice: Invoice, attempt: PaymentAttempt, outcome: Processing
) -> None:
    """The bank has the order. A sign-up begins, unless the seller waits for the money."""
    is_news = attempt.state is not AttemptState.PROCESSING
    attempt.state = AttemptState.PROCESSING
    attempt.expected_on = outcome.expected_on or attempt.expected_on
    if is_news and is_ordered(invoice, attempt.trigger):
        await _confirm_order(work, invoice, attempt)
    if not work.rules.access_when_settled:
        await _open_gate(work, invoice)
    invoice.payment_state = PaymentState.PROCESSING
    if is_news:
        _tell(work, "payment.processing", invoice, attempt)


async def _confirm_order(work: Work, invoice: Invoice, attempt: PaymentAttempt) -> None:
    """Tell payers of a debit that they have just ordered, as of any other; a card's payment needs no such word."""
    mandate = await mandate_of(work.session, await work.session.get_one(PaymentMethod, attempt.method_id))
    if mandate is None:
        return
    debit_on = attempt.expected_on or add_banking_days(local_date(work.at, work.row.state.timezone), 1)
    await write_mail(
        work.session,
        await customer_of(work.session, invoice),
        kind="debit_notice",
        step=f"debit_notice:{debit_on}",
        occurrence=str(invoice.chase),
        at=work.at,
        subscription=work.row,
        invoice=invoice,
        context={
            "amount_minor": attempt.amount_minor,
            "debit_on": str(debit_on),
            "mandate": mandate.id,
            "ordered": True,
        },
    )


def _keep_intent(invoice: Invoice, attempt: PaymentAttempt, outcome: Outcome) -> None:
    """That of the present generation is confirmed again; one for another amount is closed before the next try."""
    if attempt.generation == invoice.generation:
        invoice.payment_intent = attempt.payment_intent
    elif not isinstance(outcome, Paid | Canceled):
        invoice.superseded_intent = attempt.payment_intent
    elif invoice.superseded_intent == attempt.payment_intent:
        invoice.superseded_intent = None


async def _write_paid(work: Work, invoice: Invoice, attempt: PaymentAttempt, outcome: Paid) -> None:
    attempt.state, attempt.charge, attempt.settled_at = AttemptState.SUCCEEDED, outcome.charge, work.at
    await _open_gate(work, invoice)
    joined = {str(one["invoice"]): int(one["amount_minor"]) for one in attempt.also}
    own_share = attempt.amount_minor - sum(joined.values())
    applied = await _apply(work, invoice, attempt, own_share)
    invoice.payment_state = PaymentState.NONE
    for invoice_id, share in joined.items():
        small = await lock_invoice(work.session, invoice_id)
        _tell_paid(work, small, attempt, share, await _apply(work, small, attempt, share))
    if applied:
        await ask_others(work, invoice)
    await _write_receipt(work, invoice, attempt)
    _tell_paid(work, invoice, attempt, own_share, applied)


async def _apply(work: Work, invoice: Invoice, attempt: PaymentAttempt, share_minor: int) -> int:
    """Book an attempt's money, or its share for one invoice; what the invoice does not claim is unapplied cash.

    Returns:
        What it pays of the invoice.
    """
    applied = min(share_minor, invoice.open_minor)
    is_main = invoice.id == attempt.invoice_id
    book(
        work.session,
        await entity_of(work.session, invoice),
        invoice,
        entry=f"{PAYMENT}/{attempt.id}" if is_main else f"{PAYMENT}/{attempt.id}/{invoice.id}",
        amounts={CASH: share_minor, RECEIVABLE: -applied, UNAPPLIED: applied - share_minor},
        at=work.at,
    )
    invoice.paid_minor += applied
    if is_main and applied:
        await _close_small_difference(work, invoice, attempt)
    if applied and invoice.open_minor == 0:
        invoice.status, invoice.in_arrears, invoice.paid_at = InvoiceStatus.PAID, False, work.at
    return applied


async def _close_small_difference(work: Work, invoice: Invoice, attempt: PaymentAttempt) -> None:
    """What the provider has no unit for is never asked for again (rules 17): a few fils of a dinar."""
    small = min(too_fine_of(attempt), invoice.open_minor)
    book(
        work.session,
        await entity_of(work.session, invoice),
        invoice,
        entry=f"{SMALL_DIFFERENCE}/{attempt.id}",
        amounts={SMALL_DIFFERENCE: small, RECEIVABLE: -small},
        at=work.at,
    )
    invoice.credited_minor += small


async def _open_gate(work: Work, invoice: Invoice) -> None:
    """A gated draft gets its number when it is paid or processing, in the same transaction (rules 13)."""
    if invoice.gated and invoice.status is InvoiceStatus.DRAFT:
        await number_invoice(work.session, work.row, invoice, work.at, work.rules)
        await pass_gate(work, invoice)


async def _write_declined(work: Work, invoice: Invoice, attempt: PaymentAttempt, outcome: Declined) -> None:
    attempt.state, attempt.settled_at = AttemptState.DECLINED, work.at
    attempt.decline_code, attempt.decline_class = outcome.code, outcome.decline_class
    attempt.not_before, attempt.never_again = outcome.not_before, outcome.never_again
    invoice.payment_state = PaymentState.DECLINED
    for fee in outcome.fees:
        await book_fee(work, invoice, FAILURE_FEE, fee)
    if outcome.payment_intent is None and attempt.payment_intent is None:
        invoice.generation += 1  # nothing was created under this key, and Stripe would replay its refusal
    if outcome.decline_class is DeclineClass.FRAUD_STOP:
        method = await get(work.session, PaymentMethod, attempt.method_id, field="payment method")
        method.stopped = True
    if outcome.decline_class is DeclineClass.NEW_PAYMENT_METHOD:
        await _lose_mandate(work, attempt, outcome.code)
    _fall_into_arrears(invoice)
    _tell(work, "payment.failed", invoice, attempt)


async def _lose_mandate(work: Work, attempt: PaymentAttempt, code: str) -> None:
    """An account that can't be debited is not announced another debit: its payer gives another one."""
    method = await work.session.get_one(PaymentMethod, attempt.method_id)
    mandate = await mandate_of(work.session, method) if is_direct_debit(method) else None
    if mandate is not None:
        end_mandate(mandate, work.at, f"the bank refused the account: {code}")


def _write_abandoned(invoice: Invoice, attempt: PaymentAttempt, at: datetime) -> None:
    """The PaymentIntent was cancelled: another generation begins with the next attempt (stripe B2)."""
    attempt.state, attempt.settled_at = AttemptState.ABANDONED, at
    attempt.decline_class = attempt.decline_class or DeclineClass.NEEDS_CUSTOMER
    if attempt.generation == invoice.generation:
        invoice.generation += 1
        invoice.payment_intent = None
    invoice.payment_state = PaymentState.DECLINED


def _fall_into_arrears(invoice: Invoice) -> None:
    if invoice.status is InvoiceStatus.OPEN:
        invoice.in_arrears = True


async def _write_receipt(work: Work, invoice: Invoice, attempt: PaymentAttempt) -> None:
    customer = await customer_of(work.session, invoice)
    is_stand_in = attempt.trigger.is_automatic and attempt.method_id == customer.backup_method_id
    await write_mail(
        work.session,
        customer,
        kind="receipt",
        step="receipt",
        occurrence=str(attempt.number),
        at=work.at,
        subscription=work.row,
        invoice=invoice,
        context={
            "amount_minor": attempt.amount_minor,
            "restored": work.row.state.status == "unpaid",
            "in_place_of": customer.default_method_id if is_stand_in else None,
        },
    )


async def _ask_to_authenticate(work: Work, invoice: Invoice, attempt: PaymentAttempt) -> None:
    if invoice.gated and invoice.status is InvoiceStatus.DRAFT:
        return  # its own mail with the link says it (engine 5)
    await write_mail(
        work.session,
        await customer_of(work.session, invoice),
        kind="authentication_required",
        step="authentication_required",
        occurrence=str(attempt.number),
        at=work.at,
        subscription=work.row,
        invoice=invoice,
    )


def _tell_paid(
    work: Work, invoice: Invoice, attempt: PaymentAttempt, share_minor: int, applied_minor: int
) -> None:
    facts = {"amount_minor": share_minor, "unapplied_minor": share_minor - applied_minor}
    if not applied_minor:
        name = "payment.unapplied"
    else:
        name = "invoice.paid" if invoice.status is InvoiceStatus.PAID else "invoice.partly_paid"
    emit(work.session, work.row, name, _facts(invoice, attempt) | facts, work.at, work.rules.access)


def _tell(work: Work, name: str, invoice: Invoice, attempt: PaymentAttempt) -> None:
    emit(work.session, work.row, name, _facts(invoice, attempt), work.at, work.rules.access)


def _facts(invoice: Invoice, attempt: PaymentAttempt) -> dict[str, object]:
    return {
        **about(invoice),
        "attempt": attempt.number,
        "trigger": attempt.trigger.value,
        "amount_minor": attempt.amount_minor,
        "decline_code": attempt.decline_code,
    }
