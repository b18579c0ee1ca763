"""Mails on their way out: the activity that the outbox keeps running (engine 19, rules 15, 29)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.books import outbox
from activities.books.config import BookRules
from activities.books.mail_context import build_context
from activities.books.mail_facts import Moot
from activities.books.outbox import Claim
from activities.books.rows import get
from activities.deliveries import Deliveries
from activities.heartbeats import beating
from activities.incoming import Incoming, TemporalSignals
from activities.links import Links
from activities.mailer import Accepted, Address, LostAnswer, Mailer, MailerUnavailable, OutgoingMail, Refused
from activities.money_news import MoneyNews
from activities.pace import Pace
from activities.refunds import Refunds
from activities.rendering import Renderings
from activities.worker_shutdown import rest
from billing.errors import InvalidInput, RelanceError
from billing.values import Value
from mails.context import MailContext
from mails.kinds import MailKind
from mails.render import RenderedMail, render
from models.database import Database
from models.tables import Customer, LegalEntity, Message, MessageState
from settings import Settings

logger = logging.getLogger(__name__)

SIDE_BY_SIDE: Final = 6
"""Mails that one process hands over at the same time."""
ROUND_SECONDS: Final = 45.0
"""How long one run of the activity goes on."""
POLL_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 1.0


@dataclass(frozen=True)
class OutboxRules:
    """What mails need beside the rows; made from settings once, at start.

    Attributes:
        links: makes the addresses in them.
        books: the seller's rules.
        mail_from: the sender for a legal entity that names none, an address or `Name <address>`.
        in_sandbox: marks every mail as a test.
    """

    links: Links
    books: BookRules
    mail_from: str | None = None
    in_sandbox: bool = False

    @classmethod
    def of(cls, settings: Settings) -> OutboxRules:
        """The choices among the settings.

        Raises:
            SettingsProblem: there is no `SECRET_KEY` to sign links with.
        """
        return cls(
            links=Links(
                public_url=settings.public_url, secret=settings.reveal("secret_key", to="sign links in mails")
            ),
            books=BookRules.of(settings),
            mail_from=settings.mail_from,
            in_sandbox=settings.sandbox is not None,
        )


class DrainReport(Value):
    """What one round of the outbox dealt with."""

    mails: int = 0
    events: int = 0
    refunds: int = 0
    orders: int = 0


@dataclass(frozen=True)
class _Written:
    """A mail ready to be handed over."""

    outgoing: OutgoingMail
    words: RenderedMail
    listed: tuple[str, ...]


class Messages:
    """Sends what is queued, hands on what came in, carries out what was ordered and cut off."""

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        rules: OutboxRules,
        *,
        renderings: Renderings | None = None,
        refunds: Refunds | None = None,
        money: MoneyNews | None = None,
        deliveries: Deliveries | None = None,
        finish_orders: Callable[[], Awaitable[int]] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is sent yet.

        Args:
            database: the books.
            mailer: the mail provider.
            rules: from the settings.
            renderings: renders documents beside the mails; None where somebody else does.
            refunds: sends money back beside the mails; None where somebody else does.
            money: books what began at the payment provider, as its events come in; None where somebody else does.
            deliveries: publishes and delivers events beside the mails; None where somebody else does.
            finish_orders: carries out orders of the sign-up page that a crash cut off; None where somebody else does.
            now: real time: leases and pauses are never on a test clock.
        """
        self._database = database
        self._mailer = mailer
        self._rules = rules
        self._renderings = renderings
        self._refunds = refunds
        self._money = money
        self._deliveries = deliveries
        self._finish_orders = finish_orders
        self._now = now
        self._pace = Pace()

    @activity.defn(name="drain_outbox")
    async def drain_outbox(self) -> DrainReport:
        """Do whatever is due, again and again for a while; ends early when the worker stops."""
        report = DrainReport()
        signals = TemporalSignals(activity.client())
        incoming = Incoming(self._database, signals, money=self._money, now=self._now)
        ends = time.monotonic() + ROUND_SECONDS
        async with beating(every=HEARTBEAT_SECONDS), self._rendering(), self._delivering():
            while True:
                mails = await self.drain()
                events = await incoming.hand_on_waiting()
                refunds = 0 if self._refunds is None else await self._refunds.send_waiting()
                orders = 0 if self._finish_orders is None else await self._finish_orders()
                report = DrainReport(
                    mails=report.mails + mails,
                    events=report.events + events,
                    refunds=report.refunds + refunds,
                    orders=report.orders + orders,
                )
                if time.monotonic() >= ends or activity.is_worker_shutdown():
                    return report
                if not mails:
                    await rest(POLL_SECONDS)

    def _rendering(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._renderings is None else self._renderings.meanwhile()

    def _delivering(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._deliveries is None else self._deliveries.meanwhile()

    async def drain(self, limit: int = 100) -> int:
        """One pass over the queue.

        Args:
            limit: rows to take at most; reminders of one customer and day count as one.

        Returns:
            How many mails were dealt with: sent, refused, withdrawn or of unknown delivery. 0 while the
            provider is given a rest.
        """
        now = self._now()
        if self._pace.rests(now):
            return 0
        async with self._database.read() as session:
            if not await outbox.is_anything_due(session, now):
                return 0
        async with self._database.write() as session:
            abandoned = await outbox.give_up_abandoned(session, now)
            claims = await outbox.claim(session, limit=limit, now=now)
        return abandoned + await self._deliver_all(claims)

    async def _deliver_all(self, claims: Sequence[Claim]) -> int:
        done = 0
        for start in range(0, len(claims), SIDE_BY_SIDE):
            if self._pace.rests(self._now()):
                async with self._database.write() as session:
                    await outbox.release(session, claims[start:])
                break
            some = claims[start : start + SIDE_BY_SIDE]
            done += sum(await asyncio.gather(*(_to_its_end(self._deliver(claim)) for claim in some)))
        return done

    async def _deliver(self, claim: Claim) -> bool:
        """One mail, from its rows to its record. Whatever is wrong with it, it holds back no other."""
        try:
            written = await self._write(claim)
        except (RelanceError, ValueError, LookupError) as problem:
            return await self._close(claim, MessageState.REFUSED, f"It cannot be written: {problem}")
        except Exception as problem:
            logger.exception("Mail %s could not be written; it is tried again later.", claim.ids[0])
            async with self._database.write() as session:
                await outbox.put_back(session, claim, f"It could not be written: {problem!r}", self._now())
            return False
        if isinstance(written, Moot):
            return await self._withdraw(claim, written.reason)
        async with self._database.write() as session:
            sending = await outbox.begin_sending(
                session, claim, written.words, listed=written.listed, now=self._now()
            )
        return False if sending is None else await self._send(sending, written.outgoing)

    async def _write(self, claim: Claim) -> _Written | Moot:
        async with self._database.read() as session:
            message = await get(session, Message, claim.ids[0], field="message")
            context = await build_context(
                session,
                message,
                links=self._rules.links,
                rules=self._rules.books,
                now=self._now(),
                in_sandbox=self._rules.in_sandbox,
            )
            if isinstance(context, Moot):
                return context
            sender = await self._sender(session, message)
            recipients = await _recipients(session, message)
        kind = MailKind(message.kind)
        words = render(kind, context)
        outgoing = OutgoingMail(
            message_id=message.id,
            kind=message.kind,
            as_of=message.at,
            sender=sender,
            recipients=recipients,
            subject=words.subject,
            text=words.text,
            html=words.html,
        )
        return _Written(outgoing, words, _listed(kind, context))

    async def _sender(self, session: AsyncSession, message: Message) -> Address:
        customer = await get(session, Customer, message.customer_id, field="customer")
        entity = await get(session, LegalEntity, customer.entity_id, field="entity")
        name, address = parseaddr(entity.sender or self._rules.mail_from or "")
        if not address:
            raise InvalidInput(
                f"{entity.name} has no sender. Give the legal entity one, or set MAIL_FROM.", field="sender"
            )
        return Address(address=address, name=name or entity.name)

    async def _send(self, claim: Claim, mail: OutgoingMail) -> bool:
        """Hand it over and write the answer down; between the two there is no transaction."""
        try:
            outcome = await self._mailer.send(mail)
        except MailerUnavailable as problem:
            return await self._put_back(claim, problem.message)
        except Exception as problem:  # whatever it is, the mail may have left
            logger.exception("The mailer failed on mail %s.", mail.message_id)
            outcome = LostAnswer(reason=f"The mailer failed: {problem!r}")
        match outcome:
            case Accepted():
                self._pace.succeeded()
                async with self._database.write() as session:
                    await outbox.record_sent(
                        session, claim, provider_id=outcome.provider_message_id, now=self._now()
                    )
            case LostAnswer():
                self._pace.failed(self._now())
                async with self._database.write() as session:
                    await outbox.record_lost(session, claim, outcome.reason, self._now())
            case Refused(permanent=False):
                return await self._put_back(claim, outcome.reason)
            case Refused():
                self._pace.succeeded()
                return await self._close(claim, MessageState.REFUSED, outcome.reason)
        return True

    async def _put_back(self, claim: Claim, reason: str) -> bool:
        self._pace.failed(self._now())
        logger.warning("Mail %s waits: %s", claim.ids[0], reason)
        async with self._database.write() as session:
            await outbox.put_back(session, claim, reason, self._now())
        return False

    async def _withdraw(self, claim: Claim, reason: str) -> bool:
        """What the first row asks for is settled; the others may still have something to say."""
        first, others = claim.without_first()
        withdrawn = await self._close(first, MessageState.WITHDRAWN, reason)
        return withdrawn if others is None else await self._deliver(others)

    async def _close(self, claim: Claim, state: MessageState, reason: str) -> bool:
        logger.info("Mail %s is %s: %s", claim.ids[0], state.value, reason)
        async with self._database.write() as session:
            await outbox.close(session, claim, state, reason)
        return True


async def _recipients(session: AsyncSession, message: Message) -> tuple[Address, ...]:
    customer = await get(session, Customer, message.customer_id, field="customer")
    names = {contact["email"]: contact.get("name") or None for contact in customer.contacts}
    if not message.recipients:
        raise InvalidInput(f"Customer {customer.id} has no billing contact. Give one.", field="contacts")
    return tuple(Address(address=email, name=names.get(email)) for email in message.recipients)


def _listed(kind: MailKind, context: MailContext) -> tuple[str, ...]:
    """What a reminder of the same day need not say again (rules 26)."""
    if kind is not MailKind.PAYMENT_REMINDER:
        return ()
    return tuple(invoice.number for invoice in context.open_invoices)


async def _to_its_end(delivery: Coroutine[Any, Any, bool]) -> bool:
    """A mail that was begun is written down, also when the worker stops meanwhile."""
    task = asyncio.create_task(delivery)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
