"""A payment method that a customer gave us, in the books: kept once, and charged from then on."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chase_steps import ask_for_new_method
from activities.books.config import BookRules
from activities.books.gate import Prepares
from activities.books.methods import forget_backup, keep_facts
from activities.books.steps import bring_back
from activities.gateway import MethodFacts
from models.ids import derived_id
from models.tables import Collection, Customer, PaymentAttempt, PaymentMethod


async def known_method(session: AsyncSession, provider_id: str) -> PaymentMethod | None:
    """The method that has this id at the provider; None where the books do not have it."""
    query = select(PaymentMethod).where(PaymentMethod.provider_id == provider_id)
    return (await session.exec(query)).first()


async def save_method(
    session: AsyncSession, customer: Customer, facts: MethodFacts, now: datetime
) -> PaymentMethod:
    """Keep a method that is saved at the provider; one that was taken away is there again.

    Args:
        session: with the customer's rows locked.
        customer: whose it is.
        facts: as the provider has it.
        now: the customer's.
    """
    method = await known_method(session, facts.id)
    if method is None:
        method = PaymentMethod(
            id=derived_id("pm", facts.id),
            customer_id=customer.id,
            provider_id=facts.id,
            kind=facts.kind,
            created_at=now,
        )
        session.add(method)
    keep_facts(method, facts)
    method.detached_at = None
    await session.flush()
    return method


async def charge_from_now_on(
    session: AsyncSession,
    gateway: Prepares,
    rules: BookRules,
    customer: Customer,
    method: PaymentMethod,
    *,
    command_id: str,
    at: datetime,
) -> tuple[str, ...]:
    """Make a method the default; it charges whatever is open, oldest first (design 6.5).

    Returns:
        The invoices whose collections are to be woken.
    """
    customer.default_method_id = method.id
    if customer.backup_method_id == method.id:
        forget_backup(customer)
    await session.flush()
    charging = await ask_for_new_method(session, customer_id=customer.id, command_id=command_id, at=at)
    await bring_back(session, gateway, rules, customer_id=customer.id, at=at)
    return charging


async def charged_for(session: AsyncSession, customer_id: str, command_id: str) -> tuple[str, ...]:
    """The invoices that `charge_from_now_on` had charged, or still has to, for a command of a customer."""
    waiting = await session.exec(
        select(Collection).where(Collection.customer_id == customer_id, col(Collection.closed_at).is_(None))
    )
    asked = {
        chase.invoice_id
        for chase in waiting
        if f"{command_id}/{chase.invoice_id}" in {entry["command_id"] for entry in chase.asked}
    }
    tried = await session.exec(
        select(PaymentAttempt.invoice_id).where(
            PaymentAttempt.customer_id == customer_id,
            col(PaymentAttempt.asked_by).startswith(f"{command_id}/", autoescape=True),
        )
    )
    return tuple(sorted(asked | set(tried)))
