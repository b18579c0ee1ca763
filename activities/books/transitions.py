"""Carrying out a decision about a subscription: its new value and every effect, in one transaction."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.amounts_asked import amount_asked
from activities.books.balance import give_back_what_was_set_aside
from activities.books.changing import (
    can_be_gated,
    credits_stand_on,
    draw_up_all_back,
    draw_up_change,
    draw_up_credit,
    draw_up_early_exit,
    write_bill,
    write_notes,
)
from activities.books.chasing import collection_key, open_collection
from activities.books.config import BookRules
from activities.books.gate import GateRefused, Refusal, begin_attempt
from activities.books.issuing import issue_or_drop, write_invoice
from activities.books.mandates import is_direct_debit, lapse_if_unused
from activities.books.metering import close_usage, turn_meters
from activities.books.methods import method_for
from activities.books.notices import about, emit, tell_access, write_mail
from activities.books.policies import policy_for
from activities.books.rows import customer_of, get, invoices_of
from activities.books.standing import method_facts, standing_of
from activities.books.waiting import WAITING, under_way, write_command
from activities.books.work import Work
from billing import lifecycle
from billing.case import UNDER_WAY_STATES
from billing.corrections import WriteOff
from billing.dunning import AfterCancel
from billing.effects import (
    BillChange,
    BillEarlyExit,
    CloseUsage,
    CreditUnused,
    DecideDrafts,
    DropGatedDraft,
    DropWaitingDrafts,
    Effect,
    Emit,
    GiveAllBack,
    Issue,
    Notify,
    SettleDebtOnCancel,
    Transition,
    TurnMeters,
)
from billing.payment import AttemptState, Trigger
from billing.standing import settle
from billing.terms import CollectionMethod
from models.ids import derived_id
from models.tables import (
    Collection,
    CommandRow,
    DunningPolicyVersion,
    Invoice,
    InvoiceStatus,
    SubscriptionRow,
)


async def carry_out(work: Work, transition: Transition) -> None:
    """Store the subscription's new value, carry out its effects, and settle what follows from them."""
    has_ended = transition.after.is_over and not work.row.state.is_over
    work.row.state = transition.after
    for effect in transition.effects:
        await _carry_out_effect(work, effect)
    if has_ended:
        await _drop_undecided(work)
        await _write_off_what_dunning_left_open(work)
    await settle_standing(work)


async def settle_standing(work: Work) -> None:
    """Let the subscription's value follow from its invoices, until nothing changes any more; then store it."""
    session, row, at = work.session, work.row, work.at
    await session.flush()
    await _apply_what_was_paid(work)
    for _ in range(4):
        transition = settle(row.state, await standing_of(work), at)
        row.state = transition.after
        if not transition.effects:
            break
        for effect in transition.effects:
            await _carry_out_effect(work, effect)
        await session.flush()
    row.state = row.state.model_copy(update=await method_facts(session, row))
    store(session, row, at, work.rules)


def store(session: AsyncSession, row: SubscriptionRow, at: datetime, rules: BookRules) -> None:
    """Bring the columns beside the value in line with it, and tell what that changes for a backend."""
    state = row.state
    tell_access(session, row, at, rules.access)
    row.status = state.status.value
    row.plan_id = state.terms.plan_id
    row.entitled = state.entitled_at(at)
    row.access_until = state.access_until(at, window=rules.access.window, grace=rules.access.grace)
    if state.parked is not None:
        told = state.parked.model_copy(update={"access_until": row.access_until})
        row.state = state = state.model_copy(update={"parked": told})
    row.next_billing_at = state.next_billing_at
    digest = hashlib.sha256(state.model_dump_json().encode()).hexdigest()[:16]
    if digest != row.digest:
        row.version, row.digest, row.updated_at = row.version + 1, digest, at


async def _carry_out_effect(work: Work, effect: Effect) -> None:
    match effect:
        case Emit(name=name, data=data):
            emit(work.session, work.row, name, dict(data), work.at, work.rules.access)
        case Notify():
            await _notify(work, effect)
        case SettleDebtOnCancel():
            await _settle_debt(work)
        case DropGatedDraft():
            await _drop_gated(work)
        case DropWaitingDrafts():
            await _drop_waiting(work)
        case DecideDrafts(starts=starts):
            await _decide_drafts(work, starts)
        case _:
            await _bill(work, effect)


async def _bill(
    work: Work,
    effect: Issue | BillChange | CreditUnused | GiveAllBack | BillEarlyExit | TurnMeters | CloseUsage,
) -> None:
    """What writes documents, or what they will be written from."""
    match effect:
        case Issue():
            await _issue(work, effect)
        case BillChange():
            await _bill_change(work, effect)
        case CreditUnused():
            await _credit_unused(work, effect)
        case GiveAllBack():
            await write_notes(
                work, await draw_up_all_back(work), reason=effect.reason, credit_to=effect.credit_to
            )
        case BillEarlyExit():
            await _bill_early_exit(work, effect)
        case TurnMeters():
            await turn_meters(work, effect)
        case CloseUsage():
            await _close_usage(work)


async def _notify(work: Work, notice: Notify) -> None:
    await write_mail(
        work.session,
        await customer_of(work.session, work.row),
        kind=notice.step,
        step=notice.step,
        occurrence=notice.occurrence,
        at=work.at,
        subscription=work.row,
        context=dict(notice.data),
    )


async def _issue(work: Work, issue: Issue) -> None:
    invoice = await write_invoice(
        work.session, work.row, issue, work.at, work.rules, command_id=_issuing_command(work, issue)
    )
    if invoice.gated:
        work.row.state = work.row.state.model_copy(update={"gated_invoice": invoice.id})
    if not (issue.draft or issue.waits_for_usage):
        await collect_invoice(work, invoice)


def _issuing_command(work: Work, issue: Issue) -> str:
    """Only a resume or a change is told apart by its command; a period has one invoice whoever asks."""
    return work.command_id if issue.reason == "resume" else ""


async def collect_invoice(work: Work, invoice: Invoice) -> None:
    """Queue the first attempt, or hand the invoice over where there is nothing to try now (engine 2, 5)."""
    if invoice.status in (InvoiceStatus.PAID, InvoiceStatus.VOID):
        return
    by_charge = work.row.state.terms.collection_method is CollectionMethod.CHARGE
    asked = await amount_asked(work.session, work.rules, invoice)
    charged = by_charge and asked >= work.rules.minimum(invoice.currency)
    is_held = False
    if charged:
        customer = await customer_of(work.session, work.row)
        await lapse_if_unused(work.session, customer, work.at)
        method = await method_for(work.session, customer, invoice, (), Trigger.FIRST)
        # The payer is told of a debit before it is made, unless they are there and order it (rules 28).
        is_held = method is not None and is_direct_debit(method) and not invoice.gated
        if method is not None and not is_held and invoice.delay_days == 0:
            queued = await begin_attempt(
                work.session,
                work.gateway,
                work.rules,
                invoice_id=invoice.id,
                number=1,
                trigger=Trigger.FIRST,
                at=work.at,
                state=AttemptState.QUEUED,
            )
            if not isinstance(queued, GateRefused):
                return
            is_held = queued.reason is Refusal.CAP
    below_minimum = by_charge and not charged
    if not below_minimum:
        on_delay = is_held or invoice.delay_days > 0
        await open_collection(work.session, work.row, invoice, work.at, on_delay=on_delay)


async def _bill_change(work: Work, effect: BillChange) -> None:
    """Bill a change, at once or on a draft that waits for its payment; what cannot be charged does not wait."""
    bill = await draw_up_change(work, effect)
    gated = effect.if_paid and await can_be_gated(work, bill)
    if effect.if_paid and not gated:
        applied = lifecycle.apply_change(work.row.state, effect.change, work.at)
        work.row.state = applied.after
        for following in applied.effects:
            await _carry_out_effect(work, following)
    invoice = await write_bill(work, bill, reason=CHANGE_REASON, gated=gated)
    if invoice is None:
        return
    if gated:
        work.row.conditional = effect.change
        work.row.state = work.row.state.model_copy(update={"gated_invoice": invoice.id})
        facts = {
            "to": effect.change.terms.plan_name,
            "invoice": invoice.id,
            "command": effect.change.command_id,
        }
        emit(work.session, work.row, "subscription.change_waiting", facts, work.at, work.rules.access)
    await collect_invoice(work, invoice)


CHANGE_REASON: Final = "change of the subscription"


async def _apply_what_was_paid(work: Work) -> None:
    """A change that waited for its payment takes effect in the transaction that books it (engine 16)."""
    change, state = work.row.conditional, work.row.state
    if change is None or state.gated_invoice is None:
        return
    invoice = await get(work.session, Invoice, state.gated_invoice, field="invoice")
    if invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        return
    asked = replace(work, command_id=change.command_id)
    bill = await draw_up_change(asked, BillChange(change, state.terms, state.fees_left), but=invoice.id)
    if await credits_stand_on(work, invoice):
        bill = replace(bill, notes=())
    await write_notes(asked, bill, reason=CHANGE_REASON)
    work.row.conditional = None
    applied = lifecycle.apply_change(state, change, work.at)
    work.row.state = applied.after
    for effect in applied.effects:
        await _carry_out_effect(work, effect)


async def _credit_unused(work: Work, effect: CreditUnused) -> None:
    """Unused days go back on the invoices that billed them (rules 12)."""
    bill = await draw_up_credit(work, effect)
    await write_notes(work, bill, reason=effect.reason, credit_to=effect.credit_to)


async def _bill_early_exit(work: Work, effect: BillEarlyExit) -> None:
    invoice = await write_bill(work, await draw_up_early_exit(work, effect), reason="early exit")
    if invoice is not None:
        await collect_invoice(work, invoice)


async def _close_usage(work: Work) -> None:
    for invoice in await close_usage(work):
        await collect_invoice(work, invoice)


async def _settle_debt(work: Work) -> None:
    """After a cancel now: no more automatic charges, or go on, or write off, as the policy says (rules 21)."""
    for invoice in await invoices_of(work.session, work.row.id):
        if invoice.status is not InvoiceStatus.OPEN:
            continue
        after = await _after_cancel(work, invoice)
        if after is AfterCancel.COLLECT:
            continue
        invoice.automatic_collecting = False
        if after is AfterCancel.WRITE_OFF:
            await _write_off_in_time(work, invoice, "written off at the cancel, by the policy")


async def _after_cancel(work: Work, invoice: Invoice) -> AfterCancel:
    query = (
        select(DunningPolicyVersion)
        .join(Collection, col(Collection.policy_version_id) == col(DunningPolicyVersion.id))
        .where(Collection.id == collection_key(invoice))
    )
    version = (await work.session.exec(query)).first()
    version = version or await policy_for(work.session, work.row, invoice)
    return version.policy.after_cancel


async def _write_off_what_dunning_left_open(work: Work) -> None:
    """Nobody asks any more for what a dunning policy that is over left open (rules 21)."""
    query = (
        select(Invoice)
        .join(Collection, col(Collection.invoice_id) == col(Invoice.id))
        .where(
            Collection.subscription_id == work.row.id,
            Invoice.status == InvoiceStatus.OPEN,
            col(Collection.ended).is_(True),
        )
    )
    for invoice in (await work.session.exec(query)).all():
        await _write_off_in_time(work, invoice, "the dunning policy and the subscription have ended")


async def _write_off_in_time(work: Work, invoice: Invoice, why: str) -> None:
    """Now; while a payment is under way, with its outcome, which may be that nothing is left to write off (U16).

    One that waits for the payer is no reason to wait: the chase cancels it once its invoice is not open any more.
    """
    attempt = await under_way(work.session, invoice)
    if attempt is None or attempt.state not in UNDER_WAY_STATES:
        write_off(work, invoice, why)
        return
    command_id = derived_id("cmd", "write off", invoice.id, invoice.chase)
    if await work.session.get(CommandRow, command_id) is None:
        asked = WriteOff(command_id=command_id, invoice_id=invoice.id, by="policy", reason=why)
        write_command(work, asked, WAITING)


def write_off(work: Work, invoice: Invoice, why: str) -> None:
    """We stop asking; the debt and the document remain (rules 11)."""
    invoice.status, invoice.in_arrears, invoice.closed_by = InvoiceStatus.UNCOLLECTIBLE, False, why
    emit(work.session, work.row, "invoice.written_off", about(invoice), work.at, work.rules.access)


def _drop(work: Work, draft: Invoice, why: str) -> None:
    """It never gets a number (rules 11)."""
    draft.status, draft.closed_by = InvoiceStatus.VOID, why
    emit(work.session, work.row, "invoice.voided", about(draft), work.at, work.rules.access)


async def _drop_gated(work: Work) -> None:
    for invoice in await invoices_of(work.session, work.row.id):
        if invoice.gated and invoice.status is InvoiceStatus.DRAFT:
            give_back_what_was_set_aside(invoice)
            _drop(
                work,
                invoice,
                "the gate closed" if not work.command_id else "canceled before the first payment",
            )
    work.row.conditional = None
    work.row.state = work.row.state.model_copy(update={"gated_invoice": None})


async def _drop_undecided(work: Work) -> None:
    """Drafts of missed periods that nobody decided on before the end are not issued any more."""
    for invoice in await invoices_of(work.session, work.row.id):
        if invoice.awaits_decision:
            _drop(work, invoice, "the subscription ended")


async def _drop_waiting(work: Work) -> None:
    for invoice in await invoices_of(work.session, work.row.id):
        if invoice.awaits_usage:
            _drop(work, invoice, "the service was cut")


async def _decide_drafts(work: Work, starts: tuple[date, ...] | None) -> None:
    """Issue the chosen drafts of missed periods, each charged a day after the one before; drop the others."""
    chosen = 0
    for invoice in await invoices_of(work.session, work.row.id):
        if not invoice.awaits_decision:
            continue
        if starts is not None and invoice.period_start not in starts:
            _drop(work, invoice, "dropped at the resume")
            continue
        invoice.delay_days = chosen
        await issue_or_drop(work.session, work.row, invoice, work.at, work.rules)
        chosen += invoice.status is not InvoiceStatus.VOID
        await collect_invoice(work, invoice)
