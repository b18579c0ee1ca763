"""Figures over the books. SQL alone: no worker and no Temporal are needed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from sqlmodel import col, select

from activities.books.receivables import AgeFigures, DaysOutstanding, ageing, days_outstanding
from activities.books.recovery import Recovery, Scope, recovery
from billing.calendar import local_date
from billing.errors import InvalidInput
from billing.values import Value
from models.tables import LegalEntity
from starter.connections import Connections
from starter.finding import the_entity

USUAL_DAYS: Final = 90
"""The days that are looked at where nobody says which."""


class DunningReport(Value):
    """What dunning brought back, and what is owed. `docs/dunning.md` says what each figure counts."""

    from_on: date
    to_on: date
    """The last day."""
    renewals: Recovery
    """All that is no first payment."""
    first_payments: Recovery
    outstanding: tuple[DaysOutstanding, ...]
    ageing: tuple[AgeFigures, ...]
    """Of what is open now, whatever the days."""


class Reports:
    """Reads the books, never writes."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def dunning(
        self,
        *,
        from_on: date | None = None,
        to_on: date | None = None,
        entity: str | None = None,
        clock: str | None = None,
    ) -> DunningReport:
        """What dunning brought back of the invoices issued in these days, and what is owed.

        Args:
            from_on: first day of issue, by the seller's dates; None is 90 days, the last one included.
            to_on: last day of issue; None is today where the seller is.
            entity: one seller; None is all.
            clock: a test clock; None is real life.

        Raises:
            NotFound: there is no such seller or clock, or no seller at all.
            InvalidInput: the days are in the wrong order; field `from_on`.
        """
        async with self._to.database.read() as session:
            now = await self._to.now(session, clock)
            query = select(LegalEntity).order_by(col(LegalEntity.id))
            sellers = [await the_entity(session, entity)] if entity else (await session.exec(query)).all()
            today = {seller.id: local_date(now, seller.timezone) for seller in sellers}
            to_on = to_on or max(today.values(), default=now.date())
            from_on = from_on or to_on - timedelta(days=USUAL_DAYS - 1)
            if from_on > to_on:
                raise InvalidInput(
                    f"{from_on} is after {to_on}. Give the earlier day first.", field="from_on"
                )
            scope = Scope(from_on=from_on, to_on=to_on, entity_id=entity, clock_id=clock)
            renewals, first_payments = await recovery(session, scope)
            return DunningReport(
                from_on=from_on,
                to_on=to_on,
                renewals=renewals,
                first_payments=first_payments,
                outstanding=tuple(await days_outstanding(session, scope)),
                ageing=tuple(await ageing(session, scope, today)),
            )
