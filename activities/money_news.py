"""What starts at the payment provider: refunds, disputes, warnings of fraud. Looked at there, then booked (rules 33).

An event is a hint. What it is about is fetched, outside of any transaction, and written down as it is now: so repeats
and order cannot hurt, and whatever the event itself says is never believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books import matters
from activities.books.config import BookRules
from activities.books.disputing import record_dispute
from activities.books.inbox import About, Taken, Topic
from activities.books.refunding import book_unasked, record_refund
from activities.gateway import PaymentGateway, ProviderRefused
from activities.hosted_page_news import HostedPageNews
from activities.provider_money import DisputeNews, FraudWarning, RefundNews
from models.boundary import CaseReport, CollectionRun
from models.database import Database
from models.tables import Collection, Invoice, Matter, MatterKind, PaymentAttempt, Refund, TestClock

logger = logging.getLogger(__name__)


class StartsCollections(Protocol):
    """Starts the workflow that chases an invoice; `activities.launching.Launcher`."""

    async def start_collection(self, run: CollectionRun) -> CaseReport:
        """Start it, or let the one that runs look."""
        ...


class MoneyNews:
    """Books what began at the provider. The worker's, whose calls to the provider are capped (engine 26)."""

    def __init__(
        self,
        database: Database,
        gateway: PaymentGateway,
        rules: BookRules,
        launcher: StartsCollections,
        *,
        payments_queue: str = "relance-payments",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is looked at yet.

        Args:
            database: the books.
            gateway: the payment provider.
            rules: the seller's.
            launcher: starts the chase of an invoice that is open again.
            payments_queue: where that chase makes its charges.
            now: real time; the business instant of whoever is on no test clock.
        """
        self._database = database
        self._gateway = gateway
        self._rules = rules
        self._launcher = launcher
        self._payments_queue = payments_queue
        self._now = now
        self._pages = HostedPageNews(database, gateway, rules)

    async def take(self, about: About) -> Taken | None:
        """Look at what an event is about and write it down.

        Returns:
            None where the payment that it is about has yet to be answered: ask again later.

        Raises:
            ProviderUnavailable, ProviderMisconfigured: ask again later.
        """
        try:
            match about.topic:
                case Topic.REFUND:
                    return await self.take_refunds([await self._gateway.look_at_refund(about.provider_id)])
                case Topic.CHARGE:
                    return await self.take_refunds(await self._gateway.refunds_of(about.provider_id))
                case Topic.DISPUTE:
                    return await self.take_dispute(await self._gateway.look_at_dispute(about.provider_id))
                case Topic.FRAUD_WARNING:
                    return await self._take_warning(await self._gateway.look_at_warning(about.provider_id))
                case Topic.HOSTED_PAGE:
                    return await self._pages.take(about.provider_id, now=self._now())
        except ProviderRefused as refusal:
            if refusal.reason != "resource_missing":
                raise
            return Taken(f"noted: the provider does not know {about.provider_id}")

    # Refunds

    async def take_refunds(
        self, news: Sequence[RefundNews], *, payment: PaymentAttempt | None = None
    ) -> Taken | None:
        """Write down how refunds stand: ours, by their id, and those that nobody here asked for.

        Args:
            news: as the provider has them now.
            payment: what a person says they went back on; else it is found by the provider's ids.
        """
        notes = []
        for one in reversed(news):  # in the order in which they were made
            async with self._database.write() as session:
                note = await self._take_refund(session, one, payment)
            if note is None:
                return None
            notes.append(note)
        return Taken("; ".join(notes) or "noted: nothing went back")

    async def _take_refund(
        self, session: AsyncSession, news: RefundNews, payment: PaymentAttempt | None
    ) -> str | None:
        known = await _our_refund(session, news)
        if known is not None:
            at = await self._business_now(session, known.invoice_id)
            refund = await self._record(session, known.id, news, at)
            return f"refund {refund.id} is {refund.state.value}"
        payment = payment or await matters.payment_of(
            session, charge=news.charge, payment_intent=news.payment_intent
        )
        if payment is None or payment.currency != news.currency:
            await self._park(
                session, MatterKind.REFUND, news, "went back on a payment that is not in the books"
            )
            return f"unmatched: parked refund {news.provider_id} for a person"
        if payment.state.is_live:
            return None
        at = await self._business_now(session, payment.invoice_id)
        refund = await book_unasked(
            session,
            payment,
            provider_id=news.provider_id,
            amount_minor=news.amount_minor,
            state=news.state,
            at=at,
            rules=self._rules.access,
            failure=news.failure,
        )
        await matters.resolve_if_open(
            session, MatterKind.REFUND, news.provider_id, how=f"booked as {refund.id}", at=self._now()
        )
        return f"booked refund {refund.id}, which nobody here asked for"

    async def _record(self, session: AsyncSession, refund_id: str, news: RefundNews, at: datetime) -> Refund:
        return await record_refund(
            session,
            refund_id,
            state=news.state,
            provider_id=news.provider_id,
            at=at,
            rules=self._rules.access,
            failure=news.failure,
        )

    # Disputes

    async def take_dispute(self, news: DisputeNews, *, payment: PaymentAttempt | None = None) -> Taken | None:
        """Write down how a dispute stands; who is to act on it now is woken, and a chase that begins is started."""
        async with self._database.write() as session:
            payment = payment or await matters.payment_of(
                session, charge=news.charge, payment_intent=news.payment_intent
            )
            if payment is None or payment.currency != news.currency:
                await self._park(
                    session, MatterKind.DISPUTE, news, f"is disputed ({news.reason}), and is not in the books"
                )
                return Taken(f"unmatched: parked dispute {news.provider_id} for a person")
            if payment.state.is_live:
                return None
            at = await self._business_now(session, payment.invoice_id)
            dispute = await record_dispute(session, self._gateway, self._rules, payment, news, at=at)
            await matters.resolve_if_open(
                session, MatterKind.DISPUTE, news.provider_id, how=f"booked as {dispute.id}", at=self._now()
            )
            note = f"dispute {dispute.id} is {dispute.state.value}"
        await self._start_chases(payment, at)
        return Taken(note, await self._to_wake(payment), at)

    async def _start_chases(self, payment: PaymentAttempt, at: datetime) -> None:
        """An ended subscription has no workflow that would do it (rules 16)."""
        query = select(Collection).where(
            Collection.subscription_id == payment.subscription_id,
            col(Collection.started_at).is_(None),
            Collection.chase > 1,
        )
        async with self._database.read() as session:
            waiting = (await session.exec(query)).all()
        for collection in waiting:
            await self._launcher.start_collection(
                CollectionRun(
                    invoice_id=collection.invoice_id,
                    subscription_id=collection.subscription_id,
                    now=at if collection.clock_id is not None else None,
                    clock_id=collection.clock_id,
                    payments_queue=self._payments_queue,
                    as_of=at,
                )
            )

    async def _to_wake(self, payment: PaymentAttempt) -> tuple[str, ...]:
        """Every chase of the customer, whose card may be charged now or not any more; and the subscription."""
        query = select(Collection.invoice_id).where(
            Collection.customer_id == payment.customer_id, col(Collection.closed_at).is_(None)
        )
        async with self._database.read() as session:
            chased = (await session.exec(query.order_by(col(Collection.day0), col(Collection.id)))).all()
        return (*(f"collection/{id_}" for id_ in chased), f"subscription/{payment.subscription_id}")

    # Warnings

    async def _take_warning(self, warning: FraudWarning) -> Taken:
        """Alerts a person and nobody else: whether to refund before it is disputed is theirs to decide."""
        async with self._database.write() as session:
            payment = await matters.payment_of(
                session, charge=warning.charge, payment_intent=warning.payment_intent
            )
            known = await session.get(
                Matter, matters.matter_id(MatterKind.FRAUD_WARNING, warning.provider_id)
            )
            await matters.park(
                session,
                MatterKind.FRAUD_WARNING,
                warning.provider_id,
                says=f"the card's issuer warns of fraud: {warning.fraud_type.replace('_', ' ')}",
                at=self._now(),
                charge=warning.charge,
                payment_intent=warning.payment_intent,
                attempt_id=payment.id if payment is not None else None,
                amount_minor=payment.amount_minor if payment is not None else None,
                currency=payment.currency if payment is not None else "",
            )
            if not warning.actionable:
                how = "a refund would help no more: it went back, or is disputed"
                await matters.resolve_if_open(
                    session, MatterKind.FRAUD_WARNING, warning.provider_id, how=how, at=self._now()
                )
        if known is None:
            logger.warning(
                "Early fraud warning %s about charge %s: %s. See relance doctor.",
                warning.provider_id,
                warning.charge,
                warning.fraud_type,
            )
        return Taken(f"fraud warning {warning.provider_id} is kept for a person")

    async def _park(
        self, session: AsyncSession, kind: MatterKind, news: RefundNews | DisputeNews, says: str
    ) -> None:
        await matters.park(
            session,
            kind,
            news.provider_id,
            says=f"{news.charge or news.payment_intent or 'a payment'} {says}",
            at=self._now(),
            charge=news.charge,
            payment_intent=news.payment_intent,
            amount_minor=news.amount_minor,
            currency=news.currency,
        )

    async def _business_now(self, session: AsyncSession, invoice_id: str) -> datetime:
        invoice = await session.get_one(Invoice, invoice_id)
        if invoice.clock_id is None:
            return self._now()
        return (await session.get_one(TestClock, invoice.clock_id)).now


async def _our_refund(session: AsyncSession, news: RefundNews) -> Refund | None:
    """By our own id, which travels in its metadata, or by the provider's once that is known."""
    if news.refund_id is not None:
        named = await session.get(Refund, news.refund_id)
        if named is not None:
            return named
    query = select(Refund).where(Refund.provider_id == news.provider_id)
    return (await session.exec(query)).first()
