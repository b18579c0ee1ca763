"""Taking queued mails, and writing down what became of each (engine 19, rules 26, 29).

A row is first leased: it is still `queued`, so if its process dies it is simply taken again. Only in the moment
before the provider is called does it become `sending`; a row found so with its lease over was perhaps sent, and
counts as a lost answer. A lease is told by its end: taking a row always moves that on. All times here are real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.calendar import local_date
from mails.kinds import KINDS, MailKind
from mails.render import RenderedMail
from models.tables import Customer, Invoice, Message, MessageState

LEASE: Final = timedelta(seconds=60)
"""For writing the mail, and for the wait behind others that were taken with it."""
SENDING_LEASE: Final = timedelta(seconds=90)
"""For the provider's answer: well beyond its time-outs."""
WAIT_FOR_WORD: Final = timedelta(minutes=5)
"""After a lost answer, for the provider's own word that it has the mail, before a legal notice goes out again."""
MOST_SENDS: Final = 3
"""How often a legal notice is handed over when answers get lost; then it is `delivery_unknown` as well."""
LONGEST_ERROR: Final = 500

_TOGETHER: Final = MailKind.PAYMENT_REMINDER.value
"""The kind whose rows of one customer and day become one mail (rules 26)."""
_SAID: Final = (MessageState.SENT, MessageState.DELIVERY_UNKNOWN)


@dataclass(frozen=True)
class Claim:
    """Rows that one mail answers for, leased to one process.

    Attributes:
        ids: the first is the one that is written; the others' invoices are listed in it.
        until: the end of the lease, and its name.
    """

    ids: tuple[str, ...]
    until: datetime

    def without_first(self) -> tuple[Claim, Claim | None]:
        """The first row by itself, and the others, if there are any."""
        first, *others = self.ids
        return Claim((first,), self.until), Claim(tuple(others), self.until) if others else None


def pause_after(tries: int) -> timedelta:
    """The wait before another try: 5 s, doubled each time, at most 15 minutes."""
    return min(timedelta(seconds=5 * 2 ** min(tries, 10)), timedelta(minutes=15))


def _is_free(now: datetime) -> ColumnElement[bool]:
    lease = col(Message.leased_until)
    return and_(col(Message.state) == MessageState.QUEUED, or_(lease.is_(None), lease <= now))


def _is_abandoned(now: datetime) -> ColumnElement[bool]:
    return and_(col(Message.state) == MessageState.SENDING, col(Message.leased_until) <= now)


async def is_anything_due(session: AsyncSession, now: datetime) -> bool:
    """Whether there is a mail to take; asked before a lock is."""
    query = select(Message.id).where(or_(_is_free(now), _is_abandoned(now))).limit(1)
    return (await session.exec(query)).first() is not None


async def give_up_abandoned(session: AsyncSession, now: datetime) -> int:
    """Rows whose process died between sending and writing it down are lost answers (rules 29).

    Returns:
        How many there were.
    """
    query = select(Message).where(_is_abandoned(now)).with_for_update(skip_locked=True)
    rows = (await session.exec(query)).all()
    for row in rows:
        _lose(row, "The process that sent it died before it wrote down the answer.", now)
    return len(rows)


async def claim(session: AsyncSession, *, limit: int, now: datetime) -> list[Claim]:
    """Lease up to `limit` queued rows, oldest first; rows that another process holds are passed over."""
    query = (
        select(Message)
        .where(_is_free(now))
        .order_by(col(Message.at), col(Message.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.exec(query)).all()
    until = now + LEASE
    claims = [_lease([row], until) for row in rows if row.kind != _TOGETHER]
    for customer_id in sorted({row.customer_id for row in rows if row.kind == _TOGETHER}):
        claims += await _claim_reminders(session, customer_id, now)
    return claims


def _lease(rows: Sequence[Message], until: datetime) -> Claim:
    for row in rows:
        row.leased_until = until
    return Claim(tuple(row.id for row in rows), until)


async def _claim_reminders(session: AsyncSession, customer_id: str, now: datetime) -> list[Claim]:
    """The reminders of a customer, one claim per local day; the customer's row keeps other processes out.

    A row that comes after its day's mail has left, and whose invoice was listed there, is answered by that mail.
    """
    locked = await session.exec(
        select(Customer)
        .where(Customer.id == customer_id)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    customer = locked.first()
    if customer is None:
        return []
    query = (
        select(Message)
        .where(Message.customer_id == customer_id, Message.kind == _TOGETHER)
        .order_by(col(Message.at), col(Message.id))
        .execution_options(populate_existing=True)
    )
    days: dict[date, list[Message]] = {}
    for row in (await session.exec(query)).all():
        days.setdefault(local_date(row.at, customer.timezone), []).append(row)
    claims = []
    for rows in days.values():
        queued = [row for row in rows if row.state is MessageState.QUEUED]
        under_way = any(_is_under_way(row, now) for row in rows)
        waiting = [] if under_way else [row for row in queued if not await _joined(session, row, rows)]
        if waiting:
            claims.append(_lease(sorted(waiting, key=_urgency), now + LEASE))
    return claims


def _is_under_way(row: Message, now: datetime) -> bool:
    if row.state is MessageState.SENDING:
        return True
    return row.state is MessageState.QUEUED and row.leased_until is not None and row.leased_until > now


def _urgency(row: Message) -> tuple[str, datetime, str]:
    """The mail is written from the row whose deadline comes first."""
    return (row.context.get("ends_on") or "9999", row.at, row.id)


async def _joined(session: AsyncSession, row: Message, day: Sequence[Message]) -> bool:
    invoice = await session.get(Invoice, row.invoice_id) if row.invoice_id else None
    number = invoice.number if invoice is not None else None
    mail = next((m for m in day if m.state in _SAID and number in m.context.get("listed", ())), None)
    if mail is None:
        return False
    row.state, row.provider_id, row.sent_at = mail.state, mail.provider_id, mail.sent_at
    row.subject, row.body_text, row.body_html = mail.subject, mail.body_text, mail.body_html
    row.context = {**row.context, "listed": mail.context["listed"], "joined": mail.id}
    row.leased_until = None
    return True


async def _held(session: AsyncSession, claim: Claim) -> list[Message]:
    """The rows of a claim, locked, in its order; none where the lease was lost."""
    query = select(Message).where(col(Message.id).in_(claim.ids)).order_by(col(Message.id)).with_for_update()
    rows = {row.id: row for row in (await session.exec(query)).all()}
    if any(row.leased_until != claim.until for row in rows.values()):
        return []
    return [rows[key] for key in claim.ids]


async def begin_sending(
    session: AsyncSession, claim: Claim, mail: RenderedMail, *, listed: Sequence[str], now: datetime
) -> Claim | None:
    """Write down that the mail is now being handed over, with its words as they will be sent.

    Args:
        session: a transaction of its own, committed before the provider is called.
        claim: the rows, still leased.
        mail: the words.
        listed: numbers of the open invoices in it.
        now: real time.

    Returns:
        The claim to answer with; None where somebody else has taken the rows meanwhile: then do not send.
    """
    rows = await _held(session, claim)
    if not rows or any(row.state is not MessageState.QUEUED for row in rows):
        return None
    until = now + SENDING_LEASE
    for row in rows:
        row.state, row.leased_until = MessageState.SENDING, until
        row.tries += 1
        row.subject, row.body_text, row.body_html = mail.subject, mail.text, mail.html
        row.context = {**row.context, "listed": list(listed)} if listed else row.context
    return Claim(claim.ids, until)


async def record_sent(session: AsyncSession, claim: Claim, *, provider_id: str | None, now: datetime) -> None:
    """The provider took it over. Written even when it was given up meanwhile: it is known better now."""
    query = select(Message).where(col(Message.id).in_(claim.ids)).order_by(col(Message.id)).with_for_update()
    for row in (await session.exec(query)).all():
        if row.state is not MessageState.SENT:
            row.state, row.provider_id, row.sent_at = MessageState.SENT, provider_id, now
            row.leased_until, row.last_error = None, ""


async def record_lost(session: AsyncSession, claim: Claim, reason: str, now: datetime) -> None:
    """No answer came: legal notices go out again, for every other mail its delivery is unknown (rules 29)."""
    for row in await _held(session, claim):
        _lose(row, reason, now)


def _lose(row: Message, reason: str, now: datetime) -> None:
    row.last_error = reason[:LONGEST_ERROR]
    if KINDS[MailKind(row.kind)].legal_notice and row.tries < MOST_SENDS:
        row.state, row.leased_until = MessageState.QUEUED, now + WAIT_FOR_WORD
    else:
        row.state, row.leased_until = MessageState.DELIVERY_UNKNOWN, None


async def close(session: AsyncSession, claim: Claim, state: MessageState, reason: str) -> None:
    """The rows are done with: refused, or withdrawn."""
    for row in await _held(session, claim):
        row.state, row.leased_until, row.last_error = state, None, reason[:LONGEST_ERROR]


async def put_back(session: AsyncSession, claim: Claim, reason: str, now: datetime) -> None:
    """The mail was certainly not sent: it waits for its next try, longer each time."""
    for row in await _held(session, claim):
        counted = row.state is MessageState.SENDING  # which counted this try already
        row.tries += 0 if counted else 1
        row.state, row.leased_until = MessageState.QUEUED, now + pause_after(row.tries - 1)
        row.last_error = reason[:LONGEST_ERROR]


async def release(session: AsyncSession, claims: Sequence[Claim]) -> None:
    """Rows that were taken and not tried are anybody's again."""
    for claim in claims:
        for row in await _held(session, claim):
            row.leased_until = None
