"""Undoing a batch: while nothing of it was billed, everything that it brought in is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import held_for
from activities.books.bringing_in import take_back_balance, take_back_debt
from activities.books.numbering import wait_for_turn
from activities.books.rows import get, lock, lock_subscription
from activities.books.transitions import carry_out
from activities.books.work import Work
from billing.effects import InvoiceReason
from billing.errors import InvalidInput
from billing.takeover import take_back
from billing.values import Value
from models.tables import (
    BatchState,
    Customer,
    ImportBatch,
    ImportKind,
    ImportRow,
    Invoice,
    InvoiceStatus,
    LegalEntity,
    PaymentAttempt,
    RowState,
    SubscriptionRow,
)
from starter.connections import Connections
from starter.finding import find
from starter.hints import COLLECTION, SUBSCRIPTION, hint
from starter.importing.formats import BalanceLine
from starter.importing.known import in_parts

CHUNK: Final = 50
"""Rows in one transaction."""
_NAMED_AT_MOST: Final = 3
_TELLS: Final = {ImportKind.SUBSCRIPTION: SUBSCRIPTION, ImportKind.DEBT: COLLECTION}


class Undone(Value):
    """What was taken back."""

    batch_id: str
    taken_back: dict[str, int]
    """Rows by kind. Plans, coupons, customers, payment methods and mandates stay in the books; nobody is asked."""
    kept: tuple[str, ...]
    """Subscriptions that were billed at that very moment: they live on."""


class BilledAlready(InvalidInput):
    """Something of the batch was billed, charged or spent: it can't be undone any more."""


async def undo(to: Connections, batch_id: str) -> Undone:
    """Take a batch back; see `Imports.undo`."""
    async with to.database.write() as session:
        batch = await lock(session, ImportBatch, batch_id, field="batch")
        now = await to.now(session, batch.clock_id)
        was_live = batch.state not in (BatchState.STAGED, BatchState.UNDONE)
        if was_live and batch.state is not BatchState.UNDOING:
            await _check_nothing_billed(session, batch)
            batch.state = BatchState.UNDOING
    if was_live:
        await _take_all_back(to, batch, now)
    async with to.database.write() as session:
        batch = await lock(session, ImportBatch, batch_id, field="batch")
        rows = (await session.exec(select(ImportRow).where(ImportRow.batch_id == batch_id))).all()
        for row in rows:
            await forget(session, row)
        batch.state, batch.undone_at = BatchState.UNDONE, batch.undone_at or now
    undone = [row for row in rows if row.state is RowState.UNDONE and row.subject_id is not None]
    told = [f"{_TELLS[row.kind]}{row.subject_id}" for row in undone if row.kind in _TELLS]
    if told:
        await hint(await to.temporal(), told, now)
    kinds = [row.kind for row in undone]
    kept = [row.key for row in rows if row.state is RowState.LIVE and row.kind is ImportKind.SUBSCRIPTION]
    return Undone(
        batch_id=batch_id,
        taken_back={kind.value: kinds.count(kind) for kind in ImportKind if kind in kinds},
        kept=tuple(sorted(kept)),
    )


async def forget(session: AsyncSession, row: ImportRow) -> None:
    """A row that is not live goes; one that lived before keeps how often it was taken back."""
    if row.state not in (RowState.STAGED, RowState.REFUSED):
        return
    if row.turn:
        row.state, row.subject_id = RowState.UNDONE, None
    else:
        await session.delete(row)


async def _check_nothing_billed(session: AsyncSession, batch: ImportBatch) -> None:
    """Refuses a batch of which something was billed, charged or spent.

    Raises:
        BilledAlready: it names some.
    """
    subjects = select(ImportRow.subject_id).where(
        ImportRow.batch_id == batch.id, ImportRow.kind == ImportKind.SUBSCRIPTION
    )
    found = await _billed(session, col(SubscriptionRow.id).in_(subjects))
    if found:
        some = ", ".join(sorted(found)[:_NAMED_AT_MOST])
        raise BilledAlready(
            f"{len(found)} subscriptions of this batch were billed or charged by now ({some}): it can't be undone "
            "any more. End single ones: relance subscription cancel",
            field="batch",
        )
    query = select(ImportRow).where(
        ImportRow.batch_id == batch.id, ImportRow.kind == ImportKind.BALANCE, ImportRow.state == RowState.LIVE
    )
    for row in (await session.exec(query)).all():
        await _check_unspent(session, row)


async def _billed(session: AsyncSession, which: ColumnElement[bool]) -> list[str]:
    """The references of the subscriptions with an invoice of ours, an attempt, or a debt of which some was settled."""
    of_ours = col(Invoice.reason) != InvoiceReason.BROUGHT_IN.value
    settled = col(Invoice.paid_minor) + col(Invoice.credited_minor) > 0
    invoiced = select(Invoice.subscription_id).where(
        or_(of_ours, settled), Invoice.status != InvoiceStatus.VOID
    )
    tried = select(PaymentAttempt.subscription_id)
    query = select(SubscriptionRow).where(
        which, or_(col(SubscriptionRow.id).in_(invoiced), col(SubscriptionRow.id).in_(tried))
    )
    return [row.reference or row.id for row in (await session.exec(query)).all()]


async def _check_unspent(session: AsyncSession, row: ImportRow) -> tuple[Customer, BalanceLine]:
    line = BalanceLine.model_validate(row.content)
    customer = await find(session, Customer, line.customer, field="customer", entity_id=row.entity_id)
    if (await held_for(session, customer.id, line.currency)).free_minor < line.amount_minor:
        raise BilledAlready(
            f"The balance of {line.customer} was used by now: the import can't be undone any more.",
            field="batch",
        )
    return customer, line


async def _take_all_back(to: Connections, batch: ImportBatch, now: datetime) -> None:
    """Chunk by chunk, debts before their subscriptions; what a run that broke off took back is not live any more."""
    async with to.database.read() as session:
        query = select(ImportRow.id, ImportRow.kind).where(
            ImportRow.batch_id == batch.id, ImportRow.state == RowState.LIVE
        )
        live = (await session.exec(query.order_by(col(ImportRow.id)))).all()
    for kind in reversed(list(ImportKind)):
        for some in in_parts([key for key, of in live if of is kind], CHUNK):
            await _take_chunk_back(to, batch, some, now)


async def _take_chunk_back(to: Connections, batch: ImportBatch, keys: Sequence[str], now: datetime) -> None:
    async with to.database.write() as session:
        entity = await get(session, LegalEntity, batch.entity_id, field="entity")
        query = select(ImportRow).where(col(ImportRow.id).in_(keys), ImportRow.state == RowState.LIVE)
        for row in (await session.exec(query.order_by(col(ImportRow.subject_id)))).all():
            if await _take_row_back(session, to, entity, row, now):
                row.state, row.turn = RowState.UNDONE, row.turn + 1
                row.live_at, row.started_at = None, None


async def _take_row_back(
    session: AsyncSession, to: Connections, entity: LegalEntity, row: ImportRow, now: datetime
) -> bool:
    """Whether it is taken back; a subscription that was billed a moment ago is not."""
    subject = row.subject_id or ""
    match row.kind:
        case ImportKind.SUBSCRIPTION:
            return await _end(session, to, subject, now)
        case ImportKind.DEBT:
            invoice = await get(session, Invoice, subject, field="invoice")
            found = await lock_subscription(session, invoice.subscription_id)
            await session.refresh(invoice)
            if invoice.paid_minor or invoice.credited_minor or invoice.status is not InvoiceStatus.OPEN:
                return False
            await take_back_debt(Work(session, to.gateway(), to.rules, found, now), entity, invoice)
        case ImportKind.BALANCE:
            await wait_for_turn(session, entity.id)
            customer, line = await _check_unspent(session, row)
            take_back_balance(
                session,
                entity,
                customer,
                balance_id=subject,
                amount_minor=line.amount_minor,
                currency=line.currency,
                at=now,
            )
        case _:
            pass
    return True


async def _end(session: AsyncSession, to: Connections, subscription_id: str, now: datetime) -> bool:
    row = await lock_subscription(session, subscription_id)
    if await _billed(session, col(SubscriptionRow.id) == subscription_id):
        return False
    if not row.state.is_over:
        await carry_out(Work(session, to.gateway(), to.rules, row, now), take_back(row.state, now))
    row.reference = None
    return True
