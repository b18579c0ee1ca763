"""Staging: every row looked at, what would become of it shown, and nothing billed, charged or mailed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.previewing import next_invoice
from activities.books.rows import get
from billing.errors import InvalidInput, RelanceError
from billing.takeover import why_no_invoice
from billing.upcoming import next_issue
from billing.values import Value
from models.ids import derived_id, new_id
from models.tables import (
    BatchState,
    ImportBatch,
    ImportKind,
    ImportRow,
    LegalEntity,
    RowState,
    TestClock,
)
from starter.connections import Connections
from starter.finding import in_one_transaction, the_entity
from starter.importing.drafts import Drafting
from starter.importing.files import Columns, Problem, SourceRow, read_folder
from starter.importing.formats import FORMATS, Line, columns_of, digest_of, line_of
from starter.importing.known import Known, Parsed, read_known
from starter.importing.lookups import Facts, look_up
from starter.importing.stock import Draft, Key, Stock
from starter.importing.stripe_export import STRIPE_FORMATS, as_ours, stripe_columns
from starter.importing.undoing import forget


class Source(StrEnum):
    """Whose files they are."""

    CSV = "csv"
    STRIPE = "stripe"

    @property
    def formats(self) -> Mapping[ImportKind, type[Line]]:
        """What a line of each file says."""
        return STRIPE_FORMATS if self is Source.STRIPE else FORMATS

    def columns(self) -> dict[ImportKind, Columns]:
        """What each file may have."""
        by = stripe_columns if self is Source.STRIPE else columns_of
        return {kind: by(kind) for kind in ImportKind}


class Staged(Value):
    """What staging found."""

    batch_id: str | None
    """None where everything is live already."""
    created: int
    changed: int
    same: int
    removed: int
    """Rows that were staged before and are not in the files any more."""
    refused: int
    """Rows with problems; they count above too, where they can be read."""
    problems: tuple[Problem, ...]


_UNDER_WAY: Final = (BatchState.GOING_LIVE, BatchState.UNDOING)
STAYS: Final = "It is live since {on:%Y-%m-%d} and stays as it is: an import changes nothing that lives. "
_CHANGE_IT: Final = "Undo its batch {batch} while nothing was billed, or change it by command."


async def stage(
    to: Connections, folder: Path, *, source: Source, entity: str | None, clock: str | None, by: str
) -> Staged:
    """Look at all files of a folder and keep what was found; see `Imports.stage`."""
    place = await asyncio.to_thread(folder.resolve)
    rows, problems = await asyncio.to_thread(read_folder, place, source.columns())
    parsed, refused = _parse(source, rows, problems)
    async with to.database.read() as session:
        seller = await the_entity(session, entity)
        await _check_free(session, seller, clock)
        known = await read_known(session, seller, clock, await to.now(session, clock), parsed)
    coming, live_changes = _coming(known, parsed)
    before = {key: Facts.model_validate(row.facts) for key, row in known.rows.items()}
    heard = await look_up(to, seller, clock, coming, before)
    stock = Stock(known, heard, to.rules.rates)
    drafts = Drafting(stock, heard, to.settings).draft_all(coming, refused)
    previews = preview_all(stock, drafts)
    count = _Count(known, parsed)
    unread = [problem.model_dump() for problem in (*problems, *live_changes)]

    async def write(session: AsyncSession) -> tuple[str | None, int]:
        await _check_free(session, seller, clock)
        batch = await _batch(session, known, source, str(place), by)
        batch.problems = unread
        removed = await _write(session, batch, drafts, previews)
        if drafts or unread:
            return batch.id, removed
        await session.delete(batch)
        return None, removed

    batch_id, removed = await in_one_transaction(to.database, write)
    unclean = [problem for draft in drafts for problem in draft.problems]
    everything = sorted((*problems, *live_changes, *unclean), key=lambda one: (one.file, one.line))
    return Staged(
        batch_id=batch_id,
        created=count.created,
        changed=count.changed,
        same=count.same,
        removed=removed,
        refused=len({(problem.file, problem.line) for problem in everything}),
        problems=tuple(everything),
    )


def _parse(
    source: Source, rows: Sequence[SourceRow], problems: list[Problem]
) -> tuple[list[Parsed], list[SourceRow]]:
    """The rows that can be read, each name once, and those that can't."""
    parsed: list[Parsed] = []
    refused: list[SourceRow] = []
    first: dict[Key, int] = {}
    for row in rows:
        ours = as_ours(row) if source is Source.STRIPE else row
        if ours is None:
            continue
        line = line_of(ours, source.formats)
        if isinstance(line, list):
            problems += line
            refused.append(ours)
            continue
        key = (ours.kind, line.key)
        if key in first:
            problems.append(
                ours.problem(f"{line.key} is on line {first[key]} already: one of the two is enough.")
            )
            continue
        first[key] = ours.line
        parsed.append((ours, line))
    return parsed, refused


async def _check_free(session: AsyncSession, entity: LegalEntity, clock: str | None) -> None:
    if clock is not None:
        await get(session, TestClock, clock, field="clock")
    query = select(ImportBatch).where(
        ImportBatch.entity_id == entity.id, col(ImportBatch.state).in_(_UNDER_WAY)
    )
    batch = (await session.exec(query)).first()
    if batch is not None:
        verb = "go-live" if batch.state is BatchState.GOING_LIVE else "undo"
        raise InvalidInput(
            f"Batch {batch.id} broke off half way. Let it come to its end first: relance import {verb} {batch.id}",
            field="batch",
        )


def _coming(known: Known, parsed: Sequence[Parsed]) -> tuple[list[Parsed], list[Problem]]:
    """The rows that are not live; and what is said of those that are, and were changed in the file."""
    coming: list[Parsed] = []
    problems: list[Problem] = []
    for source, line in parsed:
        row = known.rows.get((source.kind, line.key))
        if row is None or row.state is not RowState.LIVE:
            coming.append((source, line))
        elif row.digest != digest_of(line):
            on = row.live_at or known.now
            problems.append(source.problem(f"{STAYS.format(on=on)}{_CHANGE_IT.format(batch=row.batch_id)}"))
    return coming, problems


class _Count:
    """How the files differ from what was read before. What was undone comes anew."""

    def __init__(self, known: Known, parsed: Sequence[Parsed]) -> None:
        self.created = self.changed = self.same = 0
        for source, line in parsed:
            row = known.rows.get((source.kind, line.key))
            if row is None or row.state is RowState.UNDONE:
                self.created += 1
            elif row.digest == digest_of(line):
                self.same += 1
            else:
                self.changed += 1


def preview_all(stock: Stock, drafts: Sequence[Draft]) -> dict[Key, dict[str, Any]]:
    """The next invoice of each subscription, earliest first, since they share the balances of their customers."""
    found: dict[Key, dict[str, Any]] = {}
    due = []
    for draft in drafts:
        sub = draft.subscription if draft.source.kind is ImportKind.SUBSCRIPTION else None
        if sub is None or draft.problems:
            continue
        issue = next_issue(sub)
        if issue is None:
            found[draft.key] = {"none": why_no_invoice(sub)}
        else:
            due.append((issue.period.start, draft.source.line, draft))
    for on, _, draft in sorted(due, key=lambda one: one[:2]):
        try:
            found[draft.key] = _preview(stock, draft, on)
        except RelanceError as error:
            draft.problems.append(draft.source.problem(error.message, field=error.field))
            _refuse_debts(drafts, draft)
    return found


def _refuse_debts(drafts: Sequence[Draft], refused: Draft) -> None:
    """What belongs to a subscription goes where it goes."""
    for draft in drafts:
        if draft.debt is not None and draft.subscription is refused.subscription:
            draft.problems.append(
                draft.source.problem("Its subscription is refused: mend that first.", field="subscription")
            )


def _preview(stock: Stock, draft: Draft, on: date) -> dict[str, Any]:
    sub, customer = draft.subscription, draft.customer
    if sub is None or customer is None:
        return {}
    account = (customer.id, sub.terms.currency)
    free = stock.balances.get(account, 0)
    coming = next_invoice(sub, stock.treatment(customer, on), free_balance_minor=free)
    if coming is None:
        return {}
    stock.balances[account] = free - coming.from_balance_minor
    return coming.model_dump(mode="json")


async def _batch(session: AsyncSession, known: Known, source: Source, place: str, by: str) -> ImportBatch:
    """The batch that this folder is staged in: staged again it is the same."""
    query = select(ImportBatch).where(
        ImportBatch.entity_id == known.entity.id,
        ImportBatch.folder == place,
        ImportBatch.state == BatchState.STAGED,
    )
    batch = (await session.exec(query.with_for_update(key_share=True))).first()
    if batch is None:
        batch = ImportBatch(
            id=new_id("imp"), entity_id=known.entity.id, source=source, folder=place, staged_at=known.now
        )
        session.add(batch)
    batch.source, batch.clock_id, batch.by, batch.staged_at = source, known.clock_id, by, known.now
    return batch


async def _write(
    session: AsyncSession,
    batch: ImportBatch,
    drafts: Sequence[Draft],
    previews: Mapping[Key, dict[str, Any]],
) -> int:
    """Keep what was found; what is not in the files any more is forgotten, unless it lives.

    Returns:
        How many rows were forgotten.
    """
    query = select(ImportRow).where(ImportRow.entity_id == batch.entity_id)
    there = {(row.kind, row.key): row for row in (await session.exec(query)).all()}
    for draft in drafts:
        row = there.pop(draft.key, None)
        found = _found(batch, draft, previews.get(draft.key, {}))
        if row is None:
            kind, key = draft.key
            row_id = derived_id("row", batch.entity_id, kind.value, key)
            session.add(ImportRow(id=row_id, entity_id=batch.entity_id, kind=kind, key=key, **found))
        elif row.state is not RowState.LIVE:  # else since a moment ago
            for name, value in found.items():
                setattr(row, name, value)
    staged = (RowState.STAGED, RowState.REFUSED)
    gone = [row for row in there.values() if row.batch_id == batch.id and row.state in staged]
    for row in gone:
        await forget(session, row)
    return len(gone)


def _found(batch: ImportBatch, draft: Draft, preview: dict[str, Any]) -> dict[str, Any]:
    """The columns of a row that follow from what was found."""
    return {
        "batch_id": batch.id,
        "file": draft.source.file,
        "line": draft.source.line,
        "content": draft.line.model_dump(mode="json"),
        "digest": digest_of(draft.line),
        "facts": draft.facts.model_dump(mode="json", exclude_defaults=True),
        "problems": [problem.model_dump() for problem in draft.problems],
        "preview": preview,
        "state": RowState.REFUSED if draft.problems else RowState.STAGED,
        "subject_id": None if draft.problems else draft.subject_id,
    }
