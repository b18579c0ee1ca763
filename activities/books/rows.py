"""Finding and locking rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.dispute import DisputeState
from billing.errors import RelanceError
from billing.policy_choice import MethodKind
from billing.subscription import Status
from models.tables import (
    Customer,
    Dispute,
    Invoice,
    LegalEntity,
    MandateRow,
    PaymentMethod,
    Plan,
    SubscriptionRow,
)

Row = TypeVar("Row", bound=SQLModel)


class NotFound(RelanceError):
    """There is no such row; `field` says of which kind."""


async def get(session: AsyncSession, table: type[Row], key: str, *, field: str) -> Row:
    """The row with this id, not locked.

    Raises:
        NotFound: there is none.
    """
    row = await session.get(table, key)
    if row is None:
        raise NotFound(f"There is no {field} {key}.", field=field)
    return row


async def lock(session: AsyncSession, table: type[Row], key: str, *, field: str) -> Row:
    """The row with this id, fresh and locked until the transaction ends.

    Others may still write rows that refer to it: a stronger lock would let two of them wait for each other.
    SQLite has no row locks; there the whole transaction holds the write lock already.

    Raises:
        NotFound: there is none.
    """
    row = await session.get(table, key, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no {field} {key}.", field=field)
    return row


async def insert_unless_there(
    session: AsyncSession, table: type[SQLModel], values: Mapping[str, Any]
) -> None:
    """Write a row, unless another transaction wrote the one with this key first."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    await session.exec(insert(table).values(**values).on_conflict_do_nothing())


async def lock_subscription(session: AsyncSession, subscription_id: str) -> SubscriptionRow:
    """The subscription's row, locked."""
    return await lock(session, SubscriptionRow, subscription_id, field="subscription")


async def lock_invoice(session: AsyncSession, invoice_id: str) -> Invoice:
    """The invoice's row, locked. Lock its subscription first."""
    return await lock(session, Invoice, invoice_id, field="invoice")


async def lock_with_subscription(session: AsyncSession, invoice_id: str) -> tuple[SubscriptionRow, Invoice]:
    """An invoice and its subscription, locked in the order that everybody uses."""
    invoice = await get(session, Invoice, invoice_id, field="invoice")
    subscription = await lock_subscription(session, invoice.subscription_id)
    return subscription, await lock_invoice(session, invoice_id)


async def customer_of(session: AsyncSession, row: SubscriptionRow | Invoice) -> Customer:
    """The customer of a subscription or invoice."""
    return await get(session, Customer, row.customer_id, field="customer")


async def entity_of(session: AsyncSession, row: SubscriptionRow | Invoice | Plan) -> LegalEntity:
    """The legal entity that sells.

    A session only remembers what somebody holds: the seller, whom nothing here writes, would be read three times for
    one invoice. Whatever may change while a lock is waited for is read anew.
    """
    seller = await get(session, LegalEntity, row.entity_id, field="entity")
    session.info["seller"] = seller
    return seller


async def usable_method(session: AsyncSession, customer: Customer) -> PaymentMethod | None:
    """The customer's default payment method, if it may be charged now: no dispute about it is open (U17)."""
    method = await method_on_file(session, customer)
    return None if method is None or await is_in_dispute(session, method) else method


async def is_in_dispute(session: AsyncSession, method: PaymentMethod) -> bool:
    """Whether the bank has yet to decide about a payment with this card of the customer, saved however often."""
    same_card = col(Dispute.method_id) == method.id
    if method.fingerprint is not None:
        same_card = or_(same_card, col(Dispute.fingerprint) == method.fingerprint)
    query = select(Dispute.id).where(
        Dispute.customer_id == method.customer_id, Dispute.state == DisputeState.OPEN, same_card
    )
    return (await session.exec(query.limit(1))).first() is not None


async def method_on_file(session: AsyncSession, customer: Customer) -> PaymentMethod | None:
    """The customer's default payment method, unless it was taken away or stopped for good, or its mandate ended."""
    if customer.default_method_id is None:
        return None
    method = await session.get(PaymentMethod, customer.default_method_id)
    if method is None or method.stopped or method.detached_at is not None:
        return None
    return method if await _may_be_debited(session, method) else None


async def _may_be_debited(session: AsyncSession, method: PaymentMethod) -> bool:
    """Whether the payer's consent to debits of an account holds; a card needs none."""
    if method.kind != MethodKind.SEPA_DEBIT.value:
        return True
    query = select(MandateRow.id).where(MandateRow.method_id == method.id, col(MandateRow.ended_at).is_(None))
    return (await session.exec(query.limit(1))).first() is not None


async def invoices_of(session: AsyncSession, subscription_id: str) -> list[Invoice]:
    """All invoices of a subscription that were not dropped, oldest period first."""
    query = (
        select(Invoice)
        .where(Invoice.subscription_id == subscription_id, Invoice.status != "void")
        .order_by(Invoice.period_start, Invoice.id)  # type: ignore[arg-type]
    )
    return list((await session.exec(query)).all())


def goes_on() -> ColumnElement[bool]:
    """Subscriptions with anything left to do: over ones too, while their last usage is to be billed."""
    over = [status.value for status in Status if status.is_over]
    return or_(col(SubscriptionRow.status).not_in(over), col(SubscriptionRow.next_billing_at).is_not(None))
