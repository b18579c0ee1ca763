"""Questions about subscriptions and invoices, and waiting for what was asked to happen. Reads, never writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, TypeVar

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from activities.books.late_payment import LatePayment, late_payment_of
from activities.books.rows import entity_of, get
from billing.calendar import local_date
from billing.declines import support_words
from billing.errors import InvalidInput
from billing.payment import LIVE_STATES, AttemptState, DeclineClass
from billing.steps import next_step
from billing.subscription import Status
from billing.values import Value
from models.boundary import SubscriptionState
from models.tables import (
    CommandRow,
    Customer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    PaymentAttempt,
    PaymentState,
    SubscriptionRow,
)
from starter.accounts import Accounts, read_accounts
from starter.connect import TemporalUnreachable
from starter.connections import Connections
from starter.diary import Fact, diary_of
from starter.finding import find, find_invoice
from starter.overview import InvoiceView, Overview, invoice_view, overview_of
from starter.problems import TookTooLong
from starter.transfer_views import TransferView, transfers_of
from workflows.details import subscription_step

QUERY_PATIENCE: Final = timedelta(seconds=2)
LOOK_EVERY_SECONDS: Final = 0.1
WAIT_SECONDS: Final = 30.0

Found = TypeVar("Found")
Choice = TypeVar("Choice", bound=StrEnum)


class StateAnswer(Value):
    """The state of a subscription, and who says so."""

    source: Literal["workflow", "books"]
    """`books` where no worker answered in two seconds."""
    as_of: datetime
    """The workflow's now; from the books, when they last changed."""
    state: SubscriptionState


class FirstOutcome(StrEnum):
    """What came of the first payment of a subscription."""

    PAID = "paid"
    PROCESSING = "processing"
    """Under way, or its answer was lost; settled later."""
    ACTION_REQUIRED = "action_required"
    """The customer has to authenticate."""
    DECLINED = "declined"
    NO_METHOD = "no_method"
    """There is nothing to charge: the customer is asked by mail."""
    NOT_DUE = "not_due"
    """Nothing is to be paid yet: a trial, or a later start."""
    OVER = "over"
    """It ended without a payment."""


class FirstPayment(Value):
    """The first payment of a subscription."""

    outcome: FirstOutcome
    invoice_id: str | None = None
    decline_code: str | None = None
    decline_class: DeclineClass | None = None
    decline_words: str = ""


class CommandOutcome(Value):
    """What became of a command."""

    command_id: str
    kind: str
    applied: bool
    outcome: str
    """`applied`, or why it could not be carried out any more."""
    at: datetime


class LineView(Value):
    """A line as it was issued."""

    plan_name: str
    description: str
    start: str
    end: str
    quantity: int
    unit_amount: str
    net_minor: int


class InvoiceDocument(Value):
    """An invoice with its lines."""

    invoice: InvoiceView
    subscription_id: str
    subscription_reference: str | None
    customer_id: str
    customer_name: str
    """As the invoice names its buyer."""
    net_minor: int
    vat_minor: int
    lines: tuple[LineView, ...]
    transfers: tuple[TransferView, ...] = ()
    late: LatePayment | None = None
    """How late it was paid, or is, and what that costs; None where it is not late."""


class Reading:
    """Looks at the books, and at a workflow where that says more."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def state(self, key: str) -> StateAnswer:
        """Everything about a subscription and what it does next, from its workflow or else from the books.

        Raises:
            NotFound: there is no such subscription.
        """
        async with self._to.database.read() as session:
            row = await find(session, SubscriptionRow, key, field="subscription")
            now = await self._to.now(session, row.clock_id)
        try:
            temporal = await self._to.temporal()
            state: SubscriptionState = await temporal.get_workflow_handle(f"subscription/{row.id}").query(
                "state", result_type=SubscriptionState, rpc_timeout=QUERY_PATIENCE
            )
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError, TemporalUnreachable):
            step = next_step(row.state, now)
            state = SubscriptionState(subscription=row.state, next=subscription_step(step), now=now)
            return StateAnswer(source="books", as_of=row.updated_at, state=state)
        return StateAnswer(source="workflow", as_of=state.now, state=state)

    async def subscription(self, key: str) -> SubscriptionRow:
        """The row of a subscription.

        Raises:
            NotFound: there is no such subscription.
        """
        async with self._to.database.read() as session:
            return await find(session, SubscriptionRow, key, field="subscription")

    async def show(self, key: str) -> Overview:
        """A subscription as support reads it, from the books.

        Raises:
            NotFound: there is no such subscription.
        """
        async with self._to.database.read() as session:
            row = await find(session, SubscriptionRow, key, field="subscription")
            return await overview_of(session, row, self._to.rules, await self._to.now(session, row.clock_id))

    async def diary(self, key: str) -> list[Fact]:
        """What happened to a subscription, or to all subscriptions of a customer, in order.

        Raises:
            NotFound: it is neither.
        """
        async with self._to.database.read() as session:
            return await diary_of(session, await _subscriptions(session, key))

    async def accounts(self, clock_id: str | None = None) -> Accounts:
        """What was taken, what the documents say and what the journal makes of it; None is real life."""
        async with self._to.database.read() as session:
            return await read_accounts(session, clock_id)

    async def list_subscriptions(
        self, *, status: str | None = None, customer: str | None = None, limit: int = 100
    ) -> Sequence[SubscriptionRow]:
        """The newest subscriptions, by status or customer where one is given.

        Raises:
            InvalidInput: there is no such status.
            NotFound: there is no such customer.
        """
        wanted = _one_of(Status, status)
        async with self._to.database.read() as session:
            query = (
                select(SubscriptionRow)
                .order_by(col(SubscriptionRow.created_at).desc(), col(SubscriptionRow.id))
                .limit(limit)
            )
            if wanted is not None:
                query = query.where(SubscriptionRow.status == wanted.value)
            if customer is not None:
                owner = await find(session, Customer, customer, field="customer")
                query = query.where(SubscriptionRow.customer_id == owner.id)
            return (await session.exec(query)).all()

    async def customers_of(self, rows: Sequence[SubscriptionRow]) -> Mapping[str, Customer]:
        """The customers of these subscriptions, by their ids."""
        ids = {row.customer_id for row in rows}
        async with self._to.database.read() as session:
            found = await session.exec(select(Customer).where(col(Customer.id).in_(ids)))
            return {customer.id: customer for customer in found.all()}

    async def list_invoices(
        self, *, status: str | None = None, subscription: str | None = None, limit: int = 100
    ) -> Sequence[Invoice]:
        """The newest invoices, by status or subscription where one is given.

        Raises:
            InvalidInput: there is no such status.
            NotFound: there is no such subscription.
        """
        wanted = _one_of(InvoiceStatus, status)
        async with self._to.database.read() as session:
            query = (
                select(Invoice)
                .order_by(col(Invoice.issued_at).desc(), col(Invoice.period_start).desc(), col(Invoice.id))
                .limit(limit)
            )
            if wanted is not None:
                query = query.where(Invoice.status == wanted.value)
            if subscription is not None:
                row = await find(session, SubscriptionRow, subscription, field="subscription")
                query = query.where(Invoice.subscription_id == row.id)
            return (await session.exec(query)).all()

    async def invoice(self, key: str) -> InvoiceDocument:
        """An invoice by id or number, with its lines and attempts.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            row = await find_invoice(session, key)
            owner = await get(session, SubscriptionRow, row.subscription_id, field="subscription")
            lines = await session.exec(
                select(InvoiceLine)
                .where(InvoiceLine.document_id == row.id)
                .order_by(col(InvoiceLine.position))
            )
            return InvoiceDocument(
                invoice=await invoice_view(session, row, owner.state.timezone),
                subscription_id=row.subscription_id,
                subscription_reference=owner.reference,
                customer_id=row.customer_id,
                customer_name=row.buyer.name,
                net_minor=row.net_minor,
                vat_minor=row.vat_minor,
                lines=tuple(_line_view(line) for line in lines.all()),
                transfers=await transfers_of(session, row),
                late=await self._late(session, row),
            )

    async def _late(self, session: AsyncSession, invoice: Invoice) -> LatePayment | None:
        now = await self._to.now(session, invoice.clock_id)
        entity = await entity_of(session, invoice)
        return await late_payment_of(session, invoice, self._to.rules, local_date(now, entity.timezone))

    async def wait_for(self, command_id: str, *, seconds: float = WAIT_SECONDS) -> CommandOutcome:
        """Wait until a command was carried out, and say what became of it.

        Raises:
            TookTooLong: not yet.
        """

        async def look(session: AsyncSession) -> CommandOutcome | None:
            row = await session.get(CommandRow, command_id)
            if row is None:
                return None
            return CommandOutcome(
                command_id=row.id,
                kind=row.kind,
                applied=row.outcome == "applied",
                outcome=row.outcome,
                at=row.at,
            )

        return await self._until(look, f"Command {command_id} was not carried out", seconds)

    async def wait_for_first_payment(self, key: str, *, seconds: float = WAIT_SECONDS) -> FirstPayment:
        """Wait until the first payment of a subscription has an outcome.

        Raises:
            NotFound: there is no such subscription.
            TookTooLong: it has none yet.
        """

        async def look(session: AsyncSession) -> FirstPayment | None:
            row = await find(session, SubscriptionRow, key, field="subscription")
            return await _first_payment(session, row)

        return await self._until(look, f"The first payment of {key} has no outcome", seconds)

    async def _until(
        self, look: Callable[[AsyncSession], Awaitable[Found | None]], what: str, seconds: float
    ) -> Found:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            async with self._to.database.read() as session:
                found = await look(session)
            if found is not None:
                return found
            if loop.time() >= deadline:
                raise TookTooLong(f"{what} within {seconds:g} s. See that a worker runs, then look again.")
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _subscriptions(session: AsyncSession, key: str) -> list[SubscriptionRow]:
    customer = await session.get(Customer, key)
    if customer is None:
        found = await session.exec(select(Customer).where(Customer.reference == key))
        customer = found.first()
    if customer is None:
        return [await find(session, SubscriptionRow, key, field="subscription or customer")]
    query = (
        select(SubscriptionRow)
        .where(SubscriptionRow.customer_id == customer.id)
        .order_by(col(SubscriptionRow.created_at), col(SubscriptionRow.reference), col(SubscriptionRow.id))
    )
    return list((await session.exec(query)).all())


async def _first_payment(session: AsyncSession, row: SubscriptionRow) -> FirstPayment | None:
    sub = row.state
    if sub.status is Status.TRIALING or (sub.status is Status.SCHEDULED and not sub.starts_at_signup):
        return FirstPayment(outcome=FirstOutcome.NOT_DUE)
    query = (
        select(Invoice).where(Invoice.subscription_id == row.id).order_by(col(Invoice.period_start)).limit(1)
    )
    invoice = (await session.exec(query)).first()
    if invoice is None:
        return FirstPayment(outcome=FirstOutcome.OVER) if sub.is_over else None
    if invoice.bills_nothing:
        return FirstPayment(outcome=FirstOutcome.NOT_DUE)
    attempts = select(PaymentAttempt).where(PaymentAttempt.invoice_id == invoice.id)
    newest = (await session.exec(attempts.order_by(col(PaymentAttempt.number).desc()).limit(1))).first()
    outcome = payment_outcome(invoice, newest)
    if outcome is None:
        return None
    declined = newest if outcome is FirstOutcome.DECLINED else None
    code = declined.decline_code if declined is not None else None
    return FirstPayment(
        outcome=outcome,
        invoice_id=invoice.id,
        decline_code=code,
        decline_class=declined.decline_class if declined is not None else None,
        decline_words=support_words(code) if code else "",
    )


def payment_outcome(invoice: Invoice, newest: PaymentAttempt | None) -> FirstOutcome | None:
    """None while it is still being tried for the first time."""
    if invoice.status is InvoiceStatus.PAID:
        return FirstOutcome.PAID
    if invoice.payment_state in (PaymentState.PROCESSING, PaymentState.UNKNOWN):
        return FirstOutcome.PROCESSING
    if newest is None:
        if invoice.status is InvoiceStatus.VOID:
            return FirstOutcome.OVER
        return FirstOutcome.NO_METHOD if invoice.owner == "collection" else None
    if newest.state is AttemptState.ACTION_REQUIRED:
        return FirstOutcome.ACTION_REQUIRED
    if newest.state in LIVE_STATES:
        return None
    return FirstOutcome.DECLINED


def _line_view(row: InvoiceLine) -> LineView:
    line = row.line
    return LineView(
        plan_name=line.plan_name,
        description=line.description,
        start=str(line.start),
        end=str(line.end),
        quantity=line.quantity,
        unit_amount=str(line.unit_amount),
        net_minor=row.net_minor,
    )


def _one_of(members: type[Choice], value: str | None) -> Choice | None:
    """The status that is asked for; None for all."""
    try:
        return None if value is None else members(value)
    except ValueError:
        known = ", ".join(member.value for member in members)
        raise InvalidInput(f"{value!r} is not a status. Give one of: {known}.", field="status") from None
