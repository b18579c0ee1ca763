"""A sign-up session comes to its end: there is a subscription, and its contract is confirmed."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.notices import AccessRules, emit, write_mail
from activities.books.rows import customer_of, lock
from models.tables import SignupSession, SubscriptionRow


async def complete_signup(
    session: AsyncSession, session_id: str, subscription_id: str, at: datetime, access: AccessRules
) -> None:
    """Write down what came of a session, and say so once: to the backend, and to the buyer (consumer code, L221-13).

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
    await write_mail(
        session,
        await customer_of(session, started),
        kind="order_confirmed",
        step="order_confirmed",
        occurrence=row.id,
        at=at,
        subscription=started,
        context={"signup_session": row.id},
    )
