"""What support sees of a subscription: where it stands, what is owed, what was tried, what comes next and why.

One plain structure for the command line, the API and whoever else has to show it; from the books alone, so that
it is there with no worker up, and agrees with what the workflows then do (engine 22).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import collection_key, load_case
from activities.books.config import BookRules
from activities.books.delivery import undeliverable
from activities.books.issuing import treatment_now
from activities.books.mandates import mandate_of
from activities.books.rows import customer_of, is_in_dispute, method_on_file
from billing.calendar import local_date
from billing.declines import support_words
from billing.entitlements import FeatureUse
from billing.leaving import ends_on
from billing.payment import AttemptState
from billing.progress import timeline
from billing.steps import next_step
from billing.subscription import Parked, Subscription
from billing.upcoming import upcoming
from billing.values import Value
from models.tables import (
    Collection,
    Invoice,
    InvoiceStatus,
    MailAddress,
    MandateRow,
    Message,
    PaymentAttempt,
    PaymentMethod,
    SubscriptionRow,
)
from starter.entitlements import features_of
from starter.payment_methods import method_label

RECENT_INVOICES: Final = 6
RECENT_MAILS: Final = 10
_AWAITED: Final = (InvoiceStatus.OPEN, InvoiceStatus.DRAFT)


class AheadView(Value):
    """One step that lies ahead, if nothing else happens."""

    on: date | None = None
    """Local to the customer; None where it waits for somebody."""
    at: datetime | None = None
    what: str
    why: str
    invoice_id: str | None = None


class AttemptView(Value):
    """One payment attempt."""

    number: int
    on: date
    at: datetime
    trigger: str
    state: str
    amount_minor: int
    decline_code: str | None = None
    decline_words: str = ""
    """The decline in plain English, for support."""
    expected_on: date | None = None
    """When the provider expects a direct debit on the payer's account."""


class InvoiceView(Value):
    """One invoice, with everything that was tried to collect it."""

    id: str
    number: str | None
    status: str
    payment_state: str
    in_arrears: bool
    disputed: bool = False
    """A bank has yet to decide about its payment: it is frozen (U17)."""
    period_start: date
    period_end: date
    issued_on: date | None
    due_on: date | None
    currency: str
    total_minor: int
    credited_minor: int
    paid_minor: int
    open_minor: int
    closed_by: str = ""
    attempts: tuple[AttemptView, ...] = ()


class MailView(Value):
    """One mail to the customer."""

    on: date
    at: datetime
    kind: str
    state: str
    subject: str
    invoice_id: str | None


class NextInvoice(Value):
    """The next invoice as it stands now."""

    on: date
    until: date
    currency: str
    total_minor: int


class Overview(Value):
    """A subscription as support reads it."""

    id: str
    reference: str | None
    customer_id: str
    customer_reference: str | None
    customer_name: str
    clock_id: str | None
    now: datetime
    """The instant for which this holds: the test clock's, or real time."""
    status: str
    entitled: bool
    access_until: datetime | None
    reason: str
    """Why the customer may, or may not, use the service."""
    features: tuple[FeatureUse, ...]
    """What was agreed of each, and what is used and left in the current period."""
    parked: Parked | None
    plan_id: str
    plan_name: str
    quantity: int
    every: str
    timezone: str
    currency: str
    period_start: date | None
    period_end: date | None
    trial_end_on: date | None
    pending: tuple[str, ...]
    """What was asked and takes effect later."""
    next_invoice: NextInvoice | None
    payment_method: str | None
    owed_minor: int
    """Of issued, open invoices."""
    written_off_minor: int
    invoices: tuple[InvoiceView, ...]
    """All that are open, and the latest others; newest first."""
    mails: tuple[MailView, ...]
    """The latest, newest first."""
    mail_problems: tuple[str, ...] = ()
    """Addresses of the customer at which mails do not arrive, and why."""
    ahead: tuple[AheadView, ...]
    """What happens next, in order; what waits for somebody comes last."""
    updated_at: datetime
    """When the books of this subscription last changed, in its own time."""


async def overview_of(
    session: AsyncSession, row: SubscriptionRow, rules: BookRules, now: datetime
) -> Overview:
    """Read everything about one subscription.

    Args:
        session: for looking.
        row: the subscription.
        rules: the seller's.
        now: the business instant.
    """
    sub = row.state
    customer = await customer_of(session, row)
    method = await method_on_file(session, customer)
    mandate = await mandate_of(session, method) if method is not None else None
    disputed = method is not None and await is_in_dispute(session, method)
    invoices = await _invoices(session, row)
    coming = upcoming(sub, await treatment_now(session, row, now, rules))
    access_until = sub.access_until(now, window=rules.access.window, grace=rules.access.grace)
    return Overview(
        id=row.id,
        reference=row.reference,
        customer_id=customer.id,
        customer_reference=customer.reference,
        customer_name=customer.name,
        clock_id=row.clock_id,
        now=now,
        status=sub.status.value,
        entitled=sub.entitled_at(now),
        access_until=access_until,
        reason=sub.entitlement_reason,
        features=await features_of(session, sub),
        parked=sub.parked,
        plan_id=sub.terms.plan_id,
        plan_name=sub.terms.plan_name,
        quantity=sub.terms.quantity,
        every=str(sub.terms.interval),
        timezone=sub.timezone,
        currency=sub.terms.currency,
        period_start=sub.period.start if sub.period else None,
        period_end=sub.period.end if sub.period else None,
        trial_end_on=sub.trial_end_on,
        pending=_pending(sub),
        next_invoice=coming
        and NextInvoice(
            on=coming.on, until=coming.until, currency=coming.currency, total_minor=coming.total_minor
        ),
        payment_method=_method_words(method, mandate, customer.timezone, disputed=disputed),
        owed_minor=sum(i.open_minor for i in invoices if i.status is InvoiceStatus.OPEN),
        written_off_minor=sum(i.open_minor for i in invoices if i.status is InvoiceStatus.UNCOLLECTIBLE),
        mail_problems=tuple(
            in_words(one) for one in await undeliverable(session, (c["email"] for c in customer.contacts))
        ),
        invoices=await _invoice_views(session, _shown(invoices), sub.timezone),
        mails=await _mails(session, row),
        ahead=await _ahead(session, row, invoices, rules, now),
        updated_at=row.updated_at,
    )


async def invoice_view(session: AsyncSession, invoice: Invoice, timezone: str) -> InvoiceView:
    """One invoice with its attempts; dates local to the customer."""
    return (await _invoice_views(session, [invoice], timezone))[0]


def in_words(address: MailAddress) -> str:
    """An address at which mails do not arrive: `ada@example.com: bounced since 2027-02-01, 550 no such mailbox`."""
    said = f", {address.detail}" if address.detail else ""
    return f"{address.address}: {address.reason} since {address.since:%Y-%m-%d}{said}"


def _method_words(
    method: PaymentMethod | None, mandate: MandateRow | None, timezone: str, *, disputed: bool
) -> str | None:
    if method is None:
        return None
    under = ""
    if mandate is not None:
        used = f"last debit {mandate.last_debit_on}" if mandate.last_debit_on else "not used yet"
        under = f", mandate {mandate.reference} of {local_date(mandate.accepted_at, timezone)}, {used}"
    return f"{method_label(method)}{under}{', not charged while a dispute is open' if disputed else ''}"


def _pending(sub: Subscription) -> tuple[str, ...]:
    pending = []
    if sub.cancel_is_pending:
        wished = "" if sub.cancel_on is None else f", asked for {sub.cancel_on}"
        pending.append(f"cancel on {ends_on(sub) or 'the end of the paid time'}{wished}")
    if sub.pause_at_end:
        pending.append(f"pause on {sub.boundary_on}")
    if sub.conditional_change is not None:
        pending.append("a change, as soon as its payment came")
    if sub.pending_discounts is not None:
        pending.append(f"another discount on {sub.boundary_on or 'the return'}")
    if sub.pending_terms is not None:
        terms = sub.pending_terms
        seats = f" x {terms.quantity}" if (terms.quantity, sub.terms.quantity) != (1, 1) else ""
        pending.append(f"change to {terms.plan_name}{seats} on {sub.boundary_on or 'the return'}")
    if sub.announced is not None:
        pending.append(f"the price of {sub.announced.plan_name} from {sub.announced.from_on}")
    return tuple(pending)


async def _invoices(session: AsyncSession, row: SubscriptionRow) -> list[Invoice]:
    query = (
        select(Invoice)
        .where(Invoice.subscription_id == row.id)
        .order_by(col(Invoice.period_start).desc(), col(Invoice.id))
    )
    every = list((await session.exec(query)).all())
    # A dropped draft says why a sign-up failed; beside invoices it would only be noise.
    told = [invoice for invoice in every if not invoice.bills_nothing]
    return [invoice for invoice in told if invoice.status is not InvoiceStatus.VOID] or told


def _shown(invoices: Sequence[Invoice]) -> list[Invoice]:
    return [i for place, i in enumerate(invoices) if place < RECENT_INVOICES or i.status in _AWAITED]


async def _invoice_views(
    session: AsyncSession, invoices: Sequence[Invoice], timezone: str
) -> tuple[InvoiceView, ...]:
    ids = [invoice.id for invoice in invoices]
    query = (
        select(PaymentAttempt)
        .where(col(PaymentAttempt.invoice_id).in_(ids))
        .order_by(col(PaymentAttempt.number))
    )
    attempts = (await session.exec(query)).all()
    return tuple(
        InvoiceView(
            id=invoice.id,
            number=invoice.number,
            status=invoice.status.value,
            payment_state=invoice.payment_state.value,
            in_arrears=invoice.in_arrears,
            disputed=invoice.frozen,
            period_start=invoice.period_start,
            period_end=invoice.period_end,
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            currency=invoice.currency,
            total_minor=invoice.total_minor,
            credited_minor=invoice.credited_minor,
            paid_minor=invoice.paid_minor,
            open_minor=invoice.open_minor,
            closed_by=invoice.closed_by,
            attempts=tuple(_attempt_view(a, timezone) for a in attempts if a.invoice_id == invoice.id),
        )
        for invoice in invoices
    )


def _attempt_view(attempt: PaymentAttempt, timezone: str) -> AttemptView:
    code = attempt.decline_code if attempt.state is not AttemptState.SUCCEEDED else None
    return AttemptView(
        number=attempt.number,
        on=local_date(attempt.begun_at, timezone),
        at=attempt.begun_at,
        trigger=attempt.trigger.value,
        state=attempt.state.value,
        amount_minor=attempt.amount_minor,
        decline_code=code,
        decline_words=support_words(code) if code else "",
        expected_on=attempt.expected_on,
    )


async def _mails(session: AsyncSession, row: SubscriptionRow) -> tuple[MailView, ...]:
    query = (
        select(Message)
        .where(Message.subscription_id == row.id)
        .order_by(col(Message.at).desc(), col(Message.kind).desc(), col(Message.id))
        .limit(RECENT_MAILS)
    )
    return tuple(
        MailView(
            on=local_date(mail.at, row.state.timezone),
            at=mail.at,
            kind=mail.kind,
            state=mail.state.value,
            subject=mail.subject,
            invoice_id=mail.invoice_id,
        )
        for mail in (await session.exec(query)).all()
    )


async def _ahead(
    session: AsyncSession,
    row: SubscriptionRow,
    invoices: Sequence[Invoice],
    rules: BookRules,
    now: datetime,
) -> tuple[AheadView, ...]:
    sub = row.state
    own = next_step(sub, now).for_people
    steps = [_ahead_view(own.kind.value, own.due, own.why, sub.timezone, None)]
    for invoice in reversed(invoices):
        collection = await session.get(Collection, collection_key(invoice))
        if collection is None or collection.closed_at is not None:
            continue
        case = await load_case(session, row, invoice, collection, rules)
        steps += [
            _ahead_view(
                step.mail.value if step.mail is not None else step.kind.value,
                step.due,
                step.why.sentence(),
                sub.timezone,
                invoice.id,
            )
            for step in timeline(case, now)
        ]
    return tuple(sorted(steps, key=lambda step: (step.at is None, step.at or now)))


def _ahead_view(what: str, at: datetime | None, why: str, timezone: str, invoice_id: str | None) -> AheadView:
    on = None if at is None else local_date(at, timezone)
    return AheadView(on=on, at=at, what=what, why=why, invoice_id=invoice_id)
