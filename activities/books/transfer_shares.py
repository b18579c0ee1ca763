"""What a transfer does to one invoice: its row, the journal, the receipt; and the same taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from activities.books.gate import live_attempt, supersede_payment
from activities.books.journal import (
    BANK,
    DIFFERENCE,
    DIFFERENCE_TAKEN_BACK,
    LATE_RECEIVABLE,
    PAYMENT,
    RECEIVABLE,
    SMALL_DIFFERENCE,
    TAKEN_BACK,
    UNAPPLIED,
    book,
)
from activities.books.notices import about, emit, write_mail
from activities.books.reopening import reopen
from activities.books.rows import customer_of, entity_of
from activities.books.work import Work
from billing.transfers import ClaimState, Share
from mails.context import TakenBackBy
from models.ids import derived_id
from models.tables import Invoice, InvoiceStatus, LateClaim, Transfer, TransferShare


@dataclass(frozen=True)
class Paid:
    """A part of a transfer, on its way to an invoice."""

    transfer: Transfer
    invoice: Invoice
    share: Share


async def pay_share(work: Work, paid: Paid) -> None:
    """Book a part of a transfer on an invoice, and tell the customer.

    Money that came is a fact: a charge that is under way does not hold it up, and what comes twice is unapplied cash.
    """
    transfer, invoice, share = paid.transfer, paid.invoice, paid.share
    row = TransferShare(
        id=derived_id("ts", transfer.id, transfer.turn, invoice.id),
        transfer_id=transfer.id,
        turn=transfer.turn,
        invoice_id=invoice.id,
        pays_minor=share.pays_minor,
        small_difference_minor=share.small_difference_minor,
        claim_minor=share.claim_minor,
        unapplied_minor=share.unapplied_minor,
        status_before=invoice.status,
        at=work.at,
    )
    work.session.add(row)
    await _book(work, transfer, row, invoice, sign=1)
    await _move_claims(work, invoice, share.claim_minor)
    invoice.paid_minor += share.pays_minor
    invoice.small_difference_minor += share.small_difference_minor
    if share.pays_minor and (invoice.payment_intent or await live_attempt(work.session, invoice.id)):
        supersede_payment(invoice)
    if invoice.open_minor == 0 and invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE):
        invoice.status, invoice.in_arrears, invoice.paid_at = InvoiceStatus.PAID, False, work.at
    await _write_receipt(work, transfer, row, invoice)
    emit(
        work.session,
        work.row,
        _event(row, invoice),
        _facts(transfer, row, invoice),
        work.at,
        work.rules.access,
    )


async def take_share_back(work: Work, transfer: Transfer, row: TransferShare, invoice: Invoice) -> bool:
    """Undo it by facts of today; whether a chase begins.

    Args:
        work: with the invoice locked.
        transfer: what is taken back.
        row: its share.
        invoice: the one that was paid, or that stands in for it now.
    """
    await _book(work, transfer, row, invoice, sign=-1)
    await _move_claims(work, invoice, -row.claim_minor)
    invoice.small_difference_minor -= row.small_difference_minor
    row.taken_back_at = work.at
    emit(
        work.session,
        work.row,
        "payment.taken_back",
        _facts(transfer, row, invoice),
        work.at,
        work.rules.access,
    )
    return await reopen(
        work, invoice, row.pays_minor, TakenBackBy.MISTAKE, was=row.status_before, fact=row.id
    )


async def _book(work: Work, transfer: Transfer, row: TransferShare, invoice: Invoice, *, sign: int) -> None:
    """The journal's side: the money on the day on which the bank booked it, what is taken back on its own."""
    entity = await entity_of(work.session, invoice)
    received = row.pays_minor + row.claim_minor + row.unapplied_minor
    money = {
        BANK: received,
        RECEIVABLE: -row.pays_minor,
        LATE_RECEIVABLE: -row.claim_minor,
        UNAPPLIED: -row.unapplied_minor,
    }
    difference = {SMALL_DIFFERENCE: row.small_difference_minor, RECEIVABLE: -row.small_difference_minor}
    kinds = (PAYMENT, DIFFERENCE) if sign > 0 else (TAKEN_BACK, DIFFERENCE_TAKEN_BACK)
    for kind, amounts in zip(kinds, (money, difference), strict=True):
        book(
            work.session,
            entity,
            invoice,
            entry=f"{kind}/{row.id}",
            amounts={account: sign * amount for account, amount in amounts.items()},
            at=work.at,
            on=transfer.received_on if sign > 0 else None,
        )


async def _move_claims(work: Work, invoice: Invoice, amount_minor: int) -> None:
    """Pay what was claimed for late payment, the oldest claim first; a negative amount takes it back, newest first."""
    if amount_minor == 0:
        return
    query = (
        select(LateClaim)
        .where(LateClaim.invoice_id == invoice.id, LateClaim.state != ClaimState.WAIVED)
        .order_by(col(LateClaim.at), col(LateClaim.id))
    )
    claims = list((await work.session.exec(query)).all())
    for claim in claims if amount_minor > 0 else reversed(claims):
        moved = max(-claim.paid_minor, min(amount_minor, claim.open_minor))
        claim.paid_minor += moved
        amount_minor -= moved
        is_paid = claim.open_minor == 0
        claim.state = ClaimState.PAID if is_paid else ClaimState.OPEN
        claim.closed_at = (claim.closed_at or work.at) if is_paid else None


async def _write_receipt(work: Work, transfer: Transfer, row: TransferShare, invoice: Invoice) -> None:
    await write_mail(
        work.session,
        await customer_of(work.session, invoice),
        kind="receipt",
        step="receipt",
        occurrence=row.id,
        at=work.at,
        subscription=work.row,
        invoice=invoice,
        context={
            "amount_minor": row.pays_minor + row.claim_minor + row.unapplied_minor,
            "unapplied_minor": row.unapplied_minor,
            "claim_minor": row.claim_minor,
            "received_on": str(transfer.received_on),
            "restored": work.row.state.status == "unpaid",
        },
    )


def _event(row: TransferShare, invoice: Invoice) -> str:
    if row.pays_minor:
        return "invoice.paid" if invoice.status is InvoiceStatus.PAID else "invoice.partly_paid"
    return "payment.unapplied" if row.unapplied_minor else "late_claim.paid"


def _facts(transfer: Transfer, row: TransferShare, invoice: Invoice) -> dict[str, Any]:
    return {
        **about(invoice),
        "transfer": transfer.id,
        "amount_minor": row.pays_minor,
        "small_difference_minor": row.small_difference_minor,
        "unapplied_minor": row.unapplied_minor,
        "received_on": str(transfer.received_on),
    }
