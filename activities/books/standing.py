"""What the invoices of a subscription mean for it, and what its workflow still has to do about them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import load_case
from activities.books.methods import has_method
from activities.books.rows import customer_of, get, invoices_of, method_on_file, usable_method
from activities.books.work import Work
from billing.calendar import add_months, first_of_month
from billing.case import Role, ends_at
from billing.dunning import EndForSubscription
from billing.payment import AttemptState, Trigger
from billing.standing import Standing
from billing.subscription import MOVED_ON_BY
from models.boundary import ChargeOrder, Duties
from models.tables import (
    Collection,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentMethod,
    PaymentState,
    SubscriptionRow,
)

_ANSWERED_LATER: Final = (AttemptState.PROCESSING, AttemptState.UNKNOWN)
_ASKED_AGAIN_WITHIN: Final = timedelta(days=4)
"""How far apart two looks at the same attempt are at most (`billing.chase`), and some more."""


async def standing_of(work: Work) -> Standing:
    """The facts from which the status follows; read under the subscription's lock."""
    invoices = await invoices_of(work.session, work.row.id)
    is_open = [i for i in invoices if i.status is InvoiceStatus.OPEN]
    owed = [i for i in invoices if i.status in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)]
    gated = [i for i in invoices if i.gated]
    return Standing(
        open_invoices=tuple(i.id for i in is_open),
        in_arrears=tuple(i.id for i in is_open if i.in_arrears),
        owed=sum(i.open_minor > 0 for i in owed),
        covered_until=max((i.covers_until for i in invoices if _covers(i)), default=None),
        gated_paid=any(i.status is InvoiceStatus.PAID or _is_processing(i) for i in gated),
        policy_ends_at=await _policy_end(work),
        new_method=await _has_new_method(work),
    )


async def _has_new_method(work: Work) -> bool:
    """Whether the customer gave a payment method since the service was cut (U11)."""
    cut_at = work.row.state.unpaid_since
    if cut_at is None:
        return False
    method = await usable_method(work.session, await customer_of(work.session, work.row))
    return method is not None and method.created_at > cut_at


def _covers(invoice: Invoice) -> bool:
    """Whether its time need not be billed again: paid by money or worth nothing, or still to be paid.

    One that a credit alone closed covers nothing.
    """
    was_paid = invoice.paid_minor > 0 or invoice.total_minor == 0
    to_be_paid = invoice.status is InvoiceStatus.OPEN or invoice.awaits_usage
    counts = to_be_paid or (invoice.status is InvoiceStatus.PAID and was_paid)
    return counts and invoice.covers_until > invoice.period_start


def _is_processing(invoice: Invoice) -> bool:
    return invoice.status is InvoiceStatus.OPEN and invoice.payment_state is PaymentState.PROCESSING


async def _policy_end(work: Work) -> datetime | None:
    """When the driving collection will take the service away, if its policy does.

    While a payment is under way the end waits for it, and is told a week later each time (U15): the provider is asked
    how it stands more often than that.
    """
    query = select(Collection).where(
        Collection.subscription_id == work.row.id,
        Collection.role == Role.DRIVING.value,
        col(Collection.closed_at).is_(None),
        col(Collection.ended).is_(False),
    )
    ends = []
    for collection in (await work.session.exec(query)).all():
        invoice = await get(work.session, Invoice, collection.invoice_id, field="invoice")
        case = await load_case(work.session, work.row, invoice, collection, work.rules)
        live = case.live_attempt
        if case.policy.end_for_subscription is EndForSubscription.KEEP:
            continue
        end = ends_at(case, work.at)
        if live is not None and live.state in _ANSWERED_LATER:
            while end - _ASKED_AGAIN_WITHIN <= work.at:
                end += MOVED_ON_BY
        ends.append(end)
    return min(ends, default=None)


async def method_facts(session: AsyncSession, row: SubscriptionRow) -> dict[str, object]:
    """What the subscription needs to know of its payment method: whether there is one, and its last valid day.

    One that is not charged while a dispute is open is still there: the dispute changes no status (U17).
    """
    customer = await customer_of(session, row)
    method = await method_on_file(session, customer)
    return {
        "has_method": await has_method(session, customer),
        "method_expires_on": last_valid_day(method),
    }


def last_valid_day(method: PaymentMethod | None) -> date | None:
    """The last day of the month printed on the card."""
    if method is None or method.exp_year is None or method.exp_month is None:
        return None
    first = first_of_month(date(method.exp_year, method.exp_month, 1))
    return add_months(first, 1) - timedelta(days=1)


async def duties_of(session: AsyncSession, row: SubscriptionRow) -> Duties:
    """What the subscription's workflow still has to do: charges to make, collections to start.

    Read from the rows each time, so that nothing is forgotten when a result gets lost on the way.
    """
    charges = (
        select(PaymentAttempt, Invoice)
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(
            Invoice.subscription_id == row.id,
            Invoice.owner == "subscription",
            col(PaymentAttempt.state).in_([AttemptState.QUEUED, AttemptState.STARTED]),
        )
        .order_by(col(Invoice.period_start))
    )
    orders = [
        ChargeOrder(invoice_id=invoice.id, number=attempt.number, trigger=Trigger.FIRST)
        for attempt, invoice in (await session.exec(charges)).all()
    ]
    starts = (
        select(Collection.invoice_id)
        .where(Collection.subscription_id == row.id, col(Collection.started_at).is_(None))
        .order_by(col(Collection.day0))
    )
    return Duties(charge=tuple(orders), collect=tuple((await session.exec(starts)).all()))


async def running_chases(session: AsyncSession, row: SubscriptionRow) -> tuple[str, ...]:
    """The invoices of the subscription that a collection is chasing, oldest first."""
    query = (
        select(Collection.invoice_id)
        .where(
            Collection.subscription_id == row.id,
            col(Collection.started_at).is_not(None),
            col(Collection.closed_at).is_(None),
        )
        .order_by(col(Collection.day0))
    )
    return tuple((await session.exec(query)).all())
