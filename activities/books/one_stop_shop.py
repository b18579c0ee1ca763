"""Sales to buyers of other member states who are no business: the threshold, and what is declared in the one stop shop.

Sources: directive 2006/112/EC art. 59c (10,000 EUR a calendar year), 369g and 369h (returns by quarter, state and
rate, in EUR by the rate of the quarter's last day; corrections of an earlier quarter apart).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from pydantic import Field
from sqlalchemy import ColumnElement
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from activities.books.exchanging import last_rate
from billing.exchange import EUR, to_eur_minor
from billing.tax import Totals
from billing.taxation import TreatmentKind
from billing.values import Value
from models.tables import CreditNote, Invoice

THRESHOLD_EUR_MINOR: Final = 10_000_00
_DECEMBER: Final = 12


async def threshold_is_passed(
    session: AsyncSession, *, entity_id: str, clock_id: str | None, year: int, adding_eur_minor: int = 0
) -> bool:
    """Whether such sales were above 10,000 EUR last year or are by now this year.

    Once a sale of the year was taxed where the buyer is, the rest of the year is: a credit does not turn it back.
    """
    this_year = await sold_across_borders(session, entity_id=entity_id, clock_id=clock_id, year=year)
    if this_year + adding_eur_minor > THRESHOLD_EUR_MINOR:
        return True
    before = await sold_across_borders(session, entity_id=entity_id, clock_id=clock_id, year=year - 1)
    if before > THRESHOLD_EUR_MINOR:
        return True
    taxed_there = (
        select(Invoice.id)
        .where(
            *_of(entity_id, clock_id),
            col(Invoice.tax_kind) == TreatmentKind.OSS.value,
            col(Invoice.issued_on).between(*_days(year)),
        )
        .limit(1)
    )
    return (await session.exec(taxed_there)).first() is not None


async def sold_across_borders(
    session: AsyncSession, *, entity_id: str, clock_id: str | None, year: int
) -> int:
    """Net of such sales in a calendar year, credits taken off, in EUR cents; each at the rate of its document."""
    sold = (
        select(col(Invoice.currency), col(Invoice.exchange_rate), func.sum(col(Invoice.net_minor)))
        .where(*_of(entity_id, clock_id), col(Invoice.issued_on).between(*_days(year)))
        .group_by(col(Invoice.currency), col(Invoice.exchange_rate))
    )
    credited = (
        select(col(CreditNote.currency), col(CreditNote.exchange_rate), func.sum(col(CreditNote.net_minor)))
        .join(Invoice)
        .where(*_of(entity_id, clock_id), col(CreditNote.issued_on).between(*_days(year)))
        .group_by(col(CreditNote.currency), col(CreditNote.exchange_rate))
    )
    total = sum(_in_eur(*row) for row in (await session.exec(sold)).all())
    return total - sum(_in_eur(*row) for row in (await session.exec(credited)).all())


class Quarter(Value):
    """A calendar quarter, the period of a return."""

    year: int = Field(ge=2021, le=9998)
    number: int = Field(ge=1, le=4)

    @classmethod
    def holding(cls, on: date) -> Quarter:
        """The quarter of a date."""
        return cls(year=on.year, number=(on.month + 2) // 3)

    @property
    def days(self) -> tuple[date, date]:
        """Its first and its last day."""
        first, after = date(self.year, 3 * self.number - 2, 1), self.year * 12 + 3 * self.number
        return first, date(after // 12, after % 12 + 1, 1) - timedelta(days=1)

    @override
    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"


class Declared(Value):
    """What was sold to one member state at one rate in one currency."""

    quarter: str
    """`2027-Q1`: of the sale; a correction names an earlier one than the return's."""
    state: str
    """Member state of consumption, ISO 3166-1."""
    percent: Decimal
    currency: str
    base_minor: int
    vat_minor: int
    base_eur_minor: int | None
    """By the rate of the last day of the quarter of the sale; None where that is not known."""
    vat_eur_minor: int | None


class OssReturn(Value):
    """The figures of one quarter's return."""

    quarter: str
    sales: tuple[Declared, ...]
    corrections: tuple[Declared, ...]
    """Credit notes of this quarter on sales of earlier ones."""


async def oss_return(
    session: AsyncSession, *, entity_id: str, clock_id: str | None, quarter: Quarter
) -> OssReturn:
    """What the seller declares for a quarter."""
    days = quarter.days
    declared = (*_of(entity_id, clock_id), col(Invoice.tax_kind) == TreatmentKind.OSS.value)
    sold = select(Invoice).where(*declared, col(Invoice.issued_on).between(*days))
    credited = (
        select(CreditNote, Invoice).join(Invoice).where(*declared, col(CreditNote.issued_on).between(*days))
    )
    sums: _Sums = {}
    for invoice in (await session.exec(sold)).all():
        _add(sums, invoice, invoice.totals)
    for note, invoice in (await session.exec(credited)).all():
        _add(sums, invoice, note.totals)
    lines = [await _declared(session, key, *amounts) for key, amounts in sorted(sums.items()) if any(amounts)]
    return OssReturn(
        quarter=str(quarter),
        sales=tuple(line for line in lines if line.quarter == str(quarter)),
        corrections=tuple(line for line in lines if line.quarter != str(quarter)),
    )


_Key = tuple[date, str, Decimal, str]
"""Last day of the quarter of the sale, state, percent, currency."""
_Sums = dict[_Key, tuple[int, int]]


def _add(sums: _Sums, invoice: Invoice, totals: Totals) -> None:
    """Count the totals of a document, which are negative on a credit note."""
    if invoice.issued_on is None or invoice.consumed_in is None:
        return
    _, ends_on = Quarter.holding(invoice.issued_on).days
    for part in totals.per_rate:
        key = ends_on, invoice.consumed_in, part.rate.percent.normalize(), invoice.currency
        base, vat = sums.get(key, (0, 0))
        sums[key] = base + part.base_minor, vat + part.vat_minor


async def _declared(session: AsyncSession, key: _Key, base_minor: int, vat_minor: int) -> Declared:
    ends_on, state, percent, currency = key
    rate = None if currency == EUR else await last_rate(session, currency, ends_on)
    per_eur = Decimal(1) if currency == EUR else rate.per_eur if rate else None
    return Declared(
        quarter=str(Quarter.holding(ends_on)),
        state=state,
        percent=percent,
        currency=currency,
        base_minor=base_minor,
        vat_minor=vat_minor,
        base_eur_minor=None if per_eur is None else to_eur_minor(base_minor, currency, per_eur),
        vat_eur_minor=None if per_eur is None else to_eur_minor(vat_minor, currency, per_eur),
    )


def _of(entity_id: str, clock_id: str | None) -> tuple[ColumnElement[bool], ...]:
    here = col(Invoice.clock_id).is_(None) if clock_id is None else col(Invoice.clock_id) == clock_id
    return (
        col(Invoice.entity_id) == entity_id,
        here,
        col(Invoice.number).is_not(None),
        col(Invoice.consumed_in).is_not(None),
    )


def _days(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, _DECEMBER, 31)


def _in_eur(currency: str, per_eur: Decimal | None, amount_minor: int) -> int:
    if currency == EUR or per_eur is None:
        return int(amount_minor) if currency == EUR else 0
    return to_eur_minor(int(amount_minor), currency, per_eur)
