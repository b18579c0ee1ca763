"""Moving the subscribers of a plan to other prices: who is affected and by how much, then telling them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.issuing import treatment_now
from billing.calendar import local_date
from billing.commands import MigratePlan
from billing.errors import InvalidInput, RelanceError
from billing.plan_migration import DEFAULT_NOTICE, NoticeDays, announced_for, check_plans, left_out
from billing.subscription import CustomerKind
from billing.upcoming import price_of_a_period
from billing.values import Value
from models.ids import derived_id
from models.tables import Plan, SubscriptionRow
from starter.connections import Connections
from starter.finding import find
from starter.subscriptions import Subscriptions

PAGE: Final = 200
"""Subscriptions read at a time."""
AT_ONCE: Final = 8
"""Subscriptions told at a time: nobody waits for a price that changes in a month."""


class Affected(Value):
    """What a migration means for one subscription."""

    subscription_id: str
    reference: str | None
    customer_id: str
    customer_kind: CustomerKind
    currency: str
    left_out: str | None = None
    """Why its price stays; then all below is None."""
    old_minor: int | None = None
    """What a period costs now: with tax, before discounts, without usage."""
    new_minor: int | None = None
    from_on: date | None = None
    """First day at the new price: the first renewal after the notice and after any commitment."""

    @property
    def difference_minor(self) -> int:
        """By how much a period becomes dearer, in minor units."""
        return (self.new_minor or 0) - (self.old_minor or 0)


class PlanMigrations:
    """Prices of a plan, changed for those who have it: only when asked, with notice, at a renewal."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def preview(
        self,
        old: str,
        new: str,
        *,
        notice: NoticeDays = DEFAULT_NOTICE,
    ) -> list[Affected]:
        """Every subscription of a plan, and what another plan's prices mean for it. Reads, never writes.

        Args:
            old: the plan that they have, by id or reference; it may be archived.
            new: the plan with the new prices, on offer.
            notice: how long before they are told.

        Raises:
            NotFound: there is no such plan.
            InvalidInput: the plans differ in more than their prices, or the new one is not on offer; field `to`.
        """
        async with self._to.database.read() as session:
            plans = await self._plans(session, old, new)
            return [
                await self._affected(session, row, plans, notice)
                async for row in _subscribers(session, plans[0].id)
            ]

    async def announce(
        self,
        old: str,
        new: str,
        *,
        notice: NoticeDays = DEFAULT_NOTICE,
        by: str = "api",
    ) -> list[Affected]:
        """Tell everybody whom it concerns, and have the prices apply when their notice is over. Safe to run again.

        Returns:
            As `preview`; who could not be told now is left out with the reason, and is told by the next run.

        Raises:
            As `preview`.
        """
        affected = await self.preview(old, new, notice=notice)
        async with self._to.database.read() as session:
            plans = await self._plans(session, old, new)
        limit = asyncio.Semaphore(AT_ONCE)

        async def tell(one: Affected) -> Affected:
            if one.left_out is not None:
                return one
            command = MigratePlan(
                command_id=derived_id("cmd", "migrate", plans[0].id, plans[1].id, one.subscription_id),
                by=by,
                from_plan_id=plans[0].id,
                plan_id=plans[1].id,
                notice_days=notice.for_kind(one.customer_kind),
            )
            async with limit:
                try:
                    await Subscriptions(self._to).tell(one.subscription_id, command)
                except RelanceError as problem:
                    return one.model_copy(update={"left_out": problem.message})
            return one

        return list(await asyncio.gather(*(tell(one) for one in affected)))

    async def _plans(self, session: AsyncSession, old: str, new: str) -> tuple[Plan, Plan]:
        before = await find(session, Plan, old, field="plan")
        after = await find(session, Plan, new, field="to", entity_id=before.entity_id)
        if after.archived_at is not None:
            raise InvalidInput(f"The plan {new} is no longer on offer.", field="to")
        check_plans(before.terms, after.terms)
        return before, after

    async def _affected(
        self, session: AsyncSession, row: SubscriptionRow, plans: tuple[Plan, Plan], notice: NoticeDays
    ) -> Affected:
        sub = row.state
        old, new = plans[0].terms, plans[1].terms
        facts = Affected(
            subscription_id=row.id,
            reference=row.reference,
            customer_id=row.customer_id,
            customer_kind=sub.customer_kind,
            currency=sub.terms.currency,
            left_out=left_out(sub, old, new),
        )
        if facts.left_out is not None:
            return facts
        now = await self._to.now(session, row.clock_id)
        announced = announced_for(
            sub,
            old,
            new,
            on=local_date(now, sub.timezone),
            notice_days=notice.for_kind(sub.customer_kind),
        )
        treatment = await treatment_now(session, row, now, self._to.rules)
        before, after = (
            price_of_a_period(terms, announced.from_on, sub.timezone, treatment).total_minor
            for terms in (sub.terms, announced.applied_to(sub.terms))
        )
        return facts.model_copy(
            update={"old_minor": before, "new_minor": after, "from_on": announced.from_on}
        )


async def _subscribers(session: AsyncSession, plan_id: str) -> AsyncIterator[SubscriptionRow]:
    """Everybody who has a plan and has not ended, page by page."""
    last = ""
    while True:
        query = (
            select(SubscriptionRow)
            .where(SubscriptionRow.plan_id == plan_id, col(SubscriptionRow.id) > last)
            .order_by(col(SubscriptionRow.id))
            .limit(PAGE)
        )
        rows = (await session.exec(query)).all()
        for row in rows:
            if not row.state.is_over:
                yield row
        if len(rows) < PAGE:
            return
        last = rows[-1].id
