"""What is owed to us, counted over the books: days sales outstanding, and open invoices by age (rules 1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import and_, case, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.journal import RECEIVABLE, REVENUE, VAT
from activities.books.recovery import Scope, tenths
from billing.values import Value
from models.tables import Invoice, InvoiceStatus, JournalLine


class DaysOutstanding(Value):
    """How many days of what is billed is not paid yet, of one seller and currency."""

    entity_id: str
    currency: str
    receivable_minor: int
    """Owed at the end of the last day by what was not written off since."""
    billed_minor: int
    """Invoices less credit notes of the days, VAT included."""
    days: int
    dso_days: Decimal | None
    """None where nothing was billed."""


class Age(StrEnum):
    """Days since the due date; the due date itself is not late."""

    NOT_DUE = "not_due"
    TO_30 = "1-30"
    TO_60 = "31-60"
    TO_90 = "61-90"
    OVER_90 = "90+"


class AgeFigures(Value):
    """The open invoices of one age, of one seller and currency."""

    entity_id: str
    currency: str
    on: date
    """The seller's date on which they have that age."""
    age: Age
    invoices: int
    open_minor: int


_LATEST_DUE: Final = {Age.TO_30: 1, Age.TO_60: 31, Age.TO_90: 61, Age.OVER_90: 91}
"""Least days late of each age."""


async def days_outstanding(session: AsyncSession, scope: Scope) -> list[DaysOutstanding]:
    """Receivables at the end of the last day / billed in these days x days; from the journal."""
    account, on = col(JournalLine.account), col(JournalLine.on)
    is_owed = and_(account == RECEIVABLE, col(Invoice.status) != InvoiceStatus.UNCOLLECTIBLE)
    is_billed = and_(account.in_((REVENUE, VAT)), on >= scope.from_on)
    query: Any = (
        select(
            col(JournalLine.entity_id),
            col(JournalLine.currency),
            func.sum(case((is_owed, col(JournalLine.amount_minor)), else_=0)),
            func.sum(case((is_billed, -col(JournalLine.amount_minor)), else_=0)),
        )
        .join(Invoice, col(JournalLine.invoice_id) == col(Invoice.id))
        .where(scope.holds(), on <= scope.to_on)
        .group_by(col(JournalLine.entity_id), col(JournalLine.currency))
        .order_by(col(JournalLine.entity_id), col(JournalLine.currency))
    )
    days = (scope.to_on - scope.from_on).days + 1
    return [
        DaysOutstanding(
            entity_id=entity_id,
            currency=currency,
            receivable_minor=int(owed),
            billed_minor=int(billed),
            days=days,
            dso_days=tenths(Decimal(int(owed)) * days / int(billed)) if billed > 0 else None,
        )
        for entity_id, currency, owed, billed in (await session.exec(query)).all()
        if owed or billed
    ]


async def ageing(session: AsyncSession, scope: Scope, today: Mapping[str, date]) -> list[AgeFigures]:
    """What is open now, by age.

    Args:
        session: for reading.
        scope: its days do not count.
        today: the date of each seller, by its id.
    """
    found: list[AgeFigures] = []
    for entity_id, on in sorted(today.items()):
        due = func.coalesce(col(Invoice.due_on), col(Invoice.issued_on))
        late = [(due <= on - timedelta(days=least), age.value) for age, least in _LATEST_DUE.items()]
        age = case(*reversed(late), else_=Age.NOT_DUE.value)
        left = col(Invoice.total_minor) - col(Invoice.credited_minor) - col(Invoice.paid_minor)
        query: Any = (
            select(col(Invoice.currency), age, func.count(), func.sum(left))
            .where(
                scope.holds(),
                col(Invoice.entity_id) == entity_id,
                col(Invoice.status) == InvoiceStatus.OPEN,
            )
            .group_by(col(Invoice.currency), age)
        )
        rows = {
            (currency, Age(age_)): (n, int(sum_))
            for currency, age_, n, sum_ in (await session.exec(query)).all()
        }
        found += [
            AgeFigures(
                entity_id=entity_id, currency=currency, on=on, age=age_, invoices=count, open_minor=open_minor
            )
            for currency in sorted({currency for currency, _ in rows})
            for age_ in Age
            for count, open_minor in (rows.get((currency, age_), (0, 0)),)
        ]
    return found
