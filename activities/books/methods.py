"""Which payment method is charged, and what the provider tells of one: renewed, or taken away (rules 23, 27)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.cards import Card, as_value, is_stopped
from activities.books.notices import tell_all
from activities.books.rows import NotFound, is_in_dispute, lock, method_on_file
from activities.gateway import MethodFacts
from billing.case import gives_way
from billing.payment import Trigger
from billing.policy_choice import MethodKind
from models.tables import Customer, Invoice, InvoiceStatus, PaymentAttempt, PaymentMethod, SubscriptionRow


@dataclass(frozen=True)
class Taken:
    """What became of a method.

    Attributes:
        was_default: it was the one that was charged.
        takes_over: the backup that is the default from now on.
    """

    was_default: bool
    takes_over: str | None = None


async def method_for(
    session: AsyncSession,
    customer: Customer,
    invoice: Invoice,
    attempts: Iterable[PaymentAttempt],
    trigger: Trigger,
) -> PaymentMethod | None:
    """The method that an attempt charges: the default, or automatically the backup where that one gives way.

    The same rule as `billing.case.in_charge`, by which the attempt was planned. None where there is nothing to charge,
    or the customer disputes a payment with the default.
    """
    default = await method_on_file(session, customer)
    if default is not None and await is_in_dispute(session, default):
        return None
    backup = await backup_for(session, customer, invoice) if trigger.is_automatic else None
    if backup is None:
        return default
    tried = [as_value(attempt) for attempt in attempts if attempt.chase == invoice.chase]
    if default is None or await is_stopped(session, Card.of(default, invoice.clock_id)):
        return backup
    return backup if gives_way(default.id, tried) else default


async def backup_for(session: AsyncSession, customer: Customer, invoice: Invoice) -> PaymentMethod | None:
    """The backup, where it may stand in on this invoice.

    Not at a sign-up, where the customer is there to choose; and not once a payment was taken back: then whoever pays
    decides with what.
    """
    is_sign_up = invoice.gated and invoice.status is InvoiceStatus.DRAFT
    return None if is_sign_up or invoice.chase > 1 else await backup_of(session, customer)


async def backup_of(session: AsyncSession, customer: Customer) -> PaymentMethod | None:
    """The customer's backup, if they agreed to it and it may be charged: a card without an open dispute."""
    if customer.backup_method_id is None or customer.backup_agreed_at is None:
        return None
    method = await session.get(PaymentMethod, customer.backup_method_id)
    if method is None or not is_kept(method) or method.kind != MethodKind.CARD.value:
        return None
    return None if await is_in_dispute(session, method) else method


def is_kept(method: PaymentMethod) -> bool:
    """Whether it could ever be charged again."""
    return method.detached_at is None and not method.stopped


async def has_method(session: AsyncSession, customer: Customer) -> bool:
    """Whether anything could be charged automatically; an open dispute does not take it away (U17)."""
    return (
        await method_on_file(session, customer) is not None or await backup_of(session, customer) is not None
    )


async def lock_owner(session: AsyncSession, customer_id: str) -> Customer:
    """The customer, then their subscriptions, locked in the order that everybody uses."""
    customer = await lock(session, Customer, customer_id, field="customer")
    for subscription_id in await subscriptions_of(session, customer_id):
        await lock(session, SubscriptionRow, subscription_id, field="subscription")
    return customer


async def subscriptions_of(session: AsyncSession, customer_id: str) -> list[str]:
    """The ids of a customer's subscriptions, over ones too."""
    query = (
        select(SubscriptionRow.id)
        .where(SubscriptionRow.customer_id == customer_id)
        .order_by(col(SubscriptionRow.id))
    )
    return list((await session.exec(query)).all())


def keep_facts(method: PaymentMethod, facts: MethodFacts) -> bool:
    """Keep what the provider says of a method; whether its card is another one now, or valid for longer."""
    before = (method.last4, method.exp_month, method.exp_year, method.fingerprint)
    method.brand, method.last4 = facts.brand or "", facts.last4
    method.exp_month, method.exp_year = facts.exp_month, facts.exp_year
    method.fingerprint = facts.fingerprint or method.fingerprint
    return before != (method.last4, method.exp_month, method.exp_year, method.fingerprint)


async def take_away(session: AsyncSession, method: PaymentMethod, at: datetime) -> Taken:
    """A method was detached: it is never charged again, and the backup takes its place as the default.

    A backup that is taken away is none any more; another one needs to be agreed to. It is told once.
    """
    customer = await lock_owner(session, method.customer_id)
    is_news, method.detached_at = method.detached_at is None, method.detached_at or at
    taken = await _give_way(session, customer, method)
    if is_news:
        facts = {**facts_of(method), "takes_over": taken.takes_over}
        await tell_all(session, customer.id, "payment_method.removed", facts, at)
    return taken


async def _give_way(session: AsyncSession, customer: Customer, method: PaymentMethod) -> Taken:
    if customer.backup_method_id == method.id:
        forget_backup(customer)
    if customer.default_method_id != method.id:
        return Taken(was_default=False)
    heir = await backup_of(session, customer)
    customer.default_method_id = heir.id if heir is not None else None
    if heir is not None:
        forget_backup(customer)
    return Taken(was_default=True, takes_over=heir.id if heir is not None else None)


def facts_of(method: PaymentMethod) -> dict[str, Any]:
    """What every event about a payment method says of it."""
    return {"payment_method": method.id, "kind": method.kind}


async def take_as_backup(
    session: AsyncSession, customer: Customer, method: PaymentMethod, at: datetime, *, by: str
) -> None:
    """A card stands in from now on, as the customer agreed; told once."""
    is_news = customer.backup_method_id != method.id
    customer.backup_method_id, customer.backup_agreed_at, customer.backup_agreed_by = method.id, at, by
    if is_news:
        await tell_all(session, customer.id, "payment_method.backup_set", facts_of(method), at)


async def drop_as_backup(
    session: AsyncSession, customer: Customer, method: PaymentMethod, at: datetime
) -> None:
    """A card stands in no more; where it did not, nothing happens."""
    if customer.backup_method_id == method.id:
        forget_backup(customer)
        await tell_all(session, customer.id, "payment_method.backup_dropped", facts_of(method), at)


def forget_backup(customer: Customer) -> None:
    """There is no backup any more, nor is anything agreed to."""
    customer.backup_method_id = customer.backup_agreed_at = customer.backup_agreed_by = None


async def method_of(session: AsyncSession, customer: Customer, key: str) -> PaymentMethod:
    """A method of this customer by our id or the provider's, taken away or not.

    Raises:
        NotFound: the customer has no such method.
    """
    query = select(PaymentMethod).where(
        PaymentMethod.customer_id == customer.id, PaymentMethod.provider_id == key
    )
    found = (await session.exec(query)).first()
    found = found or await session.get(PaymentMethod, key)
    if found is None or found.customer_id != customer.id:
        raise NotFound(f"The customer has no payment method {key}.", field="payment_method")
    return found
