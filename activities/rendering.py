"""Documents become files behind the back of billing, within the hour, and are kept for ever (rules 15).

Nothing waits for a rendering. What was issued and has no file yet is found by looking for it; a document that cannot be
rendered is written down with its error and tried again later, and holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import and_, or_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.issued import issued_documents
from activities.books.printing import printed_document
from documents.pdf import Typesetter
from documents.rendering import Rendered, render
from models.database import Database
from models.tables import RenderedDocument, RenderingState

logger = logging.getLogger(__name__)

AT_ONCE: Final = 50
"""Documents that are looked for at a time."""
LOOK_SECONDS: Final = 2.0
"""Between two looks when nothing was found."""
SPARING: Final = 20.0
"""A look rests for so many times as long as it took: the more documents there are, the rarer it looks."""
LONGEST_ERROR: Final = 500
LONGEST_PAUSE: Final = timedelta(minutes=30)
"""Between two tries: a document that fails for a while is there within the hour all the same."""


def pause_after(tries: int) -> timedelta:
    """The wait before another try: 10 s, doubled each time, at most 30 minutes."""
    return min(timedelta(seconds=10 * 2 ** min(tries - 1, 10)), LONGEST_PAUSE)


class Renderings:
    """Renders issued documents, keeps the files, and gives them out."""

    def __init__(
        self,
        database: Database,
        *,
        folder: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Read template and fonts.

        Args:
            database: the books.
            folder: the seller's own template, logo and fonts.
            now: real time: files are kept by it also on a test clock.

        Raises:
            CannotTypeset: the folder does not exist.
        """
        self._database = database
        self._typesetter = Typesetter(folder)
        self._now = now

    async def file_of(self, document_id: str) -> RenderedDocument:
        """The file of a document; one that was not rendered yet is rendered now, and kept.

        Raises:
            NotFound: there is no such document.
            NotIssued: it is a draft.
            RelanceError: it cannot be rendered; the message says why.
        """
        async with self._database.read() as session:
            kept = await session.get(RenderedDocument, document_id)
            if kept is not None and kept.state is RenderingState.RENDERED:
                return kept
        return await self._render(document_id)

    async def render_waiting(self, limit: int = AT_ONCE) -> int:
        """Render what has no file yet.

        Args:
            limit: documents to try at most.

        Returns:
            How many were tried.
        """
        async with self._database.read() as session:
            waiting = await _waiting(session, limit, self._now())
        for document_id in waiting:
            try:
                await self._render(document_id)
            except Exception as problem:
                logger.warning("Document %s could not be rendered.", document_id, exc_info=True)
                await self._write_down_failure(document_id, problem)
        return len(waiting)

    @asynccontextmanager
    async def meanwhile(self) -> AsyncIterator[None]:
        """Render in the background while the block runs; what was begun at its end is finished."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._keep_rendering(stop))
        try:
            yield
        finally:
            stop.set()
            with suppress(Exception):
                await asyncio.shield(task)

    async def _keep_rendering(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            began = time.monotonic()
            tried = 0
            try:
                tried = await self.render_waiting(limit=10)
            except Exception:  # the database is away; mails go on, and so does this
                logger.exception("Documents could not be looked for; trying again.")
            if not tried:
                rest = max(LOOK_SECONDS, SPARING * (time.monotonic() - began))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), rest)

    async def _render(self, document_id: str) -> RenderedDocument:
        async with self._database.read() as session:
            document = await printed_document(session, document_id)
        rendered = await asyncio.to_thread(render, document, self._typesetter)
        try:
            return await self._keep(document_id, rendered)
        except IntegrityError:  # somebody else wrote its first row in this moment
            return await self._keep(document_id, rendered)

    async def _keep(self, document_id: str, rendered: Rendered) -> RenderedDocument:
        """The first file is the one that is kept, whoever else rendered the same document meanwhile."""
        async with self._database.write() as session:
            row = await _locked(session, document_id)
            if row.state is RenderingState.RENDERED:
                return row
            row.state = RenderingState.RENDERED
            row.content, row.sha256 = rendered.content, rendered.sha256
            row.form, row.template_version = rendered.form.value, rendered.version
            row.rendered_at, row.next_try_at, row.last_error = self._now(), None, ""
            row.tries += 1
            return row

    async def _write_down_failure(self, document_id: str, problem: Exception) -> None:
        async with self._database.write() as session:
            row = await _locked(session, document_id)
            if row.state is not RenderingState.RENDERED:
                row.tries += 1
                row.last_error = (str(problem) or repr(problem))[:LONGEST_ERROR]
                row.next_try_at = self._now() + pause_after(row.tries)


async def _locked(session: AsyncSession, document_id: str) -> RenderedDocument:
    """The row of a document, written if there is none; two at once: the second waits for the first."""
    row = await session.get(RenderedDocument, document_id, with_for_update=True)
    if row is None:
        row = RenderedDocument(document_id=document_id, state=RenderingState.FAILED)
        session.add(row)
    return row


async def _waiting(session: AsyncSession, limit: int, now: datetime) -> list[str]:
    """Ids of issued documents without a file whose turn it is, first issued first."""
    issued = issued_documents()
    is_rendered = col(RenderedDocument.state) == RenderingState.RENDERED
    waits = and_(
        col(RenderedDocument.state) == RenderingState.FAILED, col(RenderedDocument.next_try_at) > now
    )
    settled = select(RenderedDocument.document_id).where(
        RenderedDocument.document_id == issued.c.id, or_(is_rendered, waits)
    )
    query = (
        select(issued.c.id).where(~settled.exists()).order_by(issued.c.issued_at, issued.c.id).limit(limit)
    )
    return [str(found) for found in (await session.exec(query)).all()]
