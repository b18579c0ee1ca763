"""Tables of what is brought in from another billing system: batches, and every row of their files."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.columns import instant, is_one_of, json_list, json_object, one_of


class BatchState(StrEnum):
    """Where a batch stands."""

    STAGED = "staged"
    """Looked at: nothing is billed, nobody is written to."""
    GOING_LIVE = "going_live"
    """Under way, or broken off half way: the same command goes on."""
    LIVE = "live"
    UNDOING = "undoing"
    """Likewise."""
    UNDONE = "undone"


class RowState(StrEnum):
    """Where one row of a file stands."""

    STAGED = "staged"
    REFUSED = "refused"
    """It has problems, or rests on a row that has."""
    LIVE = "live"
    UNDONE = "undone"


class ImportKind(StrEnum):
    """What a row brings in, in the order in which they need each other."""

    PLAN = "plan"
    COUPON = "coupon"
    CUSTOMER = "customer"
    PAYMENT_METHOD = "payment_method"
    SEPA_MANDATE = "sepa_mandate"
    SUBSCRIPTION = "subscription"
    BALANCE = "balance"
    DEBT = "debt"


class ImportBatch(SQLModel, table=True):
    """What one command makes live, and one takes back."""

    __tablename__ = "import_batch"
    __table_args__ = (is_one_of("state", BatchState),)

    id: str = Field(primary_key=True)
    entity_id: str = Field(foreign_key="legal_entity.id", index=True)
    clock_id: str | None = Field(default=None, foreign_key="test_clock.id", index=True)
    """A test clock on which its customers live: a rehearsal."""
    source: str
    """`csv` or `stripe`: which files it was read from."""
    folder: str
    state: BatchState = one_of(BatchState, BatchState.STAGED)
    by: str = ""
    problems: list[dict[str, Any]] = json_list()
    """What is wrong with files and lines that can't be read: `{"file", "line", "field", "message"}`."""
    staged_at: datetime = instant(nullable=False)
    live_at: datetime | None = instant()
    undone_at: datetime | None = instant()


class ImportRow(SQLModel, table=True):
    """One row of a file, by the caller's own name for it: read again it is the same row."""

    __tablename__ = "import_row"
    __table_args__ = (
        UniqueConstraint("entity_id", "kind", "key"),
        is_one_of("kind", ImportKind),
        is_one_of("state", RowState),
        CheckConstraint("state <> 'live' OR subject_id IS NOT NULL", name="subject"),
    )

    id: str = Field(primary_key=True)
    batch_id: str = Field(foreign_key="import_batch.id", index=True)
    entity_id: str = Field(foreign_key="legal_entity.id")
    kind: ImportKind = one_of(ImportKind)
    key: str
    """The caller's reference; of a balance its customer and currency."""
    file: str
    line: int
    content: dict[str, Any] = json_object()
    """What the row says, checked."""
    digest: str
    """Of the content: what is the same is left alone."""
    facts: dict[str, Any] = json_object()
    """What was looked up elsewhere: the payment method at the provider, the register's reply."""
    problems: list[dict[str, Any]] = json_list()
    """Why it does not go live, likewise."""
    preview: dict[str, Any] = json_object()
    """Of a subscription: its next invoice, or why none comes."""
    state: RowState = one_of(RowState, index=True)
    subject_id: str | None = Field(default=None, index=True)
    """What it became."""
    turn: int = 0
    """How often it was undone: a subscription that was taken back comes again as another one."""
    live_at: datetime | None = instant()
    started_at: datetime | None = instant()
    """When the workflow of its subscription was started."""
