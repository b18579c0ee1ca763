"""Finding what a caller names by our id or by their own reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import NotFound
from billing.errors import InvalidInput
from models.database import Database
from models.tables import Coupon, Customer, Invoice, LegalEntity, Plan, SubscriptionRow

REFERENCE: Final = "ref:"
"""Before the caller's own reference, to say that it is one: a reference may look like an id."""

Named = TypeVar("Named", Coupon, Customer, Plan, SubscriptionRow)
Answer = TypeVar("Answer")


async def find(
    session: AsyncSession, table: type[Named], key: str, *, field: str, entity_id: str | None = None
) -> Named:
    """The row with this id or reference.

    Args:
        session: for looking.
        table: what is meant.
        key: an id of ours, or the caller's reference, with or without `ref:` before it.
        field: what the caller calls it, for the error.
        entity_id: the legal entity within which references are unique; None for any.

    Raises:
        NotFound: there is none.
        InvalidInput: two legal entities have one of that reference.
    """
    reference = key.removeprefix(REFERENCE)
    row = await session.get(table, key) if reference == key else None
    if row is not None and entity_id in (None, row.entity_id):
        return row
    found = await with_reference(session, table, reference, entity_id=entity_id)
    if not found:
        raise NotFound(f"There is no {field} {key}.", field=field)
    if len(found) > 1:
        raise InvalidInput(
            f"Several legal entities have a {field} {key}. Name it by its id: "
            f"{' or '.join(sorted(row.id for row in found))}.",
            field=field,
        )
    return found[0]


async def with_reference(
    session: AsyncSession, table: type[Named], reference: str, *, entity_id: str | None
) -> list[Named]:
    """The rows with the caller's reference: at most one in each legal entity."""
    query = select(table).where(col(table.reference) == reference).order_by(col(table.id))
    if entity_id is not None:
        query = query.where(col(table.entity_id) == entity_id)
    return list((await session.exec(query)).all())


async def find_invoice(session: AsyncSession, key: str) -> Invoice:
    """The invoice with this id or number.

    Raises:
        NotFound: there is none.
        InvalidInput: two legal entities have one of that number.
    """
    row = await session.get(Invoice, key)
    if row is not None:
        return row
    found = (await session.exec(select(Invoice).where(Invoice.number == key).order_by(col(Invoice.id)))).all()
    if not found:
        raise NotFound(f"There is no invoice {key}.", field="invoice")
    if len(found) > 1:
        raise InvalidInput(
            f"Several invoices have the number {key}. Name it by its id: {' or '.join(i.id for i in found)}.",
            field="invoice",
        )
    return found[0]


async def the_entity(session: AsyncSession, entity_id: str | None) -> LegalEntity:
    """The legal entity with this id, or the only one there is.

    Raises:
        NotFound: there is none.
        InvalidInput: there are several and none was named.
    """
    if entity_id is not None:
        row = await session.get(LegalEntity, entity_id)
        if row is None:
            raise NotFound(f"There is no legal entity {entity_id}.", field="entity")
        return row
    rows = (await session.exec(select(LegalEntity).order_by(col(LegalEntity.id)).limit(2))).all()
    if not rows:
        raise NotFound(
            "There is no legal entity yet. Create the seller first: relance entity create --help",
            field="entity",
        )
    if len(rows) > 1:
        raise InvalidInput("There are several legal entities. Say which one sells.", field="entity")
    return rows[0]


async def in_one_transaction(database: Database, work: Callable[[AsyncSession], Awaitable[Answer]]) -> Answer:
    """Run `work` in a transaction; when somebody wrote the same at the same moment, once more, to find theirs."""
    try:
        async with database.write() as session:
            return await work(session)
    except IntegrityError:
        async with database.write() as session:
            return await work(session)
