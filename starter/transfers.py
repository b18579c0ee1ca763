"""Payments by bank transfer: recorded by a person, read from the bank's files, matched, taken back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from activities.books.bank_import import book_entry, look_at_entry
from activities.books.chasing import collection_key
from activities.books.rows import NotFound, get
from activities.books.transfer_proposals import proposals_for
from activities.books.transfers import (
    Booked,
    Desk,
    booked,
    dismiss_transfer,
    match_transfer,
    oldest_first,
    record_payment,
    take_back_payment,
)
from activities.camt import read_camt
from billing.bank_entries import BankEntry, Passed, Statement
from billing.errors import InvalidInput
from billing.proposals import Proposal
from billing.transfer_commands import DismissTransfer, MatchTransfer, RecordPayment, TakeBackPayment
from billing.transfers import TransferState
from billing.values import Value
from models.ids import new_id
from models.tables import Collection, Customer, Invoice, InvoiceStatus, LegalEntity, Transfer
from starter.connect import TemporalUnreachable
from starter.connections import Connections
from starter.executions import start_collection
from starter.finding import find, in_one_transaction, the_entity
from starter.hints import COLLECTION, SUBSCRIPTION, hint

logger = logging.getLogger(__name__)


class Waiting(Value):
    """A transfer that waits for a person, and whose it could be."""

    transfer: Booked
    proposals: tuple[Proposal, ...]


class Imported(Value):
    """What became of a bank file."""

    only_looked: bool
    """Nothing was written."""
    booked: tuple[Booked, ...]
    """New ones that pay the invoices that they name, or that a person had recorded before."""
    unmatched: tuple[Booked, ...]
    """New ones that wait for a person."""
    known: int
    """Entries that were read before."""
    passed: tuple[Passed, ...]
    """Debits, reversals and what is not booked yet."""


class _Entry(NamedTuple):
    """An entry of a file, and where it stands."""

    entity_id: str
    statement: str
    entry: BankEntry


class Transfers:
    """Books first; the workflows are then told to look, and find out by themselves if that gets lost."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def record(
        self,
        *invoices: str,
        amount_minor: int,
        received_on: date,
        customer: str | None = None,
        currency: str | None = None,
        bank_reference: str = "",
        command_id: str | None = None,
        by: str = "api",
    ) -> Booked:
        """Record a transfer that arrived, once for each command id.

        It pays the oldest of the invoices first. What is left over is unapplied cash; what is missing closes an invoice
        if it is no more than the tolerance (rules 17).

        Args:
            invoices: what it pays, by id or number, all of one customer.
            amount_minor: what came, in minor units of the invoices' currency.
            received_on: the day on which the bank booked it.
            customer: instead of invoices: pays what is open, by id or reference.
            currency: of the amount, where the customer has open invoices in several.
            bank_reference: the bank's own reference, by which the bank's file finds it again.
            command_id: makes asking twice asking once.
            by: who recorded it.

        Raises:
            NotFound: there is no such invoice or customer.
            InvalidInput: the invoices are of several customers or currencies, nothing is open, the day is to come, or
                the transfer was recorded before.
        """
        command = command_id or new_id("cmd")

        async def work(session: AsyncSession) -> Booked:
            chosen = await _chosen(session, invoices, customer, currency)
            asked = RecordPayment(
                command_id=command,
                invoices=tuple(invoice.id for invoice in chosen),
                amount_minor=amount_minor,
                received_on=received_on,
                bank_reference=bank_reference,
                by=by,
            )
            return await record_payment(await self._desk(session, chosen[0].clock_id), asked)

        return await self._carried_out(await in_one_transaction(self._to.database, work))

    async def import_file(
        self, content: bytes, *, check: bool = False, entity: str | None = None
    ) -> Imported:
        """Book the payments of a bank file (CAMT.053), each once however often the file is read.

        A file that is not right in every entry is refused as a whole. Each entry is then a transaction of its own: an
        import that was interrupted is begun again.

        Args:
            content: of the file.
            check: only look at what it would do.
            entity: whose account it is, where its documents show another one.

        Raises:
            BadBankFile: the file can't be read; the message names the line and the remedy.
            NotFound: no legal entity has the account.
        """
        statements = read_camt(content)
        owners = await self._owners(statements, entity)
        entries = [
            _Entry(owners[one.account].id, one.id, entry) for one in statements for entry in one.entries
        ]
        done = await (self._look(entries) if check else self._book(entries))
        new = [one for one in done if one.is_new]
        return Imported(
            only_looked=check,
            booked=tuple(one for one in new if one.state != TransferState.UNMATCHED),
            unmatched=tuple(one for one in new if one.state == TransferState.UNMATCHED),
            known=len(done) - len(new),
            passed=tuple(passed for one in statements for passed in one.passed),
        )

    async def unmatched(self, *, limit: int = 100) -> list[Waiting]:
        """The transfers that wait for a person, oldest first, each with whose it could be."""
        query = (
            select(Transfer)
            .where(Transfer.state == TransferState.UNMATCHED)
            .order_by(col(Transfer.received_on), col(Transfer.id))
            .limit(limit)
        )
        async with self._to.database.read() as session:
            return [
                Waiting(
                    transfer=await booked(session, transfer, is_new=False),
                    proposals=await proposals_for(session, transfer),
                )
                for transfer in (await session.exec(query)).all()
            ]

    async def transfers(self, *, customer: str | None = None, limit: int = 100) -> list[Booked]:
        """The newest transfers, of one customer where one is given.

        Raises:
            NotFound: there is no such customer.
        """
        query = select(Transfer).order_by(col(Transfer.received_on).desc(), col(Transfer.id)).limit(limit)
        async with self._to.database.read() as session:
            if customer is not None:
                owner = await find(session, Customer, customer, field="customer")
                query = query.where(Transfer.customer_id == owner.id)
            found = (await session.exec(query)).all()
            return [await booked(session, transfer, is_new=False) for transfer in found]

    async def match(
        self, transfer: str, *invoices: str, customer: str | None = None, by: str = "api"
    ) -> Booked:
        """Say whose an unmatched transfer is: it pays these invoices, or what is open for this customer.

        Raises:
            NotFound: there is no such transfer, invoice or customer.
            NotNow: it is not unmatched.
            InvalidInput: the invoices do not go together, or nothing is open.
        """
        async with self._to.database.write() as session:
            known = await get(session, Transfer, transfer, field="transfer")
            chosen = await _chosen(session, invoices, customer, known.currency)
            ids = tuple(invoice.id for invoice in chosen)
            desk = await self._desk(session, chosen[0].clock_id)
            asked = MatchTransfer(transfer_id=transfer, invoices=ids, by=by)
            done = await match_transfer(desk, asked)
        return await self._carried_out(done)

    async def dismiss(self, transfer: str, *, reason: str, by: str = "api") -> Booked:
        """Set an unmatched transfer aside that is no payment of a customer, or was recorded before.

        Raises:
            NotFound: there is no such transfer.
            NotNow: it is not unmatched.
        """
        async with self._to.database.write() as session:
            desk = await self._desk(session, None)
            return await dismiss_transfer(desk, DismissTransfer(transfer_id=transfer, reason=reason, by=by))

    async def take_back(self, transfer: str, *, reason: str, by: str = "api") -> Booked:
        """Take back a payment that was recorded by mistake or for the wrong invoice; a fact of today (rules 16).

        Its invoices are open again and chased anew. What a person recorded is gone; an entry of a bank file waits to be
        matched again.

        Raises:
            NotFound: there is no such transfer.
            NotNow: it pays nothing.
        """
        async with self._to.database.write() as session:
            known = await get(session, Transfer, transfer, field="transfer")
            desk = await self._desk(session, known.clock_id)
            asked = TakeBackPayment(transfer_id=transfer, reason=reason, by=by)
            done = await take_back_payment(desk, asked)
        return await self._carried_out(done)

    async def _desk(self, session: AsyncSession, clock_id: str | None) -> Desk:
        return Desk(session, self._to.gateway(), self._to.rules, await self._to.now(session, clock_id))

    async def _owners(self, statements: Sequence[Statement], entity: str | None) -> dict[str, LegalEntity]:
        """Whose the accounts of a file are.

        Raises:
            NotFound: nobody's; field `entity`.
        """
        async with self._to.database.read() as session:
            if entity is not None:
                owner = await the_entity(session, entity)
                return {one.account: owner for one in statements}
            sellers = (await session.exec(select(LegalEntity))).all()
        owners = {"".join(one.iban.split()).upper(): one for one in sellers}
        unknown = next((one for one in statements if one.account not in owners), None)
        if unknown is not None:
            raise NotFound(
                f"Line {unknown.line}: no legal entity has the account {unknown.account}. Say whose it is with "
                f"--entity, or print it on documents: relance entity update ENTITY --iban {unknown.account}",
                field="entity",
            )
        return owners

    async def _book(self, entries: Sequence[_Entry]) -> list[Booked]:
        done = []
        for entry in entries:
            one = await in_one_transaction(self._to.database, partial(self._book_one, entry))
            done.append(await self._carried_out(one) if one.is_new else one)
        return done

    async def _book_one(self, entry: _Entry, session: AsyncSession) -> Booked:
        return await book_entry(
            session,
            entry.entity_id,
            entry.entry,
            statement=entry.statement,
            now=await self._to.now(session, None),
            desk=partial(self._desk, session),
        )

    async def _look(self, entries: Sequence[_Entry]) -> list[Booked]:
        earlier: Counter[str] = Counter()
        async with self._to.database.read() as session:
            now = await self._to.now(session, None)
            return [
                await look_at_entry(
                    session,
                    self._to.rules,
                    one.entity_id,
                    one.entry,
                    statement=one.statement,
                    now=now,
                    earlier=earlier,
                )
                for one in entries
            ]

    async def _carried_out(self, done: Booked) -> Booked:
        """Start what is chased anew, and tell whoever owns the invoices and their subscriptions to look."""
        ids = [f"{COLLECTION}{one.invoice_id}" for one in done.invoices]
        ids += dict.fromkeys(f"{SUBSCRIPTION}{one.subscription_id}" for one in done.invoices)
        if not ids:
            return done
        try:
            temporal = await self._to.temporal()
            for invoice_id in done.reopened:
                collection = await self._collection(invoice_id)
                now = done.at if collection.clock_id is not None else None
                await start_collection(temporal, self._to.settings, collection, now=now)
            await hint(temporal, ids, done.at)
        except (RPCError, TemporalUnreachable) as problem:
            logger.warning(
                "Nobody was told of %s; it is found at the next look: %s", done.transfer_id, problem
            )
        return done

    async def _collection(self, invoice_id: str) -> Collection:
        async with self._to.database.read() as session:
            invoice = await session.get_one(Invoice, invoice_id)
            return await session.get_one(Collection, collection_key(invoice))


async def _chosen(
    session: AsyncSession, invoices: Sequence[str], customer: str | None, currency: str | None
) -> list[Invoice]:
    """What a transfer is to pay: the invoices that are named, or what is open for a customer in its currency.

    Raises:
        NotFound: there is no such invoice or customer.
        InvalidInput: neither or both are named, or nothing is open.
    """
    if bool(invoices) == (customer is not None):
        raise InvalidInput("Name the invoices that it pays, or the customer.", field="invoice")
    if customer is None:
        return [await _invoice(session, key) for key in invoices]
    owner = await find(session, Customer, customer, field="customer")
    query = select(Invoice).where(Invoice.customer_id == owner.id, Invoice.status == InvoiceStatus.OPEN)
    if currency is not None:
        query = query.where(Invoice.currency == currency)
    is_open = oldest_first((await session.exec(query)).all())
    if not is_open:
        raise InvalidInput(
            f"Nothing is open for {owner.name}. Name the invoice for which it was meant: what it does not ask for is "
            "kept as unapplied cash.",
            field="invoice",
        )
    return is_open


async def _invoice(session: AsyncSession, key: str) -> Invoice:
    """An invoice by id or number.

    Raises:
        NotFound: there is none.
        InvalidInput: several sellers have given that number.
    """
    found = (await session.exec(select(Invoice).where(Invoice.number == key))).all()
    if len(found) > 1:
        ids = " or ".join(sorted(invoice.id for invoice in found))
        raise InvalidInput(
            f"Several sellers have an invoice {key}. Name it by its id: {ids}.", field="invoice"
        )
    return found[0] if found else await get(session, Invoice, key, field="invoice")
