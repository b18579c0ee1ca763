"""Credit, write off, apply money to and rectify issued invoices: what a person of the seller asks for."""

from __future__ import annotations

import logging
from typing import Final

from temporalio.service import RPCError

from activities.books.correcting import Corrected, UnderWay, begin_correction
from activities.books.rectifying import Rectified, rectify
from activities.gateway import ProviderUnavailable
from activities.incoming import TemporalSignals
from billing.corrections import Correction, Rectify
from models.tables import Invoice
from starter.connect import TemporalUnreachable
from starter.connections import Connections

logger = logging.getLogger(__name__)

HINT: Final = "payment_settled"
"""The signal that makes a workflow read the books again."""


class Corrections:
    """Corrections are books first; workflows are then told to look, and find out by themselves if that gets lost."""

    def __init__(self, connections: Connections) -> None:
        self._to = connections

    async def carry_out(self, correction: Correction) -> Corrected:
        """Credit, write off or apply money, once for each command id.

        A payment under way is cancelled at the provider first; where it can't be, the correction waits for its
        outcome, and the answer says so (U16).

        Raises:
            NotFound: there is no such invoice.
            NotNow: the invoice does not take it.
            InvalidInput: an amount is out of range, or the command id belongs to something else.
        """
        done = await self._try(correction, may_wait=False)
        if isinstance(done, UnderWay):
            await self._cancel(done)
            done = await self._try(correction, may_wait=True)
        if isinstance(done, UnderWay):
            raise TypeError("a correction that may wait does not answer that a payment is under way")
        await self._tell(correction.invoice_id)
        return done

    async def rectify(self, asked: Rectify) -> Rectified:
        """Replace an invoice by one with the buyer's corrected data, once for each command id.

        Raises:
            NotFound: there is no such invoice.
            NotNow: a payment is under way, a dispute is open, or a part was credited before.
            InvalidInput: nothing changes, or the command id belongs to something else.
        """
        async with self._to.database.write() as session:
            invoice = await session.get(Invoice, asked.invoice_id)
            at = await self._to.now(session, None if invoice is None else invoice.clock_id)
            done = await rectify(session, self._to.gateway(), self._to.rules, asked, at=at)
        await self._tell(asked.invoice_id)
        return done

    async def _try(self, correction: Correction, *, may_wait: bool) -> Corrected | UnderWay:
        async with self._to.database.write() as session:
            invoice = await session.get(Invoice, correction.invoice_id)
            at = await self._to.now(session, None if invoice is None else invoice.clock_id)
            return await begin_correction(
                session, self._to.gateway(), self._to.rules, correction, at=at, may_wait=may_wait
            )

    async def _cancel(self, payment: UnderWay) -> None:
        """Ask the provider that no money moves any more; what came of it is read by the invoice's owner."""
        if payment.payment_intent is None:
            return
        try:
            await self._to.gateway().cancel(payment.payment_intent)
        except ProviderUnavailable as fault:
            logger.warning("The payment of attempt %s goes on: %s", payment.attempt_id, fault.message)

    async def _tell(self, invoice_id: str) -> None:
        """Hint to whoever owns the invoice and to its subscription."""
        async with self._to.database.read() as session:
            invoice = await session.get_one(Invoice, invoice_id)
        wanted = (f"collection/{invoice_id}", f"subscription/{invoice.subscription_id}")
        try:
            signals = TemporalSignals(await self._to.temporal())
            for workflow_id in wanted:
                await signals.tell(workflow_id, HINT, {"invoice": invoice_id})
        except (RPCError, TemporalUnreachable) as problem:
            logger.warning("Nobody was told about %s; it is found at the next look: %s", invoice_id, problem)
