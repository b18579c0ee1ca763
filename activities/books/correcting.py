"""What a person asks of an issued invoice: credit, write-off, money applied, void. Each one transaction, once (U16).

A correction that meets a payment under way is not carried out around it: whoever asks first has the payment
cancelled, and where that can't be, the command waits in its row and is carried out with the payment's outcome.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.applying import applied_by, apply_money
from activities.books.config import BookRules
from activities.books.credit_by_person import credit_by_person
from activities.books.gate import Prepares
from activities.books.notices import emit
from activities.books.rows import lock_with_subscription
from activities.books.transitions import settle_standing, write_off
from activities.books.waiting import WAITING, under_way, write_command
from activities.books.work import Work
from billing.corrections import CORRECTION, ApplyMoney, BaseCorrection, Correction, Credit, WriteOff
from billing.errors import InvalidInput, RelanceError
from billing.values import Value
from models.tables import CommandRow, CreditNote, Invoice, InvoiceStatus, Refund

DONE: Final = "applied"


class NotNow(RelanceError):
    """The invoice does not take this correction as it stands; the message says what does."""


class CommandIdTaken(InvalidInput):
    """The command id was used for something else."""


class Corrected(Value):
    """What became of a correction."""

    command_id: str
    invoice_id: str
    waits: bool = False
    """A payment is under way that could not be cancelled: carried out with its outcome."""
    status: str
    """Of the invoice, as it is now."""
    open_minor: int
    currency: str
    credit_note: str | None = None
    """Its number."""
    credited_minor: int = 0
    closed_minor: int = 0
    balance_minor: int = 0
    refund_minor: int = 0
    made_good_minor: int = 0
    applied_minor: int = 0
    refunds: tuple[str, ...] = ()
    """Ids of the refunds that were written."""


class UnderWay(Value):
    """Nothing was done: money may still move for this attempt."""

    attempt_id: str
    payment_intent: str | None


async def begin_correction(
    session: AsyncSession,
    gateway: Prepares,
    rules: BookRules,
    correction: Correction,
    *,
    at: datetime,
    may_wait: bool = False,
) -> Corrected | UnderWay:
    """Carry a correction out, unless it was before, or a payment is under way.

    Args:
        session: a transaction of its own.
        gateway: as in `Work`.
        rules: the seller's.
        correction: what is asked.
        at: the business instant.
        may_wait: the payment could not be cancelled: write the command down, to be carried out with its outcome.

    Raises:
        NotNow: the invoice does not take it.
        InvalidInput: an amount is out of range, or the command id belongs to something else.
    """
    row, invoice = await lock_with_subscription(session, correction.invoice_id)
    known = await session.get(CommandRow, correction.command_id)
    if known is not None:
        check_same(known, correction)
        return await outcome_of(session, invoice, known)
    check_taken(invoice, correction)
    attempt = await under_way(session, invoice)
    if attempt is not None and not may_wait:
        return UnderWay(attempt_id=attempt.id, payment_intent=attempt.payment_intent)
    work = Work(session, gateway, rules, row, at, correction.command_id)
    if attempt is None:
        await _carry_out(work, invoice, correction)
    command = write_command(work, correction, WAITING if attempt is not None else DONE)
    await settle_standing(work)
    return await outcome_of(session, invoice, command)


async def carry_out_waiting(work: Work, invoice: Invoice) -> None:
    """Carry out what waited for the payment under way, in the transaction of its outcome."""
    if await under_way(work.session, invoice) is not None:
        return
    query = select(CommandRow).where(CommandRow.subscription_id == work.row.id, CommandRow.outcome == WAITING)
    for command in (await work.session.exec(query.order_by(col(CommandRow.at), col(CommandRow.id)))).all():
        correction = CORRECTION.validate_python(command.payload)
        if correction.invoice_id != invoice.id:
            continue
        try:
            check_taken(invoice, correction)
            await _carry_out(work, invoice, correction)
            command.outcome = DONE
        except (NotNow, InvalidInput) as refusal:
            command.outcome = refusal.message
            facts = {"command": command.id, "invoice": invoice.id, "reason": refusal.message}
            emit(work.session, work.row, "correction.refused", facts, work.at, work.rules.access)


def check_taken(invoice: Invoice, correction: BaseCorrection) -> None:
    """Whether the invoice takes this correction as it stands.

    Raises:
        NotNow: with the remedy.
    """
    if invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        raise NotNow(
            "This is a draft without number: it is dropped, not corrected. Use: relance invoice void",
            field="invoice",
        )
    if invoice.frozen:
        raise NotNow(
            "A dispute about this invoice is open: the bank decides about its money. Wait for the decision.",
            field="invoice",
        )
    if not isinstance(correction, WriteOff | ApplyMoney):
        check_is_ours(invoice)
    if isinstance(correction, WriteOff) and invoice.status is not InvoiceStatus.OPEN:
        raise NotNow(
            f"Only an open invoice is written off; this one is {invoice.status.value}.", field="invoice"
        )
    if isinstance(correction, ApplyMoney) and invoice.open_minor <= 0:
        raise NotNow("Nothing is open on this invoice.", field="invoice")


def check_is_ours(invoice: Invoice) -> None:
    """Refuses to correct a document that another system issued.

    Raises:
        NotNow: with the remedy.
    """
    if invoice.is_brought_in:
        raise NotNow(
            "Another billing system issued this invoice. Correct it there; here, write it off: relance invoice "
            "write-off",
            field="invoice",
        )


def check_same(known: CommandRow, correction: BaseCorrection) -> None:
    """Whether a command id is asked for the same thing again.

    Raises:
        CommandIdTaken: it was used for something else; field `command_id`.
    """
    ignored = {"by", "reason"}
    asked = correction.model_dump(mode="json", exclude=ignored)
    if {name: value for name, value in known.payload.items() if name not in ignored} != asked:
        raise CommandIdTaken(
            f"The command id {known.id} was used for another command. Take a new one.", field="command_id"
        )


async def outcome_of(session: AsyncSession, invoice: Invoice, command: CommandRow) -> Corrected:
    """What became of a correction, read from the rows.

    Raises:
        NotNow: it waited for a payment, and was then refused.
    """
    await session.flush()
    if command.outcome not in (DONE, WAITING):
        raise NotNow(command.outcome, field="invoice")
    facts: dict[str, object] = {}
    query = select(CreditNote).where(CreditNote.invoice_id == invoice.id, CreditNote.command_id == command.id)
    note = (await session.exec(query)).first()
    if note is not None:
        refunds = select(Refund.id).where(Refund.credit_note_id == note.id).order_by(col(Refund.id))
        facts = {
            "credit_note": note.number,
            "credited_minor": note.total_minor,
            "closed_minor": note.closes_minor,
            "balance_minor": note.balance_minor,
            "refund_minor": note.refund_minor,
            "made_good_minor": note.made_good_minor,
            "refunds": tuple((await session.exec(refunds)).all()),
        }
    if command.kind == "apply":
        facts["applied_minor"] = await applied_by(session, command.id)
    return Corrected(
        command_id=command.id,
        invoice_id=invoice.id,
        waits=command.outcome == WAITING,
        status=invoice.status.value,
        open_minor=max(0, invoice.open_minor),
        currency=invoice.currency,
        **facts,
    )


async def _carry_out(work: Work, invoice: Invoice, correction: Correction) -> None:
    match correction:
        case Credit():
            await credit_by_person(work, invoice, correction)
        case WriteOff():
            write_off(work, invoice, f"written off by {correction.by}: {correction.reason}")
        case ApplyMoney():
            await apply_money(work, invoice, correction)
