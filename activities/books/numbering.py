"""Numbers of documents: continuous per legal entity and series, given in the issuing transaction (rules 14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import insert_unless_there, lock
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

    Call it last: the counter's row is the last lock of a transaction. The date never goes back while the number
    goes up (rules 1).
    """
    key = derived_id("ser", entity.id, series)
    if await session.get(NumberSeries, key) is None:
        row = {"id": key, "entity_id": entity.id, "series": series, "last_number": 0}
        await insert_unless_there(session, NumberSeries, row)
    counter = await lock(session, NumberSeries, key, field="series")
    counter.last_number += 1
    today = local_date(at, entity.timezone)
    counter.last_issued_on = max(today, counter.last_issued_on or today)
    await session.flush()
    return Issued(series, f"{series}-{counter.last_number:0{DIGITS}d}", counter.last_issued_on)
