"""An entry of a bank file, booked once however often the file is read; or only looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.transfer_matching import Named, RecordedBefore, Unclear, whose
from activities.books.transfers import Booked, Desk, PaidInvoice, booked, oldest_first, owing, pay
from billing.bank_entries import BankEntry
from billing.transfers import Share, TransferSource, TransferState, allot
from models.ids import derived_id
from models.tables import Invoice, Transfer

OpenDesk = Callable[[str | None], Awaitable[Desk]]
"""The desk for a test clock's customers, or for real life."""


async def book_entry(
    session: AsyncSession, entity_id: str, entry: BankEntry, *, statement: str, now: datetime, desk: OpenDesk
) -> Booked:
    """Write an entry, and pay with it what it names; one that is known stays as it is.

    Args:
        session: a transaction of its own.
        entity_id: whose account it is.
        entry: as it was read.
        statement: on which it stands.
        now: real time.
        desk: opens the desk at which it is booked.
    """
    known = await session.get(Transfer, _id(entity_id, entry))
    if known is not None:
        return await booked(session, known, is_new=False)
    transfer = _new(entity_id, entry, statement, now)
    session.add(transfer)
    await session.flush()
    found = await whose(session, transfer)
    _note(transfer, found)
    if not isinstance(found, Named):
        return await booked(session, transfer)
    opened = await desk(found.invoices[0].clock_id)
    await pay(opened, transfer, found.invoices)
    return await booked(session, transfer, at=opened.at)


async def look_at_entry(
    session: AsyncSession,
    rules: BookRules,
    entity_id: str,
    entry: BankEntry,
    *,
    statement: str,
    now: datetime,
    earlier: Counter[str],
) -> Booked:
    """What booking it would do.

    Args:
        session: for looking.
        rules: the seller's.
        entity_id: whose account it is.
        entry: as it was read.
        statement: on which it stands.
        now: real time.
        earlier: what entries that were looked at before would pay of each invoice; this one is added.
    """
    known = await session.get(Transfer, _id(entity_id, entry))
    if known is not None:
        return await booked(session, known, is_new=False)
    transfer = _new(entity_id, entry, statement, now)
    found = await whose(session, transfer)
    _note(transfer, found)
    would = await booked(session, transfer)
    if not isinstance(found, Named):
        return would
    invoices = {invoice.id: invoice for invoice in found.invoices}
    asked = [await owing(session, invoice) for invoice in oldest_first(found.invoices)]
    left = [one.model_copy(update={"open_minor": one.open_minor - earlier[one.invoice_id]}) for one in asked]
    shares = allot(entry.amount_minor, left, tolerance_minor=rules.tolerance(entry.currency))
    for share in shares:
        earlier[share.invoice_id] += share.pays_minor + share.small_difference_minor
    paid = tuple(_would_pay(share, invoices[share.invoice_id], earlier) for share in shares)
    return would.model_copy(update={"state": TransferState.MATCHED.value, "invoices": paid})


def _would_pay(share: Share, invoice: Invoice, earlier: Counter[str]) -> PaidInvoice:
    left = invoice.open_minor - earlier[invoice.id]
    return PaidInvoice(
        invoice_id=invoice.id,
        number=invoice.number,
        subscription_id=invoice.subscription_id,
        pays_minor=share.pays_minor,
        small_difference_minor=share.small_difference_minor,
        claim_minor=share.claim_minor,
        unapplied_minor=share.unapplied_minor,
        status=invoice.status.value if left else "paid",
        open_minor=left,
    )


def _note(transfer: Transfer, found: Named | RecordedBefore | Unclear) -> None:
    match found:
        case Unclear(why):
            transfer.why = why
        case RecordedBefore(before):
            transfer.state, transfer.same_as_id = TransferState.DISMISSED, before.id
            transfer.why = f"It is {before.id}, which {before.by} recorded by hand."
        case Named():
            pass


def _id(entity_id: str, entry: BankEntry) -> str:
    return derived_id("tr", entity_id, *entry.key)


def _new(entity_id: str, entry: BankEntry, statement: str, now: datetime) -> Transfer:
    return Transfer(
        id=_id(entity_id, entry),
        entity_id=entity_id,
        source=TransferSource.BANK_FILE,
        state=TransferState.UNMATCHED,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        received_on=entry.booked_on,
        value_on=entry.value_on,
        bank_reference=entry.reference,
        payer_name=entry.payer_name,
        payer_account=entry.payer_account,
        remittance=entry.remittance,
        statement=statement,
        recorded_at=now,
    )
