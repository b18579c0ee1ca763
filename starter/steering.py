"""Steering what is chased: promises, pauses, steps left out, more time; for one invoice or for all of a customer."""

from __future__ import annotations

import logging
from datetime import datetime

from activities.books.steering import ChaseSteered, chased_invoices, steer_chase
from billing.payment import Trigger
from billing.refusal import Refused
from billing.steering import Directive
from models.boundary import Wish, WishAccepted
from models.ids import new_id
from models.tables import Customer
from starter.chargeable import check_chargeable, was_tried
from starter.connect import TemporalUnreachable
from starter.connections import Connections
from starter.finding import find, find_invoice
from starter.hints import COLLECTION, SUBSCRIPTION, hint
from starter.sending import send_command

logger = logging.getLogger(__name__)


class Steering:
    """Directives are books first: they hold at once, also while no worker is up. Workflows are then told to look."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def steer(self, invoice: str, directive: Directive) -> ChaseSteered:
        """Carry out what a person decided about the chase of an invoice, once for each command id.

        One given for an invoice that rests beside an older one is given to that (U18).

        Args:
            invoice: id or number.
            directive: a promise, a hold, its release, a step to skip, or a later end.

        Raises:
            NotFound: there is no such invoice.
            Refused: it is not chased, or the directive does not fit; `field` names what is wrong.
            CommandIdTaken: the command id belongs to something else.
        """
        async with self._to.database.write() as session:
            row = await find_invoice(session, invoice)
            at = await self._to.now(session, row.clock_id)
            done = await steer_chase(
                session, self._to.gateway(), self._to.rules, directive, invoice_id=row.id, at=at
            )
        await self._tell(done.report.subscription_id, done.invoice_id, at=at)
        return done

    async def steer_customer(self, customer: str, directive: Directive) -> list[ChaseSteered]:
        """The same for every chase of a customer; each gets the command id with its place behind it.

        Raises:
            NotFound: there is no such customer.
            Refused: nothing of this customer is chased, or the directive does not fit one of them; those before it
                are steered already, and asking again with the same id goes on.
        """
        async with self._to.database.read() as session:
            owner = await find(session, Customer, customer, field="customer")
            invoices = await chased_invoices(session, owner.id)
        if not invoices:
            raise Refused(f"Nothing of the customer {customer} is chased.", field="customer")
        return [
            await self.steer(
                invoice, directive.model_copy(update={"command_id": f"{directive.command_id}/{invoice}"})
            )
            for invoice in invoices
        ]

    async def retry(self, invoice: str, *, command_id: str | None = None, by: str = "api") -> WishAccepted:
        """Charge a chased invoice at once, for support. Its schedule stays as it is (rules 23).

        Raises:
            NotFound: there is no such invoice.
            CommandRefused: nothing is owed, a payment is under way, or it was tried too often today.
            NoWorker, NotRunning, TemporalUnreachable: nobody answered; ask again with the same id.
        """
        async with self._to.database.read() as session:
            row = await find_invoice(session, invoice)
            now = await self._to.now(session, row.clock_id)
            command_id = command_id or new_id("cmd")
            if await was_tried(session, row, command_id):
                return WishAccepted(command_id=command_id, invoice_id=row.id)
        check_chargeable(row)
        wish = Wish(
            trigger=Trigger.SUPPORT,
            command_id=command_id,
            as_of=now if row.clock_id is not None else None,
            by=by,
        )
        return await send_command(
            await self._to.temporal(),
            f"{COLLECTION}{row.id}",
            "retry_now",
            wish,
            command_id=wish.command_id,
            answer=WishAccepted,
        )

    async def _tell(self, subscription_id: str, invoice_id: str, *, at: datetime) -> None:
        try:
            await hint(
                await self._to.temporal(),
                (f"{COLLECTION}{invoice_id}", f"{SUBSCRIPTION}{subscription_id}"),
                at,
            )
        except TemporalUnreachable as problem:
            logger.warning("Nobody was told about %s; it is found at the next look: %s", invoice_id, problem)
