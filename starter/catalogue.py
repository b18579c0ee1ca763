"""Legal entities and plans: who sells, and what is on offer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.taxing import check_taxable
from models.ids import derived_id, new_id
from models.tables import LegalEntity, Plan
from starter.connections import Connections
from starter.finding import find, in_one_transaction, the_entity, with_reference
from starter.orders import NewEntity, NewPlan
from starter.policies import check_named_policy
from starter.problems import AlreadyExists


class Catalogue:
    """Who sells and what. Rows only: a running subscription keeps its own snapshot of its plan."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def create_entity(self, order: NewEntity) -> LegalEntity:
        """Make a seller. The same id with the same content twice is one.

        Raises:
            InvalidInput: a value is wrong, no VAT rate is known where the seller is, or the id is taken.
        """
        order.check()
        return await in_one_transaction(self._to.database, lambda session: self._entity(session, order))

    async def _entity(self, session: AsyncSession, order: NewEntity) -> LegalEntity:
        content = order.model_dump(exclude={"id", "address"}) | {"address": order.address}
        existing = await session.get(LegalEntity, order.id) if order.id is not None else None
        if existing is not None:
            if any(getattr(existing, name) != value for name, value in content.items()):
                raise AlreadyExists(f"There is another legal entity {order.id}. Take another id.", field="id")
            return existing
        now = await self._to.now(session, None)
        row = LegalEntity(id=order.id or new_id("ent"), created_at=now, **content)
        check_taxable(row, now.date(), self._to.rules)
        session.add(row)
        return row

    async def list_entities(self) -> Sequence[LegalEntity]:
        """Every seller, oldest first."""
        async with self._to.database.read() as session:
            query = select(LegalEntity).order_by(col(LegalEntity.created_at), col(LegalEntity.id))
            return (await session.exec(query)).all()

    async def create_plans(self, orders: Sequence[NewPlan]) -> list[Plan]:
        """Put plans on offer, all or none. One that is there already with the same content stays as it is.

        Raises:
            InvalidInput: a plan cannot be billed, or its id or reference is taken by another one.
        """
        for order in orders:
            order.terms(order.id or "plan_new")

        async def work(session: AsyncSession) -> list[Plan]:
            return [await self._plan(session, order) for order in orders]

        return await in_one_transaction(self._to.database, work)

    async def _plan(self, session: AsyncSession, order: NewPlan) -> Plan:
        entity = await the_entity(session, order.entity)
        plan_id = order.id or _plan_id(entity.id, order.reference)
        terms = order.terms(plan_id)
        existing = await session.get(Plan, plan_id)
        if existing is None and order.reference is not None:
            found = await with_reference(session, Plan, order.reference, entity_id=entity.id)
            existing = found[0] if found else None
        if existing is not None:
            same = order.terms(existing.id) == existing.terms and order.name == existing.name
            if not same or order.reference != existing.reference:
                raise AlreadyExists(
                    f"There is another plan {order.reference or plan_id}. A plan does not change: offer the new "
                    "one under another reference and archive the old one.",
                    field="reference" if order.reference else "id",
                )
            return existing
        await check_named_policy(session, terms)
        row = Plan(
            id=plan_id,
            reference=order.reference,
            entity_id=entity.id,
            name=order.name,
            currency=order.currency,
            terms=terms,
            custom=order.custom,
            created_at=await self._to.now(session, None),
        )
        session.add(row)
        await session.flush()
        return row

    async def list_plans(self, *, archived: bool = False) -> Sequence[Plan]:
        """The plans on offer by name; with `archived` the others too."""
        async with self._to.database.read() as session:
            query = select(Plan).order_by(col(Plan.name), col(Plan.id))
            if not archived:
                query = query.where(col(Plan.archived_at).is_(None))
            return (await session.exec(query)).all()

    async def find_plan(self, key: str) -> Plan:
        """A plan by id or reference.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            return await find(session, Plan, key, field="plan")

    async def archive_plan(self, key: str, *, entity: str | None = None) -> Plan:
        """Take a plan off the offer. Subscriptions that have it keep it.

        Raises:
            NotFound: there is no such plan.
        """
        async with self._to.database.write() as session:
            plan = await find(session, Plan, key, field="plan", entity_id=entity)
            plan.archived_at = plan.archived_at or await self._to.now(session, None)
            return plan


def _plan_id(entity_id: str, reference: str | None) -> str:
    return new_id("plan") if reference is None else derived_id("plan", entity_id, reference)
