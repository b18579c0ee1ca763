"""Writing what others will hear of a fact, in the transaction of that fact: mails and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select
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
    rules: AccessRules | None,
) -> None:
    """Append an event of the catalogue with the subscription's next number.

    The lock of the row keeps the numbers without gap. What leaves of `data` is what the catalogue names. Without rules
    it says of the access what was told last: for facts that cannot change it.
    """
    row.event_seq += 1
    state = row.state
    entitled, until = row.entitled, row.access_until
    if rules is not None:
        entitled = state.entitled_at(at)
        until = state.access_until(at, window=rules.window, grace=rules.grace)
    session.add(
        OutgoingEvent(
            subscription_id=row.id,
            sequence=row.event_seq,
            name=name,
            data=data,
            status=state.status.value,
            plan_id=state.terms.plan_id,
            entitled=entitled,
            reason=state.entitlement_reason,
            access_until=until,
            at=at,
        )
    )


def tell_access(session: AsyncSession, row: SubscriptionRow, at: datetime, rules: AccessRules) -> None:
    """Say when the right to the service is another than the columns of the row say, whatever changed it.

    They hold what was told last: called before they are brought in line, so that no change of it can be forgotten.
    """
    entitled = row.state.entitled_at(at)
    until = row.state.access_until(at, window=rules.window, grace=rules.grace)
    if entitled != row.entitled:
        emit(session, row, "access.granted" if entitled else "access.ended", {}, at, rules)
    elif until != row.access_until:
        emit(session, row, "access.changed", {}, at, rules)


async def tell_all(
    session: AsyncSession,
    customer_id: str,
    name: str,
    data: dict[str, Any],
    at: datetime,
    rules: AccessRules | None = None,
) -> None:
    """Tell a fact about a customer to each subscription that is not over; their rows are locked by the caller."""
    query = select(SubscriptionRow).where(SubscriptionRow.customer_id == customer_id)
    for row in (await session.exec(query.order_by(col(SubscriptionRow.id)))).all():
        if not row.state.is_over:
            emit(session, row, name, data, at, rules)


def about(invoice: Invoice) -> dict[str, Any]:
    """What every event about an invoice says of it."""
    return {
        "invoice": invoice.id,
        "number": invoice.number,
        "status": invoice.status.value,
        "total_minor": invoice.total_minor,
        "open_minor": invoice.open_minor,
        "currency": invoice.currency,
    }
