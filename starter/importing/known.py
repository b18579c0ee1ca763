"""What the books know already of what an import names, read at once and not row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from sqlmodel import SQLModel, col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.journal import BALANCE
from activities.books.one_stop_shop import threshold_is_passed
from activities.vat_checks import proof_of
from billing.calendar import local_date
from billing.taxation import NumberProof
from models.tables import (
    Coupon,
    Customer,
    ImportKind,
    ImportRow,
    Invoice,
    JournalLine,
    LegalEntity,
    MandateRow,
    PaymentMethod,
    Plan,
    SubscriptionRow,
)
from starter.finding import Named
from starter.importing.files import SourceRow
from starter.importing.formats import DebtLine, Line, MandateLine, MethodLine

Table = TypeVar("Table", bound=SQLModel)
Item = TypeVar("Item")
Parsed = tuple[SourceRow, Line]
AT_ONCE: Final = 500
"""Names in one query."""


@dataclass
class Known:
    """The books as far as they matter.

    Attributes:
        entity: the seller.
        clock_id: the test clock on which new customers live.
        now: the business instant.
        plans: on offer, by reference and by id; customers and subscriptions likewise.
        coupons: by code.
        at_provider: ids of customers, by the provider's.
        numbers: invoices by number.
        methods: ids of customers, by the provider's id of a payment method of theirs.
        mandates: those of customers who are in the books, by the provider's id.
        rows: what was read before, by kind and key.
        free: balance of customers, by id and currency.
        proofs: what is known of the VAT numbers of customers who are in the books, by id.
        threshold_passed: whether sales across borders are taxed where the buyer is.
    """

    entity: LegalEntity
    clock_id: str | None
    now: datetime
    plans: dict[str, Plan] = field(default_factory=dict)
    coupons: dict[str, Coupon] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, SubscriptionRow] = field(default_factory=dict)
    at_provider: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    mandates: dict[str, MandateRow] = field(default_factory=dict)
    rows: dict[tuple[ImportKind, str], ImportRow] = field(default_factory=dict)
    free: dict[tuple[str, str], int] = field(default_factory=dict)
    proofs: dict[str, NumberProof] = field(default_factory=dict)
    threshold_passed: bool = False


async def read_known(
    session: AsyncSession, entity: LegalEntity, clock_id: str | None, now: datetime, parsed: Sequence[Parsed]
) -> Known:
    """Everything that these lines name, as the books have it."""
    named = _named(parsed)
    known = Known(entity, clock_id, now)
    known.plans = await _by_name(session, Plan, entity, named["plan"])
    known.coupons = await _by_name(session, Coupon, entity, named["coupon"])
    known.customers = await _by_name(session, Customer, entity, named["customer"])
    known.subscriptions = await _by_name(session, SubscriptionRow, entity, named["subscription"])
    for customer in await _where(session, Customer, "provider_id", named["stripe_customer"]):
        known.at_provider[customer.provider_id or ""] = customer.id
    for invoice in await _where(session, Invoice, "number", named["number"]):
        if invoice.entity_id == entity.id and invoice.number is not None:
            known.numbers[invoice.number] = invoice.id
    for method in await _where(session, PaymentMethod, "provider_id", named["method"]):
        known.methods[method.provider_id] = method.customer_id
    theirs = {customer.id for customer in known.customers.values()}
    for mandate in await _where(session, MandateRow, "customer_id", theirs):
        known.mandates[mandate.provider_id] = mandate
    rows = await session.exec(select(ImportRow).where(ImportRow.entity_id == entity.id))
    known.rows = {(row.kind, row.key): row for row in rows.all()}
    known.free = await _free(session, theirs)
    for customer in known.customers.values():
        if customer.vat_number and (proof := await proof_of(session, customer)) is not None:
            known.proofs[customer.id] = proof
    year = local_date(now, entity.timezone).year
    known.threshold_passed = await threshold_is_passed(
        session, entity_id=entity.id, clock_id=clock_id, year=year
    )
    return known


def in_parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The same items, some at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _named(parsed: Sequence[Parsed]) -> Mapping[str, set[str]]:
    """All references in the lines, by what they refer to."""
    names = ("plan", "coupon", "customer", "subscription", "number", "method", "stripe_customer")
    found: dict[str, set[str]] = {name: set() for name in names}
    for source, line in parsed:
        if source.kind.value in found:
            found[source.kind.value].add(line.key)
        for name in ("plan", "coupon", "customer", "subscription", "stripe_customer"):
            value = getattr(line, name, None)
            if value is not None:
                found[name].add(value)
        match line:
            case DebtLine():
                found["number"].add(line.number)
            case MethodLine() | MandateLine():
                found["method"].add(line.payment_method)
            case _:
                pass
    return found


async def _by_name(
    session: AsyncSession, table: type[Named], entity: LegalEntity, names: Iterable[str]
) -> dict[str, Named]:
    """Rows of a seller by the caller's reference and by id; a reference goes before an id that reads the same."""
    wanted = set(names)
    by_id: list[Named] = await _where(session, table, "id", wanted)
    by_reference: list[Named] = await _where(session, table, "reference", wanted)
    named: dict[str, Named] = {row.id: row for row in by_id if row.entity_id == entity.id}
    named.update({row.reference: row for row in by_reference if row.entity_id == entity.id and row.reference})
    return named


async def _where(
    session: AsyncSession, table: type[Table], column: str, values: Iterable[str]
) -> list[Table]:
    found: list[Table] = []
    for some in in_parts(sorted(values), AT_ONCE):
        found += (await session.exec(select(table).where(col(getattr(table, column)).in_(some)))).all()
    return found


async def _free(session: AsyncSession, customer_ids: Iterable[str]) -> dict[tuple[str, str], int]:
    """What the journal says that we hold for them."""
    held: dict[tuple[str, str], int] = {}
    for some in in_parts(sorted(customer_ids), AT_ONCE):
        query = (
            select(JournalLine.customer_id, JournalLine.currency, func.sum(JournalLine.amount_minor))
            .where(col(JournalLine.customer_id).in_(some), JournalLine.account == BALANCE)
            .group_by(JournalLine.customer_id, JournalLine.currency)
        )
        for customer_id, currency, total in (await session.exec(query)).all():
            held[customer_id, currency] = max(0, -int(total))
    return held
