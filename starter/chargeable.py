"""Whether a person may ask that an invoice be charged now: whoever owns it decides again when it is tried."""

from __future__ import annotations

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables import ELSEWHERE, Invoice, InvoiceStatus, PaymentAttempt
from starter.problems import CommandRefused


async def was_tried(session: AsyncSession, invoice: Invoice, command_id: str) -> bool:
    """Whether the invoice was charged because of this command: asking again is then answered as before."""
    query = select(PaymentAttempt.id).where(
        PaymentAttempt.invoice_id == invoice.id, PaymentAttempt.asked_by == command_id
    )
    return (await session.exec(query)).first() is not None


def check_chargeable(invoice: Invoice) -> None:
    """Refuse an invoice that nobody charges any more, or for which a charge is under way.

    Raises:
        CommandRefused: `not_open`, `collected_elsewhere` or `under_way`.
    """
    if invoice.open_minor <= 0 or invoice.status is InvoiceStatus.VOID:
        raise CommandRefused("not_open", "Nothing is owed on this invoice any more.", field="invoice")
    if invoice.status is InvoiceStatus.UNCOLLECTIBLE:
        raise CommandRefused(
            "not_open",
            "This invoice was written off: it is not charged any more. A payment by other means still pays it.",
            field="invoice",
        )
    if invoice.owner == ELSEWHERE:
        raise CommandRefused(
            "collected_elsewhere",
            "Another billing system issued this invoice and collects it: it is only shown here.",
            field="invoice",
        )
    if invoice.owner != "collection":
        raise CommandRefused("under_way", "A payment is under way; wait for its outcome.", field="invoice")
