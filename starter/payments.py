"""Money that is held, goes back, or fits nowhere in the books: what a person of the seller asks and answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from activities.books import matters
from activities.books.balance import Held, currencies_held, held_for
from activities.books.giving_back import GivenBack, give_back
from activities.books.inbox import Taken
from activities.books.rows import get
from activities.incoming import TemporalSignals
from activities.launching import Launcher
from activities.money_news import MoneyNews
from activities.refunds import Refunds
from billing.errors import InvalidInput
from billing.money_back import MoneyBack
from billing.payment import AttemptState
from models.tables import Customer, Dispute, Invoice, Matter, MatterKind, PaymentAttempt, Refund
from starter.connect import TemporalUnreachable
from starter.connections import Connections
from starter.finding import find

logger = logging.getLogger(__name__)

_TOOK_MONEY = (AttemptState.SUCCEEDED, AttemptState.RETURNED)


class Payments:
    """Each order that moves money is carried out once for its command id."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def held(self, customer: str) -> list[Held]:
        """What we hold for a customer, by currency: the balance, and money that no invoice claimed.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            row = await find(session, Customer, customer, field="customer")
            return [
                await held_for(session, row.id, currency)
                for currency in await currencies_held(session, row.id)
            ]

    async def give_back(self, order: MoneyBack) -> GivenBack:
        """Send back, or note as paid out, money that we hold for a customer.

        What is sent back is written here and sent by the outbox.

        Args:
            order: names the customer by id or reference.

        Raises:
            NotFound: there is no such customer.
            NotHeld: we do not hold that much.
            RefundExceedsPayments: it can't all go back on payments; pay the rest out by hand.
            InvalidInput: several currencies are held and none is named, or the command id is taken.
        """
        async with self._to.database.write() as session:
            customer = await find(session, Customer, order.customer_id, field="customer")
            at = await self._to.now(session, customer.clock_id)
            named = order.model_copy(update={"customer_id": customer.id})
            return await give_back(session, self._to.rules, named, at=at)

    async def refunds(self, *, customer: str | None = None, limit: int = 100) -> Sequence[Refund]:
        """The newest refunds, of a customer where one is named.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            query = select(Refund).order_by(col(Refund.at).desc(), col(Refund.id)).limit(limit)
            if customer is not None:
                row = await find(session, Customer, customer, field="customer")
                query = query.where(Refund.customer_id == row.id)
            return (await session.exec(query)).all()

    async def send_again(self, refund_id: str) -> Refund:
        """Let a refund whose key is too old be made anew; see `Refunds.send_again`."""
        return await self._refunds().send_again(refund_id)

    async def drop(self, refund_id: str, *, by: str, reason: str) -> Refund:
        """Give up on a refund that has not left; see `Refunds.drop`.

        Raises:
            InvalidInput: there is no reason; field `reason`.
        """
        if not reason.strip():
            raise InvalidInput("Say why the money is not to go back any more.", field="reason")
        return await self._refunds().drop(refund_id, by=by, reason=reason)

    async def disputes(self, *, only_open: bool = False, limit: int = 100) -> Sequence[Dispute]:
        """The newest disputes, or those only that are not decided."""
        async with self._to.database.read() as session:
            query = select(Dispute).order_by(col(Dispute.opened_at).desc(), col(Dispute.id)).limit(limit)
            if only_open:
                query = query.where(col(Dispute.closed_at).is_(None))
            return (await session.exec(query)).all()

    async def matters(self) -> Sequence[Matter]:
        """What waits for a person: facts that fit nowhere, and warnings of fraud."""
        async with self._to.database.read() as session:
            return await matters.open_matters(session)

    async def resolve(self, matter_id: str, *, by: str, reason: str) -> Matter:
        """A person has dealt with a matter, and says how. The first answer stays.

        Raises:
            NotFound: there is no such matter.
            InvalidInput: there is no reason; field `reason`.
        """
        async with self._to.database.write() as session:
            return await matters.resolve(
                session, matter_id, by=by, how=reason, at=await self._to.now(session, None)
            )

    async def link(self, matter_id: str, invoice: str) -> Taken:
        """Book a refund or dispute that fitted nowhere on the payment of the invoice that a person names.

        Args:
            matter_id: what was parked.
            invoice: by id or number; the payment is the one that paid it.

        Raises:
            NotFound: there is no such matter or invoice.
            InvalidInput: the matter is of another kind or resolved, or no payment in its currency paid the invoice.
            ProviderUnavailable: the provider cannot be asked now.
        """
        async with self._to.database.read() as session:
            matter = await get(session, Matter, matter_id, field="matter")
            _check_linkable(matter)
            attempt = await _payment_of(session, invoice, matter)
        news = await self._news()
        gateway = self._to.gateway()
        if matter.kind is MatterKind.REFUND:
            refund = await gateway.look_at_refund(matter.provider_id)
            taken = await news.take_refunds([refund], payment=attempt)
        else:
            dispute = await gateway.look_at_dispute(matter.provider_id)
            taken = await news.take_dispute(dispute, payment=attempt)
        if taken is None:
            raise InvalidInput("This payment has no answer yet. Link it once it has.", field="invoice")
        await self._wake(taken)
        return taken

    def _refunds(self) -> Refunds:
        return Refunds(self._to.database, self._to.gateway(), self._to.rules)

    async def _news(self) -> MoneyNews:
        settings, gateway = self._to.settings, self._to.gateway()
        client = await self._to.temporal()
        launcher = Launcher(
            self._to.database, gateway, self._to.rules, client, task_queue=settings.task_queue
        )
        return MoneyNews(
            self._to.database,
            gateway,
            self._to.rules,
            launcher,
            payments_queue=settings.payments_task_queue,
        )

    async def _wake(self, taken: Taken) -> None:
        """Hints: who is gone, or can't be told now, reads the books at its next look."""
        if taken.at is None:
            return
        try:
            signals = TemporalSignals(await self._to.temporal())
            for workflow_id in taken.wakes:
                await signals.tell(workflow_id, "look", {"now": taken.at.isoformat()})
        except (RPCError, TemporalUnreachable) as problem:
            logger.warning("Nobody was told: %s", problem)


def _check_linkable(matter: Matter) -> None:
    if matter.kind not in (MatterKind.REFUND, MatterKind.DISPUTE):
        raise InvalidInput(
            "Only a refund or a dispute is linked to a payment. Resolve this one: relance payment resolve",
            field="matter",
        )
    if matter.resolved_at is not None:
        raise InvalidInput(f"This was resolved already: {matter.resolution}.", field="matter")


async def _payment_of(session: AsyncSession, key: str, matter: Matter) -> PaymentAttempt:
    """The payment that paid an invoice, also one that was taken back since."""
    by_number = (await session.exec(select(Invoice).where(Invoice.number == key))).first()
    invoice = by_number or await get(session, Invoice, key, field="invoice")
    query = select(PaymentAttempt).where(
        PaymentAttempt.invoice_id == invoice.id,
        PaymentAttempt.currency == matter.currency,
        col(PaymentAttempt.state).in_(_TOOK_MONEY),
    )
    found = (await session.exec(query.order_by(col(PaymentAttempt.number).desc()))).first()
    if found is None:
        raise InvalidInput(
            f"No payment in {matter.currency} paid this invoice. Name one that was charged and paid.",
            field="invoice",
        )
    return found
