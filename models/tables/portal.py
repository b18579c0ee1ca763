"""The table of the portal: who may look at whose space, and until when."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import instant


class PortalSession(SQLModel, table=True):
    """A customer's way into the portal. Its links are signed, so that nothing secret is kept here.

    All instants are real time.
    """

    __tablename__ = "portal_session"

    id: str = Field(primary_key=True)
    customer_id: str = Field(foreign_key="customer.id", index=True)
    start: str
    """The page on which it opens."""
    return_url: str | None = None
    """Where the customer came from and is led back to."""
    by: str
    """Who asked for it: a key's or an operator's name."""
    created_at: datetime = instant(nullable=False)
    opened_at: datetime | None = instant()
    """When its link was used first."""
    ends_at: datetime = instant(nullable=False)
    revoked_at: datetime | None = instant()
