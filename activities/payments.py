"""Activities that move money: one charge, and finding out what became of one. Own task queue, capped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.books.chase_steps import case_report
from activities.books.chasing import (
    chase_of,
    collection_key,
    first_wish,
    follow_attempt,
    is_payer_present,
    open_collection,
    to_wake,
)
from activities.books.config import BookRules
from activities.books.gate import (
    GateRefused,
    Refusal,
    attempts_of,
    begin_attempt,
    live_attempt,
    why_shut,
)
from activities.books.outcomes import record_never_ran, record_outcome
from activities.books.rows import get, lock_with_subscription
from activities.books.steps import report
from activities.books.work import Work
from activities.gateway import (
    KEY_LIFETIME,
    NeverRan,
    PaymentGateway,
    PreparedRequest,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from activities.heartbeats import beating
from activities.launching import Launcher
from activities.links import Links
from billing.chase import INLINE_TRY
from billing.payment import (
    AttemptState,
    Canceled,
    DeclineClass,
    Declined,
    Outcome,
    Paid,
    Trigger,
    Unknown,
)
from models.boundary import CaseReport, ChargeOrder, ChargeReport
from models.database import Database
from models.tables import Collection, Customer, Invoice, InvoiceStatus, PaymentAttempt, SubscriptionRow

HEARTBEAT_SECONDS: Final = 0.8
"""Before the first beat: a normal charge sends none (engine 25)."""
CARD_BUSY_PAUSE: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class _Begun:
    """An attempt that may be sent: what to send, and since when it has been on its way.

    Attributes:
        is_superseded: another amount is open since it was sent: it is not sent again.
        supersedes: a PaymentIntent of another amount, to be closed first.
    """

    attempt_id: str
    request: PreparedRequest
    sent_at: datetime
    is_new: bool
    is_superseded: bool = False
    supersedes: str | None = None


@dataclass(frozen=True)
class _Lost:
    """A live attempt of which it is to be found out what became.

    Attributes:
        attempt: its row.
        may_be_sent: whether the gate would let it through now: what never reached the provider before a cancel,
            a drop, the deadline, or money that left another amount open must not be charged after it.
        supersedes: a PaymentIntent of another amount, to be closed first.
    """

    attempt: PaymentAttempt
    may_be_sent: bool
    supersedes: str | None


class Payments:
    """The activities of the payments task queue."""

    def __init__(
        self,
        database: Database,
        gateway: PaymentGateway,
        rules: BookRules,
        launcher: Launcher,
        links: Links | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            database: the books.
            gateway: the payment provider.
            rules: the seller's.
            launcher: starts collections.
            links: makes the address to which a bank sends a payer back; without it, none can be asked to confirm.
        """
        self._links = links
        self._launcher = launcher
        self._database = database
        self._gateway = gateway
        self._rules = rules

    @activity.defn(name="charge")
    async def charge(self, order: ChargeOrder) -> ChargeReport:
        """Make one attempt: through the gate, to the provider, into the books.

        Run again it finds the same row and sends the same request with the same key.

        Raises:
            ApplicationError: a transport fault, or a card that is being charged for another invoice, retried by
                Temporal; or a request that the provider calls wrong, which is not.
        """
        begun = await self._begin(order)
        if isinstance(begun, ChargeReport):
            return await self._handed_over(order, begun)
        async with beating(every=HEARTBEAT_SECONDS, first_after=HEARTBEAT_SECONDS):
            if not await self._close_superseded(order, begun.supersedes):
                return await self._handed_over(order, await self._never_ran(order, begun.attempt_id))
            outcome = await self._send(begun, _as_of(order))
            return await self._handed_over(order, await self._record(order, begun.attempt_id, outcome))

    async def _handed_over(self, order: ChargeOrder, report: ChargeReport) -> ChargeReport:
        """Start the collection of what the subscription's inline try did not settle (engine 5)."""
        if order.hand_over is None or report.case is None or report.case.closed:
            return report
        case = await self._launcher.start_collection(order.hand_over)
        return await self._report(order, outcome=report.outcome, case=case)

    @activity.defn(name="settle_attempt")
    async def settle_attempt(self, order: ChargeOrder) -> ChargeReport:
        """Find out what became of a live attempt, and write it down.

        A lost answer is asked for again with the same key; it is only looked up where the key is too old, or
        where nothing, or another amount, may be charged now. An attempt that waits for the payer is closed; one
        that never began is dropped.

        Raises:
            ApplicationError: a fault of ours that a person must mend; transport faults leave it as it is.
        """
        lost = await self._live(order)
        if lost is None or (order.only_look and lost.attempt.state is AttemptState.QUEUED):
            return await self._report(order)  # news of another payment says nothing of what was never sent
        attempt = lost.attempt
        async with beating(every=HEARTBEAT_SECONDS, first_after=HEARTBEAT_SECONDS):
            try:
                outcome = await self._find_out(lost, order)
            except (ProviderUnavailable, ProviderMisconfigured):
                return await self._looked(order, attempt)
        if isinstance(outcome, NeverRan):
            return await self._never_ran(order, attempt.id)
        return await self._record(order, attempt.id, outcome, looked=True)

    async def _never_ran(self, order: ChargeOrder, attempt_id: str) -> ChargeReport:
        async with self._database.write() as session:
            await record_never_ran(
                session, self._gateway, self._rules, attempt_id=attempt_id, at=_as_of(order)
            )
        return await self._report(order, outcome="never_ran")

    @activity.defn(name="close_payment")
    async def close_payment(self, order: ChargeOrder) -> ChargeReport:
        """Make sure that nothing more is paid on a draft that is dropped, or about to be (U3).

        Raises:
            ApplicationError: a transport fault, retried by Temporal.
        """
        async with self._database.read() as session:
            invoice = await get(session, Invoice, order.invoice_id, field="invoice")
            newest = next(reversed(await attempts_of(session, order.invoice_id)), None)
        if invoice.payment_intent is None or newest is None or invoice.status is InvoiceStatus.PAID:
            return await self._report(order)
        try:
            outcome = await self._gateway.cancel(invoice.payment_intent)
        except ProviderUnavailable as fault:
            raise _fault(fault) from fault
        return await self._record(order, newest.id, outcome)

    async def _begin(self, order: ChargeOrder) -> _Begun | ChargeReport:
        async with self._database.write() as session:
            row, invoice = await lock_with_subscription(session, order.invoice_id)
            work = Work(session, self._gateway, self._rules, row, _as_of(order))
            before = await chase_of(work, invoice)
            attempt = await begin_attempt(
                session,
                self._gateway,
                self._rules,
                invoice_id=order.invoice_id,
                number=order.number,
                trigger=order.trigger,
                at=_as_of(order),
                asked_by=await first_wish(session, invoice, order.trigger),
                return_url=await self._return_url(session, order, invoice),
            )
            if isinstance(attempt, GateRefused):
                if attempt.reason is Refusal.CARD_BUSY:
                    raise _busy(order)
                if invoice.owner == "subscription":  # which goes on; a collection drops what stays queued
                    is_held = attempt.reason is Refusal.CAP
                    await open_collection(session, row, invoice, work.at, on_delay=is_held)
                return await _answer(work, order, refused=attempt.reason.value)
            if before is not None:
                await follow_attempt(work, invoice, before, attempt)
            if attempt.state is not AttemptState.STARTED:
                return await _answer(work, order, outcome=_outcome_word(attempt.state))
            is_new = attempt.sent_at is None
            attempt.sent_at = attempt.sent_at or datetime.now(UTC)
            return _Begun(
                attempt.id,
                PreparedRequest.model_validate(attempt.request),
                attempt.sent_at,
                is_new=is_new,
                is_superseded=attempt.generation != invoice.generation,
                supersedes=_superseded_by(invoice, attempt),
            )

    async def _return_url(self, session: AsyncSession, order: ChargeOrder, invoice: Invoice) -> str | None:
        """The page on which the payer waits; None where nobody does."""
        collection = await session.get(Collection, collection_key(invoice))
        if self._links is None or order.trigger is not Trigger.CUSTOMER or not is_payer_present(collection):
            return None
        now = datetime.now(UTC)
        return f"{self._links.pay(invoice.id, now=now)}?asked={int(now.timestamp())}"

    async def _close_superseded(self, order: ChargeOrder, supersedes: str | None) -> bool:
        """The PaymentIntent of another amount is seen cancelled before there is a new one (stripe B2).

        Returns:
            False where it was paid after all: that is booked, and what is open now is another amount.

        Raises:
            ApplicationError: a transport fault, retried by Temporal; or its bank has yet to answer.
        """
        if supersedes is None:
            return True
        try:
            outcome = await self._gateway.cancel(supersedes)
        except ProviderUnavailable as fault:
            raise _fault(fault) from fault
        if isinstance(outcome, Paid) and await self._book_superseded(order, supersedes, outcome):
            return False
        if not isinstance(outcome, Canceled):
            message = f"The earlier payment {supersedes} of {order.invoice_id} is {outcome.outcome}."
            raise ApplicationError(message, type="superseded_payment", non_retryable=True)
        async with self._database.write() as session:
            _, invoice = await lock_with_subscription(session, order.invoice_id)
            invoice.superseded_intent = None
        return True

    async def _book_superseded(self, order: ChargeOrder, supersedes: str, outcome: Paid) -> bool:
        """The money came by an attempt that is over in the books: it is booked there (I1)."""
        async with self._database.read() as session:
            attempts = await attempts_of(session, order.invoice_id)
        paid = [attempt for attempt in attempts if attempt.payment_intent == supersedes]
        if not paid:
            return False
        _ = await self._record(order, paid[-1].id, outcome)
        return True

    async def _send(self, begun: _Begun, as_of: datetime) -> Outcome:
        """The provider's answer; without one for 90 seconds the outcome is unknown (engine 5)."""
        if not begun.is_new and (begun.is_superseded or datetime.now(UTC) - begun.sent_at > INLINE_TRY):
            return Unknown()
        try:
            return await self._gateway.send(begun.request, as_of=as_of)
        except ProviderUnavailable as fault:
            raise _fault(fault) from fault
        except ProviderMisconfigured as fault:
            raise ApplicationError(fault.message, type="ProviderMisconfigured") from fault
        except ProviderRefused as refusal:
            return await self._refused(begun.attempt_id, refusal, as_of)

    async def _refused(self, attempt_id: str, refusal: ProviderRefused, as_of: datetime) -> Outcome:
        """The provider calls the request wrong: nothing was charged.

        A method that it no longer knows needs another one, and so does an account whose mandate does not hold there;
        anything else is a fault for a person.
        """
        if refusal.reason == "resource_missing" and refusal.field == "payment_method":
            return Declined(code="payment_method_missing", decline_class=DeclineClass.NEW_PAYMENT_METHOD)
        if refusal.reason == "payment_intent_mandate_invalid":
            return Declined(code=refusal.reason, decline_class=DeclineClass.NEW_PAYMENT_METHOD)
        async with self._database.write() as session:
            await record_never_ran(session, self._gateway, self._rules, attempt_id=attempt_id, at=as_of)
        raise ApplicationError(refusal.message, type="ProviderRefused", non_retryable=True) from refusal

    async def _record(
        self, order: ChargeOrder, attempt_id: str, outcome: Outcome, *, looked: bool = False
    ) -> ChargeReport:
        async with self._database.write() as session:
            row = await record_outcome(
                session,
                self._gateway,
                self._rules,
                attempt_id=attempt_id,
                outcome=outcome,
                at=_as_of(order),
                looked=looked,
            )
            work = Work(session, self._gateway, self._rules, row, _as_of(order))
            return await _answer(work, order, outcome=outcome.outcome)

    async def _live(self, order: ChargeOrder) -> _Lost | None:
        async with self._database.read() as session:
            invoice = await get(session, Invoice, order.invoice_id, field="invoice")
            row = await get(session, SubscriptionRow, invoice.subscription_id, field="subscription")
            attempt = await live_attempt(session, order.invoice_id)
            if attempt is None:
                return None
            closes_at = invoice.gate_closes_at if invoice.status is InvoiceStatus.DRAFT else None
            is_late = closes_at is not None and closes_at <= _as_of(order)
            return _Lost(
                attempt,
                may_be_sent=why_shut(row, invoice, attempt.trigger) is None
                and attempt.generation == invoice.generation
                and not is_late,
                supersedes=_superseded_by(invoice, attempt),
            )

    async def _looked(self, order: ChargeOrder, attempt: PaymentAttempt) -> ChargeReport:
        """The provider could not be asked: the attempt stays as it is, to be asked for again later."""
        return await self._record(order, attempt.id, Unknown(), looked=True)

    async def _find_out(self, lost: _Lost, order: ChargeOrder) -> Outcome | NeverRan:
        attempt, as_of = lost.attempt, _as_of(order)
        intent = attempt.payment_intent
        if attempt.state is AttemptState.QUEUED or attempt.sent_at is None:
            return NeverRan(payment_intent=intent or "")
        waits_for_payer = attempt.state is AttemptState.ACTION_REQUIRED
        if waits_for_payer and intent is not None and not order.only_look:
            return await self._gateway.cancel(intent)
        if (waits_for_payer or attempt.state is AttemptState.PROCESSING) and intent is not None:
            return await self._gateway.look(intent, since=attempt.begun_at, as_of=as_of)
        if lost.may_be_sent and datetime.now(UTC) - attempt.sent_at < KEY_LIFETIME:
            if not await self._close_superseded(order, lost.supersedes):
                return await self._look_up(attempt, as_of)
            outcome = await self._send_again(attempt, as_of)
            if not isinstance(outcome, Unknown):
                return outcome
        return await self._look_up(attempt, as_of)

    async def _send_again(self, attempt: PaymentAttempt, as_of: datetime) -> Outcome:
        try:
            return await self._gateway.send(PreparedRequest.model_validate(attempt.request), as_of=as_of)
        except ProviderRefused as refusal:
            return await self._refused(attempt.id, refusal, as_of)

    async def _look_up(self, attempt: PaymentAttempt, as_of: datetime) -> Outcome | NeverRan:
        """Past the life of the key, or of the wish to be paid, only looking can tell (stripe B3)."""
        intent = attempt.payment_intent
        if intent is None:
            async with self._database.read() as session:
                customer = await get(session, Customer, attempt.customer_id, field="customer")
            intent = await self._gateway.find(
                customer=customer.provider_id or "",
                invoice_id=attempt.invoice_id,
                generation=attempt.generation,
                created_after=attempt.begun_at,
            )
        if intent is None:
            return NeverRan(payment_intent="")
        return await self._gateway.look(intent, since=attempt.begun_at, as_of=as_of)

    async def _report(
        self, order: ChargeOrder, *, outcome: str = "", case: CaseReport | None = None
    ) -> ChargeReport:
        async with self._database.write() as session:
            row, _ = await lock_with_subscription(session, order.invoice_id)
            work = Work(session, self._gateway, self._rules, row, _as_of(order))
            answer = await _answer(work, order, outcome=outcome)
            return answer if case is None else answer.model_copy(update={"case": case})


async def _answer(work: Work, order: ChargeOrder, *, outcome: str = "", refused: str = "") -> ChargeReport:
    """What either owner of an invoice is told: the subscription, and the chase where there is one."""
    _, invoice = await lock_with_subscription(work.session, order.invoice_id)
    collection = await work.session.get(Collection, collection_key(invoice))
    case = await case_report(work, invoice, collection) if collection is not None else None
    return ChargeReport(
        outcome=outcome,
        refused=refused,
        subscription=await report(work.session, work.row),
        case=case,
        wake=await to_wake(work, invoice),
    )


def _superseded_by(invoice: Invoice, attempt: PaymentAttempt) -> str | None:
    """The PaymentIntent to be closed before this attempt is sent; its own is looked at, never closed as another's."""
    return invoice.superseded_intent if attempt.generation == invoice.generation else None


def _as_of(order: ChargeOrder) -> datetime:
    return order.as_of or datetime.now(UTC)


def _outcome_word(state: AttemptState) -> str:
    return "paid" if state is AttemptState.SUCCEEDED else state.value


def _busy(order: ChargeOrder) -> ApplicationError:
    """Charges on one card go one after the other: Temporal asks again in a moment (rules 26)."""
    message = f"Another charge of the card of {order.invoice_id} is being answered."
    return ApplicationError(message, type="CardBusy", next_retry_delay=CARD_BUSY_PAUSE)


def _fault(fault: ProviderUnavailable) -> ApplicationError:
    """A fault that Temporal retries with the same order, and so with the same key (design 6.1)."""
    return ApplicationError(fault.message, type=f"ProviderUnavailable.{fault.kind}")
