"""What the books alone show to be wrong: parked, late, unanswered, undelivered, stuck."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import load_case
from activities.books.config import BookRules
from activities.books.delivery import customers_who_read_nothing
from billing import chase, steps
from billing.banking_days import add_banking_days
from billing.payment import AttemptState
from billing.transfers import TransferState
from billing.values import Value
from models.tables import (
    Collection,
    Customer,
    IncomingEvent,
    Invoice,
    Message,
    MessageState,
    PaymentAttempt,
    SubscriptionRow,
    TestClock,
    Transfer,
)

PATIENCE: Final = timedelta(minutes=15)
"""What is due may take this long before it counts as late: a burst of renewals waits its turn (engine 5)."""
UNANSWERED: Final = timedelta(hours=1)
LONGEST_DEBIT: Final = 15
"""Banking days within which a direct debit has been answered."""


class Trouble(StrEnum):
    """The kinds of what can be wrong."""

    NOT_RUNNING = "not_running"
    """A row whose workflow is gone."""
    NO_ROW = "no_row"
    """A workflow whose row is gone, or over."""
    PARKED = "parked"
    LATE = "late"
    UNKNOWN = "unknown"
    """A payment attempt without an answer."""
    GONE_BAD = "gone_bad"
    """The code of a workflow fails again and again."""
    MAIL = "mail"
    INBOX = "inbox"
    MONEY = "money"
    """Money moved at the provider and fits nowhere in the books."""
    REFUND = "refund"
    """Money that is to go back and does not leave."""
    DISPUTE = "dispute"
    """A bank waits for our answer."""
    FRAUD = "fraud"
    """A card's issuer warns of a payment."""
    TRANSFERS = "transfers"
    """Money came by transfer, and nobody has said whose it is."""
    EVENTS = "events"
    """A backend does not hear what happens."""
    ORDER = "order"
    """Somebody ordered, and has no subscription."""
    CLOCK = "clock"


class Finding(Value):
    """One thing that is wrong."""

    trouble: Trouble
    about: str
    """The workflow id, or what else it is about."""
    says: str
    remedy: str
    fixable: bool = False
    """Whether `doctor --fix` does something about it."""


async def late_subscriptions(
    session: AsyncSession, rows: list[SubscriptionRow], now: datetime
) -> list[Finding]:
    """Subscriptions that should have taken a step by now, and those that wait for a person."""
    clocks = await clock_times(session)
    found = []
    for row in rows:
        about = f"subscription/{row.id}"
        if row.state.parked is not None:
            parked = row.state.parked
            found.append(
                Finding(trouble=Trouble.PARKED, about=about, says=parked.reason, remedy=parked.remedy)
            )
            continue
        present = clocks.get(row.clock_id or "", now)
        step = steps.next_step(row.state, present)
        if step.due is not None and step.due < present - PATIENCE:
            found.append(_late(about, step.why, step.due))
    return found


async def late_collections(
    session: AsyncSession, collections: list[Collection], rules: BookRules, now: datetime
) -> list[Finding]:
    """Chases that should have taken a step by now."""
    clocks = await clock_times(session)
    found = []
    for collection in collections:
        row = await session.get_one(SubscriptionRow, collection.subscription_id)
        invoice = await session.get_one(Invoice, collection.invoice_id)
        present = clocks.get(collection.clock_id or "", now)
        step = chase.next_step(await load_case(session, row, invoice, collection, rules), present)
        if step.due is not None and step.due < present - PATIENCE:
            found.append(_late(f"collection/{invoice.id}", step.why.sentence(), step.due))
    return found


def _late(about: str, why: str, due: datetime) -> Finding:
    return Finding(
        trouble=Trouble.LATE,
        about=about,
        says=f"{why}; was due {due:%Y-%m-%d %H:%M} UTC",
        remedy="See that a worker runs; --fix wakes it.",
        fixable=True,
    )


async def other_symptoms(session: AsyncSession, now: datetime) -> AsyncIterator[Finding]:
    """Payments without an answer, mails that did not leave, webhooks not handed on, clocks that are stuck.

    Args:
        session: for looking.
        now: real time.
    """
    clocks = await clock_times(session)
    unanswered = select(PaymentAttempt, Invoice.clock_id).join(
        Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id)
    )
    unanswered = unanswered.where(PaymentAttempt.state == AttemptState.UNKNOWN.value)
    for attempt, clock_id in (await session.exec(unanswered)).all():
        if clocks.get(clock_id or "", now) - attempt.begun_at > UNANSWERED:
            yield Finding(
                trouble=Trouble.UNKNOWN,
                about=f"collection/{attempt.invoice_id}",
                says=f"attempt {attempt.number} has had no answer since {attempt.begun_at:%Y-%m-%d %H:%M} UTC",
                remedy="--fix asks the provider again; else look there, then: relance payment settle --help",
                fixable=True,
            )
    async for finding in _slow_debits(session, clocks, now):
        yield finding
    for state in (MessageState.REFUSED, MessageState.DELIVERY_UNKNOWN):
        query = select(func.count()).select_from(Message).where(Message.state == state.value)
        count = (await session.exec(query)).one()
        if count:
            yield Finding(
                trouble=Trouble.MAIL,
                about=f"{count} mails",
                says=f"{state.value.replace('_', ' ')}",
                remedy="Look at last_error of these messages, and at the mail provider.",
            )
    async for finding in _unread_mail(session):
        yield finding
    waiting = (
        select(func.count())
        .select_from(IncomingEvent)
        .where(col(IncomingEvent.handed_on_at).is_(None), IncomingEvent.received_at < now - PATIENCE)
    )
    count = (await session.exec(waiting)).one()
    if count:
        yield Finding(
            trouble=Trouble.INBOX,
            about=f"{count} webhooks",
            says="stored and not handed on",
            remedy="See that a worker runs: its outbox hands them on.",
        )
    for clock in (await session.exec(select(TestClock).where(TestClock.problem != ""))).all():
        yield Finding(
            trouble=Trouble.CLOCK,
            about=f"clock/{clock.id}",
            says=clock.problem,
            remedy=f"Mend what holds it, then: relance clock advance {clock.id} ...",
        )


async def _slow_debits(
    session: AsyncSession, clocks: Mapping[str, datetime], now: datetime
) -> AsyncIterator[Finding]:
    """Payments that are under way for longer than any bank takes."""
    query = (
        select(PaymentAttempt, Invoice.clock_id)
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(PaymentAttempt.state == AttemptState.PROCESSING.value)
        .order_by(col(PaymentAttempt.begun_at))
    )
    for attempt, clock_id in (await session.exec(query)).all():
        latest = add_banking_days(attempt.begun_at.date(), LONGEST_DEBIT)
        if clocks.get(clock_id or "", now).date() > latest:
            yield Finding(
                trouble=Trouble.UNKNOWN,
                about=f"collection/{attempt.invoice_id}",
                says=f"attempt {attempt.number} is under way since {attempt.begun_at:%Y-%m-%d}, longer than "
                f"{LONGEST_DEBIT} banking days",
                remedy=f"Look at {attempt.payment_intent} in Stripe's dashboard, and ask Stripe.",
            )


async def _unread_mail(session: AsyncSession) -> AsyncIterator[Finding]:
    """Customers whom no mail reaches although something is chased: they do not know."""
    query = select(Customer).where(
        col(Customer.id).in_(select(Collection.customer_id).where(col(Collection.closed_at).is_(None)))
    )
    chased = (await session.exec(query.order_by(col(Customer.id)))).all()
    for customer, addresses in await customers_who_read_nothing(session, chased):
        said = "; ".join(f"{one.reason} since {one.since:%Y-%m-%d}" for one in addresses)
        yield Finding(
            trouble=Trouble.MAIL,
            about=customer.id,
            says=f"is chased and reads no mail: {said}",
            remedy="Ask this customer for another address by other means.",
        )


async def waiting_transfers(session: AsyncSession) -> list[Finding]:
    """Transfers that wait for a person, as one finding."""
    query = select(func.count()).select_from(Transfer).where(Transfer.state == TransferState.UNMATCHED.value)
    count = (await session.exec(query)).one()
    if not count:
        return []
    return [
        Finding(
            trouble=Trouble.TRANSFERS,
            about=f"{count} transfers",
            says="name no invoice, and are not booked",
            remedy="See whose they could be: relance payment unmatched",
        )
    ]


async def clock_times(session: AsyncSession) -> dict[str, datetime]:
    """The now of every test clock; whoever has none lives in real time."""
    return {clock.id: clock.now for clock in (await session.exec(select(TestClock))).all()}
