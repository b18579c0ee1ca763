"""Ways to sign up by oneself: a link to a page of ours, where it stands, and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import NotFound, get, lock
from activities.links import LinkForged, LinkPurpose, Links
from billing.calendar import check_timezone
from billing.effects import InvoiceReason
from billing.errors import InvalidInput
from billing.refusal import Refused
from billing.values import Value
from models.ids import new_id
from models.tables import Customer, Invoice, LegalEntity, Plan, SignupSession, SubscriptionRow, TestClock
from models.tax_identity import check_country
from starter.connections import Connections
from starter.finding import REFERENCE, find, the_entity, with_reference
from starter.orders import Custom, Key, Reference
from starter.problems import AlreadyExists
from starter.return_addresses import check_return
from starter.signup_quotes import quote, subscription_id_of

LIFETIME: Final = timedelta(hours=24)
PAGE_LIFETIME: Final = timedelta(hours=48)
"""Of the page after that: whoever orders in the last minute sees what becomes of it."""
ORDER_LIFETIME: Final = timedelta(days=1)
"""Real time after which an order that was cut off makes nobody a customer without their being asked again."""
FIELDS: Final = (
    "kind", "name", "email", "line1", "line2", "postal_code", "city", "country", "vat_number", "siren",
)  # fmt: skip
"""What the form asks for."""
_LONGEST: Final = 254


class SignupState(StrEnum):
    """Where a session stands."""

    OPEN = "open"
    COMPLETED = "completed"
    """There is a subscription."""
    EXPIRED = "expired"
    """It was not ordered in time, or was ended."""


class NewSignup(Value):
    """A way to sign up for a plan."""

    plan: Key
    quantity: int | None = None
    coupons: tuple[str, ...] = ()
    reference: Reference | None = None
    """The subscription's."""
    customer_reference: Reference | None = None
    entity: str | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    """What is known already, by the names of `FIELDS`; the buyer may change all of it."""
    language: str | None = Field(default=None, pattern="^(fr|en)$")
    timezone: str = "Europe/Paris"
    clock: str | None = None
    success_url: str
    """`{SIGNUP_SESSION_ID}` in it becomes the session's id."""
    cancel_url: str | None = None
    terms_url: str = ""
    terms_version: str = ""
    custom: Custom = Field(default_factory=dict)
    lifetime: timedelta = LIFETIME


class SignupSessions:
    """Makes sessions, says how they stand, ends them."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def create(
        self, order: NewSignup, *, session_id: str | None = None, by: str = "api"
    ) -> SignupSession:
        """A session. The same id twice is one.

        Args:
            order: for what, and where its buyer is led back to.
            session_id: makes asking again the same as asking once.
            by: who asked.

        Raises:
            NotFound: there is no such plan, seller or test clock.
            InvalidInput: an address is not allowed, the plan or a coupon is not on offer, or a value is wrong.
            AlreadyExists: a reference is taken: somebody has signed up under it.
            SettingsProblem: there is no key to sign links with.
        """
        self.links()
        self._check_addresses(order)
        check_timezone(order.timezone)
        now = datetime.now(UTC)
        async with self._to.database.write() as session:
            key = session_id or new_id("su")
            known = await session.get(SignupSession, key)
            if known is not None:
                return known
            entity_id = (await the_entity(session, order.entity)).id if order.entity is not None else None
            plan = await find(session, Plan, order.plan, field="plan", entity_id=entity_id)
            if order.clock is not None:
                await get(session, TestClock, order.clock, field="clock")
            await _check_references(session, order, plan.entity_id)
            row = SignupSession(
                id=key,
                entity_id=plan.entity_id,
                plan_id=plan.id,
                quantity=order.quantity,
                coupons=list(dict.fromkeys(order.coupons)),
                reference=order.reference,
                customer_reference=order.customer_reference,
                language=order.language,
                timezone=order.timezone,
                clock_id=order.clock,
                success_url=order.success_url.replace("{SIGNUP_SESSION_ID}", key),
                cancel_url=order.cancel_url,
                terms_url=order.terms_url,
                terms_version=order.terms_version,
                fields=await _prefilled(session, order, plan.entity_id),
                custom=order.custom,
                by=by,
                created_at=now,
                expires_at=now + order.lifetime,
            )
            await quote(session, self._to, row)  # refuses what could not be ordered
            session.add(row)
            return row

    async def find(self, key: str) -> SignupSession:
        """A session by its id, or the newest that was made for a subscription's reference, as `ref:...`.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            return await _found(session, key)

    async def expire(self, key: str) -> SignupSession:
        """End a session: its page takes no order any more. Ended already, nothing happens.

        Raises:
            NotFound: there is no such session.
            Refused: it was ordered. An order that was cut off can be ended after `ORDER_LIFETIME`.
        """
        async with self._to.database.write() as session:
            row = await lock(session, SignupSession, (await _found(session, key)).id, field="signup_session")
            if row.ordered_at is not None and not await is_past_carrying_out(session, row, datetime.now(UTC)):
                raise Refused(
                    "It was ordered: there is a subscription, or will be in a moment. Cancel that instead.",
                    field="signup_session",
                )
            row.revoked_at, row.ordered_at = row.revoked_at or datetime.now(UTC), None
            return row

    async def visiting(self, token: str) -> SignupSession:
        """The session of a page's token.

        Raises:
            LinkForged, LinkExpired: it opens nothing, or not any more.
        """
        key = self.links().read(token, LinkPurpose.SIGNUP, now=datetime.now(UTC))
        async with self._to.database.read() as session:
            row = await session.get(SignupSession, key)
        if row is None:
            raise LinkForged("This session does not exist. Ask for a new link.", field="token")
        return row

    async def page_of(self, invoice_id: str) -> str | None:
        """The page of whoever ordered this invoice just now; None for all others."""
        async with self._to.database.read() as session:
            query = (
                select(SignupSession)
                .join(Invoice, col(Invoice.subscription_id) == col(SignupSession.subscription_id))
                .where(Invoice.id == invoice_id, Invoice.reason == InvoiceReason.SIGNUP)
            )
            row = (await session.exec(query)).first()
        if row is None or datetime.now(UTC) >= row.expires_at + PAGE_LIFETIME:
            return None
        return self.url_of(row)

    def url_of(self, row: SignupSession) -> str:
        """The address of its page."""
        return self.links().signup(row.id, expires_at=row.expires_at + PAGE_LIFETIME)

    def links(self) -> Links:
        """Makes and reads the addresses of pages.

        Raises:
            SettingsProblem: there is no key to sign with.
        """
        settings = self._to.settings
        return Links(public_url=settings.public_url, secret=settings.reveal("secret_key", to="make links"))

    def _check_addresses(self, order: NewSignup) -> None:
        check_return(self._to.settings, order.success_url, field="success_url")
        if order.cancel_url is not None:
            check_return(self._to.settings, order.cancel_url, field="cancel_url")
        if order.terms_url and (
            urlsplit(order.terms_url).scheme not in ("https", "http") or not urlsplit(order.terms_url).netloc
        ):
            raise InvalidInput("Give an address as https://example.com/terms.", field="terms_url")


def state_of(row: SignupSession, now: datetime) -> SignupState:
    """Where a session stands."""
    if row.completed_at is not None:
        return SignupState.COMPLETED
    if row.ordered_at is not None:
        return SignupState.OPEN
    return SignupState.EXPIRED if row.revoked_at is not None or now >= row.expires_at else SignupState.OPEN


async def is_past_carrying_out(session: AsyncSession, row: SignupSession, now: datetime) -> bool:
    """Whether its order was cut off before it made a subscription, and too long ago for it to make one now."""
    if row.ordered_at is None or row.completed_at is not None or now - row.ordered_at <= ORDER_LIFETIME:
        return False
    return await session.get(SubscriptionRow, subscription_id_of(row)) is None


async def _found(session: AsyncSession, key: str) -> SignupSession:
    row = await session.get(SignupSession, key)
    if row is None and key.startswith(REFERENCE):
        query = (
            select(SignupSession)
            .where(SignupSession.reference == key.removeprefix(REFERENCE))
            .order_by(col(SignupSession.created_at).desc(), col(SignupSession.id))
            .limit(1)
        )
        row = (await session.exec(query)).first()
    if row is None:
        raise NotFound(f"There is no signup session {key}.", field="signup_session")
    return row


async def _check_references(session: AsyncSession, order: NewSignup, entity_id: str) -> None:
    """A session makes a customer of its own, and shows nothing of one that there is."""
    taken = []
    if (asked := order.customer_reference) is not None:
        taken += [
            "customer_reference" for _ in await with_reference(session, Customer, asked, entity_id=entity_id)
        ]
    if (asked := order.reference) is not None:
        taken += [
            "reference" for _ in await with_reference(session, SubscriptionRow, asked, entity_id=entity_id)
        ]
    for field in taken:
        raise AlreadyExists(
            f"Somebody has signed up as {getattr(order, field)} already. Start another subscription of theirs by "
            "POST /v1/subscriptions, or take another reference.",
            field=field,
        )


async def _prefilled(session: AsyncSession, order: NewSignup, entity_id: str) -> dict[str, str]:
    """What is known of the buyer; where nothing is, they are first taken to be in the seller's country."""
    fields = {name: order.fields.get(name, "").strip() for name in FIELDS}
    if any(len(value) > _LONGEST for value in fields.values()):
        raise InvalidInput(f"A field has at most {_LONGEST} characters.", field="customer")
    if fields["country"]:
        check_country(fields["country"])
    else:
        fields["country"] = (await get(session, LegalEntity, entity_id, field="entity")).address.country
    return fields
