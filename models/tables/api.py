"""Tables of the HTTP API: who may come in, and what they asked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import JSON_TYPE, instant, json_list, minor_or_none


class ApiKey(SQLModel, table=True):
    """A key to the API. Its secret is shown once and kept as a hash only."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    name: str
    """What its calls are signed with in the books; never a person's data."""
    live: bool
    """Whether it opens a process that bills for real; else it opens all others."""
    scopes: list[str] = json_list()
    limits: dict[str, int] = Field(default_factory=dict, sa_type=JSON_TYPE, nullable=False)
    """What `support` may give back in 24 hours, in minor units by currency; what is not named is nothing."""
    secret_hash: str
    previous_hash: str | None = None
    """Of the secret before the last rotation, which opens until `previous_until`."""
    previous_until: datetime | None = instant()
    created_at: datetime = instant(nullable=False)
    rotated_at: datetime | None = instant()
    last_used_at: datetime | None = instant()
    """Real time, to the minute."""
    revoked_at: datetime | None = instant()


class ApiCall(SQLModel, table=True):
    """A call that changes something: who asked what, when, and what came of it.

    The row is written before the command is sent and its id is the command's, so that a call which was cut off is
    carried out once when it is repeated. Key and answer are forgotten after a day, the record stays.
    """

    __tablename__ = "api_call"
    __table_args__ = (UniqueConstraint("key_id", "idempotency_key"),)

    id: str = Field(primary_key=True)
    key_id: str = Field(foreign_key="api_key.id", index=True)
    by: str
    """The key's name, or who worked on the key at the command line."""
    action: str
    """Operation of the API, as `cancel_subscription`."""
    method: str
    path: str
    idempotency_key: str | None = None
    fingerprint: str = ""
    """Of what was asked: the same key with another one is refused."""
    at: datetime = instant(nullable=False, index=True)
    """Real time, as everything here."""
    leased_until: datetime | None = instant()
    """Until when somebody is taken to be working on it; they say so again and again."""
    status: int | None = None
    """Of the answer; None while there is none."""
    code: str = ""
    """Of the problem, where the answer is one."""
    answer: str | None = Field(default=None, sa_type=Text, nullable=True)
    amount_minor: int | None = minor_or_none()
    """What it gives back to a customer, counted against the key's limit."""
    currency: str | None = None
