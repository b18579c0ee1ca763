"""Where events are sent: endpoints, their secrets, what was tried, and sending again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.addresses import resolve
from activities.books.lanes import LONGEST_DETAIL, disable
from activities.books.publishing import rewind, skip_to_present, wait_for_turn
from activities.books.rows import get, lock
from activities.webhooks import Delivered, NotDelivered, Postman, Posts, Secrets, signed_headers
from billing.errors import InvalidInput
from billing.events import Event, check_types
from billing.values import Value
from models.ids import check_id, derived_id, event_id, new_id
from models.tables import (
    DeliveryOutcome,
    DisabledBecause,
    EndpointState,
    EventDelivery,
    EventLane,
    OutgoingEvent,
    SubscriptionRow,
    WebhookEndpoint,
)
from starter.connections import Connections
from starter.events import place_of
from starter.finding import find
from starter.problems import AlreadyExists

MOST_HOURS: Final = 7 * 24
"""For which the secret before a rotation goes on being valid."""
_AT_ONCE: Final = 1000
_TESTS: Final = dict.fromkeys(Event.model_fields) | {
    "type": "endpoint.test",
    "version": 1,
    "sequence": 0,
    "entitled": False,
    "reason": "a test",
}
"""What a test has in common with every other: the members of an event, about nobody."""
_TRY: Final = "whd_"


def _mail_address(text: str) -> str:
    local, at, domain = text.strip().rpartition("@")
    if not (local and at and "." in domain) or any(c.isspace() or not c.isprintable() for c in text.strip()):
        msg = "give a mail address such as dev@example.com"
        raise ValueError(msg)
    return text.strip()


class NewEndpoint(Value):
    """An address that is to be told what happens."""

    id: str | None = None
    """Yours, `we_...`: creating twice is once."""
    url: str
    owner: Annotated[str, Field(max_length=200), AfterValidator(_mail_address)]
    """Mail address of whoever looks after it."""
    types: tuple[str, ...] = ()
    """Names of events, or `invoice.*` for a group; none is all."""
    description: str = Field(default="", max_length=200)
    locale: str = Field(default="en", max_length=20)
    """Of the owner: `fr`, or `en`, which all others read too."""


class EndpointChange(Value):
    """What is new about an endpoint. None leaves it as it is."""

    url: str | None = None
    owner: Annotated[str, Field(max_length=200), AfterValidator(_mail_address)] | None = None
    types: tuple[str, ...] | None = None
    """Empty is all."""
    description: str | None = Field(default=None, max_length=200)
    locale: str | None = Field(default=None, max_length=20)


class Endpoint(Value):
    """An endpoint as it stands."""

    id: str
    url: str
    description: str
    types: tuple[str, ...]
    owner: str
    state: EndpointState
    disabled_at: datetime | None
    disabled_because: DisabledBecause | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    """Until when deliveries are signed by the secret before, too."""
    created_at: datetime
    behind: int
    """Subscriptions with events that it has not taken yet."""


class EndpointSecret(Value):
    """What deliveries are signed with."""

    endpoint: str
    secret: str
    """For the receiver's library of Standard Webhooks: `whsec_...`."""
    previous_until: datetime | None


class Tested(Value):
    """What came of a delivery that was made to see whether it arrives."""

    endpoint: str
    event: str
    """Its id, as in the header `webhook-id`."""
    delivered: bool
    status_code: int | None
    took_ms: int
    detail: str
    """Why it was not taken."""


class Delivery(Value):
    """One try."""

    id: str
    at: datetime
    event: str
    type: str
    outcome: DeliveryOutcome
    status_code: int | None
    took_ms: int
    detail: str


class WebhookEndpoints:
    """The doors to endpoints. Rows only: the worker publishes and delivers."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def create(self, order: NewEndpoint) -> Endpoint:
        """Have events sent to an address, from now on. The same id twice is once.

        Raises:
            InvalidInput: the address is no https address, or a type is unknown.
            AddressRefused: it does not resolve, or leads to a private network.
            AlreadyExists: another endpoint has this id.
        """
        types = check_types(order.types)
        await resolve(order.url, allow_private=self._to.settings.private_webhook_addresses)
        key = new_id("we") if order.id is None else check_id(order.id, "we", field="id")
        content = {**order.model_dump(exclude={"id"}), "types": list(types)}
        async with self._to.database.write() as session:
            known = await session.get(WebhookEndpoint, key)
            if known is None:
                now = await self._to.now(session, None)
                known = WebhookEndpoint(id=key, created_at=now, **content)
                session.add(known)
                await session.flush()
            elif any(getattr(known, name) != value for name, value in content.items()):
                raise AlreadyExists(f"There is another endpoint {key}. Take another id.", field="id")
            return await _as_it_stands(session, known)

    async def list(self) -> Sequence[Endpoint]:
        """Every endpoint, oldest first."""
        async with self._to.database.read() as session:
            query = select(WebhookEndpoint).order_by(col(WebhookEndpoint.created_at), col(WebhookEndpoint.id))
            return [await _as_it_stands(session, row) for row in (await session.exec(query)).all()]

    async def find(self, key: str) -> Endpoint:
        """One endpoint.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            return await _as_it_stands(session, await get(session, WebhookEndpoint, key, field="endpoint"))

    async def change(self, key: str, change: EndpointChange) -> Endpoint:
        """Change where events are sent, which, or to whom we write about it.

        At another address, what had failed is tried at once, and for three days again. Other types are sent from now
        on; of a subscription of which something waits, from there on.

        Raises:
            NotFound: there is no such endpoint.
            InvalidInput: the address is no https address, or a type is unknown.
            AddressRefused: it does not resolve, or leads to a private network.
        """
        if change.url is not None:
            await resolve(change.url, allow_private=self._to.settings.private_webhook_addresses)
        given = change.model_dump(exclude_none=True, exclude={"types"})
        types = None if change.types is None else list(check_types(change.types))
        async with self._to.database.write() as session:
            await wait_for_turn(session)
            row = await lock(session, WebhookEndpoint, key, field="endpoint")
            if types is not None and types != row.types:
                await skip_to_present(session, row)
                row.types = types
            if change.url not in (None, row.url):
                row.failing_since = None
                await _try_afresh(session, row)
            for name, value in given.items():
                setattr(row, name, value)
            return await _as_it_stands(session, row)

    async def test(self, key: str, *, test_id: str | None = None, posts: Posts | None = None) -> Tested:
        """Send something now, signed as events are, and say what the endpoint made of it; also while it is disabled.

        It is of the type `endpoint.test`, which no endpoint has to ask for, is about no subscription, has no place
        among the events and is not in the log.

        Args:
            key: the endpoint.
            test_id: of this one.
            posts: sends it; by HTTP where none is given.

        Raises:
            NotFound: there is no such endpoint.
            SettingsProblem: there is no `SECRET_KEY`.
        """
        async with self._to.database.read() as session:
            row = await get(session, WebhookEndpoint, key, field="endpoint")
            now = await self._to.now(session, None)
            known = Secrets(self._to.settings.reveal("secret_key", to="sign events"))
            twice = row.previous_until is not None and row.previous_until > now
            generations = (row.generation, row.generation - 1)[: 1 + twice]
        event = derived_id("evt_test", test_id or new_id("cmd"))
        body = json.dumps(_TESTS | {"id": event, "timestamp": now.isoformat(), "data": {"endpoint": row.id}})
        headers = signed_headers(
            event, body, secrets=[known.of(row.id, number) for number in generations], at=now
        )
        posts = posts or Postman(allow_private=self._to.settings.private_webhook_addresses)
        outcome = await posts.post(row.url, body, headers)
        return Tested(
            endpoint=row.id,
            event=event,
            delivered=isinstance(outcome, Delivered),
            status_code=outcome.status_code,
            took_ms=outcome.took_ms,
            detail=outcome.detail[:LONGEST_DETAIL] if isinstance(outcome, NotDelivered) else "",
        )

    async def secret(self, key: str) -> EndpointSecret:
        """What deliveries of an endpoint are signed with.

        Raises:
            NotFound: there is no such endpoint.
            SettingsProblem: there is no `SECRET_KEY`.
        """
        async with self._to.database.read() as session:
            return self._secret_of(await get(session, WebhookEndpoint, key, field="endpoint"))

    async def rotate_secret(self, key: str, *, keep_hours: int = 24) -> EndpointSecret:
        """Sign by a new secret; for a while by the one before as well, so that no delivery is refused meanwhile.

        Args:
            key: the endpoint.
            keep_hours: for how long; 0 where the secret is known to others.

        Raises:
            NotFound: there is no such endpoint.
            InvalidInput: `keep_hours` is out of range, or the last rotation is not over: then its secret is what a
                repeated call was to get, and is read by `secret`.
        """
        if not 0 <= keep_hours <= MOST_HOURS:
            raise InvalidInput(f"Keep the secret for 0 to {MOST_HOURS} hours.", field="keep_hours")
        async with self._to.database.write() as session:
            now = await self._to.now(session, None)
            row = await lock(session, WebhookEndpoint, key, field="endpoint")
            if keep_hours and row.previous_until is not None and row.previous_until > now:
                raise InvalidInput(
                    f"The last rotation ends at {row.previous_until.isoformat(timespec='minutes')}: until then two "
                    f"secrets are valid. Read the newer one: relance webhook-endpoint secret {key}",
                    field="endpoint",
                )
            row.generation += 1
            row.previous_until = now + timedelta(hours=keep_hours) if keep_hours else None
            return self._secret_of(row)

    def _secret_of(self, row: WebhookEndpoint) -> EndpointSecret:
        secrets = Secrets(self._to.settings.reveal("secret_key", to="sign events"))
        return EndpointSecret(
            endpoint=row.id, secret=secrets.of(row.id, row.generation), previous_until=row.previous_until
        )

    async def disable(self, key: str) -> Endpoint:
        """Send nothing more. What happens waits for the endpoint to be enabled again.

        Raises:
            NotFound: there is no such endpoint.
        """
        async with self._to.database.write() as session:
            row = await lock(session, WebhookEndpoint, key, field="endpoint")
            if row.state is EndpointState.ENABLED:
                disable(row, DisabledBecause.PERSON, await self._to.now(session, None))
            return await _as_it_stands(session, row)

    async def enable(self, key: str, *, skip_missed: bool = False) -> Endpoint:
        """Send again: what waits first, in order. What had failed is tried at once, and for three days again.

        Args:
            key: the endpoint.
            skip_missed: leave out what happened meanwhile.

        Raises:
            NotFound: there is no such endpoint.
        """
        async with self._to.database.write() as session:
            await wait_for_turn(session)
            row = await lock(session, WebhookEndpoint, key, field="endpoint")
            if row.state is EndpointState.DISABLED:
                row.state, row.disabled_at, row.disabled_because = EndpointState.ENABLED, None, None
                row.failing_since, row.owner_told = None, True
                skipped = {"delivered_through": EventLane.wanted_through} if skip_missed else {}
                await _try_afresh(session, row, **skipped)
            return await _as_it_stands(session, row)

    async def replay(self, key: str, *, after: int | str = 0, subscription: str | None = None) -> Endpoint:
        """Send again, in order, whatever the endpoint wants of the events after a place.

        They have the ids that they had: who has taken one already can tell.

        Args:
            key: the endpoint.
            after: a cursor, or the id of an event; 0 is from the beginning.
            subscription: only those of this one, by id or reference.

        Raises:
            NotFound: there is no such endpoint, event or subscription.
        """
        async with self._to.database.write() as session:
            await wait_for_turn(session)
            row = await lock(session, WebhookEndpoint, key, field="endpoint")
            place = await place_of(session, after)
            query = select(OutgoingEvent).order_by(col(OutgoingEvent.cursor)).limit(_AT_ONCE)
            if subscription is not None:
                of = await find(session, SubscriptionRow, subscription, field="subscription")
                query = query.where(OutgoingEvent.subscription_id == of.id)
            while events := (await session.exec(query.where(col(OutgoingEvent.cursor) > place))).all():
                await rewind(session, row, events)
                place = events[-1].cursor or place
            return await _as_it_stands(session, row)

    async def deliveries(
        self,
        key: str,
        *,
        outcome: DeliveryOutcome | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Sequence[Delivery]:
        """The latest tries, newest first.

        Args:
            key: the endpoint.
            outcome: only those that ended so.
            before: id of a try: only those that were made before it.
            limit: at most.

        Raises:
            NotFound: there is no such endpoint.
            InvalidInput: `before` is no id of a try.
        """
        async with self._to.database.read() as session:
            endpoint = await get(session, WebhookEndpoint, key, field="endpoint")
            query = (
                select(EventDelivery, OutgoingEvent)
                .join(OutgoingEvent, col(EventDelivery.event_id) == col(OutgoingEvent.id))
                .where(EventDelivery.endpoint_id == endpoint.id)
                .order_by(col(EventDelivery.id).desc())
                .limit(limit)
            )
            if outcome is not None:
                query = query.where(EventDelivery.outcome == outcome)
            if before is not None:
                query = query.where(col(EventDelivery.id) < _number_of(before))
            return [_delivery(tried, event) for tried, event in (await session.exec(query)).all()]


async def _try_afresh(session: AsyncSession, row: WebhookEndpoint, **others: object) -> None:
    afresh = {"leased_until": None, "tries": 0, "failing_since": None}
    lanes = update(EventLane).where(col(EventLane.endpoint_id) == row.id)
    await session.exec(lanes.values(**afresh, **others))


async def _as_it_stands(session: AsyncSession, row: WebhookEndpoint) -> Endpoint:
    behind = select(func.count()).where(
        EventLane.endpoint_id == row.id, col(EventLane.delivered_through) < col(EventLane.wanted_through)
    )
    return Endpoint(
        id=row.id,
        url=row.url,
        description=row.description,
        types=tuple(row.types),
        owner=row.owner,
        state=row.state,
        disabled_at=row.disabled_at,
        disabled_because=row.disabled_because,
        failing_since=row.failing_since,
        previous_secret_until=row.previous_until,
        created_at=row.created_at,
        behind=(await session.exec(behind)).one(),
    )


def _number_of(key: str) -> int:
    number = key.removeprefix(_TRY)
    if not key.startswith(_TRY) or not (number.isascii() and number.isdecimal()) or int(number) >= 2**63:
        raise InvalidInput("Give the id of the last one of the page before.", field="starting_after")
    return int(number)


def _delivery(tried: EventDelivery, event: OutgoingEvent) -> Delivery:
    return Delivery(
        id=f"{_TRY}{tried.id}",
        at=tried.at,
        event=event_id(event.subscription_id, event.sequence),
        type=event.name,
        outcome=tried.outcome,
        status_code=tried.status_code,
        took_ms=tried.took_ms,
        detail=tried.detail,
    )
