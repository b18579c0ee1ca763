"""Bringing in customers, their debts and running subscriptions from another billing system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from activities.books.rows import get
from billing.errors import InvalidInput
from billing.values import Value
from models.tables import ImportBatch, ImportKind, ImportRow, RowState
from starter.connections import Connections
from starter.importing.files import Problem
from starter.importing.going_live import WentLive, go_live
from starter.importing.staging import Source, Staged, stage
from starter.importing.undoing import Undone, undo


class ToCome(Value):
    """What a subscription of a batch will be billed next."""

    reference: str
    customer: str
    file: str
    line: int
    state: RowState
    next_invoice: dict[str, Any] | None = None
    """As in `NextInvoice`: date, lines, amounts. For what is live already, as it was staged."""
    why_none: str = ""
    """Why none comes."""


class BatchShown(Value):
    """A batch as it stands."""

    batch: ImportBatch
    counts: dict[str, dict[str, int]]
    """Rows by kind and state."""
    problems: tuple[Problem, ...]
    to_come: tuple[ToCome, ...]


class Imports:
    """Looked at first, live by command, undone while nothing was billed. Each step is safe to repeat."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def stage(
        self,
        folder: Path,
        *,
        source: Source = Source.CSV,
        entity: str | None = None,
        clock: str | None = None,
        by: str = "api",
    ) -> Staged:
        """Look at the files of a folder: what each row becomes, what it will be billed next, and every problem.

        Bills nothing, mails nothing and starts nothing. Staged again, rows that are the same stay as they are; what is
        live is never changed.

        Args:
            folder: with the files that docs/import.md describes.
            source: whose files they are.
            entity: the seller, where there are several.
            clock: a test clock on which all of it is to live: a rehearsal.
            by: who asks.

        Raises:
            InvalidInput: there is nothing to read, or another import broke off half way.
            NotFound: no such entity or clock.
            ProviderUnavailable, ProviderMisconfigured: rows name something at Stripe, and it can't be asked.
        """
        return await stage(self._to, folder, source=source, entity=entity, clock=clock, by=by)

    async def go_live(self, batch_id: str, *, without_refused: bool = False) -> WentLive:
        """Make a batch live: its subscriptions are billed from their next period on.

        All is looked at again first. Broken off half way, the same call goes on and completes it.

        Args:
            batch_id: what was staged.
            without_refused: rows with problems stay behind; else one of them holds back everything.

        Raises:
            NotFound: there is no such batch.
            HasProblems: rows are refused.
            InvalidInput: it was undone.
            TemporalUnreachable: run it again once Temporal is there.
        """
        return await go_live(self._to, batch_id, without_refused=without_refused)

    async def undo(self, batch_id: str) -> Undone:
        """Take a batch back, while nothing of it was billed: its subscriptions end here without a word to anybody.

        Staged batches are forgotten. Broken off half way, the same call goes on.

        Raises:
            NotFound: there is no such batch.
            BilledAlready: the first invoice was written, something was charged, or a balance was used.
        """
        return await undo(self._to, batch_id)

    async def list(self) -> Sequence[ImportBatch]:
        """Every batch, newest first."""
        async with self._to.database.read() as session:
            query = select(ImportBatch).order_by(col(ImportBatch.staged_at).desc(), col(ImportBatch.id))
            return (await session.exec(query)).all()

    async def show(self, batch_id: str) -> BatchShown:
        """One batch: how many rows, every problem, and each subscription's next invoice.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            batch = await get(session, ImportBatch, batch_id, field="batch")
            query = select(ImportRow).where(ImportRow.batch_id == batch_id)
            rows = (await session.exec(query.order_by(col(ImportRow.file), col(ImportRow.line)))).all()
        problems = [*batch.problems, *(problem for row in rows for problem in row.problems)]
        counts: dict[str, dict[str, int]] = {}
        for row in rows:
            of_kind = counts.setdefault(row.kind.value, {})
            of_kind[row.state.value] = of_kind.get(row.state.value, 0) + 1
        to_come = (_to_come(row) for row in rows if row.kind is ImportKind.SUBSCRIPTION and row.preview)
        return BatchShown(
            batch=batch,
            counts=counts,
            problems=tuple(
                sorted(map(Problem.model_validate, problems), key=lambda one: (one.file, one.line))
            ),
            to_come=tuple(to_come),
        )


def _to_come(row: ImportRow) -> ToCome:
    why = row.preview.get("none", "")
    return ToCome(
        reference=row.key,
        customer=row.content["customer"],
        file=row.file,
        line=row.line,
        state=row.state,
        next_invoice=None if why else row.preview,
        why_none=why,
    )


def source_named(name: str) -> Source:
    """Whose files are meant.

    Raises:
        InvalidInput: nobody's whom we know; field `from`.
    """
    try:
        return Source(name)
    except ValueError:
        raise InvalidInput(
            f"Nothing is imported from {name!r}. Take {' or '.join(Source)}.", field="from"
        ) from None
