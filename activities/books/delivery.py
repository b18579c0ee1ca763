"""What the mail provider says became of mails: kept with the mail, and with an address where none arrive (rules 29)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import insert_unless_there
from activities.sendgrid_events import Delivery, DeliveryEvent
from models.tables import Customer, MailAddress, Message, MessageState

_WAITS_FOR_AN_ANSWER: Final = (MessageState.QUEUED, MessageState.SENDING, MessageState.DELIVERY_UNKNOWN)


async def take_delivery_events(session: AsyncSession, events: Sequence[DeliveryEvent]) -> int:
    """Write down what became of mails. The same events again, or in another order, make no difference.

    Returns:
        How many were about mails of ours.
    """
    ours = 0
    for event in sorted(events, key=lambda event: (event.message_id, event.at, event.delivery)):
        message = await _locked(session, event.message_id)
        if message is None or event.address not in {address.lower() for address in message.recipients}:
            continue
        ours += 1
        _note_on_mail(message, event)
        await _note_on_address(session, event)
    return ours


async def _locked(session: AsyncSession, message_id: str) -> Message | None:
    return (await session.exec(select(Message).where(Message.id == message_id).with_for_update())).first()


def _note_on_mail(message: Message, event: DeliveryEvent) -> None:
    if message.tries > 0 and message.state in _WAITS_FOR_AN_ANSWER:
        # The answer that was lost: SendGrid has it, so it is not sent again.
        message.state, message.sent_at = MessageState.SENT, event.at
        message.leased_until, message.last_error = None, ""
    known = (message.delivery_at, Delivery[message.delivery] if message.delivery else None)
    if known[0] is None or known[1] is None or (event.at, event.delivery) > (known[0], known[1]):
        message.delivery, message.delivery_at = event.delivery.name, event.at
        message.delivery_detail = event.detail


async def _note_on_address(session: AsyncSession, event: DeliveryEvent) -> None:
    """Whether mails arrive there is what the latest event says."""
    arrives = event.delivery.arrives
    if arrives is None:
        return
    news = {
        "arrives": arrives,
        "reason": "" if arrives else event.delivery.word,
        "detail": "" if arrives else event.detail,
        "as_of": event.at,
    }
    await insert_unless_there(session, MailAddress, {"address": event.address, "since": event.at, **news})
    known = (
        await session.exec(
            select(MailAddress)
            .where(MailAddress.address == event.address)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).one()
    if event.at < known.as_of:
        return
    known.since = known.since if known.arrives == arrives else event.at
    for name, value in news.items():
        setattr(known, name, value)


async def undeliverable(session: AsyncSession, addresses: Iterable[str]) -> list[MailAddress]:
    """Those of some addresses at which mails do not arrive."""
    wanted = {address.lower() for address in addresses}
    query = select(MailAddress).where(
        col(MailAddress.address).in_(wanted), col(MailAddress.arrives).is_(False)
    )
    return list((await session.exec(query.order_by(col(MailAddress.address)))).all())


async def customers_who_read_nothing(
    session: AsyncSession, customers: Iterable[Customer]
) -> list[tuple[Customer, list[MailAddress]]]:
    """The customers none of whose addresses takes our mails, with what was said there."""
    found = []
    for customer in customers:
        addresses = {contact["email"].lower() for contact in customer.contacts}
        dead = await undeliverable(session, addresses)
        if addresses and len(dead) == len(addresses):
            found.append((customer, dead))
    return found
