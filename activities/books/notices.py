"""Writing what others will hear of a fact, in the transaction of that fact: mails and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from models.ids import derived_id
from models.tables import Customer, Invoice, Message, OutgoingEvent, SubscriptionRow


@dataclass(frozen=True)
class AccessRules:
    """How long an answer about access stays good (rules 19).

    Attributes:
        window: width of the spread of work instants (engine 23).
        grace: added after the period's end.
    """

    window: timedelta
    grace: timedelta


async def write_mail(
    session: AsyncSession,
    customer: Customer,
    *,
    kind: str,
    step: str,
    occurrence: str,
    at: datetime,
    subscription: SubscriptionRow,
    invoice: Invoice | None = None,
    context: dict[str, Any] | None = None,
) -> bool:
    """Queue a mail, unless this step's was written before.

    Returns:
        Whether it is new.
    """
    scope = invoice.id if invoice is not None else subscription.id
    message_id = derived_id("msg", scope, step, occurrence)
    if await session.get(Message, message_id) is not None:
        return False
    session.add(
        Message(
            id=message_id,
            scope=scope,
            step=step,
            occurrence=occurrence,
            kind=kind,
            customer_id=customer.id,
            subscription_id=subscription.id,
            invoice_id=invoice.id if invoice is not None else None,
            clock_id=subscription.clock_id,
            locale=customer.locale,
            recipients=[contact["email"] for contact in customer.contacts],
            context=context or {},
            at=at,
        )
    )
    return True


def emit(
    session: AsyncSession,
    row: SubscriptionRow,
    name: str,
    data: dict[str, Any],
    at: datetime,
    rules: AccessRules,
) -> None:
    """Append an event with the subscription's next number; the row's lock keeps the numbers without gap."""
    row.event_seq += 1
    state = row.state
    session.add(
        OutgoingEvent(
            subscription_id=row.id,
            sequence=row.event_seq,
            name=name,
            data=data,
            entitled=state.entitled_at(at),
            access_until=state.access_until(at, window=rules.window, grace=rules.grace),
            at=at,
        )
    )
