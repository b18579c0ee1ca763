"""Refunds on their way out: each is written first, sent with its own id as the key, and looked for when in doubt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.refunding import record_refund
from activities.books.rows import lock
from activities.gateway import KEY_LIFETIME, PaymentGateway, ProviderUnavailable
from activities.provider_money import RefundNews, RefundRefused, RefundRequest
from billing.errors import RelanceError
from billing.refund import RefundState
from models.database import Database
from models.tables import Invoice, PaymentAttempt, Refund, TestClock

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=2)
"""Real time for which nobody else takes up a refund that is being sent."""
LOOK_AGAIN: Final = timedelta(hours=1)
"""How often a refund that the provider has taken and not yet settled is asked about."""
PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1))
"""Waits between tries while the provider does not answer; the last one again and again."""
WAITING: Final = (RefundState.QUEUED, RefundState.PENDING, RefundState.REQUIRES_ACTION)


class NotStuck(RelanceError):
    """The refund needs nothing from a person."""


class Refunds:
    """Sends what the books have queued, and writes down what the provider says."""

    def __init__(
        self,
        database: Database,
        gateway: PaymentGateway,
        rules: BookRules,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is sent yet.

        Args:
            database: the books.
            gateway: the payment provider.
            rules: the seller's.
            now: real time: leases and the age of a key are never on a test clock.
        """
        self._database = database
        self._gateway = gateway
        self._rules = rules
        self._now = now

    async def send_waiting(self, *, limit: int = 20) -> int:
        """One pass over refunds that are to be sent or asked about; one that fails holds back no other.

        Returns:
            How many got an answer.
        """
        async with self._database.read() as session:
            waiting = await _due(session, self._now(), limit)
        answered = 0
        for refund_id in waiting:
            try:
                answered += await self._send(refund_id)
            except Exception:
                logger.exception("Refund %s could not be dealt with; it is tried again later.", refund_id)
        return answered

    async def send_again(self, refund_id: str) -> Refund:
        """A person wants a refund sent whose key is too old: it is made anew, unless the provider has it after all.

        The provider's list of refunds is complete: what is not on it was never made. It forgets a key by now, so
        that the same one is a new request.

        Raises:
            NotFound: there is no such refund.
            NotStuck: it needs no person; says why.
            ProviderUnavailable: the provider cannot be asked now; ask again.
        """
        request = await self._hold(refund_id)
        news = await self._gateway.find_refund(request)
        if news is not None:
            await self._record(refund_id, news)
        async with self._database.write() as session:
            refund = await lock(session, Refund, refund_id, field="refund")
            if refund.state is RefundState.QUEUED:
                refund.sent_at, refund.leased_until, refund.tries, refund.last_error = None, None, 0, ""
            return refund

    async def drop(self, refund_id: str, *, by: str, reason: str) -> Refund:
        """A person gives up on a refund that has not left: its money returns to where it was taken from.

        Where the provider has it after all, that is written down instead.

        Raises:
            NotFound: there is no such refund.
            NotStuck: it has left, or is still tried by itself.
            ProviderUnavailable: the provider cannot be asked now; ask again.
        """
        request = await self._hold(refund_id)
        news = await self._gateway.find_refund(request)
        if news is not None:
            await self._record(refund_id, news)
        async with self._database.write() as session:
            refund = await lock(session, Refund, refund_id, field="refund")
            if refund.state is not RefundState.QUEUED:
                return refund
            return await record_refund(
                session,
                refund_id,
                state=RefundState.CANCELED,
                provider_id=None,
                at=await _business_now(session, refund, self._now()),
                rules=self._rules.access,
                failure=f"dropped by {by}: {reason}",
            )

    async def _hold(self, refund_id: str) -> RefundRequest:
        """Lease a refund that is only looked for any more, so that nobody does anything else with it meanwhile."""
        now = self._now()
        async with self._database.write() as session:
            refund = await lock(session, Refund, refund_id, field="refund")
            if refund.state is not RefundState.QUEUED or refund.attempt_id is None:
                raise NotStuck(f"This refund is {refund.state.value}: it has left.", field="refund")
            if refund.sent_at is None or now - refund.sent_at < KEY_LIFETIME:
                raise NotStuck(
                    "This refund is tried again by itself, until its key is 23 hours old. Wait for that.",
                    field="refund",
                )
            refund.leased_until = now + LEASE
            return await _request_of(session, refund)

    async def _send(self, refund_id: str) -> bool:
        async with self._database.write() as session:
            claimed = await _claim(session, refund_id, self._now())
        if claimed is None:
            return False
        request, looks_only = claimed
        try:
            news = await (self._gateway.find_refund(request) if looks_only else self._gateway.refund(request))
        except ProviderUnavailable as fault:
            await self._put_back(refund_id, fault.message)
            return False
        if news is None:
            await self._put_back(
                refund_id,
                "Its key is too old to be sent again, and the provider does not know it. Look there.",
            )
            return False
        await self._record(refund_id, news)
        return True

    async def _record(self, refund_id: str, news: RefundNews | RefundRefused) -> None:
        async with self._database.write() as session:
            refund = await session.get_one(Refund, refund_id)
            at = await _business_now(session, refund, self._now())
            if isinstance(news, RefundRefused):
                await record_refund(
                    session,
                    refund_id,
                    state=RefundState.FAILED,
                    provider_id=None,
                    at=at,
                    rules=self._rules.access,
                    failure=news.code,
                )
                return
            refund = await record_refund(
                session,
                refund_id,
                state=news.state,
                provider_id=news.provider_id,
                at=at,
                rules=self._rules.access,
                failure=news.failure,
            )
            if refund.state in WAITING:
                refund.leased_until = self._now() + LOOK_AGAIN

    async def _put_back(self, refund_id: str, reason: str) -> None:
        async with self._database.write() as session:
            refund = await lock(session, Refund, refund_id, field="refund")
            if refund.state not in WAITING:
                return  # an event brought the answer meanwhile
            pause = PAUSES[min(refund.tries, len(PAUSES)) - 1]
            refund.leased_until, refund.last_error = self._now() + pause, reason


async def _due(session: AsyncSession, now: datetime, limit: int) -> list[str]:
    query = (
        select(Refund.id)
        .where(
            col(Refund.state).in_(WAITING),
            col(Refund.attempt_id).is_not(None),
            or_(col(Refund.leased_until).is_(None), col(Refund.leased_until) <= now),
        )
        .order_by(col(Refund.at), col(Refund.id))
        .limit(limit)
    )
    return list((await session.exec(query)).all())


async def _claim(session: AsyncSession, refund_id: str, now: datetime) -> tuple[RefundRequest, bool] | None:
    """Take a refund up, unless somebody did; and whether it is only looked for."""
    refund = await lock(session, Refund, refund_id, field="refund")
    is_leased = refund.leased_until is not None and refund.leased_until > now
    if refund.state not in WAITING or refund.attempt_id is None or is_leased:
        return None
    key_is_old = refund.sent_at is not None and now - refund.sent_at >= KEY_LIFETIME
    refund.sent_at = refund.sent_at or now
    refund.leased_until = now + LEASE
    refund.tries += 1
    return await _request_of(session, refund), key_is_old or refund.state is not RefundState.QUEUED


async def _request_of(session: AsyncSession, refund: Refund) -> RefundRequest:
    attempt = await session.get_one(PaymentAttempt, refund.attempt_id)
    return RefundRequest(
        refund_id=refund.id,
        payment_intent=attempt.payment_intent,
        charge=attempt.charge,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
    )


async def _business_now(session: AsyncSession, refund: Refund, now: datetime) -> datetime:
    """The instant of a fact: that of the test clock, where the customer lives on one."""
    invoice = await session.get_one(Invoice, refund.invoice_id)
    if invoice.clock_id is None:
        return now
    return (await session.get_one(TestClock, invoice.clock_id)).now
