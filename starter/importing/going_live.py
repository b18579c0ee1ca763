"""Going live: rows become customers, subscriptions and what is owed, chunk by chunk, and their workflows start.

Each chunk is one transaction over whole customers. Whatever breaks off is gone on with by the same command: what is
live is left alone, a workflow that was not started is started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from sqlmodel import col, select

from activities.books.rows import get, lock
from billing.errors import InvalidInput
from billing.values import Value
from models.tables import (
    BatchState,
    ImportBatch,
    ImportKind,
    ImportRow,
    LegalEntity,
    RowState,
    SubscriptionRow,
    TestClock,
)
from starter.connections import Connections
from starter.customers import make_at_provider
from starter.documents import check_live
from starter.executions import start_subscription
from starter.importing.drafts import Drafting
from starter.importing.files import Problem, SourceRow
from starter.importing.known import Parsed, in_parts, read_known
from starter.importing.lookups import Facts, look_up
from starter.importing.staging import Source, preview_all
from starter.importing.stock import Draft, Stock
from starter.importing.writing import Writer

CHUNK: Final = 100
"""Rows in one transaction, or as many as one customer has."""
AT_ONCE: Final = 20
"""Workflows started at a time."""
OFFERS: Final = (ImportKind.PLAN, ImportKind.COUPON)


class WentLive(Value):
    """What a batch became."""

    batch_id: str
    live: dict[str, int]
    """Rows of the batch that are live, by kind; those of an earlier run too."""
    refused: int
    problems: tuple[Problem, ...]


class HasProblems(InvalidInput):
    """Rows of a batch are refused, and nobody said that the others go live without them."""


async def go_live(to: Connections, batch_id: str, *, without_refused: bool) -> WentLive:
    """Make a batch live; see `Imports.go_live`."""
    await to.temporal()  # before anything is written: what lives needs its workflow
    batch, entity, drafts = await _look_again(to, batch_id)
    check_live(entity, to.settings, batch.clock_id)
    problems = [problem for draft in drafts for problem in draft.problems]
    refused = len({(one.file, one.line) for one in problems}) + len(batch.problems)
    if refused and not without_refused:
        raise HasProblems(
            f"{refused} rows of this batch are refused; see them: relance import show {batch.id}. Mend them and stage "
            "again, or let the others go live without them: --without-refused",
            field="batch",
        )
    await _begin(to, batch.id)
    await _keep_refusals(to, batch.id, drafts)
    for chunk in _chunks([draft for draft in drafts if not draft.problems]):
        await _make_provider_customers(to, chunk)
        async with to.database.write() as session:
            await lock(session, ImportBatch, batch.id, field="batch")
            now = await to.now(session, batch.clock_id)
            await Writer(session, to, entity, now).write(chunk)
        await _start_workflows(to, batch)
    await _start_workflows(to, batch)
    return await _finish(to, batch.id, tuple(problems))


async def _look_again(to: Connections, batch_id: str) -> tuple[ImportBatch, LegalEntity, list[Draft]]:
    """The rows that are not live, as they stand today: a date may have come, a subscription may renew again."""
    async with to.database.read() as session:
        batch = await get(session, ImportBatch, batch_id, field="batch")
        if batch.state in (BatchState.UNDOING, BatchState.UNDONE):
            raise InvalidInput(
                f"Batch {batch.id} was undone. Stage its files again: relance import stage {batch.folder}",
                field="batch",
            )
        entity = await get(session, LegalEntity, batch.entity_id, field="entity")
        query = select(ImportRow).where(
            ImportRow.batch_id == batch.id, col(ImportRow.state).in_((RowState.STAGED, RowState.REFUSED))
        )
        rows = (await session.exec(query.order_by(col(ImportRow.file), col(ImportRow.line)))).all()
        parsed = [_parsed(Source(batch.source), row) for row in rows]
        now = await to.now(session, batch.clock_id)
        known = await read_known(session, entity, batch.clock_id, now, parsed)
    before = {(row.kind, row.key): Facts.model_validate(row.facts) for row in rows}
    heard = {**before, **await look_up(to, entity, batch.clock_id, parsed, before)}
    stock = Stock(known, heard, to.rules.rates)
    drafts = Drafting(stock, heard, to.settings).draft_all(parsed)
    preview_all(stock, drafts)
    return batch, entity, drafts


def _parsed(source: Source, row: ImportRow) -> Parsed:
    line = source.formats[row.kind].model_validate(row.content)
    return SourceRow(row.kind, row.file, row.line, {}), line


async def _begin(to: Connections, batch_id: str) -> None:
    async with to.database.write() as session:
        batch = await lock(session, ImportBatch, batch_id, field="batch")
        if batch.state is BatchState.STAGED:
            batch.state = BatchState.GOING_LIVE


async def _keep_refusals(to: Connections, batch_id: str, drafts: Sequence[Draft]) -> None:
    """What is refused today, though it was not when it was staged."""
    wrong = {draft.key: draft for draft in drafts if draft.problems}
    async with to.database.write() as session:
        query = select(ImportRow).where(ImportRow.batch_id == batch_id, ImportRow.state != RowState.LIVE)
        for row in (await session.exec(query)).all():
            draft = wrong.get((row.kind, row.key))
            if draft is not None:
                row.state, row.subject_id = RowState.REFUSED, None
                row.problems = [problem.model_dump() for problem in draft.problems]


def _chunks(drafts: Iterable[Draft]) -> list[list[Draft]]:
    """Offers first; then all that one customer has together, some customers at a time."""
    offers = [draft for draft in drafts if draft.source.kind in OFFERS]
    by_customer: dict[str, list[Draft]] = {}
    for draft in drafts:
        owner = _owner(draft)
        if owner is not None:
            by_customer.setdefault(owner, []).append(draft)
    chunks, present = ([offers] if offers else []), list[Draft]()
    for mine in by_customer.values():
        present += mine
        if len(present) >= CHUNK:
            chunks.append(present)
            present = []
    return [*chunks, present] if present else chunks


def _owner(draft: Draft) -> str | None:
    if draft.customer is not None:
        return draft.customer.id
    return draft.subscription.customer_id if draft.subscription is not None else None


async def _make_provider_customers(to: Connections, chunk: Sequence[Draft]) -> None:
    """Who is not known to the provider yet is made known there, before anything is written here."""
    for draft in chunk:
        customer = draft.customer
        is_new = draft.source.kind is ImportKind.CUSTOMER
        if not is_new or customer is None or customer.provider_id is not None:
            continue
        clock = None
        if customer.clock_id is not None:
            async with to.database.read() as session:
                clock = await get(session, TestClock, customer.clock_id, field="clock")
        email = customer.contacts[0]["email"]
        customer.provider_id = await make_at_provider(to, customer.id, customer.name, email, clock)


async def _start_workflows(to: Connections, batch: ImportBatch) -> None:
    """Start whatever is live and was not started, also by a run that broke off."""
    async with to.database.read() as session:
        query = (
            select(ImportRow.id, SubscriptionRow)
            .join(SubscriptionRow, col(ImportRow.subject_id) == col(SubscriptionRow.id))
            .where(
                ImportRow.batch_id == batch.id,
                ImportRow.kind == ImportKind.SUBSCRIPTION,
                ImportRow.state == RowState.LIVE,
                col(ImportRow.started_at).is_(None),
            )
        )
        waiting = (await session.exec(query)).all()
        now = await to.now(session, batch.clock_id)
    if not waiting:
        return
    temporal, limit = await to.temporal(), asyncio.Semaphore(AT_ONCE)

    async def start(row: SubscriptionRow) -> None:
        async with limit:
            at = now if row.clock_id is not None else None
            await start_subscription(temporal, to.settings, row.state, now=at, look_first=True)

    await asyncio.gather(*(start(row) for _, row in waiting))
    async with to.database.write() as session:
        for some in in_parts([row_id for row_id, _ in waiting], CHUNK):
            query_started = select(ImportRow).where(col(ImportRow.id).in_(some))
            for row in (await session.exec(query_started)).all():
                row.started_at = now


async def _finish(to: Connections, batch_id: str, problems: tuple[Problem, ...]) -> WentLive:
    async with to.database.write() as session:
        batch = await lock(session, ImportBatch, batch_id, field="batch")
        now = await to.now(session, batch.clock_id)
        batch.state, batch.live_at = BatchState.LIVE, batch.live_at or now
        query = select(ImportRow.kind).where(ImportRow.batch_id == batch_id, ImportRow.state == RowState.LIVE)
        kinds = (await session.exec(query)).all()
    return WentLive(
        batch_id=batch_id,
        live={kind.value: kinds.count(kind) for kind in ImportKind if kind in kinds},
        refused=len({(one.file, one.line) for one in problems}) + len(batch.problems),
        problems=problems,
    )
