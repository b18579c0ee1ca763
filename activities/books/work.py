"""What every function that writes about one subscription is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.gate import Prepares
from models.tables import SubscriptionRow


@dataclass(frozen=True)
class Work:
    """One transaction on one subscription.

    Attributes:
        session: open, with the subscription's row locked.
        gateway: prepares first attempts.
        rules: the seller's.
        row: the subscription.
        at: the business instant.
        command_id: what asked for it; empty for a step of its own.
    """

    session: AsyncSession
    gateway: Prepares
    rules: BookRules
    row: SubscriptionRow
    at: datetime
    command_id: str = ""
