"""Legal entities and plans: who sells, and what is on offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import lock
from activities.books.taxing import check_taxable
from models.ids import derived_id, new_id
from models.tables import LegalEntity, Plan
from starter.connections import Connections
from starter.finding import find, in_one_transaction, the_entity, with_reference
from starter.orders import NewEntity, NewPlan, PlanChange
from starter.policies import check_named_policy
from starter.problems import AlreadyExists, FixedSinceStart

OTHER_PLAN: Final = (
    "Offer the new one under another reference, archive this, and move those who have it by a change "
    "(POST /v1/subscriptions/{subscription}/change) or all at once (relance plan migrate)."
)
"""How a plan's terms are changed."""
_ASKED_AS: Final = {"plan_name": "name", "interval": "every", "payment_terms_days": "payment_terms"} | {
    "payment_terms_month_end": "payment_terms"
}
"""What an order calls some of the terms."""


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
            InvalidInput: a plan cannot be billed, or its id is taken by another one.
            FixedSinceStart: one of its reference is there with other terms; field names the first that differs.
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
            if order.reference != existing.reference:
                raise AlreadyExists(f"There is another plan {plan_id}. Take another id.", field="id")
            _check_same(existing, order)
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

    async def update_plan(self, key: str, change: PlanChange) -> Plan:
        """Change what a plan has beside its terms.

        Raises:
            NotFound: there is no such plan.
        """
        async with self._to.database.write() as session:
            found = await find(session, Plan, key, field="plan")
            plan = await lock(session, Plan, found.id, field="plan")
            if change.custom is not None:
                plan.custom = change.custom
            if change.archived is not None:
                now = await self._to.now(session, None)
                plan.archived_at = (plan.archived_at or now) if change.archived else None
            return plan

    async def archive_plan(self, key: str, *, entity: str | None = None) -> Plan:
        """Take a plan off the offer. Subscriptions that have it keep it.

        Raises:
            NotFound: there is no such plan.
        """
        async with self._to.database.write() as session:
            plan = await find(session, Plan, key, field="plan", entity_id=entity)
            plan.archived_at = plan.archived_at or await self._to.now(session, None)
            return plan


def _check_same(plan: Plan, order: NewPlan) -> None:
    """Metadata and whether it is on offer are changed by `update_plan`; the rest never."""
    wanted = order.terms(plan.id)
    fields = [
        name for name in type(wanted).model_fields if getattr(wanted, name) != getattr(plan.terms, name)
    ]
    if not fields:
        return
    different = list(dict.fromkeys(_asked_as(name, order) for name in fields))
    raise FixedSinceStart(
        f"There is another plan {plan.reference or plan.id}: its {', '.join(different)} "
        f"{'is' if len(different) == 1 else 'are'} not the same, and a plan's terms do not change.",
        field=different[0],
        remedy=OTHER_PLAN,
    )


def _asked_as(name: str, order: NewPlan) -> str:
    """What an order calls one of the terms."""
    if name == "prices" and order.amount is not None:
        return "amount"
    return _ASKED_AS.get(name, name)


def _plan_id(entity_id: str, reference: str | None) -> str:
    return new_id("plan") if reference is None else derived_id("plan", entity_id, reference)
