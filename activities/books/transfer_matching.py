"""Whose a transfer is: found by the invoice numbers that it names, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.transfers import TransferSource, TransferState, may_name_more, numbers_in
from models.tables import Invoice, InvoiceStatus, NumberSeries, Transfer, TransferShare


@dataclass(frozen=True)
class Named:
    """The transfer names invoices of one customer."""

    invoices: tuple[Invoice, ...]


@dataclass(frozen=True)
class RecordedBefore:
    """A person recorded this payment before the bank's file came."""

    transfer: Transfer


@dataclass(frozen=True)
class Unclear:
    """A person has to say whose it is."""

    why: str


async def whose(session: AsyncSession, transfer: Transfer) -> Named | RecordedBefore | Unclear:
    """Whose an entry of a bank file is. Nothing is written."""
    series = (
        await session.exec(select(NumberSeries.series).where(NumberSeries.entity_id == transfer.entity_id))
    ).all()
    numbers = numbers_in(transfer.remittance, series)
    if not numbers:
        return Unclear("It names no invoice number.")
    invoices = await _with_numbers(session, transfer.entity_id, numbers)
    if not invoices:
        return Unclear(f"It names {', '.join(numbers)}, which is no invoice.")
    problem = why_not_together(invoices, transfer.currency)
    if problem is not None:
        return Unclear(problem)
    if transfer.amount_minor > sum(i.open_minor for i in invoices) and may_name_more(
        transfer.remittance, series
    ):
        return Unclear(f"It pays more than {', '.join(numbers)}, and may name another invoice in short.")
    return await _recorded_before(session, transfer, invoices) or Named(invoices)


async def _with_numbers(session: AsyncSession, entity_id: str, numbers: Sequence[str]) -> tuple[Invoice, ...]:
    query = select(Invoice).where(Invoice.entity_id == entity_id, col(Invoice.number).in_(numbers))
    found = [await stands_in_for(session, invoice) for invoice in (await session.exec(query)).all()]
    return tuple({invoice.id: invoice for invoice in found}.values())


async def stands_in_for(session: AsyncSession, invoice: Invoice) -> Invoice:
    """The invoice itself, or the one that replaced it: what was paid on it moved over (rules 11)."""
    query = select(Invoice).where(
        Invoice.replaces_id == invoice.id, col(Invoice.status) != InvoiceStatus.VOID.value
    )
    newer = (await session.exec(query)).first()
    return invoice if newer is None else await stands_in_for(session, newer)


def why_not_together(invoices: Sequence[Invoice], currency: str) -> str | None:
    """Why one transfer in this currency cannot pay these invoices; None where it can."""
    numbers = ", ".join(sorted(invoice.number or invoice.id for invoice in invoices))
    if any(invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID) for invoice in invoices):
        return f"{numbers}: a draft has no number and is not paid by transfer."
    if len({(invoice.entity_id, invoice.customer_id, invoice.clock_id) for invoice in invoices}) > 1:
        return f"{numbers} are of several customers."
    currencies = {invoice.currency for invoice in invoices}
    if currencies != {currency}:
        return f"It is in {currency}, and {numbers} in {' and '.join(sorted(currencies))}."
    return None


async def _recorded_before(
    session: AsyncSession, transfer: Transfer, invoices: Sequence[Invoice]
) -> RecordedBefore | Unclear | None:
    """The same money, recorded by a person: certain by the bank's reference, else a person has to look."""
    linked = select(Transfer.same_as_id).where(col(Transfer.same_as_id).is_not(None))
    query = (
        select(Transfer)
        .join(TransferShare, col(TransferShare.transfer_id) == col(Transfer.id))
        .where(
            Transfer.entity_id == transfer.entity_id,
            Transfer.source == TransferSource.PERSON,
            Transfer.state == TransferState.MATCHED,
            Transfer.amount_minor == transfer.amount_minor,
            Transfer.currency == transfer.currency,
            col(TransferShare.invoice_id).in_([invoice.id for invoice in invoices]),
            col(Transfer.id).not_in(linked),
        )
        .order_by(col(Transfer.received_on), col(Transfer.id))
    )
    alike = (await session.exec(query)).unique().all()
    same = next((one for one in alike if one.bank_reference and _is_in(one.bank_reference, transfer)), None)
    if same is not None:
        return RecordedBefore(same)
    if alike:
        one = alike[0]
        return Unclear(
            f"It may be {one.id}, which {one.by} recorded by hand for {one.received_on}. If so dismiss it, else match "
            "it."
        )
    return None


def _is_in(reference: str, transfer: Transfer) -> bool:
    return reference in (transfer.bank_reference, *transfer.remittance.split())
