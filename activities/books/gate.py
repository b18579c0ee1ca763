"""The gate in front of every charge: nothing is sent that has no row from here (engine 1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.amounts_asked import Joined, joined_amounts, total_asked
from activities.books.cards import (
    Card,
    allows_no_repeat,
    as_value,
    is_stopped,
    key_of,
    lock_card,
    tries_on,
)
from activities.books.config import BookRules
from activities.books.debits import is_announced, last_kind
from activities.books.mandates import is_direct_debit, lapse_if_unused, note_debit
from activities.books.methods import method_for
from activities.books.rows import customer_of, is_in_dispute, lock_with_subscription
from activities.gateway import METHOD_KIND, Charge, PreparedRequest
from billing.asking import MOST_ASKED_PER_DAY
from billing.calendar import local_date
from billing.caps import hold_on, is_busy
from billing.case import tried_with
from billing.dunning import MOST_RETRIES
from billing.payment import LIVE_STATES, AttemptState, DeclineClass, Trigger
from billing.terms import CollectionMethod
from models.ids import derived_id
from models.tables import (
    Collection,
    Customer,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentMethod,
    SubscriptionRow,
)

MOST_AUTOMATIC: Final = 1 + MOST_RETRIES
"""The first charge and four retries (rules 23)."""


class Prepares(Protocol):
    """The part of the payment gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        """The exact request of an attempt."""
        ...


class Refusal(StrEnum):
    """Why the gate let nobody through."""

    NOT_OPEN = "not_open"
    FROZEN = "frozen"
    STOPPED = "stopped"
    HELD = "held"
    """A promise or a pause holds every automatic charge until its date (rules 25)."""
    UNDER_WAY = "under_way"
    CAP = "cap"
    CARD_BUSY = "card_busy"
    """Another charge of the card is being answered: ask again in a moment."""
    CARD_STOPPED = "card_stopped"
    NO_METHOD = "no_method"
    NOT_NEXT = "not_next"
    NOT_ANNOUNCED = "not_announced"
    """The payer was not told of this debit, or not of this day (rules 28)."""


@dataclass(frozen=True)
class GateRefused:
    """Nothing was written: no charge may be made now."""

    reason: Refusal


async def begin_attempt(
    session: AsyncSession,
    gateway: Prepares,
    rules: BookRules,
    *,
    invoice_id: str,
    number: int,
    trigger: Trigger,
    at: datetime,
    asked_by: str = "",
    return_url: str | None = None,
    state: AttemptState = AttemptState.STARTED,
) -> PaymentAttempt | GateRefused:
    """Write the attempt before the charge, or refuse. Asked again for a number it answers the same row.

    A queued attempt has not begun: asked to begin it, the gate looks again whether it still may (engine 1, 4). Where
    its card may not be charged now its row is taken back.

    Args:
        session: a transaction of its own, or the one that issues the invoice.
        gateway: prepares the request that is frozen with the row.
        rules: the seller's.
        invoice_id: what is charged.
        number: the attempt's number within the invoice, one more than the last.
        trigger: why it is made; a person's is not held by `stopped` and counts apart (rules 23).
        at: the business instant.
        asked_by: the command that asked, where a person did.
        return_url: where the payer's bank sends them back to; given where they wait at a browser. They confirm the
            PaymentIntent that waits for them already, if one does: its attempt is over with that (stripe B4).
        state: `queued` in the issuing transaction, else `started`.
    """
    row, invoice = await lock_with_subscription(session, invoice_id)
    attempts = await attempts_of(session, invoice_id)
    for attempt in attempts:
        if attempt.number == number:
            return await _take_up(session, gateway, row, invoice, attempt, at, state=state, rules=rules)
    waiting = _waits_for_payer(attempts) if return_url is not None else None
    refusal = _refusal(row, invoice, attempts, number, trigger, at, but=waiting)
    if refusal is None and await _is_held(session, row, invoice, trigger, at):
        refusal = Refusal.HELD
    if refusal is not None:
        return GateRefused(refusal)
    customer = await customer_of(session, invoice)
    await lapse_if_unused(session, customer, at)
    method = await method_for(session, customer, invoice, attempts, trigger)
    also = await joined_amounts(session, rules, invoice, trigger)
    if method is None or total_asked(invoice, also) < rules.minimum(invoice.currency):
        return GateRefused(Refusal.NO_METHOD if method is None else Refusal.NOT_OPEN)
    refusal = await _card_refusal(
        session, row, invoice, method, trigger, at, sends=state is AttemptState.STARTED
    )
    if refusal is not None:
        return GateRefused(refusal)
    if not await is_announced(session, invoice, method, trigger, local_date(at, row.state.timezone)):
        return GateRefused(Refusal.NOT_ANNOUNCED)
    _follow_amount(invoice, attempts, also)
    _follow_method(invoice, await last_kind(session, attempts), method)
    if waiting is not None:
        waiting.state, waiting.settled_at = AttemptState.ABANDONED, at
        waiting.decline_class = waiting.decline_class or DeclineClass.NEEDS_CUSTOMER
        await session.flush()
    attempt = _new_attempt(
        gateway, invoice, customer, method, also, number=number, trigger=trigger, at=at, return_url=return_url
    )
    attempt.state = state
    attempt.asked_by = asked_by
    session.add(attempt)
    await session.flush()
    await note_debit(session, method, local_date(at, row.state.timezone))
    return attempt


async def _take_up(
    session: AsyncSession,
    gateway: Prepares,
    row: SubscriptionRow,
    invoice: Invoice,
    attempt: PaymentAttempt,
    at: datetime,
    *,
    state: AttemptState,
    rules: BookRules,
) -> PaymentAttempt | GateRefused:
    if attempt.state is AttemptState.QUEUED and state is AttemptState.STARTED:
        refusal = why_shut(row, invoice, attempt.trigger)
        if refusal is None and await _is_held(session, row, invoice, attempt.trigger, at):
            refusal = Refusal.HELD
        if refusal is not None:
            return GateRefused(refusal)
        method = await session.get_one(PaymentMethod, attempt.method_id)
        if await is_in_dispute(session, method):
            return GateRefused(Refusal.NO_METHOD)
        refusal = await _card_refusal(session, row, invoice, method, attempt.trigger, at, sends=True)
        if refusal is not None:
            return await _taken_back(session, attempt, refusal)
        also = await joined_amounts(session, rules, invoice, attempt.trigger)
        is_as_written = attempt.also == also and _asked_for(attempt) == total_asked(invoice, also)
        if attempt.generation != invoice.generation or not is_as_written:
            await _ask_for_what_is_left(session, gateway, invoice, attempt, also)
        attempt.state = AttemptState.STARTED
    return attempt


async def _is_held(
    session: AsyncSession, row: SubscriptionRow, invoice: Invoice, trigger: Trigger, at: datetime
) -> bool:
    """Whether a person said, after the charge was planned, that it is to wait (rules 25)."""
    if not trigger.is_automatic:
        return False
    query = select(Collection).where(Collection.invoice_id == invoice.id, Collection.chase == invoice.chase)
    chase = (await session.exec(query)).first()
    dates = (chase.promise_on, chase.held_until) if chase is not None else ()
    today = local_date(at, row.state.timezone)
    return any(on is not None and today < on for on in dates)


async def _taken_back(session: AsyncSession, attempt: PaymentAttempt, refusal: Refusal) -> GateRefused:
    """What waited in the queue was never sent: where its card may not be charged now, it is as if it had not been."""
    if refusal is not Refusal.CARD_BUSY:
        await session.delete(attempt)
        await session.flush()
    return GateRefused(refusal)


async def _card_refusal(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    method: PaymentMethod,
    trigger: Trigger,
    at: datetime,
    *,
    sends: bool,
) -> Refusal | None:
    """What the networks and fraud say about the card, over all invoices (rules 27).

    What is about to be sent is decided under the card's lock; what is only queued will be asked again.
    """
    card = Card.of(method, invoice.clock_id)
    if sends:
        await lock_card(session, card)
    if await is_stopped(session, card):
        return Refusal.CARD_STOPPED
    if is_direct_debit(method):
        return None  # the limits are those of the card networks
    tries = await tries_on(session, card)
    hold = hold_on(tries, trigger, row.state.timezone)
    if hold is not None and hold.until > at:
        return Refusal.CAP
    if trigger.is_repeat:
        own = [a for a in await attempts_of(session, invoice.id) if a.chase == invoice.chase]
        # A consent that was withdrawn is the method's, also where its card has another number since.
        of_method = tried_with(method.id, [as_value(attempt) for attempt in own])
        if await allows_no_repeat(session, card, [*tries, *of_method]):
            return Refusal.CAP
    return Refusal.CARD_BUSY if sends and is_busy(tries, trigger, at) else None


async def _ask_for_what_is_left(
    session: AsyncSession, gateway: Prepares, invoice: Invoice, attempt: PaymentAttempt, also: list[Joined]
) -> None:
    """A queued attempt was never sent: after a credit its request is written anew, for the amount still open."""
    customer = await customer_of(session, invoice)
    method = await session.get_one(PaymentMethod, attempt.method_id)
    prepared = _request(gateway, invoice, customer, method, also, attempt.number)
    attempt.amount_minor = total_asked(invoice, also) - prepared.too_fine_minor
    attempt.generation = invoice.generation
    attempt.also = [dict(one) for one in also]
    attempt.payment_intent = invoice.payment_intent
    attempt.idempotency_key, attempt.request = prepared.idempotency_key, prepared.model_dump(mode="json")


def why_shut(row: SubscriptionRow, invoice: Invoice, trigger: Trigger) -> Refusal | None:
    """Why the invoice may not be charged at all, whatever was charged before."""
    if not is_collectable(invoice):
        return Refusal.NOT_OPEN
    if invoice.frozen:
        return Refusal.FROZEN
    by_charge = row.state.terms.collection_method is CollectionMethod.CHARGE
    collects = by_charge and invoice.automatic_collecting and row.automatic_collecting
    return Refusal.STOPPED if trigger.is_automatic and not collects else None


def _refusal(
    row: SubscriptionRow,
    invoice: Invoice,
    attempts: list[PaymentAttempt],
    number: int,
    trigger: Trigger,
    at: datetime,
    *,
    but: PaymentAttempt | None = None,
) -> Refusal | None:
    chase = [attempt for attempt in attempts if attempt.chase == invoice.chase]
    checks = {
        Refusal.UNDER_WAY: any(attempt.state in LIVE_STATES for attempt in attempts if attempt is not but),
        Refusal.NOT_NEXT: number != len(attempts) + 1,
        Refusal.CAP: _over_cap(chase, trigger, at),
    }
    shut = why_shut(row, invoice, trigger)
    return shut or next((reason for reason, holds in checks.items() if holds), None)


def _waits_for_payer(attempts: list[PaymentAttempt]) -> PaymentAttempt | None:
    return next((a for a in attempts if a.state is AttemptState.ACTION_REQUIRED), None)


def is_collectable(invoice: Invoice) -> bool:
    """Whether the invoice may be charged at all: open, or a gated draft whose gate is open."""
    return invoice.status is InvoiceStatus.OPEN or (invoice.gated and invoice.status is InvoiceStatus.DRAFT)


def _over_cap(chase: list[PaymentAttempt], trigger: Trigger, at: datetime) -> bool:
    if trigger.is_automatic:
        return sum(attempt.trigger.is_automatic for attempt in chase) >= MOST_AUTOMATIC
    since = at - timedelta(hours=24)
    asked = [a for a in chase if not a.trigger.is_automatic and a.begun_at > since]
    return len(asked) >= MOST_ASKED_PER_DAY


def _new_attempt(
    gateway: Prepares,
    invoice: Invoice,
    customer: Customer,
    method: PaymentMethod,
    also: list[Joined],
    *,
    number: int,
    trigger: Trigger,
    at: datetime,
    return_url: str | None,
) -> PaymentAttempt:
    prepared = _request(gateway, invoice, customer, method, also, number, return_url=return_url)
    return PaymentAttempt(
        id=_attempt_id(invoice, number),
        invoice_id=invoice.id,
        subscription_id=invoice.subscription_id,
        customer_id=invoice.customer_id,
        number=number,
        chase=invoice.chase,
        generation=invoice.generation,
        trigger=trigger,
        state=AttemptState.QUEUED,
        method_id=method.id,
        fingerprint=key_of(method),
        amount_minor=total_asked(invoice, also) - prepared.too_fine_minor,
        also=[dict(one) for one in also],
        currency=invoice.currency,
        idempotency_key=prepared.idempotency_key,
        request=prepared.model_dump(mode="json"),
        payment_intent=invoice.payment_intent,
        begun_at=at,
    )


def _attempt_id(invoice: Invoice, number: int) -> str:
    return derived_id("att", invoice.id, number)


def _request(
    gateway: Prepares,
    invoice: Invoice,
    customer: Customer,
    method: PaymentMethod,
    also: list[Joined],
    number: int,
    *,
    return_url: str | None = None,
) -> PreparedRequest:
    """The exact request for all that is open now."""
    metadata = {"subscription": invoice.subscription_id, "attempt": _attempt_id(invoice, number)}
    if also:
        metadata["also"] = " ".join(one["invoice"] for one in also)
    return gateway.prepare(
        Charge(
            invoice_id=invoice.id,
            generation=invoice.generation,
            attempt_number=number,
            amount_minor=total_asked(invoice, also),
            currency=invoice.currency,
            customer=customer.provider_id or "",
            payment_method=method.provider_id,
            method_kind=METHOD_KIND.validate_python(method.kind),
            payment_intent=invoice.payment_intent,
            on_session=return_url is not None,
            return_url=return_url,
            description=invoice.number or f"Subscription {invoice.subscription_id}",
            metadata=metadata,
        )
    )


def too_fine_of(attempt: PaymentAttempt) -> int:
    """What an attempt does not ask for, since the provider has no unit small enough; in minor units."""
    return int(attempt.request.get("too_fine_minor", 0))


def is_payer_there(attempt: PaymentAttempt) -> bool:
    """Whether the payer waits at a browser for what their bank says to this attempt."""
    return "return_url" in attempt.request.get("params", {})


def _asked_for(attempt: PaymentAttempt) -> int:
    return attempt.amount_minor + too_fine_of(attempt)


def _follow_amount(invoice: Invoice, attempts: list[PaymentAttempt], also: list[Joined]) -> None:
    """A PaymentIntent keeps its amount: where another one is asked for now, the next generation begins."""
    same = [a for a in attempts if a.generation == invoice.generation]
    if invoice.payment_intent is not None and same and _asked_for(same[-1]) != total_asked(invoice, also):
        supersede_payment(invoice)


def _follow_method(invoice: Invoice, last_kind: str | None, method: PaymentMethod) -> None:
    """A PaymentIntent is for one kind of method: where another one is charged now, the next generation begins."""
    if invoice.payment_intent is not None and last_kind not in (None, method.kind):
        supersede_payment(invoice)


def supersede_payment(invoice: Invoice) -> None:
    """The amount changed, which a PaymentIntent cannot follow: the next attempt begins a generation (stripe B2).

    That of a live attempt may not be known yet; it is superseded when its answer comes.
    """
    invoice.superseded_intent = invoice.payment_intent or invoice.superseded_intent
    invoice.payment_intent = None
    invoice.generation += 1


async def attempts_of(session: AsyncSession, invoice_id: str) -> list[PaymentAttempt]:
    """All attempts of an invoice, oldest first."""
    query = (
        select(PaymentAttempt)
        .where(PaymentAttempt.invoice_id == invoice_id)
        .order_by(col(PaymentAttempt.number))
    )
    return list((await session.exec(query)).all())


async def live_attempt(session: AsyncSession, invoice_id: str) -> PaymentAttempt | None:
    """The attempt under which money may still move, if there is one."""
    return next((a for a in await attempts_of(session, invoice_id) if a.state in LIVE_STATES), None)
