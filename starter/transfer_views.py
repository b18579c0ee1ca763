"""The transfers that paid an invoice, as its page shows them."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.values import Value
from models.tables import Invoice, Transfer, TransferShare


class TransferView(Value):
    """What a transfer paid of an invoice."""

    transfer_id: str
    received_on: date
    pays_minor: int
    small_difference_minor: int
    claim_minor: int
    """Of what was claimed for its lateness."""
    unapplied_minor: int
    """What no invoice asked for."""
    taken_back_at: datetime | None


async def transfers_of(session: AsyncSession, invoice: Invoice) -> tuple[TransferView, ...]:
    """What transfers did to an invoice, oldest first, also what was taken back since."""
    query = (
        select(Transfer, TransferShare)
        .join(TransferShare, col(TransferShare.transfer_id) == col(Transfer.id))
        .where(TransferShare.invoice_id == invoice.id)
        .order_by(col(Transfer.received_on), col(TransferShare.id))
    )
    return tuple(
        TransferView(
            transfer_id=transfer.id,
            received_on=transfer.received_on,
            pays_minor=share.pays_minor,
            small_difference_minor=share.small_difference_minor,
            claim_minor=share.claim_minor,
            unapplied_minor=share.unapplied_minor,
            taken_back_at=share.taken_back_at,
        )
        for transfer, share in (await session.exec(query)).all()
    )
