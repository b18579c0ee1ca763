"""A sign-up session comes to its end: there is a subscription."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.notices import AccessRules, emit
from activities.books.rows import lock
from models.tables import SignupSession, SubscriptionRow


async def complete_signup(
    session: AsyncSession, session_id: str, subscription_id: str, at: datetime, access: AccessRules
) -> None:
    """Write down what came of a session, and say so once.

    Args:
        session: a transaction.
        session_id: of the sign-up.
        subscription_id: what was started.
        at: the business instant.
        access: how long an answer about access stays good.
    """
    started = await lock(session, SubscriptionRow, subscription_id, field="subscription")
    row = await lock(session, SignupSession, session_id, field="signup_session")
    if row.completed_at is not None:
        return
    row.completed_at = datetime.now(UTC)
    row.customer_id, row.subscription_id = started.customer_id, started.id
    early = row.consent is not None and row.consent.early_start
    told = {"signup_session": row.id, "early_start_requested": early}
    emit(session, started, "subscription.signed_up", told, at, access)
