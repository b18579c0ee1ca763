"""The table of test clocks."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import instant


class TestClock(SQLModel, table=True):
    """A clock that any number of subscriptions share; `now` only grows (engine 24)."""

    __tablename__ = "test_clock"

    id: str = Field(primary_key=True)
    name: str = ""
    now: datetime = instant(nullable=False)
    advancing_to: datetime | None = instant()
    problem: str = ""
    """Why it stands still although it should advance."""
    created_at: datetime = instant(nullable=False)
