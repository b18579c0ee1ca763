"""Settling by hand a payment whose answer was lost and could not be found out (design 6.3).

A person says what they saw at the provider; the provider is asked whether it is so, and nothing is believed against it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.correcting import DONE, CommandIdTaken
from activities.books.gate import live_attempt
from activities.books.outcomes import record_never_ran, record_outcome
from activities.books.rows import get
from activities.gateway import NeverRan
from billing.chase import INLINE_TRY
from billing.errors import InvalidInput
from billing.payment import AttemptState, Outcome
from billing.refusal import Refused
from billing.values import Value
from models.ids import new_id
from models.tables import CommandRow, Customer, Invoice, PaymentAttempt
from starter.connect import TemporalUnreachable
from starter.connections import Connections
from starter.finding import find_invoice
from starter.hints import COLLECTION, SUBSCRIPTION, hint

logger = logging.getLogger(__name__)

KIND = "payment.settle"
NOTHING_CHARGED = "never_ran"


class Settled(Value):
    """What became of a payment that a person settled."""

    invoice_id: str
    attempt: int
    """Its number."""
    outcome: str
    """What the provider says now: `paid`, `declined`, `canceled` ...; `never_ran` where it knows nothing of it."""


class Settling:
    """Only for attempts without an answer; whatever the provider says wins over the person."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def settle(
        self,
        invoice: str,
        *,
        payment_intent: str | None = None,
        command_id: str | None = None,
        by: str = "api",
        reason: str = "",
    ) -> Settled:
        """Close the attempt of an invoice that has had no answer, and let its chase go on.

        Args:
            invoice: id or number.
            payment_intent: where the person found the payment at the provider; None says that nothing was charged.
            command_id: the same twice is done once.
            by: who settles it.
            reason: for the record.

        Raises:
            NotFound: there is no such invoice.
            Refused: no answer is missing, or the provider knows of a payment that the person did not name.
            InvalidInput: the PaymentIntent belongs to something else; field `payment_intent`.
            CommandIdTaken: the command id belongs to something else.
            ProviderUnavailable, ProviderMisconfigured, ProviderRefused: the provider did not answer.
        """
        command_id = command_id or new_id("cmd")
        async with self._to.database.read() as session:
            row = await find_invoice(session, invoice)
            now = await self._to.now(session, row.clock_id)
            known = await session.get(CommandRow, command_id)
            if known is not None:
                return _answered_before(known, row.id)
            attempt = await _unanswered(session, row, now)
            customer = await get(session, Customer, row.customer_id, field="customer")
        if payment_intent is not None:
            await self._check_is_its(payment_intent, attempt, customer)
        outcome = await self._outcome(payment_intent, attempt, customer, now)
        done = Settled(
            invoice_id=row.id,
            attempt=attempt.number,
            outcome=NOTHING_CHARGED if isinstance(outcome, NeverRan) else outcome.outcome,
        )
        async with self._to.database.write() as session:
            gateway, rules = self._to.gateway(), self._to.rules
            if isinstance(outcome, NeverRan):
                await record_never_ran(session, gateway, rules, attempt_id=attempt.id, at=now)
            else:
                await record_outcome(
                    session, gateway, rules, attempt_id=attempt.id, outcome=outcome, at=now, looked=True
                )
            session.add(
                CommandRow(
                    id=command_id,
                    subscription_id=row.subscription_id,
                    kind=KIND,
                    payload=done.model_dump(),
                    by=by,
                    reason=reason,
                    outcome=DONE,
                    at=now,
                )
            )
        await self._tell(row, now)
        return done

    async def _check_is_its(self, payment_intent: str, attempt: PaymentAttempt, customer: Customer) -> None:
        """Refuse a payment that can't be this attempt's: it would close a debt that somebody else paid."""
        facts = await self._to.gateway().intent_facts(payment_intent)
        if facts.customer != customer.provider_id:
            raise InvalidInput(f"{payment_intent} is a payment of another customer.", field="payment_intent")
        if (facts.amount_minor, facts.currency) != (attempt.amount_minor, attempt.currency):
            raise InvalidInput(
                f"{payment_intent} is over {facts.amount_minor} minor units of {facts.currency}, this attempt over "
                f"{attempt.amount_minor} of {attempt.currency}.",
                field="payment_intent",
            )
        query = select(PaymentAttempt.invoice_id).where(
            PaymentAttempt.payment_intent == payment_intent,
            col(PaymentAttempt.invoice_id) != attempt.invoice_id,
        )
        async with self._to.database.read() as session:
            other = (await session.exec(query)).first()
        if other is not None:
            raise InvalidInput(f"{payment_intent} pays the invoice {other} already.", field="payment_intent")

    async def _outcome(
        self, payment_intent: str | None, attempt: PaymentAttempt, customer: Customer, now: datetime
    ) -> Outcome | NeverRan:
        gateway = self._to.gateway()
        if payment_intent is not None:
            return await gateway.look(payment_intent, since=attempt.begun_at, as_of=now)
        if attempt.payment_intent is not None:
            return await gateway.cancel(attempt.payment_intent)
        found = await gateway.find(
            customer=customer.provider_id or "",
            invoice_id=attempt.invoice_id,
            generation=attempt.generation,
            created_after=attempt.begun_at,
        )
        if found is not None:
            raise Refused(
                f"The provider has {found} for this invoice. Look at it there, then settle with that payment.",
                field="payment_intent",
            )
        return NeverRan(payment_intent="")

    async def _tell(self, invoice: Invoice, at: datetime) -> None:
        try:
            wanted = (f"{COLLECTION}{invoice.id}", f"{SUBSCRIPTION}{invoice.subscription_id}")
            await hint(await self._to.temporal(), wanted, at)
        except TemporalUnreachable as problem:
            logger.warning("Nobody was told about %s; it is found at the next look: %s", invoice.id, problem)


async def _unanswered(session: AsyncSession, invoice: Invoice, now: datetime) -> PaymentAttempt:
    attempt = await live_attempt(session, invoice.id)
    waits = attempt is not None and (
        attempt.state is AttemptState.UNKNOWN
        or (
            attempt.state is AttemptState.STARTED
            and now - attempt.begun_at > INLINE_TRY + timedelta(seconds=1)
        )
    )
    if attempt is None or not waits:
        raise Refused(
            f"No payment of invoice {invoice.number or invoice.id} is without an answer.", field="invoice"
        )
    return attempt


def _answered_before(known: CommandRow, invoice_id: str) -> Settled:
    if known.kind != KIND or known.payload.get("invoice_id") != invoice_id:
        raise CommandIdTaken(
            f"The command id {known.id} was used for something else. Take a new one.", field="command_id"
        )
    return Settled.model_validate(known.payload)
