"""Documents as files: what was rendered is kept and served for ever (rules 15)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlmodel import Field, SQLModel

from models.columns import instant, is_one_of, one_of


class RenderingState(StrEnum):
    """Where the rendering of a document stands; one that was not tried has no row."""

    RENDERED = "rendered"
    FAILED = "failed"
    """It is tried again at `next_try_at`."""


class RenderedDocument(SQLModel, table=True):
    """The file of an invoice or credit note. Once rendered, it never changes."""

    __tablename__ = "rendered_document"
    __table_args__ = (
        is_one_of("state", RenderingState),
        CheckConstraint("(state = 'rendered') = (content IS NOT NULL)", name="content"),
        Index("ix_rendered_document_failed", "next_try_at"),
    )

    document_id: str = Field(primary_key=True)
    """Of an invoice or a credit note."""
    state: RenderingState = one_of(RenderingState)
    form: str = ""
    """`facturx-fr`, `facturx` or `plain` (rules 18)."""
    template_version: str = ""
    sha256: str = ""
    """Of the content, in hexadecimal."""
    content: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    """The PDF."""
    rendered_at: datetime | None = instant()
    """Real time, also on a test clock."""
    tries: int = 0
    last_error: str = ""
    next_try_at: datetime | None = instant()
