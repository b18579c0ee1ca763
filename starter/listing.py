"""Lists by the page, newest first: each page begins after the last one of the page before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, SQLColumnExpression, func, literal, tuple_
from sqlmodel import SQLModel, col, select

from billing.errors import InvalidInput
from billing.subscription import Status
from models.columns import Instant
from models.tables import (
    Coupon,
    CreditNote,
    Customer,
    Invoice,
    InvoiceStatus,
    MandateRow,
    PaymentMethod,
    Plan,
    Refund,
    SubscriptionRow,
    TestClock,
    WebhookEndpoint,
)
from starter.connections import Connections
from starter.finding import find

Row = TypeVar("Row", bound=SQLModel)

_NOT_YET: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When a draft counts as issued: before all others."""


class Cursor(NamedTuple):
    """Which part of a list is wanted."""

    limit: int = 10
    starting_after: str | None = None
    """Id of the last one of the page before."""


class Rows(NamedTuple, Generic[Row]):
    """A page."""

    rows: Sequence[Row]
    has_more: bool


class Listing:
    """Every list has a fixed order, so that nothing is shown twice or passed over while others are added."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def customers(self, cursor: Cursor, *, test_clock: str | None = None) -> Rows[Customer]:
        """The newest customers, of a test clock where one is named."""
        where = [] if test_clock is None else [col(Customer.clock_id) == test_clock]
        return await self._page(Customer, col(Customer.created_at), where, cursor)

    async def plans(self, cursor: Cursor, *, archived: bool = False) -> Rows[Plan]:
        """The newest plans; with `archived` also those that are no longer on offer."""
        where = [] if archived else [col(Plan.archived_at).is_(None)]
        return await self._page(Plan, col(Plan.created_at), where, cursor)

    async def coupons(self, cursor: Cursor) -> Rows[Coupon]:
        """The newest coupons."""
        return await self._page(Coupon, col(Coupon.created_at), [], cursor)

    async def test_clocks(self, cursor: Cursor) -> Rows[TestClock]:
        """The newest test clocks."""
        return await self._page(TestClock, col(TestClock.created_at), [], cursor)

    async def webhook_endpoints(self, cursor: Cursor) -> Rows[WebhookEndpoint]:
        """The newest endpoints to which events are sent."""
        return await self._page(WebhookEndpoint, col(WebhookEndpoint.created_at), [], cursor)

    async def subscriptions(
        self,
        cursor: Cursor,
        *,
        customer: str | None = None,
        plan: str | None = None,
        status: Status | None = None,
    ) -> Rows[SubscriptionRow]:
        """The newest subscriptions: of a customer, with a plan, in a status.

        Raises:
            NotFound: there is no such customer or plan.
        """
        where: list[ColumnElement[bool]] = []
        if customer is not None:
            where.append(
                col(SubscriptionRow.customer_id) == await self._id_of(Customer, customer, "customer")
            )
        if plan is not None:
            where.append(col(SubscriptionRow.plan_id) == await self._id_of(Plan, plan, "plan"))
        if status is not None:
            where.append(col(SubscriptionRow.status) == status.value)
        return await self._page(SubscriptionRow, col(SubscriptionRow.created_at), where, cursor)

    async def invoices(
        self,
        cursor: Cursor,
        *,
        customer: str | None = None,
        subscription: str | None = None,
        status: InvoiceStatus | None = None,
    ) -> Rows[Invoice]:
        """The latest invoices, drafts before them: of a customer, of a subscription, in a status.

        Raises:
            NotFound: there is no such customer or subscription.
        """
        where: list[ColumnElement[bool]] = []
        if customer is not None:
            where.append(col(Invoice.customer_id) == await self._id_of(Customer, customer, "customer"))
        if subscription is not None:
            key = await self._id_of(SubscriptionRow, subscription, "subscription")
            where.append(col(Invoice.subscription_id) == key)
        if status is not None:
            where.append(col(Invoice.status) == status)
        issued = func.coalesce(col(Invoice.issued_at), literal(_NOT_YET, Instant))
        return await self._page(Invoice, issued, where, cursor)

    async def credit_notes(self, cursor: Cursor, *, customer: str) -> Rows[CreditNote]:
        """The latest credit notes of a customer.

        Raises:
            NotFound: there is no such customer.
        """
        where = [col(CreditNote.customer_id) == await self._id_of(Customer, customer, "customer")]
        return await self._page(CreditNote, col(CreditNote.issued_at), where, cursor)

    async def payment_methods(self, cursor: Cursor, *, customer: str) -> Rows[PaymentMethod]:
        """The newest payment methods of a customer.

        Raises:
            NotFound: there is no such customer.
        """
        key = await self._id_of(Customer, customer, "customer")
        where = [col(PaymentMethod.customer_id) == key]
        return await self._page(PaymentMethod, col(PaymentMethod.created_at), where, cursor)

    async def mandates(self, cursor: Cursor, *, customer: str) -> Rows[MandateRow]:
        """The newest SEPA mandates of a customer, those that have ended too.

        Raises:
            NotFound: there is no such customer.
        """
        key = await self._id_of(Customer, customer, "customer")
        where = [col(MandateRow.customer_id) == key]
        return await self._page(MandateRow, col(MandateRow.created_at), where, cursor)

    async def refunds(self, cursor: Cursor, *, customer: str | None = None) -> Rows[Refund]:
        """The newest refunds, of a customer where one is named.

        Raises:
            NotFound: there is no such customer.
        """
        where = []
        if customer is not None:
            where.append(col(Refund.customer_id) == await self._id_of(Customer, customer, "customer"))
        return await self._page(Refund, col(Refund.at), where, cursor)

    async def _id_of(self, table: Any, key: str, field: str) -> str:  # noqa: ANN401 - of those with references
        async with self._to.database.read() as session:
            found: str = (await find(session, table, key, field=field)).id
            return found

    async def _page(
        self,
        table: type[Row],
        newest: SQLColumnExpression[Any],
        where: Sequence[ColumnElement[bool]],
        cursor: Cursor,
    ) -> Rows[Row]:
        """Newest first, and by id where two came at one instant.

        Raises:
            InvalidInput: the cursor names none of them.
        """
        key: SQLColumnExpression[Any] = col(table.id)  # type: ignore[attr-defined]  # every table of a list has one
        query = select(table).where(*where).order_by(newest.desc(), key.desc()).limit(cursor.limit + 1)
        async with self._to.database.read() as session:
            if cursor.starting_after is not None:
                last = await session.exec(select(newest).where(key == cursor.starting_after))
                at = last.first()
                if at is None:
                    raise InvalidInput(
                        "There is none with this id. Give the id of the last one of the page before.",
                        field="starting_after",
                    )
                query = query.where(
                    tuple_(newest, key) < tuple_(literal(at, Instant), literal(cursor.starting_after))
                )
            rows = (await session.exec(query)).all()
        return Rows(rows[: cursor.limit], has_more=len(rows) > cursor.limit)
