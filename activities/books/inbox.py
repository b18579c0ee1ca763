"""Webhooks that came in: stored once, and what each has to tell whom (engine 21).

Every stored event is an inbox row until it was handed on. News that the books hold already is handed to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.gate import attempts_of
from activities.books.mandates import look_again
from activities.books.matters import park
from activities.books.method_news import hear_of_method
from activities.books.rows import get
from activities.stripe_amounts import from_stripe
from activities.stripe_reading import id_of, refund_news
from billing.chase import INLINE_TRY
from billing.payment import AttemptState
from billing.refund import RefundState
from models.database import Database
from models.tables import (
    Customer,
    IncomingEvent,
    Invoice,
    MatterKind,
    PaymentAttempt,
    Refund,
    SubscriptionRow,
    TestClock,
)

_NEWS: Final = ("payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled")
_NOT_STORED: Final = frozenset(
    {"address", "billing_details", "client_secret", "customer_email", "email", "name", "owner", "phone"}
    | {"receipt_email", "receipt_url", "shipping", "cancel_url", "success_url"}
)
"""Personal data and secrets, which nothing here needs; a way back into the portal is one."""


class Topic(StrEnum):
    """What of the provider's an event is about, where it has to be looked at there before anything is written."""

    REFUND = "refund"
    CHARGE = "charge"
    """A charge whose refunds changed."""
    DISPUTE = "dispute"
    FRAUD_WARNING = "fraud_warning"
    HOSTED_PAGE = "hosted_page"
    """The provider's page on which a payer saved a method."""


@dataclass(frozen=True)
class About:
    """Something at the provider."""

    topic: Topic
    provider_id: str


_TOPICS: Final = {
    "refund.": Topic.REFUND,
    "charge.refund.": Topic.REFUND,
    "charge.refunded": Topic.CHARGE,
    "charge.dispute.": Topic.DISPUTE,
    "radar.early_fraud_warning.": Topic.FRAUD_WARNING,
    "checkout.session.completed": Topic.HOSTED_PAGE,
}
"""By how the name of the event begins."""


@dataclass(frozen=True)
class Errand:
    """What is to be done about a stored event.

    Attributes:
        note: for whoever looks at the row.
        invoice_id: whose collection hears that the payment moved.
        subscription_id: who hears it where no collection runs.
        later: the answer is about to be written down by the process that charges; ask again.
        about: what is to be looked at first, at the provider.
        wakes: ids of workflows that are to read their rows again.
        at: the test clock's now, for whoever lives on one.
    """

    note: str
    invoice_id: str | None = None
    subscription_id: str | None = None
    later: bool = False
    about: About | None = None
    wakes: tuple[str, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True)
class Taken:
    """What was done about an event.

    Attributes:
        note: for whoever looks at it.
        wakes: workflows that are to read their rows again, by id.
        at: the business instant that goes with the hint.
    """

    note: str
    wakes: tuple[str, ...] = ()
    at: datetime | None = None


async def store_event(database: Database, event: dict[str, Any], *, received_at: datetime) -> bool:
    """Keep a genuine event, without personal data, before it is answered.

    Returns:
        Whether it is new; the provider sends the same one more than once.
    """
    row = IncomingEvent(
        id=event["id"],
        provider="stripe",
        kind=str(event.get("type", "")),
        payload=without_personal_data(event),
        received_at=received_at,
    )
    try:
        async with database.write() as session:
            session.add(row)
    except IntegrityError:
        return False
    return True


def without_personal_data(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same JSON without the keys that name or describe a person."""
    if isinstance(value, dict):
        return {key: without_personal_data(item) for key, item in value.items() if key not in _NOT_STORED}
    if isinstance(value, list):
        return [without_personal_data(item) for item in value]
    return value


async def waiting_events(session: AsyncSession, *, before: datetime, limit: int) -> Sequence[str]:
    """Ids of events that arrived before an instant and were not handed on, oldest first."""
    query = (
        select(IncomingEvent.id)
        .where(col(IncomingEvent.handed_on_at).is_(None), IncomingEvent.received_at <= before)
        .order_by(col(IncomingEvent.received_at), col(IncomingEvent.id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


async def errand_of(session: AsyncSession, event_id: str, *, now: datetime) -> Errand:
    """What is to be done about a stored event; a payment method's facts are refreshed here and now.

    Args:
        session: a transaction.
        event_id: of the stored event.
        now: real time.
    """
    event = await get(session, IncomingEvent, event_id, field="event")
    if event.handed_on_at is not None:
        return Errand(event.note)
    thing: dict[str, Any] = event.payload.get("data", {}).get("object", {})
    if event.kind.startswith(("payment_method.", "setup_intent.")):
        heard = await hear_of_method(session, event, thing, now)
        return Errand(heard.note, wakes=heard.wakes, at=heard.at)
    if event.kind == "mandate.updated":
        provider_id, is_active = str(thing.get("id")), thing.get("status") != "inactive"
        return Errand(await look_again(session, provider_id, is_active=is_active, heard_at=event.received_at))
    topic = next((topic for name, topic in _TOPICS.items() if event.kind.startswith(name)), None)
    if topic is not None and thing.get("id"):
        return await _to_look_at(session, About(topic, str(thing["id"])), thing)
    if event.kind not in _NEWS:
        return Errand("noted: nothing here waits for it")
    return await _about_payment(session, event, thing, now)


async def mark_handed_on(session: AsyncSession, event_id: str, note: str, *, now: datetime) -> None:
    """Nothing more is to be done about an event."""
    event = await get(session, IncomingEvent, event_id, field="event")
    event.handed_on_at, event.note = event.handed_on_at or now, event.note or note


async def _to_look_at(session: AsyncSession, about: About, thing: dict[str, Any]) -> Errand:
    """What is to be looked at; a refund that stands in the books as the event tells it is no news."""
    if about.topic is Topic.REFUND:
        row = (await session.exec(select(Refund).where(Refund.provider_id == about.provider_id))).first()
        if row is not None and not row.state.may_become(refund_news(thing).state):
            return Errand(f"known: the books have refund {row.id}")
    if about.topic is Topic.CHARGE and await _has_refunded(session, about.provider_id, thing):
        return Errand(f"known: the books have the refunds of {about.provider_id}")
    return Errand("to be looked at", about=about)


async def _has_refunded(session: AsyncSession, charge: str, thing: dict[str, Any]) -> bool:
    """Whether refunds that the provider has taken add up to what the event says of the charge."""
    taken = [state for state in RefundState if state.was_taken]
    query = (
        select(func.sum(Refund.amount_minor))
        .join(PaymentAttempt, col(Refund.attempt_id) == col(PaymentAttempt.id))
        .where(PaymentAttempt.charge == charge, col(Refund.state).in_(taken))
    )
    booked = int((await session.exec(query)).one() or 0)
    currency = str(thing.get("currency", "")).upper()
    return booked > 0 and booked == from_stripe(int(thing.get("amount_refunded") or 0), currency)


async def _about_payment(
    session: AsyncSession, event: IncomingEvent, intent: dict[str, Any], now: datetime
) -> Errand:
    invoice = await _invoice_of(session, intent)
    if invoice is None:
        subscription = await session.get(
            SubscriptionRow, str((intent.get("metadata") or {}).get("subscription", ""))
        )
        if subscription is None:
            return await _not_asked_for(session, event, intent, now)
        return Errand("for the subscription", subscription_id=subscription.id)
    attempts = [
        a for a in await attempts_of(session, invoice.id) if a.payment_intent in (None, intent.get("id"))
    ]
    if not _is_news(event, attempts):
        return Errand(f"known: the books have it for {invoice.id}")
    if not any(attempt.state.is_live for attempt in attempts):
        return await _unbooked(session, event, invoice, intent, now)
    if any(_is_being_answered(attempt, now) for attempt in attempts):
        return Errand("the answer is under way", later=True)
    clock = await session.get(TestClock, invoice.clock_id) if invoice.clock_id is not None else None
    return Errand(
        "for the collection",
        invoice_id=invoice.id,
        subscription_id=invoice.subscription_id,
        at=clock.now if clock is not None else None,
    )


async def _unbooked(
    session: AsyncSession, event: IncomingEvent, invoice: Invoice, intent: dict[str, Any], now: datetime
) -> Errand:
    """Nothing here can book this money: a person has to see it (I1)."""
    says = f"money came for {invoice.id}, on which no charge of ours was under way"
    await _park_payment(session, event, intent, now, says)
    return Errand(f"unbooked: {says}")


async def _not_asked_for(
    session: AsyncSession, event: IncomingEvent, intent: dict[str, Any], now: datetime
) -> Errand:
    """A payment that began at the provider, of somebody whom we bill: a person says what it is for (rules 33).

    Of somebody who has no subscription here yet it is noted only: they may still be billed by the provider itself.
    """
    provider_id = id_of(intent.get("customer"))
    customer = None
    if event.kind == "payment_intent.succeeded" and provider_id is not None:
        query = (
            select(Customer.id)
            .join(SubscriptionRow, col(SubscriptionRow.customer_id) == col(Customer.id))
            .where(Customer.provider_id == provider_id)
        )
        customer = (await session.exec(query.order_by(col(Customer.id)))).first()
    if customer is None:
        return Errand("unmatched: no invoice and no subscription of ours")
    says = f"money came from {customer} at the provider, which nothing here asked for"
    await _park_payment(session, event, intent, now, says)
    return Errand(f"unmatched: {says}")


async def _park_payment(
    session: AsyncSession, event: IncomingEvent, intent: dict[str, Any], now: datetime, says: str
) -> None:
    amount, currency = intent.get("amount_received"), str(intent.get("currency", "")).upper()
    await park(
        session,
        MatterKind.PAYMENT,
        str(intent.get("id", event.id)),
        says=says,
        at=now,
        charge=id_of(intent.get("latest_charge")),
        payment_intent=str(intent.get("id", "")),
        amount_minor=from_stripe(int(amount), currency) if amount is not None else None,
        currency=currency,
    )


async def _invoice_of(session: AsyncSession, intent: dict[str, Any]) -> Invoice | None:
    """By the PaymentIntent, of whatever generation, or by the invoice that its metadata names."""
    intent_id = str(intent.get("id", ""))
    named = (await session.exec(select(Invoice).where(Invoice.payment_intent == intent_id))).first()
    if named is not None:
        return named
    query = select(PaymentAttempt.invoice_id).where(PaymentAttempt.payment_intent == intent_id)
    attempted = (await session.exec(query)).first()
    return await session.get(Invoice, attempted or str((intent.get("metadata") or {}).get("invoice", "")))


def _is_news(event: IncomingEvent, attempts: Sequence[PaymentAttempt]) -> bool:
    """Whether the books do not hold it yet: money that is not booked, or the end of what is still open."""
    if event.kind == "payment_intent.succeeded":
        took_money = (AttemptState.SUCCEEDED, AttemptState.RETURNED)
        return not any(attempt.state in took_money for attempt in attempts)
    created = datetime.fromtimestamp(int(event.payload.get("created", 0)), UTC)
    # Of an earlier try on the same PaymentIntent; the provider's instants are whole seconds.
    return any(
        attempt.state.is_live
        and attempt.state is not AttemptState.QUEUED
        and attempt.begun_at.replace(microsecond=0) <= created
        for attempt in attempts
    )


def _is_being_answered(attempt: PaymentAttempt, now: datetime) -> bool:
    """Whether the process that charges is expected to write the answer down itself (engine 5)."""
    sent_at = attempt.sent_at
    return attempt.state is AttemptState.STARTED and sent_at is not None and now - sent_at < INLINE_TRY
