"""Bank transfers in the books: what came is booked once, pays what it names, and can be taken back (rules 16, 17).

Locks are taken in the order transfer, subscriptions, invoices, each kind by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.correcting import CommandIdTaken, NotNow
from activities.books.gate import Prepares
from activities.books.rows import entity_of, get, lock, lock_invoice, lock_subscription
from activities.books.transfer_matching import stands_in_for, why_not_together
from activities.books.transfer_shares import Paid, pay_share, take_share_back
from activities.books.transitions import settle_standing
from activities.books.work import Work
from billing.calendar import local_date
from billing.errors import InvalidInput
from billing.transfer_commands import DismissTransfer, MatchTransfer, RecordPayment, TakeBackPayment
from billing.transfers import Owing, TransferSource, TransferState, allot
from billing.values import Value
from models.ids import derived_id
from models.tables import Invoice, LateClaim, SubscriptionRow, Transfer, TransferShare


class PaidInvoice(Value):
    """What a transfer did to one invoice, and how that stands now."""

    invoice_id: str
    number: str | None
    subscription_id: str
    pays_minor: int
    small_difference_minor: int
    claim_minor: int
    unapplied_minor: int
    status: str
    open_minor: int


class Booked(Value):
    """A transfer as the books have it now."""

    transfer_id: str
    source: str
    state: str
    why: str = ""
    amount_minor: int
    currency: str
    received_on: date
    payer_name: str = ""
    remittance: str = ""
    bank_reference: str = ""
    customer_id: str | None = None
    invoices: tuple[PaidInvoice, ...] = ()
    at: datetime
    """When that was done, in its customers' time."""
    is_new: bool = True
    reopened: tuple[str, ...] = ()
    """Invoices that are chased anew, since their payment was taken back."""

    @property
    def unapplied_minor(self) -> int:
        """What no invoice claimed."""
        return sum(invoice.unapplied_minor for invoice in self.invoices)


@dataclass(frozen=True)
class Desk:
    """What every transaction on transfers is given."""

    session: AsyncSession
    gateway: Prepares
    rules: BookRules
    at: datetime
    """The business instant."""

    def work(self, row: SubscriptionRow) -> Work:
        """The part of it that is about one subscription."""
        return Work(self.session, self.gateway, self.rules, row, self.at)


async def record_payment(desk: Desk, asked: RecordPayment) -> Booked:
    """Book a transfer that a person saw on the account, once for each command id.

    Raises:
        NotFound: there is no such invoice.
        InvalidInput: the invoices do not go together, the day is to come, or it was recorded before.
    """
    transfer_id = derived_id("tr", "recorded", asked.command_id)
    known = await desk.session.get(Transfer, transfer_id)
    if known is not None:
        _check_same(known, asked)
        return await booked(desk.session, known, is_new=False)
    invoices = await _invoices(desk.session, asked.invoices)
    first = invoices[0]
    _check_together(invoices, first.currency)
    entity = await entity_of(desk.session, first)
    if asked.received_on > local_date(desk.at, entity.timezone):
        raise InvalidInput(
            f"{asked.received_on} is still to come. Give the day on which the bank booked it.", field="on"
        )
    await _check_not_recorded(desk.session, entity.id, first.currency, asked)
    transfer = Transfer(
        id=transfer_id,
        entity_id=entity.id,
        source=TransferSource.PERSON,
        state=TransferState.UNMATCHED,
        amount_minor=asked.amount_minor,
        currency=first.currency,
        received_on=asked.received_on,
        bank_reference=asked.bank_reference,
        command_id=asked.command_id,
        by=asked.by,
        recorded_at=desk.at,
    )
    desk.session.add(transfer)
    await desk.session.flush()
    await pay(desk, transfer, invoices)
    return await booked(desk.session, transfer)


async def match_transfer(desk: Desk, asked: MatchTransfer) -> Booked:
    """Pay invoices with an entry whose owner only a person could tell.

    One that was dismissed can still be matched, unless it is known to be another one's entry.

    Raises:
        NotFound: there is no such transfer or invoice.
        NotNow: it is booked already.
        InvalidInput: the invoices do not go together.
    """
    transfer = await _unmatched(desk.session, asked.transfer_id, dismissed=True)
    invoices = await _invoices(desk.session, asked.invoices)
    _check_together(invoices, transfer.currency)
    if invoices[0].entity_id != transfer.entity_id:
        raise InvalidInput("The transfer came to another legal entity than the invoice's.", field="invoice")
    transfer.by = asked.by
    await pay(desk, transfer, invoices)
    return await booked(desk.session, transfer, at=desk.at)


async def dismiss_transfer(desk: Desk, asked: DismissTransfer) -> Booked:
    """Set an entry aside that is no payment of a customer.

    Raises:
        NotFound: there is no such transfer.
        NotNow: it is not unmatched.
    """
    transfer = await _unmatched(desk.session, asked.transfer_id)
    transfer.state, transfer.why, transfer.by = TransferState.DISMISSED, asked.reason, asked.by
    return await booked(desk.session, transfer)


async def take_back_payment(desk: Desk, asked: TakeBackPayment) -> Booked:
    """Take back a payment that was recorded by mistake or for the wrong invoice, as a fact of today (rules 16).

    What a person recorded never came. An entry of a bank file did come, and waits to be matched again. Where what it
    left over was used since, the customer's unapplied cash falls below zero, which shows.

    Raises:
        NotFound: there is no such transfer.
        NotNow: it pays nothing.
    """
    transfer = await lock(desk.session, Transfer, asked.transfer_id, field="transfer")
    if transfer.state is not TransferState.MATCHED:
        raise NotNow(f"Only what was booked is taken back; this is {transfer.state.value}.", field="transfer")
    shares = await shares_of(desk.session, transfer)
    paid = [await get(desk.session, Invoice, share.invoice_id, field="invoice") for share in shares]
    now = [await stands_in_for(desk.session, invoice) for invoice in paid]
    rows, locked = await _lock(desk.session, now)
    reopened = []
    for share, invoice in zip(shares, now, strict=True):
        work = desk.work(rows[invoice.subscription_id])
        if await take_share_back(work, transfer, share, locked[invoice.id]):
            reopened.append(invoice.id)
    by_person = transfer.source is TransferSource.PERSON
    transfer.state = TransferState.TAKEN_BACK if by_person else TransferState.UNMATCHED
    transfer.why, transfer.by = f"Taken back: {asked.reason}", asked.by
    await _free_what_confirmed(desk.session, transfer)
    await _settle(desk, rows.values())
    answer = await booked(desk.session, transfer, at=desk.at)
    return answer.model_copy(
        update={"reopened": tuple(reopened), "invoices": await _paid(desk.session, shares)}
    )


async def _free_what_confirmed(session: AsyncSession, transfer: Transfer) -> None:
    """The bank's own entry of it did come, and waits to be matched."""
    for entry in (await session.exec(select(Transfer).where(Transfer.same_as_id == transfer.id))).all():
        entry.state, entry.same_as_id = TransferState.UNMATCHED, None
        entry.why = f"{transfer.id}, which it confirmed, was taken back."


async def pay(desk: Desk, transfer: Transfer, invoices: Sequence[Invoice]) -> None:
    """Pay invoices with a transfer, the oldest first, with all that follows for their subscriptions.

    Args:
        desk: the transaction; the transfer is new, or locked.
        transfer: unmatched until now.
        invoices: issued, of one customer and in its currency.
    """
    rows, locked = await _lock(desk.session, invoices)
    in_turn = oldest_first(locked.values())
    transfer.state, transfer.why, transfer.turn = TransferState.MATCHED, "", transfer.turn + 1
    transfer.customer_id, transfer.clock_id = in_turn[0].customer_id, in_turn[0].clock_id
    for share in allot(
        transfer.amount_minor,
        [await owing(desk.session, invoice) for invoice in in_turn],
        tolerance_minor=desk.rules.tolerance(transfer.currency),
    ):
        invoice = locked[share.invoice_id]
        await pay_share(desk.work(rows[invoice.subscription_id]), Paid(transfer, invoice, share))
    await _settle(desk, rows.values())


def oldest_first(invoices: Iterable[Invoice]) -> list[Invoice]:
    """The order in which one transfer pays several invoices."""
    return sorted(invoices, key=lambda one: (one.issued_on or date.max, one.number or ""))


async def owing(session: AsyncSession, invoice: Invoice) -> Owing:
    """What an invoice asks for, with what was claimed for its late payment."""
    query = select(LateClaim).where(LateClaim.invoice_id == invoice.id)
    claimed = sum(claim.open_minor for claim in (await session.exec(query)).all())
    return Owing(invoice_id=invoice.id, open_minor=invoice.open_minor, claimed_minor=claimed)


async def _lock(
    session: AsyncSession, invoices: Iterable[Invoice]
) -> tuple[dict[str, SubscriptionRow], dict[str, Invoice]]:
    """The subscriptions and the invoices, locked."""
    found = {invoice.id: invoice.subscription_id for invoice in invoices}
    rows = {key: await lock_subscription(session, key) for key in sorted(set(found.values()))}
    return rows, {key: await lock_invoice(session, key) for key in sorted(found)}


async def _settle(desk: Desk, rows: Iterable[SubscriptionRow]) -> None:
    for row in rows:
        await settle_standing(desk.work(row))


async def shares_of(session: AsyncSession, transfer: Transfer) -> list[TransferShare]:
    """What a transfer does to invoices now, in the order of their ids."""
    query = (
        select(TransferShare)
        .where(TransferShare.transfer_id == transfer.id, col(TransferShare.taken_back_at).is_(None))
        .order_by(col(TransferShare.invoice_id))
    )
    return list((await session.exec(query)).all())


async def booked(
    session: AsyncSession, transfer: Transfer, *, at: datetime | None = None, is_new: bool = True
) -> Booked:
    """A transfer as the books have it now; without `at` nothing was done."""
    await session.flush()
    return Booked(
        transfer_id=transfer.id,
        source=transfer.source.value,
        state=transfer.state.value,
        why=transfer.why,
        amount_minor=transfer.amount_minor,
        currency=transfer.currency,
        received_on=transfer.received_on,
        payer_name=transfer.payer_name,
        remittance=transfer.remittance,
        bank_reference=transfer.bank_reference,
        customer_id=transfer.customer_id,
        invoices=await _paid(session, await shares_of(session, transfer)),
        at=at or transfer.recorded_at,
        is_new=is_new,
    )


async def _paid(session: AsyncSession, shares: Sequence[TransferShare]) -> tuple[PaidInvoice, ...]:
    found = []
    for share in shares:
        invoice = await stands_in_for(session, await session.get_one(Invoice, share.invoice_id))
        found.append(
            PaidInvoice(
                invoice_id=invoice.id,
                number=invoice.number,
                subscription_id=invoice.subscription_id,
                pays_minor=share.pays_minor,
                small_difference_minor=share.small_difference_minor,
                claim_minor=share.claim_minor,
                unapplied_minor=share.unapplied_minor,
                status=invoice.status.value,
                open_minor=invoice.open_minor,
            )
        )
    return tuple(sorted(found, key=lambda one: one.number or ""))


async def _invoices(session: AsyncSession, keys: Sequence[str]) -> list[Invoice]:
    """The invoices with these ids, or what replaced them."""
    return [await stands_in_for(session, await get(session, Invoice, key, field="invoice")) for key in keys]


async def _unmatched(session: AsyncSession, transfer_id: str, *, dismissed: bool = False) -> Transfer:
    transfer = await lock(session, Transfer, transfer_id, field="transfer")
    may_be = {TransferState.UNMATCHED} | ({TransferState.DISMISSED} if dismissed else set())
    if transfer.state not in may_be or transfer.same_as_id is not None:
        raise NotNow(
            f"This transfer is {transfer.state.value}. What is booked is taken back first: relance payment take-back",
            field="transfer",
        )
    return transfer


def _check_together(invoices: Sequence[Invoice], currency: str) -> None:
    problem = why_not_together(invoices, currency)
    if problem is not None:
        raise InvalidInput(problem, field="invoice")


def _check_same(known: Transfer, asked: RecordPayment) -> None:
    if (known.amount_minor, known.received_on) != (asked.amount_minor, asked.received_on):
        raise CommandIdTaken(
            f"The command id {asked.command_id} was used for another payment. Take a new one.",
            field="command_id",
        )


async def _check_not_recorded(
    session: AsyncSession, entity_id: str, currency: str, asked: RecordPayment
) -> None:
    """Refuse a payment that is there already, by the bank's reference.

    Raises:
        InvalidInput: with what to do; field `bank_reference`.
    """
    if not asked.bank_reference:
        return
    query = select(Transfer).where(
        Transfer.entity_id == entity_id,
        Transfer.bank_reference == asked.bank_reference,
        Transfer.amount_minor == asked.amount_minor,
        Transfer.currency == currency,
        col(Transfer.state).in_((TransferState.UNMATCHED, TransferState.MATCHED)),
    )
    known = (await session.exec(query)).first()
    if known is None:
        return
    remedy = (
        f"Say whose it is: relance payment match {known.id}"
        if known.state is TransferState.UNMATCHED
        else "It is not booked twice"
    )
    raise InvalidInput(
        f"The transfer {asked.bank_reference} is {known.state.value} already, as {known.id}. {remedy}.",
        field="bank_reference",
    )
