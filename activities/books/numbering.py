"""Numbers of documents: continuous per legal entity and series, given in the issuing transaction (rules 14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import case, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import insert_unless_there
from billing.calendar import local_date
from models.ids import derived_id
from models.tables import LegalEntity, NumberSeries

DIGITS: Final = 6


@dataclass(frozen=True)
class Issued:
    """What a document gets when it is issued."""

    series: str
    number: str
    on: date


def series_name(base: str, clock_id: str | None) -> str:
    """The series of a document; every test clock numbers in its own, never in a real one (rules 14)."""
    return base if clock_id is None else f"T-{clock_id[-10:].upper()}-{base}"


async def next_number(session: AsyncSession, entity: LegalEntity, series: str, at: datetime) -> Issued:
    """The next number of a series and the date that goes with it.

    Call it last: it takes the last lock of a transaction. The date never goes back while the number goes up
    (rules 1).
    """
    await wait_for_turn(session, entity.id)
    today = local_date(at, entity.timezone)
    while (given := await _count_up(session, entity, series, today)) is None:
        row = {"id": _key(entity, series), "entity_id": entity.id, "series": series, "last_number": 0}
        await insert_unless_there(session, NumberSeries, row)
    number, on = given
    return Issued(series, f"{series}-{number:0{DIGITS}d}", on)


def _key(entity: LegalEntity, series: str) -> str:
    return derived_id("ser", entity.id, series)


async def wait_for_turn(session: AsyncSession, entity_id: str) -> None:
    """One transaction at a time numbers documents of an entity, or moves its customers' balances; the last lock.

    With a lock for each series, a correction that writes a credit note and then an invoice and one that writes
    them the other way round would wait for each other for ever. With one for each balance, so would two
    subscriptions of one customer that issue several invoices.
    """
    await session.exec(
        select(LegalEntity.id).where(LegalEntity.id == entity_id).with_for_update(key_share=True)
    )


async def _count_up(
    session: AsyncSession, entity: LegalEntity, series: str, today: date
) -> tuple[int, date] | None:
    """Number and date in one statement; None where the series has not begun."""
    last_on = col(NumberSeries.last_issued_on)
    counter = (
        update(NumberSeries)
        .where(col(NumberSeries.id) == _key(entity, series))
        .values(
            last_number=col(NumberSeries.last_number) + 1,
            last_issued_on=case((last_on > today, last_on), else_=today),
        )
        .returning(col(NumberSeries.last_number), last_on)
        .execution_options(synchronize_session=False)
    )
    row = (await session.exec(counter)).one_or_none()
    return None if row is None else (row[0], row[1])
