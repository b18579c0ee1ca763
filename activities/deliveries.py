"""Events on their way out, beside the mails: published, then sent to each endpoint in order (engine 20).

Every endpoint is served by itself, so that a slow one delays no other; the time here is real, also for facts of a test
clock, which does not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit

from sqlmodel import col, select

from activities.books import lanes
from activities.books.delivery_log import AT_ONCE, forget_tries
from activities.books.lanes import Claim, Due
from activities.books.publishing import is_any_unpublished, publish
from activities.books.rows import lock
from activities.mailer import Address, Mailer, MailerUnavailable, OutgoingMail
from activities.mailer import Refused as MailRefused
from activities.pace import Pace
from activities.webhooks import Delivered, NotDelivered, Postman, Posts, Secrets, signed_headers
from mails.operators import EndpointDisabled, render_endpoint_disabled
from models.database import Database
from models.ids import derived_id
from models.tables import DisabledBecause, WebhookEndpoint
from settings import Settings

logger = logging.getLogger(__name__)

SIDE_BY_SIDE: Final = 4
"""Deliveries that one process makes to one endpoint at the same time, each of another subscription."""
IN_A_ROW: Final = 50
"""Events of one subscription that are sent before others have their turn."""
LOOK_SECONDS: Final = 0.5
FORGET_EVERY: Final = timedelta(hours=1)
LINGER_SECONDS: Final = 2.0
"""How long what is under way is waited for at the end of a round."""


@dataclass(frozen=True)
class DeliveryRules:
    """What deliveries need beside the rows.

    Attributes:
        secret_key: the installation's; the endpoints' are derived from it.
        mail_from: the sender of the mail to an endpoint's owner.
        allow_private: whether events may be sent to this machine and its network.
        in_sandbox: marks mails as tests.
        log_kept_for: how long tries are kept in the log; None is for ever.
    """

    secret_key: str
    mail_from: str | None = None
    allow_private: bool = False
    in_sandbox: bool = False
    log_kept_for: timedelta | None = None

    @classmethod
    def of(cls, settings: Settings) -> DeliveryRules:
        """The choices among the settings.

        Raises:
            SettingsProblem: there is no `SECRET_KEY` to sign with.
        """
        return cls(
            secret_key=settings.reveal("secret_key", to="sign events"),
            mail_from=settings.mail_from,
            allow_private=settings.private_webhook_addresses,
            in_sandbox=settings.sandbox is not None,
            log_kept_for=timedelta(days=settings.webhook_log_days) if settings.webhook_log_days else None,
        )


class Deliveries:
    """Publishes events and delivers them, and tells owners of endpoints that were disabled."""

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        rules: DeliveryRules,
        *,
        posts: Posts | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is sent yet.

        Args:
            database: the books.
            mailer: for the mails to owners.
            rules: from the settings.
            posts: sends one delivery; by HTTP where none is given.
            now: real time.
        """
        self._database = database
        self._mailer = mailer
        self._rules = rules
        self._posts = Postman(allow_private=rules.allow_private) if posts is None else posts
        self._secrets = Secrets(rules.secret_key)
        self._now = now
        self._paces: dict[str, Pace] = {}
        self._mails = Pace()
        self._serving: dict[str, asyncio.Task[int]] = {}
        self._forgot_at: datetime | None = None

    async def publish(self) -> int:
        """Give what is committed its place among all events.

        Returns:
            How many events.
        """
        async with self._database.read() as session:
            if not await is_any_unpublished(session):
                return 0
        async with self._database.write() as session:
            return await publish(session)

    async def deliver(self) -> int:
        """Publish, then one pass over every endpoint that is behind.

        Returns:
            How many deliveries were taken.
        """
        await self.publish()
        behind = await self._behind()
        done = await asyncio.gather(*(self._serve(endpoint_id) for endpoint_id in behind))
        await self._tell_owners()
        return sum(done)

    async def forget(self) -> int:
        """Let go of what the log has kept for long enough.

        Returns:
            How many tries.
        """
        if self._rules.log_kept_for is None:
            return 0
        before, done = self._now() - self._rules.log_kept_for, 0
        while True:
            async with self._database.write() as session:
                forgotten = await forget_tries(session, before=before)
            done += forgotten
            if forgotten < AT_ONCE:
                return done

    async def _forget_now_and_then(self) -> None:
        now = self._now()
        if self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = now
            await self.forget()

    @asynccontextmanager
    async def meanwhile(self) -> AsyncIterator[None]:
        """Publish and deliver for as long as the block runs.

        A delivery that was begun goes on by itself after that, so that a slow receiver holds up nobody's mails.
        """
        stop = asyncio.Event()
        task = asyncio.create_task(self._keep_delivering(stop))
        try:
            yield
        finally:
            stop.set()
            with suppress(Exception):
                await asyncio.shield(task)
            if self._serving:
                await asyncio.wait(self._serving.values(), timeout=LINGER_SECONDS)

    async def _keep_delivering(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            published = 0
            try:
                published = await self.publish()
                for endpoint_id in await self._behind():
                    if endpoint_id not in self._serving:
                        self._begin_to_serve(endpoint_id, stop)
                await self._tell_owners()
                await self._forget_now_and_then()
            except Exception:  # the database is away; mails go on, and so does this
                logger.exception("Events could not be looked for; trying again.")
            if not published:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    def _begin_to_serve(self, endpoint_id: str, stop: asyncio.Event) -> None:
        task = self._serving[endpoint_id] = asyncio.create_task(self._serve(endpoint_id, stop))
        task.add_done_callback(lambda done: self._has_served(endpoint_id, done))

    def _has_served(self, endpoint_id: str, task: asyncio.Task[int]) -> None:
        del self._serving[endpoint_id]
        if not task.cancelled() and task.exception() is not None:
            logger.error("Endpoint %s could not be served.", endpoint_id, exc_info=task.exception())

    async def _behind(self) -> list[str]:
        now = self._now()
        async with self._database.read() as session:
            behind = await lanes.endpoints_behind(session, now)
        return [endpoint_id for endpoint_id in behind if not self._pace(endpoint_id).rests(now)]

    def _pace(self, endpoint_id: str) -> Pace:
        return self._paces.setdefault(endpoint_id, Pace())

    async def _serve(self, endpoint_id: str, stop: asyncio.Event | None = None) -> int:
        """Go through the lanes of one endpoint until nothing is due, or nobody answers."""
        done = 0
        while not (stop is not None and stop.is_set()) and not self._pace(endpoint_id).rests(self._now()):
            async with self._database.write() as session:
                claims = await lanes.claim(session, endpoint_id, limit=SIDE_BY_SIDE, now=self._now())
            if not claims:
                break
            done += sum(await asyncio.gather(*(self._go_through(claim, stop) for claim in claims)))
        return done

    async def _go_through(self, claim: Claim, stop: asyncio.Event | None) -> int:
        """Send the events of a lane one after the other, until one fails or others have waited enough."""
        done = 0
        held: Claim | None = claim
        while held is not None and done < IN_A_ROW:
            if (stop is not None and stop.is_set()) or self._pace(claim.endpoint_id).rests(self._now()):
                break
            async with self._database.write() as session:
                due, held = await lanes.next_due(session, held, self._now())
            if due is None or held is None:
                return done
            if not await self._send(held, due):
                return done
            done += 1
        if held is not None:
            async with self._database.write() as session:
                await lanes.release(session, held, self._now())
        return done

    async def _send(self, claim: Claim, due: Due) -> bool:
        """One delivery, and its record; whether the lane goes on."""
        body = due.event.model_dump_json()
        generations = (due.generation, due.generation - 1) if due.signs_twice else (due.generation,)
        headers = signed_headers(
            due.event.id,
            body,
            secrets=[self._secrets.of(claim.endpoint_id, generation) for generation in generations],
            at=self._now(),
        )
        outcome = await self._posts.post(due.url, body, headers)
        pace = self._pace(claim.endpoint_id)
        match outcome:
            case Delivered():
                pace.succeeded()
                async with self._database.write() as session:
                    return await lanes.record_delivered(session, claim, due, outcome, self._now())
            case NotDelivered():
                if outcome.unreachable:
                    pace.failed(self._now())
                async with self._database.write() as session:
                    is_disabled = await lanes.record_failed(session, claim, due, outcome, self._now())
                if is_disabled:
                    logger.warning("Endpoint %s was disabled: %s", claim.endpoint_id, outcome.detail)
                return False

    async def _tell_owners(self) -> None:
        """Write to the owners of endpoints that we disabled; a mail whose answer is lost is not sent again."""
        query = select(WebhookEndpoint).where(col(WebhookEndpoint.owner_told).is_(False))
        async with self._database.read() as session:
            waiting = (await session.exec(query)).all()
        for endpoint in waiting:
            if self._mails.rests(self._now()) or not await self._mark_told(endpoint.id, told=True):
                continue
            try:
                outcome = await self._mailer.send(self._mail_about(endpoint))
            except MailerUnavailable as problem:
                self._mails.failed(self._now())
                logger.warning("The owner of endpoint %s waits for a mail: %s", endpoint.id, problem.message)
                await self._mark_told(endpoint.id, told=False)
                continue
            self._mails.succeeded()
            if isinstance(outcome, MailRefused):
                logger.error("The owner of endpoint %s gets no mail: %s", endpoint.id, outcome.reason)

    async def _mark_told(self, endpoint_id: str, *, told: bool) -> bool:
        """Before the mail is handed over, so that it is sent once; whether nobody else did."""
        async with self._database.write() as session:
            row = await lock(session, WebhookEndpoint, endpoint_id, field="endpoint")
            was, row.owner_told = row.owner_told, told
            return was is not told

    def _mail_about(self, endpoint: WebhookEndpoint) -> OutgoingMail:
        told = EndpointDisabled(
            locale=endpoint.locale,
            endpoint=endpoint.id,
            url=endpoint.url,
            host=urlsplit(endpoint.url).hostname or endpoint.url,
            why="gone" if endpoint.disabled_because is DisabledBecause.GONE else "silent",
            test=self._rules.in_sandbox,
        )
        words = render_endpoint_disabled(told)
        name, address = parseaddr(self._rules.mail_from or endpoint.owner)
        return OutgoingMail(
            message_id=derived_id("msg", endpoint.id, str(endpoint.disabled_at)),
            kind="endpoint_disabled",
            sender=Address(address=address, name=name or "Relance"),
            recipients=(Address(address=endpoint.owner),),
            subject=words.subject,
            text=words.text,
            html=words.html,
        )
