"""Documents as files, and whether a seller may issue any: what finance and auditors ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from activities.books.issued import IssuedDocument, find_issued, list_issued
from activities.books.issuing import seller_of
from activities.books.rows import NotFound, lock
from activities.rendering import Renderings
from billing.errors import InvalidInput, RelanceError
from billing.values import Value
from documents.document import DocumentForm
from documents.mentions import Missing, check_entity_ready, missing_of_seller
from documents.rendering import structured_part
from models.tables import CreditNote, Customer, Invoice, LegalEntity
from models.tax_identity import check_seller
from settings import Settings
from starter.connections import Connections
from starter.finding import find, the_entity
from starter.orders import EntityChange


class EntityNotLive(RelanceError):
    """Real money was to be asked for by a seller that was not found ready to."""


class DocumentFile(Value):
    """An invoice or credit note as a file."""

    document_id: str
    number: str
    form: str
    """`facturx-fr`, `facturx` or `plain`: also the folder of an export."""
    sha256: str
    template_version: str
    content: bytes

    @property
    def name(self) -> str:
        """A safe name of the file."""
        kept = (c if c.isascii() and (c.isalnum() or c in "-_+") else "_" for c in self.number)
        return f"{''.join(kept)}.pdf"


class Exported(Value):
    """What an export wrote."""

    files: tuple[str, ...]
    """Relative to the folder, in the order of issue."""
    failed: tuple[str, ...]
    """`number: reason` of each that could not be rendered."""


class EntityStanding(Value):
    """Whether a seller can issue lawful documents."""

    entity_id: str
    name: str
    is_live: bool
    missing: tuple[Missing, ...]


class Documents:
    """What was issued, as files; and the sellers that issue it."""

    def __init__(self, to: Connections) -> None:
        self._to = to
        self._renderings: Renderings | None = None

    async def file(self, key: str) -> DocumentFile:
        """The file of an invoice or credit note; one that was not rendered yet is rendered now, and kept.

        Args:
            key: an id, or a number where only one seller has given it.

        Raises:
            NotFound: there is no such document, or it is a draft.
            InvalidInput: several sellers have given that number.
        """
        async with self._to.database.read() as session:
            found = await find_issued(session, key)
        if not found:
            raise NotFound(f"There is no issued invoice or credit note {key}.", field="document")
        if len(found) > 1:
            ids = " or ".join(sorted(document.id for document in found))
            raise InvalidInput(
                f"Several sellers have a document {key}. Name it by its id: {ids}.", field="document"
            )
        return await self._file(found[0])

    async def owner(self, key: str) -> str:
        """The id of the customer whose document this is.

        Raises:
            NotFound: there is no such document.
        """
        async with self._to.database.read() as session:
            invoice, note = await session.get(Invoice, key), await session.get(CreditNote, key)
        found = invoice or note
        if found is None:
            raise NotFound(f"There is no document {key}.", field="document")
        return found.customer_id

    async def structured(self, key: str) -> bytes:
        """The XML inside the file of an invoice or credit note.

        Raises:
            NotFound: there is no such document, or it is one without: a consumer's.
            InvalidInput: several sellers have given that number.
        """
        found = await self.file(key)
        if not DocumentForm(found.form).has_xml:
            raise NotFound(
                f"{found.number} is a document for a consumer: it is a PDF alone.", field="document"
            )
        return await asyncio.to_thread(structured_part, found.content)

    async def export(
        self,
        folder: Path,
        *,
        since: date | None = None,
        until: date | None = None,
        customer: str | None = None,
        clock: str | None = None,
    ) -> Exported:
        """Write documents into a folder, each into the one of its form (rules 18). A file that is there is replaced.

        Args:
            folder: made if it is not there.
            since: first day of issue.
            until: last day of issue.
            customer: of one only; by id or reference.
            clock: of this test clock; by default of real life only.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            customer_id = (
                None if customer is None else (await find(session, Customer, customer, field="customer")).id
            )
            chosen = await list_issued(
                session, since=since, until=until, customer_id=customer_id, clock_id=clock
            )
        written: list[str] = []
        failed: list[str] = []
        for document in chosen:
            try:
                found = await self._file(document)
            except RelanceError as problem:
                failed.append(f"{document.number}: {problem.message}")
                continue
            written.append(await asyncio.to_thread(_write, folder, found, written))
        return Exported(files=tuple(written), failed=tuple(failed))

    async def standing(self, entity: str | None = None) -> EntityStanding:
        """What a seller lacks of the mentions on its documents.

        Raises:
            NotFound: there is no such seller.
            InvalidInput: there are several and none was named.
        """
        async with self._to.database.read() as session:
            row = await the_entity(session, entity)
        missing = missing_of_seller(seller_of(row), small_business=row.small_business, entity=row.id)
        return EntityStanding(
            entity_id=row.id, name=row.name, is_live=row.live_since is not None, missing=missing
        )

    async def update_entity(self, entity: str | None, change: EntityChange) -> LegalEntity:
        """Change what a seller's documents show, from the next one on.

        Raises:
            NotFound: there is no such seller.
            InvalidInput: what would come out contradicts itself.
            EntityNotReady: the seller is live and would lack a mention.
        """
        async with self._to.database.read() as session:
            row = await the_entity(session, entity)
        async with self._to.database.write() as session:
            row = await lock(session, LegalEntity, row.id, field="entity")
            for name, value in change.given().items():
                setattr(row, name, value)
            check_seller(vat_number=row.vat_number, siren=row.siren, address=row.address)
            if row.live_since is not None:
                _check_ready(row)
            return row

    async def go_live(self, entity: str | None = None) -> LegalEntity:
        """Let a seller bill with a live key. Asked twice is asked once.

        Raises:
            NotFound: there is no such seller.
            EntityNotReady: a mention is missing; names every one.
        """
        async with self._to.database.read() as session:
            row = await the_entity(session, entity)
        async with self._to.database.write() as session:
            row = await lock(session, LegalEntity, row.id, field="entity")
            _check_ready(row)
            row.live_since = row.live_since or await self._to.now(session, None)
            return row

    async def _file(self, document: IssuedDocument) -> DocumentFile:
        if self._renderings is None:
            self._renderings = Renderings(self._to.database, folder=self._to.settings.documents_folder)
        row = await self._renderings.file_of(document.id)
        return DocumentFile(
            document_id=document.id,
            number=document.number,
            form=row.form,
            sha256=row.sha256,
            template_version=row.template_version,
            content=row.content or b"",
        )


def check_live(entity: LegalEntity, settings: Settings, clock_id: str | None) -> None:
    """Refuse real business to a seller that did not go live.

    Args:
        entity: who sells.
        settings: with a live key, business is real.
        clock_id: the customer's test clock, on which nothing is.

    Raises:
        EntityNotLive: says which command to run.
    """
    if settings.is_live and clock_id is None and entity.live_since is None:
        raise EntityNotLive(
            f"{entity.name} is not live, and STRIPE_API_KEY is a live key. Run: relance entity go-live {entity.id}",
            field="entity",
        )


def _check_ready(row: LegalEntity) -> None:
    check_entity_ready(seller_of(row), small_business=row.small_business, entity=row.id)


def _write(folder: Path, found: DocumentFile, taken: Iterable[str]) -> str:
    """Write one file; two sellers may have given one number, then the second one's name has its id."""
    name = f"{found.form}/{found.name}"
    if name in taken:
        name = f"{found.form}/{found.name.removesuffix('.pdf')}-{found.document_id}.pdf"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(found.content)
    return name
