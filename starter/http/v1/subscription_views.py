"""Subscriptions as the API shows them, from their state and their row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from billing import steps
from billing.leaving import ends_on
from billing.subscription import Status
from billing.subscription import Subscription as State
from models.boundary import Accepted, PlannedStep
from models.tables import SubscriptionRow
from starter.http.calling import Call
from starter.outcomes import AwaitedPayment
from starter.problems import TookTooLong
from starter.reading import WAIT_SECONDS, FirstOutcome
from starter.resources.subscriptions import FirstPayment, GivenDiscount, Next, PendingChange, Subscription
from workflows.details import subscription_step

_ASKS_THE_CUSTOMER: Final = (FirstOutcome.ACTION_REQUIRED, FirstOutcome.DECLINED, FirstOutcome.NO_METHOD)
Source = Literal["workflow", "books"]


async def show_present(call: Call, key: str) -> Subscription:
    """A subscription as it stands now, by its workflow or else by the books."""
    row = await call.relance.subscription(key)
    answer = await call.relance.state(row.id)
    state = answer.state
    return _show(
        call,
        row,
        state.subscription,
        now=state.now,
        coming=state.next,
        source=answer.source,
        as_of=answer.as_of,
        waiting=await _waiting(call, [state.subscription]),
    )


async def show_accepted(call: Call, key: str, accepted: Accepted) -> Subscription:
    """A subscription as a command that was just accepted will make it."""
    row = await call.relance.subscription(key)
    (now,) = await _nows(call, [row])
    state = accepted.subscription
    shown = _show(
        call,
        row,
        state,
        now=now,
        coming=_next(state, now),
        source="workflow",
        as_of=now,
        waiting=await _waiting(call, [state]),
    )
    return shown.model_copy(update={"command": accepted.command_id})


async def show_rows(call: Call, rows: Sequence[SubscriptionRow]) -> list[Subscription]:
    """Subscriptions as the books have them."""
    nows = await _nows(call, rows)
    waiting = await _waiting(call, [row.state for row in rows])
    return [
        _show(
            call,
            row,
            row.state,
            now=now,
            coming=_next(row.state, now),
            source="books",
            as_of=row.updated_at,
            waiting=waiting,
        )
        for row, now in zip(rows, nows, strict=True)
    ]


async def first_payment(call: Call, key: str, *, seconds: float = WAIT_SECONDS) -> FirstPayment:
    """What came of the first payment, once it has come; `pending` where it takes longer than this."""
    try:
        found = await call.relance.wait_for_first_payment(key, seconds=seconds)
    except TookTooLong:
        return FirstPayment(
            outcome="pending", invoice=None, pay_url=None, decline_code=None, decline_reason=""
        )
    needs_link = found.outcome in _ASKS_THE_CUSTOMER and found.invoice_id is not None
    return FirstPayment(
        outcome=found.outcome.value,
        invoice=found.invoice_id,
        pay_url=call.door.links.pay(found.invoice_id, now=datetime.now(UTC))
        if needs_link and found.invoice_id
        else None,
        decline_code=found.decline_code,
        decline_reason=found.decline_words,
    )


def show_payment(call: Call, payment: AwaitedPayment) -> FirstPayment:
    """A payment that a draft waits for, with the page on which the customer pays it."""
    return FirstPayment(
        outcome=payment.outcome.value if payment.outcome is not None else "pending",
        invoice=payment.invoice_id,
        pay_url=call.door.links.pay(payment.invoice_id, now=datetime.now(UTC))
        if payment.outcome in _ASKS_THE_CUSTOMER
        else None,
        decline_code=payment.decline_code,
        decline_reason=payment.decline_words,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        expires_at=payment.expires_at,
    )


async def _waiting(call: Call, states: Sequence[State]) -> Mapping[str, AwaitedPayment]:
    return await call.relance.outcomes.payments(state.gated_invoice for state in states)


def _pending_change(row: SubscriptionRow, state: State, payment: FirstPayment | None) -> PendingChange | None:
    if state.conditional_change is not None:
        waits = row.conditional.terms if row.conditional is not None else None
        return PendingChange(
            takes_effect="when_paid",
            on=None,
            plan=waits.plan_id if waits else None,
            plan_name=waits.plan_name if waits else None,
            quantity=waits.quantity if waits else None,
            command=state.conditional_change,
            payment=payment,
        )
    if state.pending_terms is None:
        return None
    return PendingChange(
        takes_effect="period_end",
        on=state.boundary_on,
        plan=state.pending_terms.plan_id,
        plan_name=state.pending_terms.plan_name,
        quantity=state.pending_terms.quantity,
        command=None,
        payment=None,
    )


async def _nows(call: Call, rows: Sequence[SubscriptionRow]) -> list[datetime]:
    """The business instant of each."""
    connections = call.relance.connections
    async with call.door.database.read() as session:
        of_clock = {key: await connections.now(session, key) for key in {row.clock_id for row in rows}}
    return [of_clock[row.clock_id] for row in rows]


def _next(state: State, now: datetime) -> PlannedStep:
    return subscription_step(steps.next_step(state, now))


def _show(
    call: Call,
    row: SubscriptionRow,
    state: State,
    *,
    now: datetime,
    coming: PlannedStep,
    source: Source,
    as_of: datetime,
    waiting: Mapping[str, AwaitedPayment],
) -> Subscription:
    access, terms = call.door.rules.access, state.terms
    awaited = waiting.get(state.gated_invoice or "")
    payment = show_payment(call, awaited) if awaited is not None else None
    return Subscription(
        id=row.id,
        reference=row.reference,
        customer=row.customer_id,
        plan=terms.plan_id,
        plan_name=terms.plan_name,
        quantity=terms.quantity,
        currency=terms.currency,
        every=str(terms.interval),
        status=state.status.value,
        entitled=state.entitled_at(now),
        access_until=state.access_until(now, window=access.window, grace=access.grace),
        entitlement_reason=state.entitlement_reason,
        starts_on=state.starts_on,
        current_period_start=state.period.start if state.period else None,
        current_period_end=state.period.end if state.period else None,
        trial_end_on=state.trial_end_on,
        cancel_at_period_end=state.ends_with_period,
        cancel_on=state.cancel_on,
        ends_on=ends_on(state),
        pause_at_period_end=state.pause_at_end,
        pending_change=_pending_change(row, state, payment),
        pending_plan=state.pending_terms.plan_id if state.pending_terms else None,
        discounts=tuple(
            GivenDiscount(
                coupon=given.coupon_id,
                percent=given.percent,
                amount=given.amount,
                periods=given.periods,
                used=given.used,
            )
            for given in state.discounts
        ),
        has_payment_method=state.has_method,
        open_invoices=state.open_invoices,
        in_arrears=state.in_arrears,
        parked=state.parked,
        next=Next(what=coming.what, at=coming.due, why=coming.why),
        ended_at=state.ended_at,
        end_reason=state.end_reason,
        test_clock=row.clock_id,
        metadata=row.custom,
        created_at=row.created_at,
        source=source,
        as_of=as_of,
        first_payment=payment if state.status is Status.INCOMPLETE else None,
    )
