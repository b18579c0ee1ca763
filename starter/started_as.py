"""What a subscription was started with, and whether asking for it once more is asking for the same."""

from __future__ import annotations

from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables import CommandRow, SubscriptionRow
from starter.finding import with_reference
from starter.orders import NewSubscription
from starter.problems import FixedSinceStart

START: Final = "start"
"""Kind of the row that keeps what a start asked for, so that a second one can be compared with it."""
CHANGED_BY: Final = {
    "coupons": "POST /v1/subscriptions/{subscription}/coupons, or: relance subscription add-coupon",
    "custom": "PUT or PATCH /v1/subscriptions/{subscription}",
} | dict.fromkeys(
    ("plan", "quantity", "amount", "agreed", "dunning_policy", "discounts"),
    "POST /v1/subscriptions/{subscription}/change, or: relance subscription change-plan, change-quantity or "
    "change-terms",
)
"""What changes a subscription once it was started; what is not here never does."""
_OTHERWISE: Final = "Use another id and reference for another subscription."
_AS_METADATA: Final = {"custom": "metadata"}
"""What callers call it."""


def start_id(subscription_id: str) -> str:
    """Id of the row that keeps what a start asked for."""
    return f"start/{subscription_id}"


async def existing_of(
    session: AsyncSession, order: NewSubscription, entity_id: str
) -> SubscriptionRow | None:
    """The subscription that is there already under the id or reference of an order."""
    existing = await session.get(SubscriptionRow, order.id) if order.id is not None else None
    if existing is None and order.reference is not None:
        found = await with_reference(session, SubscriptionRow, order.reference, entity_id=entity_id)
        existing = found[0] if found else None
    return existing


async def check_same(
    session: AsyncSession, row: SubscriptionRow, asked: dict[str, Any], *, or_describe: bool
) -> None:
    """Refuse what differs from what it was started with.

    Args:
        session: for looking.
        row: the subscription that is there.
        asked: the order, as its record would keep it.
        or_describe: metadata may differ; plan and quantity may also be what it has by now.

    Raises:
        FixedSinceStart: something else differs; `field` names the first, `remedy` what changes it.
    """
    record = await session.get(CommandRow, start_id(row.id))
    plain = NewSubscription(customer=row.customer_id, plan=row.plan_id).model_dump(mode="json")
    # What an earlier release did not ask for yet has its default in its record.
    before = plain | ({} if record is None else record.payload)
    different = sorted(name for name in asked if asked[name] != before.get(name))
    if or_describe:
        has = {
            "plan": row.state.terms.plan_id,
            "quantity": row.state.terms.quantity,
            "custom": asked["custom"],
        }
        different = [name for name in different if asked[name] != has.get(name)]
    if different:
        by = CHANGED_BY.get(different[0])
        words = ", ".join(_AS_METADATA.get(name, name) for name in different)
        raise FixedSinceStart(
            f"Subscription {row.reference or row.id} was started with another {words}. {_OTHERWISE}",
            field=_AS_METADATA.get(different[0], different[0]),
            remedy=_OTHERWISE if by is None else f"Change what is running by {by}. {_OTHERWISE}",
        )
