"""One subscription taken through the books by hand: its commands, corrections, steps and charges.

No worker, no provider: each call is the transaction that the product makes, and the test says what the bank answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.correcting import NotNow, begin_correction
from activities.books.exchanging import load_rates
from activities.books.gate import GateRefused, begin_attempt
from activities.books.metering import UsageReport, record_usage
from activities.books.outcomes import record_outcome
from activities.books.previewing import Preview, preview
from activities.books.rectifying import Rectified, rectify
from activities.books.refunding import record_refund
from activities.books.steps import apply_command, take_step
from activities.books.work import Work
from activities.gateway import Charge, PreparedRequest
from activities.stripe_requests import prepare
from billing.commands import Command
from billing.corrections import Correction, NewBuyer, Rectify
from billing.effects import TermsChange
from billing.errors import InvalidInput
from billing.exchange import DayRate
from billing.payment import AttemptState, DeclineClass, Declined, Outcome, Paid, Processing, Trigger
from billing.refund import RefundState
from billing.steps import StepKind, next_step
from billing.subscription import Status, Subscription
from billing.terms import Terms
from models.boundary import CommandOrder, StepOrder
from models.database import Database
from models.tables import (
    CreditNote,
    Customer,
    Invoice,
    InvoiceLine,
    PaymentAttempt,
    Plan,
    Refund,
    SubscriptionRow,
)
from support import factories

STARTS_ON = date(2027, 1, 1)
RATES = {"JPY": "163.01", "USD": "1.0823", "KWD": "0.3321", "TND": "3.3875"}
"""Units for one euro, the day before the start."""
RULES = BookRules(minimum_minor={"EUR": 50, "JPY": 50, "KWD": 10})


class Preparing:
    """The part of the gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


@dataclass(frozen=True)
class Page:
    """What the books say about the subscription."""

    state: Subscription
    waits: TermsChange | None
    """A change that takes effect when it is paid."""
    invoices: dict[str, Invoice]
    """With drafts, oldest first."""
    notes: tuple[CreditNote, ...]
    lines: tuple[InvoiceLine, ...]
    attempts: tuple[PaymentAttempt, ...]
    refunds: tuple[Refund, ...]

    @property
    def issued(self) -> dict[str, Invoice]:
        return {key: invoice for key, invoice in self.invoices.items() if invoice.number is not None}

    def billed(self) -> list[list[tuple[str, int]]]:
        """The lines of every issued invoice, oldest period first: what each bills, and its amount."""
        return [
            [(row.line.price_id, row.line.amount_minor) for row in self.lines_of(key)] for key in self.issued
        ]

    def lines_of(self, document_id: str) -> list[InvoiceLine]:
        return [line for line in self.lines if line.document_id == document_id]


@dataclass
class Bookkeeping:
    """A subscription, the time, and what the payment provider moved."""

    database: Database
    subscription_id: str
    customer_id: str
    clock_id: str
    currency: str
    at: datetime
    charges: list[dict[str, Any]] = field(default_factory=list)
    """What was taken, as the provider lists it."""
    sent_back_minor: int = 0
    _page: Page | None = None
    _events: int = 0

    @property
    def today(self) -> date:
        """Where the customer lives; it is noon there."""
        return self.at.date()

    @property
    def ledger(self) -> dict[str, Any]:
        taken = sum(int(charge["amount"]) for charge in self.charges)
        net = {"net": taken - self.sent_back_minor}
        return {"charges": self.charges, "refunds": [], "totals": {self.currency.lower(): net}}

    async def look(self) -> Page:
        """Everything as it is now."""
        if self._page is None:
            self._page = await self._read()
        return self._page

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncSession]:
        self._page = None
        async with self.database.write() as session:
            yield session

    async def _read(self) -> Page:
        async with self.database.read() as session:
            row = await session.get_one(SubscriptionRow, self.subscription_id)
            invoices = await self._all(session, Invoice, "subscription_id", "period_start", "id")
            ids = [invoice.id for invoice in invoices]
            lines = select(InvoiceLine).where(col(InvoiceLine.invoice_id).in_(ids))
            notes = select(CreditNote).where(col(CreditNote.invoice_id).in_(ids))
            refunds = select(Refund).where(Refund.customer_id == self.customer_id)
            return Page(
                state=row.state,
                waits=row.conditional,
                invoices={invoice.id: invoice for invoice in invoices},
                notes=tuple((await session.exec(notes)).all()),
                lines=tuple((await session.exec(lines)).all()),
                attempts=tuple(await self._all(session, PaymentAttempt, "subscription_id", "begun_at")),
                refunds=tuple((await session.exec(refunds)).all()),
            )

    async def _all(
        self, session: AsyncSession, table: type[SQLModel], owner: str, *order: str
    ) -> Sequence[Any]:
        query = select(table).where(getattr(table, owner) == self.subscription_id)
        return (await session.exec(query.order_by(*(getattr(table, name) for name in order)))).all()

    async def tells(self, command: Command) -> bool:
        """Ask the subscription; answers whether it was done."""
        async with self._write() as session:
            order = CommandOrder(subscription_id=self.subscription_id, command=command, as_of=self.at)
            return not (await apply_command(session, Preparing(), RULES, order)).refused

    async def corrects(self, correction: Correction) -> bool:
        """Credit, write off or apply money; answers whether it was taken, be it for later."""
        try:
            async with self._write() as session:
                await begin_correction(session, Preparing(), RULES, correction, at=self.at, may_wait=True)
        except (NotNow, InvalidInput):
            return False
        return True

    async def knows(self, **facts: object) -> None:
        """What the seller knows of the customer from now on."""
        async with self._write() as session:
            customer = await session.get_one(Customer, self.customer_id)
            for name, value in facts.items():
                setattr(customer, name, value)

    async def uses(
        self, quantity: str, meter: str = "calls", *, event_id: str = "", on: str | None = None
    ) -> None:
        """A backend reports what was used: now, or late of noon on a day."""
        at = self.at if on is None else datetime.fromisoformat(on).replace(hour=11, tzinfo=UTC)
        self._events += 1
        event_id = event_id or f"event {self._events}"
        async with self._write() as session:
            row = await session.get_one(SubscriptionRow, self.subscription_id)
            report = UsageReport(event_id=event_id, meter=meter, quantity=Decimal(quantity), at=at)
            await record_usage(session, row, [report], self.at)

    async def previews(self, command: Command) -> Preview:
        """What a command would bill."""
        async with self.database.read() as session:
            row = await session.get_one(SubscriptionRow, self.subscription_id)
            return await preview(Work(session, Preparing(), RULES, row, self.at, command.command_id), command)

    async def rectifies(self, invoice_id: str, **buyer: object) -> Rectified:
        """Replace an invoice by one with corrected data of the buyer, and keep them."""
        asked = Rectify(
            command_id="right",
            invoice_id=invoice_id,
            buyer=NewBuyer.model_validate(buyer),
            update_customer=True,
        )
        async with self._write() as session:
            return await rectify(session, Preparing(), RULES, asked, at=self.at)

    async def passes(self, days: int) -> None:
        """Let days pass; what the subscription does by itself is left to `takes_step`."""
        self.at += timedelta(days=days)

    async def takes_step(self) -> StepKind:
        """The step that is due, if there is one."""
        async with self._write() as session:
            row = await session.get_one(SubscriptionRow, self.subscription_id)
            step = next_step(row.state, self.at)
            if step.due is None or step.due > self.at:
                return StepKind.WAIT
            order = StepOrder(
                subscription_id=self.subscription_id, kind=step.kind, key=step.key, as_of=self.at
            )
            await take_step(session, Preparing(), RULES, order)
            return step.kind

    async def lives_until(self, day: str) -> None:
        """Every step that comes due by noon of that day, each at its time, and every charge paid."""
        end = datetime.fromisoformat(day).replace(hour=11, tzinfo=UTC)
        while (due := next_step((await self.look()).state, end).due) is not None and due <= end:
            self.at = max(self.at, due)
            await self.takes_step()
            await self.is_paid()
        self.at = end

    async def lives_for(self, days: int) -> None:
        """Likewise for so many days."""
        await self.lives_until(str(self.today + timedelta(days=days)))

    async def begins_charge(self, invoice_id: str, trigger: Trigger = Trigger.SUPPORT) -> str | None:
        """The attempt that was written to charge an invoice now; None where the gate is shut."""
        page = await self.look()
        mine = [attempt for attempt in page.attempts if attempt.invoice_id == invoice_id]
        queued = [attempt for attempt in mine if attempt.state is AttemptState.QUEUED]
        number = queued[0].number if queued else len(mine) + 1
        async with self._write() as session:
            begun = await begin_attempt(
                session,
                Preparing(),
                RULES,
                invoice_id=invoice_id,
                number=number,
                trigger=trigger,
                at=self.at,
            )
        return None if isinstance(begun, GateRefused) else begun.id

    async def hears(self, attempt_id: str, answer: str) -> None:
        """The bank's answer: `paid`, `declined` or `processing`."""
        async with self._write() as session:
            attempt = await session.get_one(PaymentAttempt, attempt_id)
            if answer == "paid":
                charge = {
                    "id": f"ch_{attempt.id}",
                    "amount": attempt.amount_minor,
                    "currency": self.currency.lower(),
                }
                self.charges.append(charge)
            await record_outcome(
                session,
                Preparing(),
                RULES,
                attempt_id=attempt_id,
                outcome=_outcome(attempt, answer),
                at=self.at,
            )

    async def is_paid(self, answer: str = "paid") -> None:
        """The bank says yes, or something else, to every charge that waits to be made."""
        for attempt in (await self.look()).attempts:
            if attempt.state is AttemptState.QUEUED:
                begun = await self.begins_charge(attempt.invoice_id, Trigger.FIRST)
                if begun is not None:
                    await self.hears(begun, answer)

    async def refunds_are(self, state: RefundState) -> None:
        """What the provider says of every refund that was not settled."""
        for refund in (await self.look()).refunds:
            if refund.state not in (RefundState.QUEUED, RefundState.PENDING):
                continue
            async with self._write() as session:
                await record_refund(
                    session,
                    refund.id,
                    state=state,
                    provider_id=f"re_{refund.id}",
                    at=self.at,
                    rules=RULES.access,
                )
            self.sent_back_minor += refund.amount_minor if state is RefundState.SUCCEEDED else 0


def _outcome(attempt: PaymentAttempt, answer: str) -> Outcome:
    intent = f"pi_{attempt.invoice_id}_{attempt.generation}"
    match answer:
        case "paid":
            return Paid(payment_intent=intent, charge=f"ch_{attempt.id}")
        case "processing":
            return Processing(payment_intent=intent)
        case _:
            return Declined(
                payment_intent=intent,
                code="insufficient_funds",
                decline_class=DeclineClass.RETRY_LATER,
            )


async def load_exchange_rates(database: Database) -> None:
    """A seller in France states the VAT of other currencies in euro."""
    async with database.write() as session:
        eve = STARTS_ON - timedelta(days=1)
        rates = [DayRate(currency=code, on=eve, per_eur=Decimal(rate)) for code, rate in RATES.items()]
        await load_rates(session, rates, source="typed in")


async def signs_up(database: Database, terms: Terms, *others: Terms) -> Bookkeeping:
    """A consumer in Lyon whose subscription was to start today, on 1 January 2027: it is active, not charged yet.

    Args:
        database: the books.
        terms: to begin with.
        others: of plans that it may change to.
    """
    at = datetime(2027, 1, 1, 11, tzinfo=UTC)
    async with database.write() as session:
        seller, clock = factories.entity(), factories.clock(at)
        session.add(seller)
        for offer in (terms, *others):
            if await session.get(Plan, offer.plan_id) is None:
                session.add(factories.plan(seller.id, id=offer.plan_id, terms=offer))
                await session.flush()
        anna = await factories.someone(
            session,
            seller=seller,
            clock=clock,
            status=Status.SCHEDULED,
            terms=terms,
            period=None,
            anchor=None,
        )
    books = Bookkeeping(
        database=database,
        subscription_id=anna.subscription.id,
        customer_id=anna.customer.id,
        clock_id=clock.id,
        currency=terms.currency,
        at=at,
    )
    await books.takes_step()
    return books
