"""What the provider tells of a payment method by event: its card was renewed, or it was taken away (stripe B7, B10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import take_down
from activities.books.gate import attempts_of
from activities.books.methods import keep_facts, lock_owner, method_for, subscriptions_of, take_away
from activities.books.rows import lock
from activities.gateway import ProviderRefused
from activities.stripe_reading import method_facts
from billing.declines import is_mended_by_renewal
from billing.payment import DeclineClass, Trigger
from models.boundary import Wish
from models.tables import (
    Collection,
    Customer,
    IncomingEvent,
    Invoice,
    PaymentAttempt,
    PaymentMethod,
    TestClock,
)


@dataclass(frozen=True)
class Heard:
    """What was made of an event.

    Attributes:
        note: for whoever looks at the event.
        wakes: ids of workflows that read their rows again.
        at: the customer's now.
    """

    note: str
    wakes: tuple[str, ...] = ()
    at: datetime | None = None


async def hear_of_method(
    session: AsyncSession, event: IncomingEvent, thing: dict[str, Any], now: datetime
) -> Heard:
    """Keep what the provider says of a method of ours, and let the chases that waited for just that go on.

    Who is to be woken does not depend on what changed: the same event handed on again wakes them again.

    Args:
        session: a transaction.
        event: the stored event.
        thing: its object: a payment method, or what names one.
        now: real time.
    """
    told = thing if thing.get("object") == "payment_method" else thing.get("payment_method")
    provider_id = str(told.get("id") if isinstance(told, dict) else told)
    found = (
        await session.exec(select(PaymentMethod).where(PaymentMethod.provider_id == provider_id))
    ).first()
    if found is None:
        return Heard(f"noted: payment method {provider_id} is none of ours")
    if not isinstance(told, dict):
        return Heard(f"noted: {found.id} is ours already")
    customer = await lock_owner(session, found.customer_id)
    method = await lock(session, PaymentMethod, found.id, field="payment method")
    at = now if customer.clock_id is None else (await session.get_one(TestClock, customer.clock_id)).now
    if event.kind == "payment_method.detached":
        await take_away(session, method, at)
        return Heard(f"detached {method.id}", await _whom_it_concerns(session, customer), at)
    note = await _refresh(session, event, customer, method, told, at)
    is_own_doing = event.kind.startswith("setup_intent.") or event.kind == "payment_method.attached"
    return Heard(note, () if is_own_doing else await _whom_it_concerns(session, customer), at)


async def _refresh(
    session: AsyncSession,
    event: IncomingEvent,
    customer: Customer,
    method: PaymentMethod,
    told: dict[str, Any],
    at: datetime,
) -> str:
    """An older event that arrives late says nothing any more: the provider promises no order."""
    created = datetime.fromtimestamp(int(event.payload.get("created", 0)), UTC)
    if method.told_at is not None and created < method.told_at:
        return f"noted: of {method.id} something newer is known"
    try:
        facts = method_facts(told)
    except (ProviderRefused, KeyError) as problem:
        return f"noted: {method.id} cannot be read: {problem}"
    method.told_at = created
    if not keep_facts(method, facts):
        return f"refreshed {method.id}"
    if method.detached_at is not None:
        return f"renewed {method.id}, which was taken away"
    charged = await _forget_declines(session, customer, method, command_id=f"renewed/{event.id}", at=at)
    return f"renewed {method.id}" + (f"; to be charged: {', '.join(charged)}" if charged else "")


async def _forget_declines(
    session: AsyncSession, customer: Customer, method: PaymentMethod, *, command_id: str, at: datetime
) -> list[str]:
    """What the bank said of the card before says nothing now; where that was the trouble, one charge is made at once.

    As for a new method, but counted among the four retries: nobody asked for it. Only where it is this card that is
    charged now. A consent that was withdrawn stays so, whatever the card's number. A chase that is over stays over.

    Returns:
        The invoices that are to be charged, oldest first.
    """
    charged = []
    for collection, invoice in await _chases_of(session, method.customer_id):
        made = await attempts_of(session, invoice.id)
        attempts = [a for a in made if a.chase == invoice.chase and a.method_id == method.id]
        was_the_trouble = _is_mended(attempts)
        for attempt in attempts:
            is_forgotten = not (attempt.state.is_live or _withdrew_consent(attempt))
            attempt.card_renewed = attempt.card_renewed or is_forgotten
        if was_the_trouble and await method_for(session, customer, invoice, made, Trigger.RENEWED) is method:
            wish = Wish(trigger=Trigger.RENEWED, command_id=f"{command_id}/{invoice.id}", as_of=at)
            take_down(collection, wish)
            charged.append(invoice.id)
    return charged


def _is_mended(attempts: Sequence[PaymentAttempt]) -> bool:
    told = [a for a in attempts if a.decline_class is not None and not a.card_renewed]
    if any(_withdrew_consent(attempt) for attempt in told):
        return False
    is_dead = bool(told) and told[-1].decline_class is DeclineClass.NEW_PAYMENT_METHOD
    return is_dead and is_mended_by_renewal(told[-1].decline_code)


def _withdrew_consent(attempt: PaymentAttempt) -> bool:
    """Whether the payer, or the network for them, wants no repeat at all, rather than on this number or expiry."""
    return attempt.never_again and not is_mended_by_renewal(attempt.decline_code)


async def _chases_of(session: AsyncSession, customer_id: str) -> Sequence[tuple[Collection, Invoice]]:
    query = (
        select(Collection, Invoice)
        .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
        .where(
            Collection.customer_id == customer_id,
            col(Collection.closed_at).is_(None),
            col(Collection.ended).is_(False),
        )
        .order_by(col(Invoice.period_start), col(Invoice.id))
    )
    return (await session.exec(query)).all()


async def _whom_it_concerns(session: AsyncSession, customer: Customer) -> tuple[str, ...]:
    chases = [f"collection/{invoice.id}" for _, invoice in await _chases_of(session, customer.id)]
    return (*chases, *(f"subscription/{key}" for key in await subscriptions_of(session, customer.id)))
