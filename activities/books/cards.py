"""What is known of a payer's card, over all invoices and methods that it was charged under (rules 26, 27).

The statements are built once: a case is read after every step of a chase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import bindparam
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, exists, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.calendar import local_date
from billing.caps import MOST_DECLINES
from billing.case import Attempt, Role
from billing.chase import INLINE_TRY
from billing.payment import AttemptState, DeclineClass
from models.columns import Instant
from models.tables import Collection, Customer, Invoice, PaymentAttempt, PaymentMethod

MOST_TRIES: Final = 3 * MOST_DECLINES
"""The latest that are read: the declines that can still count, and what is under way beside them."""
MOST_GOOD_DAYS: Final = 12


@dataclass(frozen=True)
class Card:
    """The card behind a payment method.

    Test clocks have times of their own: what is tried on one counts there only.

    Attributes:
        key: its fingerprint; where the provider gives none, the method's id.
        clock_id: the test clock that it is charged on.
    """

    key: str
    clock_id: str | None

    @classmethod
    def of(cls, method: PaymentMethod, clock_id: str | None) -> Card:
        """That of a method that is charged on this clock."""
        return cls(key_of(method), clock_id)

    @property
    def params(self) -> dict[str, Any]:
        """For the statements below."""
        return {"card": self.key, "clock": self.clock_id}


def key_of(method: PaymentMethod) -> str:
    """What stands for the card in the row of each attempt on it."""
    return method.fingerprint or method.id


_THIS_CARD: Final = and_(
    col(PaymentAttempt.fingerprint) == bindparam("card"),
    col(Invoice.clock_id).is_not_distinct_from(bindparam("clock")),
)
_TRIES: Final = (
    select(PaymentAttempt)
    .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
    .where(
        _THIS_CARD,
        or_(
            col(PaymentAttempt.state).in_(
                [AttemptState.DECLINED, AttemptState.STARTED, AttemptState.UNKNOWN]
            ),
            and_(
                col(PaymentAttempt.state).in_([AttemptState.ACTION_REQUIRED, AttemptState.ABANDONED]),
                col(PaymentAttempt.decline_code).is_not(None),
            ),
        ),
    )
    # What forbids every repeat counts however old it is.
    .order_by(
        col(PaymentAttempt.never_again).desc(), col(PaymentAttempt.begun_at).desc(), col(PaymentAttempt.id)
    )
    .limit(MOST_TRIES)
)
_PAID_SINCE: Final = (
    select(PaymentAttempt.id)
    .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
    .where(
        _THIS_CARD,
        col(PaymentAttempt.state) == AttemptState.SUCCEEDED,
        col(PaymentAttempt.begun_at) > bindparam("since", type_=Instant),
    )
    .limit(1)
)
_STOPPED: Final = (
    select(PaymentMethod.id)
    .join(Customer, col(PaymentMethod.customer_id) == col(Customer.id))
    .where(
        col(PaymentMethod.fingerprint) == bindparam("card"),
        col(PaymentMethod.stopped).is_(True),
        col(Customer.clock_id).is_not_distinct_from(bindparam("clock")),
    )
    .limit(1)
)
_declined: Final = aliased(PaymentAttempt)
_GOOD_DAYS: Final = (
    select(PaymentAttempt.begun_at)
    .where(
        col(PaymentAttempt.customer_id) == bindparam("customer"),
        col(PaymentAttempt.state) == AttemptState.SUCCEEDED,
        exists().where(
            col(_declined.invoice_id) == col(PaymentAttempt.invoice_id),
            col(_declined.chase) == col(PaymentAttempt.chase),
            col(_declined.method_id) == col(PaymentAttempt.method_id),
            col(_declined.number) < col(PaymentAttempt.number),
            col(_declined.state) == AttemptState.DECLINED,
            col(_declined.decline_class) == DeclineClass.RETRY_LATER,
        ),
    )
    .order_by(col(PaymentAttempt.begun_at).desc())
    .limit(MOST_GOOD_DAYS)
)
_OLDER: Final = (
    select(func.count())
    .select_from(Collection)
    .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
    .where(
        col(Collection.customer_id) == bindparam("customer"),
        col(Collection.role) == Role.DRIVING.value,
        col(Collection.closed_at).is_(None),
        col(Collection.ended).is_(False),
        or_(
            col(Invoice.issued_at) < bindparam("issued", type_=Instant),
            and_(
                col(Invoice.issued_at) == bindparam("issued", type_=Instant),
                col(Invoice.id) < bindparam("invoice"),
            ),
        ),
    )
)


async def lock_card(session: AsyncSession, card: Card) -> None:
    """Let nobody else begin an attempt on this card until the transaction ends; locked after the invoice.

    A lock of its own, since one card may have several rows, and their owners lock them in another order. SQLite has
    one writer at a time.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"card {card.key}", 0))))


async def tries_on(
    session: AsyncSession, card: Card, *, but: tuple[Invoice, PaymentMethod] | None = None
) -> tuple[Attempt, ...]:
    """The latest declines on a card and what is under way, for whichever invoices.

    Args:
        session: for looking.
        card: the card.
        but: leave out what was tried with this very method in the present chase of this invoice.
    """
    found = (await session.exec(_TRIES, params=card.params)).all()
    return tuple(_as_it_stands(attempt) for attempt in found if but is None or not _is_of(attempt, *but))


def _is_of(attempt: PaymentAttempt, invoice: Invoice, method: PaymentMethod) -> bool:
    own = (invoice.id, invoice.chase, method.id, False)
    return (attempt.invoice_id, attempt.chase, attempt.method_id, attempt.card_renewed) == own


def _as_it_stands(attempt: PaymentAttempt) -> Attempt:
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
        card_renewed=attempt.card_renewed,
        looked_at=attempt.looked_at,
    )


async def is_stopped(session: AsyncSession, card: Card) -> bool:
    """Whether the card was stopped for fraud under any method (rules 27)."""
    return (await session.exec(_STOPPED, params=card.params)).first() is not None


async def allows_no_repeat(session: AsyncSession, card: Card, tries: Iterable[Attempt]) -> bool:
    """Whether the card's network forbade every repeat; what went through since shows that it is good again."""
    forbidden_at = max((a.begun_at for a in tries if a.never_again), default=None)
    if forbidden_at is None:
        return False
    return (await session.exec(_PAID_SINCE, params={**card.params, "since": forbidden_at})).first() is None


async def good_days(session: AsyncSession, customer_id: str, timezone: str) -> tuple[date, ...]:
    """Local dates on which a method of the customer paid after a decline that time could mend, latest first."""
    paid = (await session.exec(_GOOD_DAYS, params={"customer": customer_id})).all()
    return tuple(local_date(at, timezone) for at in paid)


async def turn_of(session: AsyncSession, collection: Collection, invoice: Invoice) -> int:
    """How many older chases of the customer charge before this one (rules 26)."""
    if collection.role != Role.DRIVING.value or collection.ended or invoice.issued_at is None:
        return 0
    own = {"customer": collection.customer_id, "issued": invoice.issued_at, "invoice": invoice.id}
    return (await session.exec(_OLDER, params=own)).one()
