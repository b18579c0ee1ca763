"""What starts at the payment provider and fits nowhere in the books: parked until a person has looked (rules 33)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import insert_unless_there, lock
from billing.errors import InvalidInput
from billing.payment import AttemptState
from models.ids import derived_id
from models.tables import Matter, MatterKind, PaymentAttempt

_TOOK_MONEY = (AttemptState.SUCCEEDED, AttemptState.RETURNED)


def matter_id(kind: MatterKind, provider_id: str) -> str:
    """One matter for each thing at the provider, however often it is heard of."""
    return derived_id("mat", kind.value, provider_id)


async def park(
    session: AsyncSession,
    kind: MatterKind,
    provider_id: str,
    *,
    says: str,
    at: datetime,
    charge: str | None = None,
    payment_intent: str | None = None,
    attempt_id: str | None = None,
    amount_minor: int | None = None,
    currency: str = "",
) -> Matter:
    """Keep something for a person; heard again it is the same matter, also when it was resolved."""
    key = matter_id(kind, provider_id)
    row = {
        "id": key,
        "kind": kind,
        "provider_id": provider_id,
        "charge": charge,
        "payment_intent": payment_intent,
        "attempt_id": attempt_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "says": says,
        "at": at,
        "resolved_by": "",
        "resolution": "",
    }
    await insert_unless_there(session, Matter, row)
    return await session.get_one(Matter, key)


async def resolve(session: AsyncSession, key: str, *, by: str, how: str, at: datetime) -> Matter:
    """A matter is dealt with; the first one who says so is kept.

    Raises:
        NotFound: there is no such matter.
        InvalidInput: `how` is empty; field `reason`.
    """
    if not how.strip():
        raise InvalidInput("Say what was done about it.", field="reason")
    matter = await lock(session, Matter, key, field="matter")
    if matter.resolved_at is None:
        matter.resolved_at, matter.resolved_by, matter.resolution = at, by, how
    return matter


async def resolve_if_open(
    session: AsyncSession, kind: MatterKind, provider_id: str, *, how: str, at: datetime
) -> None:
    """What was parked has found its place by itself."""
    key = matter_id(kind, provider_id)
    if await session.get(Matter, key) is not None:
        await resolve(session, key, by="relance", how=how, at=at)


async def open_matters(session: AsyncSession) -> Sequence[Matter]:
    """What still waits for a person, oldest first."""
    query = select(Matter).where(col(Matter.resolved_at).is_(None))
    return (await session.exec(query.order_by(col(Matter.at), col(Matter.id)))).all()


async def payment_of(
    session: AsyncSession, *, charge: str | None, payment_intent: str | None
) -> PaymentAttempt | None:
    """The payment behind the provider's ids: the attempt of that charge, else the one that its PaymentIntent paid.

    A live attempt of the PaymentIntent is answered where none has succeeded yet: its answer is on the way.
    """
    if charge is not None:
        query = select(PaymentAttempt).where(PaymentAttempt.charge == charge)
        found = (await session.exec(query.order_by(col(PaymentAttempt.number).desc()))).first()
        if found is not None:
            return found
    if payment_intent is None:
        return None
    query = select(PaymentAttempt).where(PaymentAttempt.payment_intent == payment_intent)
    attempts = (await session.exec(query.order_by(col(PaymentAttempt.number).desc()))).all()
    took = (a for a in attempts if a.state in _TOOK_MONEY and a.charge in (None, charge))
    return next(took, None) or next((a for a in attempts if a.state.is_live), None)
