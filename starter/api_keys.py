"""Keys to the HTTP API: made, listed, rotated and revoked by command; identified by the door.

A key reads `rlk_test_<id>_<secret>`. The secret is random and long, so that its plain hash keeps it; a slow one would
only make every call slow.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import lock
from billing.errors import InvalidInput, RelanceError
from billing.money import MAX_AMOUNT_MINOR, check_currency
from billing.values import Value
from models.ids import new_id
from models.tables import ApiCall, ApiKey
from starter.connections import Connections

OVERLAP_HOURS: Final = 24
"""How long a rotated secret still opens, so that every process of a backend can take up the new one."""
MOST_OVERLAP_HOURS: Final = 24 * 31
LONGEST_NAME: Final = 60
SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly the last use is kept: a row written by each call would make readers wait for each other."""

_TOKEN = re.compile(r"rlk_(?P<mode>test|live)_(?P<id>[0-9a-z]{24})_(?P<secret>[A-Za-z0-9_-]{43})")
_NOBODY: Final = "0" * 64
"""What is compared with where there is no such key, so that this takes as long."""


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Look at everything."""
    WRITE = "write"
    """What a backend does: customers, subscriptions, usage, payment methods, payments, test clocks."""
    SUPPORT = "support"
    """What a person of support does: chases, cancels, pauses; credits and refunds up to the key's limit."""
    ADMIN = "admin"
    """Everything, without a limit."""


class KeyUnknown(RelanceError):
    """No key, one that does not exist, or one that was revoked. Which of these is not said."""


class KeyOfOtherMode(RelanceError):
    """A test key at a process that bills for real, or the other way round."""


class NotAllowed(RelanceError):
    """The key has none of the scopes that a call needs."""


class MadeKey(Value):
    """A key and its secret, to be shown this once."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    key: str
    """The whole of it, as it is sent."""


class Caller(Value):
    """Who calls."""

    key_id: str
    name: str
    scopes: frozenset[Scope]

    def may(self, *scopes: Scope) -> bool:
        """Whether one of these scopes is the caller's; `admin` may everything, and everybody may read."""
        return Scope.READ in scopes or Scope.ADMIN in self.scopes or bool(self.scopes & set(scopes))

    @property
    def is_limited(self) -> bool:
        """Whether what it gives back to customers is counted against a limit."""
        return Scope.ADMIN not in self.scopes


class ApiKeys:
    """Each key belongs to one mode, that of the payment provider's key: test and live never mix."""

    def __init__(self, to: Connections) -> None:
        self._to = to
        self._live = to.settings.is_live

    async def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        limits: Mapping[str, int] | None = None,
        by: str = "cli",
    ) -> MadeKey:
        """Make a key for the mode of this configuration.

        Args:
            name: what its calls are signed with.
            scopes: at least one.
            limits: what `support` may give back in 24 hours, in minor units by currency.
            by: who makes it, for the record.

        Raises:
            InvalidInput: the name is empty or too long, there is no scope, or a limit that nobody needs or has.
        """
        _check(name, scopes, limits or {})
        now, secret = datetime.now(UTC), _new_secret()
        row = ApiKey(
            id=new_id("key"),
            name=name.strip(),
            live=self._live,
            scopes=sorted({scope.value for scope in scopes}),
            limits=dict(limits or {}),
            secret_hash=_hash(secret),
            created_at=now,
        )
        async with self._to.database.write() as session:
            session.add(row)
            _record(session, row, "create_api_key", by, now)
        return _made(row, secret)

    async def list(self, *, revoked: bool = False) -> Sequence[ApiKey]:
        """The keys, newest first; with `revoked` those too."""
        async with self._to.database.read() as session:
            query = select(ApiKey).order_by(col(ApiKey.created_at).desc(), col(ApiKey.id))
            if not revoked:
                query = query.where(col(ApiKey.revoked_at).is_(None))
            return (await session.exec(query)).all()

    async def revoke(self, key_id: str, *, by: str = "cli") -> ApiKey:
        """Let a key open nothing any more, from the next call on. Asked twice is asked once.

        Raises:
            NotFound: there is no such key.
        """
        now = datetime.now(UTC)
        async with self._to.database.write() as session:
            row = await lock(session, ApiKey, key_id, field="key")
            if row.revoked_at is None:
                row.revoked_at = now
                _record(session, row, "revoke_api_key", by, now)
            return row

    async def rotate(self, key_id: str, *, overlap_hours: int = OVERLAP_HOURS, by: str = "cli") -> MadeKey:
        """Give a key another secret; the one before opens for some hours more.

        Raises:
            NotFound: there is no such key.
            InvalidInput: it was revoked, or the hours are out of range.
        """
        if not 0 <= overlap_hours <= MOST_OVERLAP_HOURS:
            raise InvalidInput(f"Give 0 to {MOST_OVERLAP_HOURS} hours.", field="overlap_hours")
        now, secret = datetime.now(UTC), _new_secret()
        async with self._to.database.write() as session:
            row = await lock(session, ApiKey, key_id, field="key")
            if row.revoked_at is not None:
                raise InvalidInput("This key was revoked. Create another one.", field="key")
            row.previous_hash, row.previous_until = row.secret_hash, now + timedelta(hours=overlap_hours)
            row.secret_hash, row.rotated_at = _hash(secret), now
            _record(session, row, "rotate_api_key", by, now)
            return _made(row, secret)

    async def identify(self, token: str) -> Caller:
        """Who comes with this key.

        Raises:
            KeyUnknown: nobody we know.
            KeyOfOtherMode: somebody of the other mode.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            raise KeyUnknown("This is no API key. Send one as: Authorization: Bearer rlk_...")
        if (parts["mode"] == "live") != self._live:
            here, there = ("live", "test") if self._live else ("test", "live")
            raise KeyOfOtherMode(f"This is a {there} key, and the API here is {here}. Use a {here} key.")
        now = datetime.now(UTC)
        async with self._to.database.read() as session:
            row = await session.get(ApiKey, f"key_{parts['id']}")
        if not _opens(row, parts["secret"], now) or row is None or row.live != self._live:
            raise KeyUnknown("This API key does not exist or was revoked. Make one: relance api-key create")
        if row.last_used_at is None or now - row.last_used_at >= SEEN_EVERY:
            await self._seen(row.id, now)
        return Caller(key_id=row.id, name=row.name, scopes=frozenset(Scope(scope) for scope in row.scopes))

    async def calls(self, key_id: str | None = None, *, limit: int = 100) -> Sequence[ApiCall]:
        """The latest calls that changed something, or were to: of one key, or of all."""
        async with self._to.database.read() as session:
            query = select(ApiCall).order_by(col(ApiCall.at).desc(), col(ApiCall.id).desc()).limit(limit)
            if key_id is not None:
                query = query.where(ApiCall.key_id == key_id)
            return (await session.exec(query)).all()

    async def _seen(self, key_id: str, now: datetime) -> None:
        async with self._to.database.write() as session:
            (await lock(session, ApiKey, key_id, field="key")).last_used_at = now


def _check(name: str, scopes: Sequence[Scope], limits: Mapping[str, int]) -> None:
    if not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"Give the key a name of 1 to {LONGEST_NAME} characters.", field="name")
    if not scopes:
        raise InvalidInput(f"Give a scope: {', '.join(Scope)}.", field="scope")
    if limits and Scope.SUPPORT not in scopes:
        raise InvalidInput("Only the scope support has a limit. Leave it out.", field="limit")
    for currency, amount_minor in limits.items():
        check_currency(currency)
        if not 0 < amount_minor <= MAX_AMOUNT_MINOR:
            raise InvalidInput(f"The limit in {currency} is out of range.", field="limit")


def _opens(row: ApiKey | None, secret: str, now: datetime) -> bool:
    """Whether the secret is the key's; the same comparisons are made whoever comes."""
    given = _hash(secret)
    is_present = hmac.compare_digest(given, row.secret_hash if row else _NOBODY)
    is_previous = hmac.compare_digest(given, (row.previous_hash if row else None) or _NOBODY)
    if row is None or row.revoked_at is not None:
        return False
    return is_present or (is_previous and row.previous_until is not None and now < row.previous_until)


def _record(session: AsyncSession, row: ApiKey, action: str, by: str, now: datetime) -> None:
    session.add(
        ApiCall(id=new_id("cmd"), key_id=row.id, by=by, action=action, method="", path="", at=now, status=200)
    )


def _made(row: ApiKey, secret: str) -> MadeKey:
    mode = "live" if row.live else "test"
    return MadeKey(
        id=row.id,
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        key=f"rlk_{mode}_{row.id.removeprefix('key_')}_{secret}",
    )


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
