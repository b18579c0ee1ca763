"""What is wrong with a customer's payments, as the customer needs to hear it: what happened, what comes, until when."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import collection_key, load_case
from activities.books.gate import attempts_of
from activities.books.mail_facts import day_before
from activities.books.rows import get
from billing.calendar import local_date
from billing.case import Case, ends_on
from billing.chase import StepKind
from billing.dunning import EndForSubscription
from billing.payment import DeclineClass
from billing.progress import timeline
from billing.values import Value
from models.tables import Collection, Invoice, InvoiceStatus, PaymentAttempt, PaymentState, SubscriptionRow
from starter.connections import Connections

_UNDER_WAY = (PaymentState.PROCESSING, PaymentState.UNKNOWN)


class Trouble(Value):
    """An invoice whose payment did not come."""

    invoice_id: str
    number: str | None
    """None on a first invoice, which gets it with its payment."""
    subscription_id: str
    amount_minor: int
    """What is left to pay."""
    currency: str
    decline_class: DeclineClass | None
    """Of the last charge that failed; None where none was made."""
    attempted_on: date | None
    next_try_on: date | None
    """The next charge without the customer; None for never."""
    deadline_on: date | None
    """The last day on which a payment averts the consequence; None where it has come, or none is planned."""
    consequence: EndForSubscription | None
    """What follows then; None as above."""


class Troubles:
    """Reads the chases of one customer."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def of(self, customer_id: str) -> list[Trouble]:
        """The invoices of a customer that need them, oldest first. One whose payment is under way needs nobody."""
        async with self._to.database.read() as session:
            query = (
                select(Invoice)
                .where(
                    Invoice.customer_id == customer_id,
                    Invoice.owner == "collection",
                    col(Invoice.status).in_(
                        (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.DRAFT)
                    ),
                )
                .order_by(col(Invoice.period_start), col(Invoice.id))
            )
            found = [await self._trouble(session, row) for row in (await session.exec(query)).all()]
        return [trouble for trouble in found if trouble is not None]

    async def _trouble(self, session: AsyncSession, invoice: Invoice) -> Trouble | None:
        attempts = await attempts_of(session, invoice.id)
        failed = [attempt for attempt in attempts if attempt.decline_class is not None]
        needs_somebody = invoice.in_arrears or bool(failed)
        if not needs_somebody or invoice.open_minor <= 0 or invoice.payment_state in _UNDER_WAY:
            return None
        row = await get(session, SubscriptionRow, invoice.subscription_id, field="subscription")
        now = await self._to.now(session, invoice.clock_id)
        collection = await session.get(Collection, collection_key(invoice))
        case = None
        if collection is not None and collection.closed_at is None:
            case = await load_case(session, row, invoice, collection, self._to.rules)
        return _told(invoice, failed[-1] if failed else None, case, row.state.timezone, now)


def _told(
    invoice: Invoice, failed: PaymentAttempt | None, case: Case | None, timezone: str, now: datetime
) -> Trouble:
    steps = [] if case is None else timeline(case, now)
    charges = [step.due for step in steps if step.kind is StepKind.CHARGE and step.due is not None]
    end = None
    if case is not None and any(step.kind is StepKind.END and step.due is not None for step in steps):
        end = ends_on(case, now)
    return Trouble(
        invoice_id=invoice.id,
        number=invoice.number,
        subscription_id=invoice.subscription_id,
        amount_minor=invoice.open_minor,
        currency=invoice.currency,
        decline_class=failed.decline_class if failed is not None else None,
        attempted_on=local_date(failed.begun_at, timezone) if failed is not None else None,
        next_try_on=local_date(min(charges), timezone) if charges else None,
        deadline_on=day_before(end) if end is not None else None,
        consequence=case.policy.end_for_subscription if case is not None and end is not None else None,
    )
