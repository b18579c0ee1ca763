"""What was asked through the HTTP API: written before it is carried out, so that asking again is asking once.

With an `Idempotency-Key` the same request gets the same answer for a day, also while the first still runs: whoever
comes second waits for it. Whoever works on a call says so again and again; when they fall silent, because their process
died, the next one carries it on under the same command id, which every command knows to do once.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, func, not_, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import lock
from billing.errors import InvalidInput, RelanceError
from billing.values import Value
from models.database import Database
from models.ids import new_id
from models.tables import ApiCall, ApiKey
from starter.api_keys import Caller
from starter.repeating import repeating

KEPT_FOR: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=10)
RENEW_SECONDS: Final = 3.0
WAIT_SECONDS: Final = 25.0
"""How long a repeated call waits for the answer of the first."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
SPENT_WITHIN: Final = timedelta(hours=24)


class KeyReused(InvalidInput):
    """An `Idempotency-Key` that was used for something else."""


class StillRunning(RelanceError):
    """The same call is being carried out and has no answer yet."""


class LimitExceeded(RelanceError):
    """More than the key may give back to customers in 24 hours."""


class Asked(Value):
    """A call that is to be carried out."""

    key_id: str
    by: str
    action: str
    method: str
    path: str
    idempotency_key: str | None
    fingerprint: str


class Begun(Value):
    """The caller is to carry it out, under this command id."""

    call_id: str


class Answered(Value):
    """It was carried out before."""

    status: int
    answer: str


class ApiCalls:
    """The record of calls, by their rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, asked: Asked, *, wait_seconds: float = WAIT_SECONDS) -> Begun | Answered:
        """Take a call up, or get its answer; waits while somebody else carries it out.

        Raises:
            KeyReused: its key was used for something else.
            StillRunning: it was waited for in vain; ask again.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + wait_seconds, _FIRST_PAUSE
        while True:
            found = await self._look(asked)
            if found is not None:
                return found
            if loop.time() >= deadline:
                raise StillRunning("The same call is still being carried out. Repeat it with the same key.")
            while loop.time() < deadline and await self._is_running(asked):
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def held(self, call_id: str) -> AbstractAsyncContextManager[None]:
        """Say, while the block lasts, that somebody works on the call."""
        return repeating(partial(self._renew, call_id), every_seconds=RENEW_SECONDS)

    async def finish(
        self, call_id: str, *, status: int, code: str = "", answer: str | None = None, free_key: bool = False
    ) -> None:
        """Write down what came of a call.

        Args:
            call_id: which.
            status: of the answer.
            code: of the problem, where it is one.
            answer: to be given again; None where a repeated call is to be carried out.
            free_key: whether the key may be used for something else, since nothing was begun.
        """
        async with self._database.write() as session:
            row = await lock(session, ApiCall, call_id, field="call")
            row.status, row.code, row.leased_until = status, code, None
            if free_key:
                row.idempotency_key = None
            elif row.idempotency_key is not None:
                row.answer = answer

    async def spend(self, call_id: str, caller: Caller, amount_minor: int, currency: str) -> None:
        """Count what a call gives back to a customer against the limit of its key.

        Raises:
            LimitExceeded: it is more than what is left of the last 24 hours. Nothing is counted.
        """
        async with self._database.write() as session:
            key = await lock(session, ApiKey, caller.key_id, field="key")  # one at a time: a sum is no lock
            call = await lock(session, ApiCall, call_id, field="call")
            limit = key.limits.get(currency, 0)
            left = limit - await _spent(session, call, currency)
            if caller.is_limited and amount_minor > left:
                raise LimitExceeded(
                    f"This gives back {amount_minor} minor units of {currency}, and {max(left, 0)} of {limit} are "
                    "left of this key's limit for 24 hours. Ask somebody with a key of the scope admin.",
                    field="amount_minor",
                )
            call.amount_minor, call.currency = amount_minor, currency

    async def forget(self, now: datetime) -> int:
        """Let go of keys and answers that are older than a day; who asked what stays. How many there were."""
        old = col(ApiCall.at) < now - KEPT_FOR
        kept = or_(col(ApiCall.idempotency_key).is_not(None), col(ApiCall.answer).is_not(None))
        return await self._change(old & kept, idempotency_key=None, answer=None)

    async def _look(self, asked: Asked) -> Begun | Answered | None:
        now = datetime.now(UTC)
        try:
            async with self._database.write() as session:
                row = await _of_key(session, asked, now)
                if row is None:
                    row = ApiCall(id=new_id("cmd"), at=now, leased_until=now + LEASE, **asked.model_dump())
                    session.add(row)
                    return Begun(call_id=row.id)
                return _standing(row, asked, now)
        except IntegrityError:
            return None  # somebody wrote the same key at the same moment: look again

    async def _is_running(self, asked: Asked) -> bool:
        """Whether somebody works on the same call; only looks, since many may wait."""
        query = select(ApiCall.id).where(
            ApiCall.key_id == asked.key_id,
            ApiCall.idempotency_key == asked.idempotency_key,
            col(ApiCall.answer).is_(None),
            col(ApiCall.leased_until) > datetime.now(UTC),
        )
        async with self._database.read() as session:
            return (await session.exec(query)).first() is not None

    async def _renew(self, call_id: str) -> None:
        still = (col(ApiCall.id) == call_id) & col(ApiCall.leased_until).is_not(None)
        await self._change(still, leased_until=datetime.now(UTC) + LEASE)

    async def _change(self, where: ColumnElement[bool], **values: object) -> int:
        async with self._database.write() as session:
            done = await session.exec(update(ApiCall).where(where).values(**values))
            return done.rowcount


async def _of_key(session: AsyncSession, asked: Asked, now: datetime) -> ApiCall | None:
    """The call with this key, locked; one of more than a day ago gives its key away."""
    if asked.idempotency_key is None:
        return None
    query = select(ApiCall).where(
        ApiCall.key_id == asked.key_id, ApiCall.idempotency_key == asked.idempotency_key
    )
    row = (await session.exec(query.with_for_update(key_share=True))).first()
    if row is not None and row.at < now - KEPT_FOR:
        row.idempotency_key = row.answer = None
        await session.flush()
        return None
    return row


def _standing(row: ApiCall, asked: Asked, now: datetime) -> Begun | Answered | None:
    """None while somebody works on it; whoever is told to carry it out has taken it over."""
    if row.fingerprint != asked.fingerprint:
        raise KeyReused(
            "This Idempotency-Key was used for another request. Take a new key for a new request.",
            field="Idempotency-Key",
        )
    if row.answer is not None and row.status is not None:
        return Answered(status=row.status, answer=row.answer)
    if row.leased_until is not None and row.leased_until > now:
        return None
    row.leased_until = now + LEASE
    return Begun(call_id=row.id)


async def _spent(session: AsyncSession, call: ApiCall, currency: str) -> int:
    """What the key's other calls gave back in the last 24 hours; what was refused gave nothing.

    A call that failed on our side counts: it may have been carried out.
    """
    query = select(func.sum(ApiCall.amount_minor)).where(
        ApiCall.key_id == call.key_id,
        ApiCall.id != call.id,
        ApiCall.currency == currency,
        col(ApiCall.at) > call.at - SPENT_WITHIN,
        or_(col(ApiCall.status).is_(None), not_(col(ApiCall.status).between(400, 499))),
    )
    return int((await session.exec(query)).one() or 0)
