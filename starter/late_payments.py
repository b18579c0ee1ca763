"""What late payment costs a business: shown to whoever asks, claimed by a person only (rules 31)."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.late_claims import (
    ClaimInterest,
    ClaimStanding,
    WaiveInterest,
    claim_interest,
    waive_interest,
)
from activities.books.transfers import Desk
from models.ids import new_id
from models.tables import Invoice
from starter.connections import Connections
from starter.finding import in_one_transaction


class LatePayments:
    """Claims and waivers; what is owed for lateness is shown with the invoice."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def claim(
        self, invoice_id: str, *, command_id: str | None = None, by: str = "api"
    ) -> ClaimStanding:
        """Claim interest up to today and the fixed recovery costs, less what was claimed before.

        The customer gets a mail with the sum. Once for each command id.

        Raises:
            NotFound: there is no such invoice.
            NotNow: there is nothing to claim; the message says why.
        """
        asked = ClaimInterest(command_id=command_id or new_id("cmd"), invoice_id=invoice_id, by=by)

        async def work(session: AsyncSession) -> ClaimStanding:
            return await claim_interest(await self._desk(session, invoice_id), asked)

        return await in_one_transaction(self._to.database, work)

    async def waive(self, invoice_id: str, *, reason: str, by: str = "api") -> ClaimStanding:
        """Let go of what was claimed for an invoice and is not paid.

        Raises:
            NotFound: there is no such invoice.
            NotNow: nothing is claimed and unpaid.
        """
        async with self._to.database.write() as session:
            asked = WaiveInterest(invoice_id=invoice_id, reason=reason, by=by)
            return await waive_interest(await self._desk(session, invoice_id), asked)

    async def _desk(self, session: AsyncSession, invoice_id: str) -> Desk:
        invoice = await session.get(Invoice, invoice_id)
        at = await self._to.now(session, None if invoice is None else invoice.clock_id)
        return Desk(session, self._to.gateway(), self._to.rules, at)
