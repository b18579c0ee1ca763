"""Writing the drafts of whole customers into the books, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.bringing_in import Debt, bring_in_balance, bring_in_debt
from activities.books.mandates import BroughtIn, bring_in_mandate
from activities.books.notices import emit
from activities.books.rows import get, lock_subscription
from activities.books.transitions import carry_out, settle_standing, store
from activities.books.work import Work
from activities.vat_checks import keep_reply
from billing.calendar import local_date
from billing.effects import Emit
from billing.subscription import Subscription
from billing.takeover import go_live
from models.tables import (
    Coupon,
    CouponRedemption,
    Customer,
    ImportKind,
    ImportRow,
    LegalEntity,
    PaymentMethod,
    Plan,
    RowState,
    SubscriptionRow,
)
from starter.connections import Connections
from starter.importing.formats import BalanceLine, digest_of
from starter.importing.stock import Draft

_FROM_THE_FILE: Final = (
    "kind", "name", "locale", "timezone", "vat_number", "siren", "address", "evidence", "segment", "contacts",
)  # fmt: skip


class Writer:
    """One chunk: rows that are live already are left alone."""

    def __init__(self, session: AsyncSession, to: Connections, entity: LegalEntity, at: datetime) -> None:
        """Begin a chunk.

        Args:
            session: its transaction, with the batch locked.
            to: the seller's rules, and the gateway, which prepares charges.
            entity: the seller.
            at: the business instant.
        """
        self._session, self._to, self._entity, self._at = session, to, entity, at
        self._owners: dict[str, Customer] = {}
        self._methods: dict[str, PaymentMethod] = {}
        self._debts: dict[str, int] = {}

    async def write(self, drafts: Sequence[Draft]) -> None:
        """Make drafts live; they have no problems and stand in the order in which they need each other."""
        keys = {draft.line.key for draft in drafts}
        query = select(ImportRow).where(ImportRow.entity_id == self._entity.id, col(ImportRow.key).in_(keys))
        rows = {(row.kind, row.key): row for row in (await self._session.exec(query)).all()}
        await self._meet(drafts)
        for draft in drafts:
            row = rows[draft.key]
            if row.state is RowState.LIVE or row.digest != digest_of(draft.line):
                continue  # by another run, or staged anew a moment ago
            await self._write(draft)
            row.state, row.subject_id, row.live_at = RowState.LIVE, draft.subject_id, self._at
            row.problems = []
        await self._session.flush()

    async def _meet(self, drafts: Sequence[Draft]) -> None:
        """Who and what of the chunk is in the books already, read at once."""
        owners = {draft.customer.id for draft in drafts if draft.customer is not None}
        customers = select(Customer).where(col(Customer.id).in_(owners))
        self._owners = {row.id: row for row in (await self._session.exec(customers)).all()}
        tokens = {draft.method.id for draft in drafts if draft.method is not None}
        methods = select(PaymentMethod).where(col(PaymentMethod.id).in_(tokens))
        self._methods = {row.id: row for row in (await self._session.exec(methods)).all()}

    async def _write(self, draft: Draft) -> None:
        match draft.source.kind:
            case ImportKind.PLAN | ImportKind.COUPON:
                await self._write_offer(draft)
            case ImportKind.CUSTOMER if draft.customer is not None:
                await self._write_customer(draft, draft.customer)
            case ImportKind.SEPA_MANDATE if draft.method is not None:
                await self._write_method(draft.method, draft.mandate, instead_of_another=False)
            case ImportKind.PAYMENT_METHOD if draft.method is not None:
                await self._write_method(draft.method, draft.mandate)
            case ImportKind.SUBSCRIPTION if draft.subscription is not None:
                if draft.method is not None:
                    await self._write_method(draft.method, draft.mandate)
                await self._write_subscription(draft, draft.subscription)
            case ImportKind.BALANCE if draft.customer is not None:
                self._write_balance(draft, draft.customer)
            case ImportKind.DEBT if draft.debt is not None and draft.subscription is not None:
                await self._write_debt(draft.debt, draft.subject_id, draft.subscription)
            case _:
                raise AssertionError(f"{draft.key} was not drafted")

    async def _write_offer(self, draft: Draft) -> None:
        """One that is there already stays as it is."""
        if draft.plan is not None and await self._session.get(Plan, draft.plan.id) is None:
            self._session.add(draft.plan)
        if draft.coupon is not None and await self._session.get(Coupon, draft.coupon.id) is None:
            self._session.add(draft.coupon)

    async def _write_customer(self, draft: Draft, customer: Customer) -> None:
        """A new one, or one who is there: what the file says is the same then, or their import was undone."""
        there = self._owners.get(customer.id)
        if there is None:
            self._session.add(customer)
        else:
            for name in _FROM_THE_FILE:
                setattr(there, name, getattr(customer, name))
            there.provider_id = there.provider_id or customer.provider_id
        written = self._owners[customer.id] = there or customer
        if draft.facts.vat_reply is not None:
            days = self._to.rules.vat_number_days
            await keep_reply(self._session, written, draft.facts.vat_reply, self._at, keep_days=days)

    async def _owner(self, customer_id: str) -> Customer:
        if customer_id not in self._owners:
            self._owners[customer_id] = await get(self._session, Customer, customer_id, field="customer")
        return self._owners[customer_id]

    async def _write_method(
        self, method: PaymentMethod, mandate: BroughtIn | None, *, instead_of_another: bool = True
    ) -> None:
        there = self._methods.setdefault(method.id, method)
        there.detached_at = None
        self._session.add(there)
        owner = await self._owner(method.customer_id)
        if instead_of_another or owner.default_method_id is None:
            owner.default_method_id = method.id
        if mandate is not None:
            await bring_in_mandate(self._session, there, mandate, self._at)

    async def _write_subscription(self, draft: Draft, sub: Subscription) -> None:
        row = SubscriptionRow(
            id=sub.id,
            reference=draft.line.key,
            entity_id=self._entity.id,
            customer_id=sub.customer_id,
            plan_id=sub.terms.plan_id,
            clock_id=sub.clock_id,
            status=sub.status.value,
            state=sub,
            created_at=self._at,
            updated_at=self._at,
        )
        self._session.add(row)
        if draft.coupon is not None:
            # Given elsewhere: here it can't be given again, and its limit is not touched.
            given = CouponRedemption(coupon_id=draft.coupon.id, subscription_id=sub.id, at=self._at)
            self._session.add(given)
        transition = go_live(sub, self._at, local_date(self._at, sub.timezone))
        if sub.terms.metered_prices:
            await self._session.flush()
            await carry_out(self._work(row), transition)
            return
        for effect in transition.effects:  # only what is told: no invoice has to be read for it
            if isinstance(effect, Emit):
                emit(self._session, row, effect.name, dict(effect.data), self._at, self._to.rules.access)
        store(self._session, row, self._at, self._to.rules)

    def _write_balance(self, draft: Draft, customer: Customer) -> None:
        if isinstance(draft.line, BalanceLine):
            bring_in_balance(
                self._session,
                self._entity,
                customer,
                balance_id=draft.subject_id,
                amount_minor=draft.line.amount_minor,
                currency=draft.line.currency,
                at=self._at,
            )

    async def _write_debt(self, debt: Debt, invoice_id: str, sub: Subscription) -> None:
        """Each debt of a subscription is charged a day after the one before, as missed periods are (rules 4)."""
        await self._session.flush()
        work = self._work(await lock_subscription(self._session, sub.id))
        self._debts[sub.id] = self._debts.get(sub.id, 0) + 1
        customer = await self._owner(sub.customer_id)
        days = self._debts[sub.id]
        await bring_in_debt(work, self._entity, customer, debt, invoice_id=invoice_id, waits_days=days)
        await settle_standing(work)

    def _work(self, row: SubscriptionRow) -> Work:
        return Work(self._session, self._to.gateway(), self._to.rules, row, self._at)
