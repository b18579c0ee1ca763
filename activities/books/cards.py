"""What is known of a payer's card, over all invoices and methods that it was charged under (rules 26, 27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.calendar import local_date
from billing.caps import MOST_DECLINES
from billing.case import Attempt, Role
from billing.chase import INLINE_TRY
from billing.payment import AttemptState, DeclineClass
from models.tables import Collection, Customer, Invoice, PaymentAttempt, PaymentMethod

MOST_TRIES: Final = 2 * MOST_DECLINES
"""The latest that are read: the declines that can still count, and what is under way beside them."""
MOST_GOOD_DAYS: Final = 12

_ASKED: Final = (AttemptState.ACTION_REQUIRED, AttemptState.ABANDONED)
_UNANSWERED: Final = (AttemptState.STARTED, AttemptState.UNKNOWN)


@dataclass(frozen=True)
class Card:
    """The card behind a payment method. Where the provider gives no fingerprint, the method stands for itself.

    Test clocks have times of their own: what is tried on one counts there only.
    """

    method_id: str
    fingerprint: str | None
    clock_id: str | None

    @classmethod
    def of(cls, method: PaymentMethod, clock_id: str | None) -> Card:
        """That of a method that is charged on this clock."""
        return cls(method.id, method.fingerprint, clock_id)

    @property
    def tried(self) -> ColumnElement[bool]:
        """The attempts on it; to be joined with their invoices."""
        same = (
            col(PaymentAttempt.method_id) == self.method_id
            if self.fingerprint is None
            else col(PaymentAttempt.fingerprint) == self.fingerprint
        )
        return and_(same, col(Invoice.clock_id).is_not_distinct_from(self.clock_id))


async def lock_card(session: AsyncSession, card: Card) -> None:
    """Let nobody else begin an attempt on this card until the transaction ends; locked last, after the invoice.

    A lock of its own, since one card may have several rows, and their owners lock them in another order. SQLite has one
    writer at a time.
    """
    if session.get_bind().dialect.name == "postgresql":
        key = f"card {card.fingerprint or card.method_id}"
        await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def tries_on(session: AsyncSession, card: Card, *, but: Invoice | None = None) -> tuple[Attempt, ...]:
    """The latest declines on a card and what is under way, for whichever invoices, latest first.

    Args:
        session: for looking.
        card: the card.
        but: leave out what was tried with this very method in the present chase of this invoice.
    """
    counts = or_(
        col(PaymentAttempt.state) == AttemptState.DECLINED,
        and_(col(PaymentAttempt.state).in_(_ASKED), col(PaymentAttempt.decline_code).is_not(None)),
        col(PaymentAttempt.state).in_(_UNANSWERED),
    )
    query = (
        select(PaymentAttempt)
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(card.tried, counts)
        .order_by(col(PaymentAttempt.begun_at).desc(), col(PaymentAttempt.id))
        .limit(MOST_TRIES)
    )
    if but is not None:
        own = and_(
            col(PaymentAttempt.invoice_id) == but.id,
            col(PaymentAttempt.chase) == but.chase,
            col(PaymentAttempt.method_id) == card.method_id,
        )
        query = query.where(~own)
    return tuple(_without_answer(attempt) for attempt in (await session.exec(query)).all())


def _without_answer(attempt: PaymentAttempt) -> Attempt:
    """One that was sent and not answered in time is unknown, although its process did not live to say so."""
    value, sent_at = as_value(attempt), attempt.sent_at
    is_late = sent_at is not None and datetime.now(UTC) - sent_at > INLINE_TRY
    if value.state is AttemptState.STARTED and is_late:
        return value.model_copy(update={"state": AttemptState.UNKNOWN})
    return value


def as_value(attempt: PaymentAttempt) -> Attempt:
    """A row as the rules read it."""
    return Attempt(
        number=attempt.number,
        trigger=attempt.trigger,
        state=attempt.state,
        begun_at=attempt.begun_at,
        settled_at=attempt.settled_at,
        decline_class=attempt.decline_class,
        decline_code=attempt.decline_code,
        payment_method_id=attempt.method_id,
        not_before=attempt.not_before,
        never_again=attempt.never_again,
        looked_at=attempt.looked_at,
    )


async def is_stopped(session: AsyncSession, card: Card) -> bool:
    """Whether the card was stopped for fraud under any method (rules 27)."""
    same = (
        col(PaymentMethod.id) == card.method_id
        if card.fingerprint is None
        else col(PaymentMethod.fingerprint) == card.fingerprint
    )
    query = (
        select(PaymentMethod.id)
        .join(Customer, col(PaymentMethod.customer_id) == col(Customer.id))
        .where(same, col(PaymentMethod.stopped).is_(True))
        .where(col(Customer.clock_id).is_not_distinct_from(card.clock_id))
        .limit(1)
    )
    return (await session.exec(query)).first() is not None


async def allows_no_repeat(session: AsyncSession, card: Card) -> bool:
    """Whether the card's network forbade every repeat; what goes through later shows that it is good again."""
    latest = (
        select(PaymentAttempt.begun_at)
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(card.tried)
        .order_by(col(PaymentAttempt.begun_at).desc())
        .limit(1)
    )
    forbidden_at = (await session.exec(latest.where(col(PaymentAttempt.never_again).is_(True)))).first()
    if forbidden_at is None:
        return False
    went_through = latest.where(
        col(PaymentAttempt.state) == AttemptState.SUCCEEDED, col(PaymentAttempt.begun_at) > forbidden_at
    )
    return (await session.exec(went_through)).first() is None


async def good_days(session: AsyncSession, customer_id: str, timezone: str) -> tuple[date, ...]:
    """Local dates on which a method of the customer paid after a decline that time could mend, latest first."""
    declined = aliased(PaymentAttempt)
    was_declined = exists().where(
        col(declined.invoice_id) == col(PaymentAttempt.invoice_id),
        col(declined.chase) == col(PaymentAttempt.chase),
        col(declined.method_id) == col(PaymentAttempt.method_id),
        col(declined.number) < col(PaymentAttempt.number),
        col(declined.state) == AttemptState.DECLINED,
        col(declined.decline_class) == DeclineClass.RETRY_LATER,
    )
    query = (
        select(PaymentAttempt.begun_at)
        .where(
            PaymentAttempt.customer_id == customer_id,
            PaymentAttempt.state == AttemptState.SUCCEEDED,
            was_declined,
        )
        .order_by(col(PaymentAttempt.begun_at).desc())
        .limit(MOST_GOOD_DAYS)
    )
    return tuple(local_date(at, timezone) for at in (await session.exec(query)).all())


async def turn_of(session: AsyncSession, collection: Collection, invoice: Invoice) -> int:
    """How many older chases of the customer charge before this one (rules 26)."""
    if collection.role != Role.DRIVING.value or collection.ended or invoice.issued_at is None:
        return 0
    issued_at = col(Invoice.issued_at)
    is_older = or_(
        issued_at < invoice.issued_at,
        and_(issued_at == invoice.issued_at, col(Invoice.id) < invoice.id),
    )
    query = (
        select(func.count())
        .select_from(Collection)
        .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
        .where(
            Collection.customer_id == collection.customer_id,
            Collection.role == Role.DRIVING.value,
            col(Collection.closed_at).is_(None),
            col(Collection.ended).is_(False),
            is_older,
        )
    )
    return (await session.exec(query)).one()
