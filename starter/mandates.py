"""SEPA mandates: given with an account, read, and ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books import mandates as books
from activities.books.rows import get, lock
from activities.gateway import MandateFacts, MethodFacts, PaymentGateway
from billing.declines import support_words
from billing.errors import InvalidInput
from billing.mandates import SCHEME_NOTICE_DAYS, Consent
from billing.payment import Declined
from billing.values import Value
from models.tables import Customer, LegalEntity, MandateRow, PaymentMethod
from starter.connections import Connections
from starter.finding import find
from starter.problems import MethodRefused


class MandateGiven(Value):
    """What a backend knows of a mandate that its customer accepted."""

    consent: Consent | None = None
    """With it the mandate is made at the provider; None where the payer accepted it there."""
    notice_days: int | None = Field(default=None, ge=1, le=SCHEME_NOTICE_DAYS)
    """Calendar days of notice that its text agrees to; None: those of the settings."""
    text: str = Field(default="", max_length=5_000)
    """As it was shown."""
    text_version: str = Field(default="", max_length=100)


class MandateView(Value):
    """A mandate as support and the payer's bank ask for it."""

    id: str
    customer_id: str
    method_id: str
    account: str
    """`SEPA 7061`."""
    reference: str
    creditor_id: str
    notice_days: int
    accepted_at: datetime
    accepted_on: date
    text: str
    text_version: str
    evidence: str
    """Where the proof is of one that was accepted in another system."""
    ip_address: str
    user_agent: str
    document_url: str
    last_debit_on: date | None
    expires_on: date
    """The last day on which it may be used if it is not used before."""
    in_force: bool
    ended_at: datetime | None
    ended_because: str


class Mandates:
    """The consents of customers to debits of their accounts."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def of(self, customer: str) -> Sequence[MandateView]:
        """The mandates of a customer, newest first, those that have ended too.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            owner = await find(session, Customer, customer, field="customer")
            rows = await books.mandates_of(session, owner.id)
        return await self.shown(rows)

    async def find(self, mandate_id: str) -> MandateView:
        """One mandate.

        Raises:
            NotFound: there is no such mandate.
        """
        async with self._to.database.read() as session:
            row = await get(session, MandateRow, mandate_id, field="mandate")
        (shown,) = await self.shown([row])
        return shown

    async def shown(self, rows: Sequence[MandateRow]) -> Sequence[MandateView]:
        """Mandates of one customer, as they stand now."""
        if not rows:
            return []
        async with self._to.database.read() as session:
            customer = await get(session, Customer, rows[0].customer_id, field="customer")
            now = await self._to.now(session, customer.clock_id)
            return [await _view(session, row, customer, now) for row in rows]

    async def revoke(self, mandate_id: str, *, reason: str) -> MandateView:
        """End a mandate: its payer took it back. Nothing is debited under it any more; a later end changes nothing.

        Raises:
            NotFound: there is no such mandate.
            InvalidInput: there is no reason; field `reason`.
        """
        if not reason.strip():
            raise InvalidInput("Say who took the mandate back, and how.", field="reason")
        async with self._to.database.write() as session:
            row = await lock(session, MandateRow, mandate_id, field="mandate")
            customer = await get(session, Customer, row.customer_id, field="customer")
            now = await self._to.now(session, customer.clock_id)
            books.end_mandate(row, now, f"revoked: {reason.strip()}")
            await session.flush()
            return await _view(session, row, customer, now)


async def take_mandate(
    gateway: PaymentGateway,
    facts: MethodFacts,
    given: MandateGiven | None,
    *,
    customer: str,
    idempotency_key: str,
) -> MandateFacts | None:
    """The mandate under which a saved method may be debited; None for one that needs none.

    Args:
        gateway: the provider.
        facts: of the method, which is saved already.
        given: what the backend knows of it.
        customer: the provider's id.
        idempotency_key: of the method's saving.

    Raises:
        InvalidInput: there is none, or one is given for a card; field `mandate`.
        MethodRefused: the provider does not take the account.
    """
    if facts.kind != "sepa_debit":
        if given is not None:
            raise InvalidInput("A card needs no mandate. Leave it out.", field="mandate")
        return None
    known = await gateway.find_mandate(facts.id)
    if known is not None and known.is_active:
        return known
    if given is None or given.consent is None:
        raise InvalidInput(
            "Nobody has agreed to debits of this account yet. Let the payer accept a mandate on Stripe's page, or say "
            "when and where they accepted yours: mandate.consent.",
            field="mandate",
        )
    made = await gateway.make_mandate(
        facts.id, customer=customer, consent=given.consent, idempotency_key=f"{idempotency_key}/mandate"
    )
    if isinstance(made, Declined):
        raise MethodRefused(
            f"The account was not taken: {support_words(made.code)}. Ask for another one.",
            decline_code=made.code,
        )
    return made


async def keep(
    session: AsyncSession,
    to: Connections,
    method: PaymentMethod,
    facts: MandateFacts,
    given: MandateGiven | None,
    at: datetime,
) -> None:
    """Write down the mandate of a method that was just saved, in the same transaction."""
    given = given or MandateGiven()
    customer = await get(session, Customer, method.customer_id, field="customer")
    entity = await get(session, LegalEntity, customer.entity_id, field="entity")
    agreed = books.Agreed(
        notice_days=given.notice_days or to.rules.notice_days,
        text=given.text,
        text_version=given.text_version,
    )
    creditor_id = books.creditor_id_of(entity)
    await books.keep_mandate(session, method, facts, agreed, creditor_id=creditor_id, at=at)


async def _view(session: AsyncSession, row: MandateRow, customer: Customer, now: datetime) -> MandateView:
    method = await get(session, PaymentMethod, row.method_id, field="payment_method")
    mandate = books.as_value(row, customer.timezone)
    return MandateView(
        account=f"SEPA {method.last4}",
        accepted_on=mandate.accepted_on,
        expires_on=mandate.expires_on,
        in_force=books.is_in_force(row, customer, now),
        **{name: getattr(row, name) for name in _SAME},
    )


_SAME = (
    "id",
    "customer_id",
    "method_id",
    "reference",
    "creditor_id",
    "notice_days",
    "accepted_at",
    "text",
    "text_version",
    "evidence",
    "ip_address",
    "user_agent",
    "document_url",
    "last_debit_on",
    "ended_at",
    "ended_because",
)
