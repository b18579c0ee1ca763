"""The steps of a collection: what it sees, the mails it writes, and how it ends (rules 21 to 25, engine 7, 8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.amounts_asked import amount_asked
from activities.books.chasing import (
    load_case,
    lock_collection,
    resting_collections,
    store_progress,
    take_down,
)
from activities.books.config import BookRules
from activities.books.crediting import credit_in_full
from activities.books.gate import Prepares, attempts_of
from activities.books.mandates import is_direct_debit, mandate_of
from activities.books.notices import emit, write_mail
from activities.books.rows import customer_of, get, lock_invoice, lock_with_subscription, method_on_file
from activities.books.standing import standing_of
from activities.books.transitions import carry_out, settle_standing, write_off
from activities.books.work import Work
from billing.asking import may_ask
from billing.calendar import local_date
from billing.case import UNDER_WAY_STATES, Case, Role, ends_on
from billing.chase import Mail, NextStep, StepKind, next_step
from billing.dunning import EndForInvoice
from billing.errors import InvalidInput
from billing.payment import AttemptState, Trigger
from billing.progress import after_notice, take_over, timeline
from billing.standing import end_of_policy, gate_expired
from models.boundary import CaseReport, CaseStepOrder, LookOrder, Wish
from models.tables import Collection, Customer, Invoice, InvoiceStatus, PaymentAttempt, PaymentMethod

MAIL_KINDS = {
    Mail.PAYMENT_FAILED: "payment_failed",
    Mail.REMINDER: "payment_reminder",
    Mail.LAST_NOTICE: "last_notice",
    Mail.PAYMENT_LINK: "complete_payment",
    Mail.DEBIT_NOTICE: "debit_notice",
}
_BOOKS_ALONE = (StepKind.LATE, StepKind.NOTICE)
"""Steps that anybody may take who looks after they came due."""


async def open_case(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: LookOrder
) -> CaseReport:
    """The first thing that a collection's workflow does: take the invoice over."""
    work, invoice, collection = await _locked(session, gateway, rules, order.id, order.as_of)
    collection.started_at = collection.started_at or order.as_of
    await settle_standing(work)
    return await case_report(work, invoice, collection)


async def note_started(session: AsyncSession, gateway: Prepares, rules: BookRules, order: LookOrder) -> None:
    """The collection's workflow runs: starting it is nobody's duty any more."""
    _, _, collection = await _locked(session, gateway, rules, order.id, order.as_of)
    collection.started_at = collection.started_at or order.as_of


async def look_at_case(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: LookOrder
) -> CaseReport:
    """The chase as its rows have it now."""
    work, invoice, collection = await _locked(session, gateway, rules, order.id, order.as_of)
    return await case_report(work, invoice, collection)


async def _locked(
    session: AsyncSession, gateway: Prepares, rules: BookRules, invoice_id: str, at: datetime
) -> tuple[Work, Invoice, Collection]:
    row, invoice = await lock_with_subscription(session, invoice_id)
    collection = await lock_collection(session, invoice)
    return Work(session, gateway, rules, row, at), invoice, collection


async def case_report(work: Work, invoice: Invoice, collection: Collection) -> CaseReport:
    """What a collection's workflow is told after every step.

    Mails that are due by now are written first, in the transaction of what made them due; the row is closed where
    nothing is owed any more.
    """
    case, step = await _what_comes_next(work, invoice, collection)
    while step.kind in _BOOKS_ALONE and step.due is not None and step.due <= work.at:
        await _take(work, invoice, collection, case, step)
        case, step = await _what_comes_next(work, invoice, collection)
    wake: tuple[str, ...] = ()
    if step.kind is StepKind.CLOSED and collection.closed_at is None:
        wake = await _close(work, invoice, collection)
    failure = case.last_failure
    return CaseReport(
        invoice_id=invoice.id,
        subscription_id=invoice.subscription_id,
        step=step,
        next_number=len(await attempts_of(work.session, invoice.id)) + 1,
        role=case.role,
        amount_minor=invoice.open_minor,
        currency=invoice.currency,
        attempts=len(case.attempts),
        last_decline=(failure.decline_code or "") if failure is not None else "",
        payment_state=invoice.payment_state.value,
        no_asking=may_ask(case, Trigger.CUSTOMER, work.at),
        closed=step.kind is StepKind.CLOSED,
        subscription_version=work.row.version,
        wake=wake,
    )


async def _what_comes_next(work: Work, invoice: Invoice, collection: Collection) -> tuple[Case, NextStep]:
    await work.session.flush()
    case = await load_case(work.session, work.row, invoice, collection, work.rules)
    return case, next_step(case, work.at)


async def _close(work: Work, invoice: Invoice, collection: Collection) -> tuple[str, ...]:
    """Nothing is owed on it: the chase is over, and the oldest that rested beside it drives (engine 8)."""
    collection.closed_at, collection.outcome = work.at, invoice.status.value
    others = await resting_collections(work, invoice)
    chased = [other for other in others if not other.ended]
    if collection.role == Role.DRIVING.value and chased:
        await _promote(work, chased[0])
    await settle_standing(work)
    return tuple(other.invoice_id for other in others)


async def _promote(work: Work, collection: Collection) -> None:
    """The oldest that is still open drives now, from its own day 0 with the steps still ahead (engine 8)."""
    if collection.role == Role.DRIVING.value:
        return
    collection.role = Role.DRIVING.value
    _, invoice = await lock_with_subscription(work.session, collection.invoice_id)
    case = await load_case(work.session, work.row, invoice, collection, work.rules)
    store_progress(collection, take_over(case, work.at))


async def ask(
    session: AsyncSession, gateway: Prepares, rules: BookRules, *, invoice_id: str, wish: Wish
) -> CaseReport:
    """A person asks that the invoice be charged now; the same command twice is one wish (engine 3).

    What may not be charged now is not kept for later: nobody expects a charge on another day.

    Raises:
        InvalidInput: the wish names no instant; field `as_of`.
    """
    if wish.as_of is None:
        raise InvalidInput("A wish says when it was made.", field="as_of")
    work, invoice, collection = await _locked(session, gateway, rules, invoice_id, wish.as_of)
    query = select(PaymentAttempt).where(
        PaymentAttempt.invoice_id == invoice_id, PaymentAttempt.asked_by == wish.command_id
    )
    case = await load_case(session, work.row, invoice, collection, rules)
    if (await session.exec(query)).first() is None and may_ask(case, wish.trigger, wish.as_of) is None:
        take_down(collection, wish)
    return await case_report(work, invoice, collection)


async def take_case_step(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: CaseStepOrder
) -> CaseReport:
    """Carry out what needs the books alone, if it is still what comes next and due."""
    work, invoice, collection = await _locked(session, gateway, rules, order.invoice_id, order.as_of)
    case = await load_case(session, work.row, invoice, collection, rules)
    step = next_step(case, order.as_of)
    is_it = step.kind == order.kind and (step.key or "") == order.key
    if is_it and step.due is not None and step.due <= order.as_of:
        await _take(work, invoice, collection, case, step)
    return await case_report(work, invoice, collection)


async def _take(work: Work, invoice: Invoice, collection: Collection, case: Case, step: NextStep) -> None:
    match step.kind:
        case StepKind.LATE:
            await _fall_late(work, invoice, step)
        case StepKind.NOTICE:
            await _write_notice(work, invoice, collection, case, step)
        case StepKind.END:
            await _end(work, invoice, collection, case)
        case _:
            pass  # a charge is the payments' own


async def _fall_late(work: Work, invoice: Invoice, step: NextStep) -> None:
    invoice.in_arrears = True
    facts = {"invoice": invoice.id, "step": step.kind.value, "why": step.why.because.value}
    emit(work.session, work.row, "dunning.step", facts, work.at, work.rules.access)
    await settle_standing(work)


async def _write_notice(
    work: Work, invoice: Invoice, collection: Collection, case: Case, step: NextStep
) -> None:
    assert step.mail is not None  # noqa: S101 - a notice names its mail
    today = local_date(work.at, case.timezone)
    store_progress(collection, after_notice(case, step, today))
    is_late = step.mail is not Mail.DEBIT_NOTICE and today >= case.policy.past_due_on(case.day0)
    if invoice.status is InvoiceStatus.OPEN and is_late:
        invoice.in_arrears = True
    if not _was_asked_to_authenticate(case, step.mail, work.at):
        after = await load_case(work.session, work.row, invoice, collection, work.rules)
        await write_mail(
            work.session,
            await customer_of(work.session, invoice),
            kind=MAIL_KINDS[step.mail],
            step=step.key or step.mail.value,
            occurrence=str(invoice.chase),
            at=work.at,
            subscription=work.row,
            invoice=invoice,
            context=await _facts_of(work, invoice, after, step),
        )
    facts = {"invoice": invoice.id, "step": step.key, "why": step.why.because.value}
    emit(work.session, work.row, "dunning.step", facts, work.at, work.rules.access)
    await settle_standing(work)


async def _facts_of(work: Work, invoice: Invoice, case: Case, step: NextStep) -> dict[str, Any]:
    if step.mail is not Mail.DEBIT_NOTICE:
        return _mail_facts(case, work.at)
    method = await work.session.get_one(PaymentMethod, case.method or "")
    mandate = await mandate_of(work.session, method)
    failure = case.last_failure
    return {
        "amount_minor": await amount_asked(work.session, work.rules, invoice),
        "debit_on": str(step.debit_on),
        "mandate": mandate.id if mandate is not None else None,
        "attempted_on": str(local_date(failure.begun_at, case.timezone)) if failure else None,
        "decline_class": failure.verdict.value if failure and failure.verdict else None,
    }


def _was_asked_to_authenticate(case: Case, mail: Mail, at: datetime) -> bool:
    """Whether the outcome of today's try wrote its own mail, which says more: one is enough for a step."""
    if mail not in (Mail.PAYMENT_FAILED, Mail.REMINDER) or not case.attempts:
        return False
    last = case.attempts[-1]
    is_of_today = local_date(last.begun_at, case.timezone) == local_date(at, case.timezone)
    return last.state is AttemptState.ACTION_REQUIRED and is_of_today


def _mail_facts(case: Case, at: datetime) -> dict[str, Any]:
    """What a mail of the chase says and can't be looked up later: as things stand when it is written."""
    failure = case.last_failure
    charges = [step for step in timeline(case, at) if step.kind is StepKind.CHARGE and step.due]
    next_try = charges[0].due if charges else None
    return {
        "amount_minor": case.due_minor,
        "decline_class": failure.verdict.value if failure and failure.verdict else None,
        "attempted_on": str(local_date(failure.begun_at, case.timezone)) if failure else None,
        "next_try_on": str(local_date(next_try, case.timezone)) if next_try else None,
        "ends_on": str(ends_on(case, at)),
        "reminder": sum(day <= case.noticed_through_day for day in case.policy.mail_days),
        "consequence": case.policy.end_for_subscription.value,
    }


async def _end(work: Work, invoice: Invoice, collection: Collection, case: Case) -> None:
    """The policy's two ends, once, for the driver and all that joined it (rules 24, engine 8).

    While money is under way for one that joined, the end waits for the outcome, as for the driver's own (U15, U16):
    it is looked at again each morning.
    """
    if case.role is Role.GATED:
        await carry_out(work, gate_expired(work.row.state, work.at))
        return
    joined = await resting_collections(work, invoice)
    if await _money_is_under_way(work.session, joined):
        collection.end_on = local_date(work.at, case.timezone) + timedelta(days=1)
        await settle_standing(work)
        return
    policy = case.policy
    facts = {"invoice": invoice.id, "subscription_end": policy.end_for_subscription.value}
    emit(work.session, work.row, "dunning.ended", facts, work.at, work.rules.access)
    for chase in (collection, *joined):
        chase.ended = True
        await _end_for_invoice(work, chase.invoice_id, policy.end_for_invoice)
    await work.session.flush()
    owed = (await standing_of(work)).owed
    state = work.row.state.model_copy(update={"owed": owed})
    await carry_out(work, end_of_policy(state, policy.end_for_subscription, work.at))


async def _money_is_under_way(session: AsyncSession, chases: Sequence[Collection]) -> bool:
    query = select(PaymentAttempt.id).where(
        col(PaymentAttempt.invoice_id).in_([chase.invoice_id for chase in chases]),
        col(PaymentAttempt.state).in_(UNDER_WAY_STATES),
    )
    return (await session.exec(query)).first() is not None


async def _end_for_invoice(work: Work, invoice_id: str, end: EndForInvoice) -> None:
    invoice = await lock_invoice(work.session, invoice_id)
    if invoice.status is not InvoiceStatus.OPEN:
        return
    match end:
        case EndForInvoice.UNCOLLECTIBLE:
            write_off(work, invoice, "the dunning policy ended")
        case EndForInvoice.CREDIT if invoice.is_brought_in:
            why = "the dunning policy ended, and the credit note is for the system that issued it"
            write_off(work, invoice, why)
        case EndForInvoice.CREDIT:
            await credit_in_full(
                work.session,
                work.row,
                invoice,
                command_id=f"end/{invoice.chase}",
                reason="the dunning policy ended",
                at=work.at,
                rules=work.rules,
            )
        case EndForInvoice.LEAVE_OPEN if work.row.state.is_over:
            write_off(work, invoice, "the dunning policy ended after the cancel")
        case EndForInvoice.LEAVE_OPEN:
            pass  # if the policy cancels the subscription too, its end writes it off


async def open_collections_of(session: AsyncSession, customer_id: str) -> list[Collection]:
    """The chases of a customer that are not over, oldest invoice first."""
    query = (
        select(Collection)
        .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
        .where(Collection.customer_id == customer_id, col(Collection.closed_at).is_(None))
        .order_by(col(Invoice.period_start))
    )
    return list((await session.exec(query)).all())


async def ask_for_new_method(
    session: AsyncSession, *, customer_id: str, command_id: str, at: datetime
) -> tuple[str, ...]:
    """A new payment method charges every open invoice, oldest first (design 6.5).

    Returns:
        The invoices whose collections are to be woken.
    """
    collections = await open_collections_of(session, customer_id)
    customer = await get(session, Customer, customer_id, field="customer")
    method = await method_on_file(session, customer)
    by_direct_debit = method is not None and is_direct_debit(method)
    for collection in collections:
        collection.debit_on = None  # the payer was told of another account
        if by_direct_debit and collection.done_through_day < 0:
            continue  # its first debit is still to come, and is told again
        wish = Wish(
            trigger=Trigger.METHOD_REPLACED, command_id=f"{command_id}/{collection.invoice_id}", as_of=at
        )
        take_down(collection, wish)
    return tuple(collection.invoice_id for collection in collections)
