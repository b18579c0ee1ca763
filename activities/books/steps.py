"""The steps of a subscription, each one transaction that a second run does not repeat.

A step is taken only while it is still the next one; a command only while its id is unknown. So whatever gets
lost between the commit and the workflow, asking again answers the same.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import left_to_charge
from activities.books.chasing import chase_of, open_collection
from activities.books.config import BookRules
from activities.books.coupons import redeem_later, with_coupon
from activities.books.gate import Prepares, live_attempt
from activities.books.issuing import claim_of
from activities.books.methods import facts_of
from activities.books.notices import emit, tell_all
from activities.books.rows import customer_of, get, invoices_of, lock_subscription, lock_with_subscription
from activities.books.standing import duties_of, method_facts, running_chases
from activities.books.transitions import carry_out, settle_standing
from activities.books.work import Work
from billing import lifecycle
from billing.asking import may_ask
from billing.commands import AddCoupon, ChangePlan, Command, MigratePlan, Resume, RetryNow, ends_now
from billing.decide import accept
from billing.discounts import for_next_period
from billing.effects import InvoiceReason, Issue, Transition
from billing.errors import InvalidInput
from billing.fees import fees_of
from billing.payment import AttemptState, Trigger
from billing.refusal import Refused
from billing.steps import Step, StepKind, next_step
from billing.subscription import Status
from billing.terms import CollectionMethod
from models.boundary import CommandOrder, LookOrder, ParkOrder, StepOrder, SubscriptionReport
from models.tables import (
    CommandRow,
    Customer,
    Invoice,
    InvoiceStatus,
    PaymentMethod,
    PaymentState,
    Plan,
    SubscriptionRow,
)


async def look(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: LookOrder
) -> SubscriptionReport:
    """The subscription as its rows have it now, with everything that its invoices mean for it."""
    row = await lock_subscription(session, order.id)
    await settle_standing(Work(session, gateway, rules, row, order.as_of))
    return await report(session, row)


async def report(
    session: AsyncSession, row: SubscriptionRow, *, refused: str = "", wakes_chases: bool = False
) -> SubscriptionReport:
    """What a workflow is told after every step.

    Args:
        session: the step's transaction.
        row: the subscription.
        refused: why a command could not be carried out.
        wakes_chases: whether what its chases plan may have changed: a credit, a stop, an end, parked or not.
    """
    await session.flush()
    return SubscriptionReport(
        subscription=row.state,
        duties=await duties_of(session, row),
        refused=refused,
        wake=await running_chases(session, row) if wakes_chases else (),
    )


async def take_step(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: StepOrder
) -> SubscriptionReport:
    """Take the step that the workflow saw coming, if it is still the next one and due."""
    row = await lock_subscription(session, order.subscription_id)
    row.state = row.state.model_copy(update=await method_facts(session, row))
    step = next_step(row.state, order.as_of)
    is_it = step.kind == order.kind and (step.kind is not StepKind.NOTIFY or step.key == order.key)
    if is_it and step.due is not None and step.due <= order.as_of:
        work = Work(session, gateway, rules, row, order.as_of)
        await carry_out(work, await _transition(work, step))
    return await report(session, row, wakes_chases=row.state.is_over)


async def _transition(work: Work, step: Step) -> Transition:
    sub, at = work.row.state, work.at
    match step.kind:
        case StepKind.START:
            return lifecycle.start(sub, gate=await _is_gated(work))
        case StepKind.END_TRIAL:
            return lifecycle.end_trial(sub, at)
        case StepKind.BOUNDARY:
            return lifecycle.cross_boundary(sub, at, catch_up_limit=work.rules.catch_up_limit)
        case StepKind.END_ACCESS:
            return lifecycle.end_access(sub, at)
        case StepKind.GIVE_UP:
            return lifecycle.give_up(sub, at)
        case StepKind.CLOSE_USAGE:
            return lifecycle.close_usage(sub)
        case StepKind.NOTIFY:
            return lifecycle.mark_notified(sub, step)
        case StepKind.MOVE_ACCESS_ON | StepKind.WAIT:
            return Transition(sub)  # storing it tells until when to let the customer in


async def _is_gated(work: Work) -> bool:
    """Rules 13: charged at once, not on transfer terms, not of zero or below the minimum after the balance."""
    sub = work.row.state
    if not sub.starts_at_signup or sub.terms.collection_method is not CollectionMethod.CHARGE:
        return False
    first = sub.model_copy(update={"anchor": sub.starts_on}).schedule.period(0)
    discounts, once = for_next_period(sub.discounts), fees_of(sub.terms)
    issue = Issue(first, sub.terms, InvoiceReason.SIGNUP, discounts=discounts, once=once)
    claim = await claim_of(work.session, work.row, issue, work.at, work.rules)
    customer = await customer_of(work.session, work.row)
    total = claim.taxed.totals.total_minor
    return await left_to_charge(work.session, customer, claim.currency, total) >= work.rules.minimum(
        claim.currency
    )


async def apply_command(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: CommandOrder
) -> SubscriptionReport:
    """Carry out an accepted command, once: its id is unique here (engine 14)."""
    row = await lock_subscription(session, order.subscription_id)
    command = order.command
    known = await session.get(CommandRow, command.command_id)
    if ends_now(command):
        # `stop_collecting` was for the time until here; from now on each invoice says for itself.
        row.automatic_collecting = True
    if known is not None:
        refused = "" if known.outcome == "applied" else known.outcome
        again = await report(session, row, refused=refused, wakes_chases=True)
        return again if refused else again.model_copy(update={"pass_on_to": _meant(row, command)})
    work = Work(session, gateway, rules, row, order.as_of, command.command_id)
    outcome, passed_on = "applied", None
    try:
        command = await looked_up(session, row, command, order.as_of)
        transition = accept(row.state, command, order.as_of)
        await _check_drafts(work, command)
        passed_on = await _passed_on(work, command)
        if isinstance(command, AddCoupon):
            await redeem_later(work, command)
    except (Refused, InvalidInput) as refusal:
        outcome = refusal.message
        facts = {"command": command.command_id, "kind": command.kind, "reason": outcome}
        emit(session, row, "subscription.command_refused", facts, order.as_of, rules.access)
    else:
        await carry_out(work, transition)
    session.add(
        CommandRow(
            id=command.command_id,
            subscription_id=row.id,
            kind=command.kind,
            payload=command.model_dump(mode="json", exclude_defaults=True, exclude={"old", "new"}),
            by=command.by,
            reason=command.reason,
            outcome=outcome,
            at=order.as_of,
        )
    )
    refused = "" if outcome == "applied" else outcome
    answer = await report(session, row, refused=refused, wakes_chases=True)
    return answer.model_copy(update={"pass_on_to": passed_on})


async def _check_drafts(work: Work, command: Command) -> None:
    """A resume that names an invoice which is no draft any more would drop the drafts that were meant (rules 4).

    Raises:
        Refused: a date names no draft; field `issue`.
    """
    if not isinstance(command, Resume) or not command.issue:
        return
    invoices = await invoices_of(work.session, work.row.id)
    drafts = {invoice.period_start for invoice in invoices if invoice.awaits_decision}
    for start in command.issue:
        if start not in drafts:
            waiting = ", ".join(str(day) for day in sorted(drafts)) or "none"
            raise Refused(f"No draft waits for the period from {start}. Waiting: {waiting}.", field="issue")


def _meant(row: SubscriptionRow, command: Command) -> str | None:
    """The invoice that a retry is about: the oldest that is open, whose collection charges (engine 3)."""
    if not isinstance(command, RetryNow):
        return None
    return row.state.gated_invoice or next(iter(row.state.open_invoices), None)


async def _passed_on(work: Work, command: Command) -> str | None:
    """The invoice whose collection is to make a try of support's.

    Raises:
        Refused: it may not be charged now (rules 23, U15).
    """
    invoice_id = _meant(work.row, command)
    if invoice_id is None:
        return None
    case = await chase_of(work, await get(work.session, Invoice, invoice_id, field="invoice"))
    refusal = may_ask(case, Trigger.SUPPORT, work.at) if case is not None else None
    if refusal is not None:
        raise Refused(refusal.message, field="invoice")
    return invoice_id


async def looked_up(session: AsyncSession, row: SubscriptionRow, command: Command, at: datetime) -> Command:
    """A plan change with the plan's terms, where the sender gave only its id; a coupon with its discount.

    Raises:
        InvalidInput: there is no such plan, or it is archived; field `plan`. The coupon is not to be had; field `code`.
        Refused: the coupon was given before; field `code`.
    """
    if isinstance(command, MigratePlan):
        old = await _plan_of(session, row, command.from_plan_id, on_offer=False)
        new = await _plan_of(session, row, command.plan_id)
        return command.model_copy(update={"old": old.terms, "new": new.terms})
    if isinstance(command, AddCoupon):
        return await with_coupon(session, row, command, at)
    if not isinstance(command, ChangePlan) or command.terms is not None:
        return command
    plan = await _plan_of(session, row, command.plan_id)
    return command.model_copy(update={"terms": plan.terms})


async def _plan_of(
    session: AsyncSession, row: SubscriptionRow, plan_id: str, *, on_offer: bool = True
) -> Plan:
    plan = await session.get(Plan, plan_id)
    if plan is None or plan.entity_id != row.entity_id or (on_offer and plan.archived_at is not None):
        raise InvalidInput(f"There is no plan {plan_id} on offer.", field="plan")
    return plan


async def stop_collecting(session: AsyncSession, subscription_id: str) -> None:
    """A cancel *now* closes the gate to automatic attempts before it is answered (engine 4)."""
    row = await lock_subscription(session, subscription_id)
    row.automatic_collecting = False


async def park(
    session: AsyncSession, gateway: Prepares, rules: BookRules, order: ParkOrder
) -> SubscriptionReport:
    """Write down that the subscription waits for a person."""
    row = await lock_subscription(session, order.subscription_id)
    transition = lifecycle.park(row.state, order.as_of, reason=order.reason, remedy=order.remedy)
    await carry_out(Work(session, gateway, rules, row, order.as_of), transition)
    return await report(session, row, wakes_chases=True)


async def bring_back(
    session: AsyncSession, gateway: Prepares, rules: BookRules, *, customer_id: str, at: datetime
) -> None:
    """A new default method is told, and brings back what owes nothing, because the policy credited it (U11).

    Args:
        session: with the rows of the customer and the subscriptions locked.
        gateway: as in `Work`.
        rules: the seller's.
        customer_id: whose method it is.
        at: the business instant.
    """
    customer = await get(session, Customer, customer_id, field="customer")
    method = await get(session, PaymentMethod, customer.default_method_id or "", field="payment method")
    await tell_all(session, customer_id, "payment_method.replaced", facts_of(method), at, rules.access)
    query = select(SubscriptionRow.id).where(
        SubscriptionRow.customer_id == customer_id, SubscriptionRow.status == Status.UNPAID.value
    )
    for subscription_id in (await session.exec(query.order_by(col(SubscriptionRow.id)))).all():
        row = await lock_subscription(session, subscription_id)
        if row.state.status is Status.UNPAID and not row.state.owed:
            await carry_out(Work(session, gateway, rules, row, at), lifecycle.resume(row.state, at))


async def hand_over(
    session: AsyncSession, gateway: Prepares, rules: BookRules, *, invoice_id: str, at: datetime
) -> SubscriptionReport:
    """No answer within the inline try: the collection takes the invoice as it is (engine 5).

    An attempt that never began stays queued, for the collection to make; one that began is unknown.
    """
    row, invoice = await lock_with_subscription(session, invoice_id)
    attempt = await live_attempt(session, invoice_id)
    if attempt is not None and attempt.state is AttemptState.STARTED:
        attempt.state = AttemptState.UNKNOWN
        invoice.payment_state = PaymentState.UNKNOWN
    if invoice.owner == "subscription" and invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.DRAFT):
        await open_collection(session, row, invoice, at)
    await settle_standing(Work(session, gateway, rules, row, at))
    return await report(session, row)
