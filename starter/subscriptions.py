"""Starting subscriptions and telling them what is asked of them."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Final, TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.coupons import redeem_at_start, with_coupon
from activities.books.rows import entity_of, lock
from activities.books.standing import method_facts
from activities.books.transitions import store
from billing.agreed import terms_agreed
from billing.calendar import local_date
from billing.change import with_quantity
from billing.commands import (
    AddCoupon,
    BaseCommand,
    Cancel,
    ChangePlan,
    ChangeTerms,
    RetryNow,
)
from billing.decide import is_taken_after_the_end
from billing.discounts import Discount, check_discount
from billing.errors import InvalidInput
from billing.payment import Trigger
from billing.refusal import AlreadyEnded
from billing.subscription import CustomerKind, Status, Subscription
from billing.terms import Terms
from billing.values import Value
from models.boundary import Accepted, Wish, WishAccepted
from models.ids import check_id, derived_id, new_id
from models.tables import (
    CommandRow,
    Customer,
    Invoice,
    Plan,
    SubscriptionRow,
)
from settings import Settings
from starter.chargeable import check_chargeable, was_tried
from starter.connections import Connections
from starter.executions import start_subscription
from starter.finding import find, in_one_transaction, the_entity
from starter.hints import COLLECTION, SUBSCRIPTION, tell
from starter.invoiceable import check_can_be_billed, check_can_be_invoiced
from starter.orders import Custom, NewSubscription
from starter.payment_terms import check_changed_payment_terms, check_payment_terms
from starter.policies import check_changed_policy, check_named_policy
from starter.problems import CommandRefused
from starter.sending import send_command
from starter.started_as import START, check_same, existing_of, start_id

APPLIED: Final = "applied"

Asked = TypeVar("Asked", bound=BaseCommand)


class Started(Value):
    """A subscription that was started, now or earlier."""

    subscription_id: str
    is_new: bool
    subscription: Subscription


class Subscriptions:
    """Doors to subscriptions. Every decision is the workflow's; here it is only carried there and back."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def start(self, order: NewSubscription, *, or_describe: bool = False) -> Started:
        """Start a subscription: its row first, then its workflow. Asked twice, it is one.

        Args:
            order: what it starts with.
            or_describe: bring the metadata of one that is there to those of the order. Plan and quantity may then
                also be what it has by now.

        Raises:
            InvalidInput: a value is wrong, or id or reference are taken by another subscription.
            FixedSinceStart: it was started with other content; `field` names the first that differs.
            NotFound: no such customer or plan.
            TemporalUnreachable: nothing was written, or, past the row, asking again starts the workflow.
        """
        if order.id is not None:
            check_id(order.id, "sub", field="id")
        temporal = await self._to.temporal()

        async def write(session: AsyncSession) -> tuple[SubscriptionRow, datetime, bool]:
            return await self._write(session, order, or_describe=or_describe)

        row, now, is_new = await in_one_transaction(self._to.database, write)
        if not row.state.is_over:
            await start_subscription(
                temporal,
                self._to.settings,
                row.state,
                now=now if row.clock_id is not None else None,
                look_first=not is_new,
            )
        return Started(subscription_id=row.id, is_new=is_new, subscription=row.state)

    async def _write(
        self, session: AsyncSession, order: NewSubscription, *, or_describe: bool
    ) -> tuple[SubscriptionRow, datetime, bool]:
        entity_id = (await the_entity(session, order.entity)).id if order.entity is not None else None
        customer = await find(session, Customer, order.customer, field="customer", entity_id=entity_id)
        plan = await find(session, Plan, order.plan, field="plan", entity_id=customer.entity_id)
        now = await self._to.now(session, customer.clock_id)
        asked = {
            **order.model_dump(mode="json", exclude={"id", "entity"}),
            "customer": customer.id,
            "plan": plan.id,
        }
        existing = await existing_of(session, order, customer.entity_id)
        if existing is not None:
            await check_same(session, existing, asked, or_describe=or_describe)
            if or_describe and existing.custom != order.custom:
                existing = await lock(session, SubscriptionRow, existing.id, field="subscription")
                existing.custom = order.custom
            return existing, now, False
        if plan.archived_at is not None:
            raise InvalidInput(f"The plan {order.plan} is no longer on offer.", field="plan")
        terms = agreed_terms(plan.terms, order)
        await check_named_policy(session, terms)
        entity = await entity_of(session, plan)
        check_payment_terms(terms, entity, customer)
        check_can_be_invoiced(entity, customer)
        row = await self._new_row(session, order, customer, terms, now)
        session.add(
            CommandRow(
                id=start_id(row.id),
                subscription_id=row.id,
                kind=START,
                payload=asked,
                by="api",
                outcome=APPLIED,
                at=now,
            )
        )
        await session.flush()
        return row, now, True

    async def _new_row(
        self, session: AsyncSession, order: NewSubscription, customer: Customer, terms: Terms, now: datetime
    ) -> SubscriptionRow:
        today = local_date(now, customer.timezone)
        if order.starts_on is not None and order.starts_on < today:
            raise InvalidInput(
                f"{order.starts_on} is past: a subscription starts on {today} at the earliest.",
                field="starts_on",
            )
        subscription_id = order.id or _subscription_id(customer.entity_id, order.reference)
        given = await redeem_at_start(
            session,
            tuple(dict.fromkeys(order.coupons)),
            entity_id=customer.entity_id,
            subscription_id=subscription_id,
            currency=terms.currency,
            today=today,
            now=now,
        )
        state = first_state(
            customer,
            terms,
            subscription_id=subscription_id,
            starts_on=order.starts_on or today,
            discounts=_given((*order.discounts, *given), terms.currency),
            early_start_requested=order.early_start_requested,
            settings=self._to.settings,
            now=now,
        )
        row = SubscriptionRow(
            id=subscription_id,
            reference=order.reference,
            entity_id=customer.entity_id,
            customer_id=customer.id,
            plan_id=terms.plan_id,
            clock_id=customer.clock_id,
            status=state.status.value,
            state=state,
            custom=order.custom,
            created_at=now,
            updated_at=now,
        )
        row.state = state.model_copy(update=await method_facts(session, row))
        store(session, row, now, self._to.rules)
        session.add(row)
        return row

    async def describe(self, key: str, custom: Custom) -> SubscriptionRow:
        """Put other metadata in place of those that a subscription has, also of one that has ended.

        Raises:
            NotFound: there is no such subscription.
        """
        async with self._to.database.write() as session:
            found = await find(session, SubscriptionRow, key, field="subscription")
            row = await lock(session, SubscriptionRow, found.id, field="subscription")
            row.custom = custom
            return row

    async def tell(self, key: str, command: Asked, *, patience: float | None = None) -> Accepted:
        """Ask a subscription by an Update and wait for its answer. The same command id is carried out once.

        Args:
            key: the subscription, by id or reference.
            command: what is asked.
            patience: seconds to wait for an answer.

        Raises:
            CommandRefused: in its present state it does not take it; or the id was used for something else.
            Refused: it has ended.
            NotFound: there is no such subscription.
            NoWorker, NotRunning, TemporalUnreachable: nobody answered; ask again with the same id.
        """
        async with self._to.database.read() as session:
            row = await find(session, SubscriptionRow, key, field="subscription")
            known = await session.get(CommandRow, command.command_id)
            command = command.model_copy(update={"as_of": await self._clock_now(session, row)})
            command = await _with_terms(session, row, command, is_new=known is None)
            if known is None and not row.state.is_over:
                command = await self._with_discount(session, row, command)
            if known is None:
                await check_changed_payment_terms(session, row, command)
                await check_can_be_billed(session, row, command)
        if known is not None:
            return _answered_before(row, known, command)
        if row.state.is_over and not is_taken_after_the_end(row.state, command):
            return await self._tell_ended(row, command)
        options = {} if patience is None else {"patience": patience}
        return await send_command(
            await self._to.temporal(),
            f"{SUBSCRIPTION}{row.id}",
            command.kind,
            command,
            command_id=command.command_id,
            answer=Accepted,
            **options,
        )

    async def _with_discount(self, session: AsyncSession, row: SubscriptionRow, command: Asked) -> Asked:
        """A coupon is looked up before it is asked for, so that it is refused at once where it is not to be had."""
        if not isinstance(command, AddCoupon):
            return command
        given = await with_coupon(session, row, command, await self._to.now(session, row.clock_id))
        return command.model_copy(update={"discount": given.discount})

    async def _tell_ended(self, row: SubscriptionRow, command: BaseCommand) -> Accepted:
        """What was owed at the end can still be charged when a person asks; nothing else is taken (U6)."""
        if not isinstance(command, RetryNow) or not row.state.open_invoices:
            raise AlreadyEnded(row.state)
        wish = Wish(
            trigger=Trigger.SUPPORT, command_id=command.command_id, as_of=command.as_of, by=command.by
        )
        await self._ask(row.state.open_invoices[0], "retry_now", wish)
        return Accepted(command_id=command.command_id, subscription=row.state)

    async def send(self, key: str, command: ChangePlan | Cancel) -> None:
        """Ask by a Signal, without waiting for an answer: a refusal is only counted and logged.

        Raises:
            NotFound: there is no such subscription.
            Refused: it has ended.
            TemporalUnreachable: it could not be sent.
        """
        async with self._to.database.read() as session:
            row = await find(session, SubscriptionRow, key, field="subscription")
            command = command.model_copy(update={"as_of": await self._clock_now(session, row)})
            command = await _with_terms(session, row, command, is_new=True)
            await check_changed_payment_terms(session, row, command)
            await check_can_be_billed(session, row, command)
        if row.state.is_over:
            raise AlreadyEnded(row.state)
        await tell(await self._to.temporal(), f"{SUBSCRIPTION}{row.id}", command.kind, command)

    async def pay_now(self, invoice_id: str, *, command_id: str | None = None, by: str = "") -> WishAccepted:
        """The customer asks that an invoice be charged now; its owner charges (engine 3).

        Raises:
            NotFound: there is no such invoice.
            CommandRefused: nothing is owed on it, or a payment is under way.
            NoWorker, NotRunning, TemporalUnreachable: nobody answered; ask again with the same id.
        """
        async with self._to.database.read() as session:
            invoice = await session.get(Invoice, invoice_id)
            if invoice is None:
                raise InvalidInput(f"There is no invoice {invoice_id}.", field="invoice")
            now = await self._to.now(session, invoice.clock_id)
            command_id = command_id or new_id("cmd")
            if await was_tried(session, invoice, command_id):
                return WishAccepted(command_id=command_id, invoice_id=invoice_id)
        check_chargeable(invoice)
        wish = Wish(
            trigger=Trigger.CUSTOMER,
            command_id=command_id,
            as_of=now if invoice.clock_id is not None else None,
            by=by,
        )
        return await self._ask(invoice_id, "pay_now", wish)

    async def _ask(self, invoice_id: str, door: str, wish: Wish) -> WishAccepted:
        return await send_command(
            await self._to.temporal(),
            f"{COLLECTION}{invoice_id}",
            door,
            wish,
            command_id=wish.command_id,
            answer=WishAccepted,
        )

    async def _clock_now(self, session: AsyncSession, row: SubscriptionRow) -> datetime | None:
        return None if row.clock_id is None else await self._to.now(session, row.clock_id)


def first_state(
    customer: Customer,
    terms: Terms,
    *,
    subscription_id: str,
    starts_on: date,
    settings: Settings,
    now: datetime,
    discounts: tuple[Discount, ...] = (),
    early_start_requested: bool = False,
) -> Subscription:
    """A subscription before its first step: of an order, of a quote for one, and of what comes from elsewhere."""
    window = 0 if customer.clock_id is not None else settings.boundary_window_minutes
    return Subscription(
        id=subscription_id,
        customer_id=customer.id,
        customer_kind=CustomerKind(customer.kind),
        timezone=customer.timezone,
        status=Status.SCHEDULED,
        terms=terms,
        discounts=discounts,
        signed_up_at=now,
        starts_on=starts_on,
        early_start_requested=early_start_requested,
        boundary_offset_seconds=offset_seconds(subscription_id, window_minutes=window),
        unpaid_cancel_days=settings.unpaid_cancel_days,
        usage_wait_hours=settings.usage_wait_hours,
        clock_id=customer.clock_id,
    )


def agreed_terms(offered: Terms, order: NewSubscription) -> Terms:
    """The plan's terms with what was agreed for this one subscription.

    Raises:
        InvalidInput: one price was agreed for a plan with several, or a value is out of range.
    """
    own = {"amount": order.amount, "trial_days": order.trial_days, "dunning_policy": order.dunning_policy}
    agreed = order.agreed.model_copy(update={name: value for name, value in own.items() if value is not None})
    terms = terms_agreed(offered, agreed)
    return terms if order.quantity is None else with_quantity(terms, order.quantity)


def offset_seconds(subscription_id: str, *, window_minutes: int) -> int:
    """A subscription's own place within the window over which renewals are spread (engine 23)."""
    if window_minutes == 0:
        return 0
    digest = hashlib.sha256(subscription_id.encode()).digest()
    return int.from_bytes(digest[:8]) % (window_minutes * 60)


def _subscription_id(entity_id: str, reference: str | None) -> str:
    return new_id("sub") if reference is None else derived_id("sub", entity_id, reference)


def _given(discounts: tuple[Discount, ...], currency: str) -> tuple[Discount, ...]:
    """Each coupon once, and none that was used before.

    Raises:
        InvalidInput: a coupon is named twice, or takes off a part of a cent; field `discounts`.
    """
    ids = [discount.coupon_id for discount in discounts]
    if len(set(ids)) < len(ids):
        raise InvalidInput("A coupon is named twice. Give each once.", field="discounts")
    for discount in discounts:
        check_discount(discount, currency, field="discounts")
    return tuple(discount.model_copy(update={"used": 0}) for discount in discounts)


async def _with_terms(session: AsyncSession, row: SubscriptionRow, command: Asked, *, is_new: bool) -> Asked:
    """A plan change carries the plan's terms, so that it is refused at once where they do not fit."""
    if is_new and isinstance(command, ChangeTerms):
        await check_changed_policy(session, row, command.agreed)
    if not isinstance(command, ChangePlan) or command.terms is not None:
        return command
    plan = await find(session, Plan, command.plan_id, field="plan", entity_id=row.entity_id)
    if is_new and plan.archived_at is not None:
        raise InvalidInput(f"The plan {command.plan_id} is no longer on offer.", field="plan")
    return command.model_copy(update={"plan_id": plan.id, "terms": plan.terms})


def _answered_before(row: SubscriptionRow, known: CommandRow, command: BaseCommand) -> Accepted:
    """A command that was carried out already is answered from the books.

    Raises:
        CommandRefused: it was refused then, or the id belongs to another command.
    """
    ignored = {"as_of", "terms", "old", "new", "discount", "by", "reason"}
    asked = command.model_dump(mode="json", exclude_defaults=True, exclude=ignored)
    before = {name: value for name, value in known.payload.items() if name not in ignored}
    if known.subscription_id != row.id or known.kind != command.kind or before != asked:
        raise CommandRefused(
            "command_id_taken",
            f"The command id {command.command_id} was used for another command. Take a new one.",
            field="command_id",
        )
    if known.outcome != APPLIED:
        raise CommandRefused("refused", known.outcome)
    return Accepted(command_id=command.command_id, subscription=row.state)
