"""Customers, in our books and at the payment provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.delivery import undeliverable
from activities.books.rows import get, lock
from activities.vat_checks import RegisterReply, keep_reply
from models.ids import derived_id, new_id
from models.tables import Customer, MailAddress, TestClock
from starter.connections import Connections
from starter.finding import find, in_one_transaction, the_entity, with_reference
from starter.orders import CustomerChange, NewCustomer
from starter.problems import AlreadyExists
from starter.taxes import ask_register


class Customers:
    """Buyers, in our books and at the payment provider."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def mail_problems(self, key: str) -> Sequence[MailAddress]:
        """The addresses of a customer at which mails do not arrive.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            row = await find(session, Customer, key, field="customer")
            return await undeliverable(session, (contact["email"] for contact in row.contacts))

    async def create(
        self,
        order: NewCustomer,
        *,
        provider_id: str | None = None,
        vat_reply: RegisterReply | None = None,
    ) -> Customer:
        """Make a customer, here and at the provider. The same id or reference with the same content is one.

        The provider's customer is made first: if it cannot be, nothing is written here.

        Args:
            order: who it is.
            provider_id: the customer at the provider, where it was made before.
            vat_reply: what the register said of the VAT number, where it was asked before.

        Raises:
            InvalidInput: a value is wrong, or the id or reference is taken by another customer.
            SettingsProblem: there is no key for the provider.
            ProviderUnavailable, ProviderMisconfigured, ProviderRefused: the provider did not take it.
        """
        order.check()
        self._to.gateway()
        async with self._to.database.read() as session:
            entity = await the_entity(session, order.entity)
            existing = await self._existing(session, order, entity.id)
            clock = await _clock(session, order.clock)
        if existing is not None:
            return existing
        reply = vat_reply or await ask_register(
            self._to.register, order.vat_number, entity=entity, clock_id=order.clock
        )
        customer_id = order.id or _customer_id(entity.id, order.reference)
        known_as = provider_id or await make_at_provider(
            self._to, customer_id, order.name, order.contacts[0].email, clock
        )

        async def write(session: AsyncSession) -> Customer:
            known = await self._existing(session, order, entity.id)
            if known is not None:
                return known
            row = Customer(
                **content_of(order),
                id=customer_id,
                entity_id=entity.id,
                provider_id=known_as,
                created_at=await self._to.now(session, order.clock),
            )
            session.add(row)
            await session.flush()
            if reply is not None:
                days = self._to.rules.vat_number_days
                await keep_reply(session, row, reply, row.created_at, keep_days=days)
            return row

        return await in_one_transaction(self._to.database, write)

    async def _existing(self, session: AsyncSession, order: NewCustomer, entity_id: str) -> Customer | None:
        existing = await session.get(Customer, order.id) if order.id is not None else None
        if existing is None and order.reference is not None:
            found = await with_reference(session, Customer, order.reference, entity_id=entity_id)
            existing = found[0] if found else None
        if existing is None:
            return None
        if any(getattr(existing, name) != value for name, value in content_of(order).items()):
            raise AlreadyExists(
                f"There is another customer {order.reference or order.id}. Take another reference, or look at it: "
                f"relance customer show {existing.id}",
                field="reference" if order.reference is not None else "id",
            )
        return existing

    async def find(self, key: str) -> Customer:
        """A customer by id or reference.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.read() as session:
            return await find(session, Customer, key, field="customer")

    async def change(self, key: str, change: CustomerChange) -> Customer:
        """Change what is known of a customer.

        Raises:
            NotFound: there is none.
        """
        async with self._to.database.write() as session:
            customer = await find(session, Customer, key, field="customer")
            row = await lock(session, Customer, customer.id, field="customer")
            row.name = change.name or row.name
            row.locale = change.locale or row.locale
            if change.contacts is not None:
                row.contacts = [contact.model_dump() for contact in change.contacts]
            if change.custom is not None:
                row.custom = change.custom
            if change.segment is not None:
                row.segment = change.segment or None
            return row

    async def list(self, *, limit: int = 100) -> Sequence[Customer]:
        """The newest customers."""
        async with self._to.database.read() as session:
            query = select(Customer).order_by(col(Customer.created_at).desc(), col(Customer.id)).limit(limit)
            return (await session.exec(query)).all()


def _customer_id(entity_id: str, reference: str | None) -> str:
    """Fixed by the reference, so that a second try after a lost answer meets the same customer at the provider."""
    return new_id("cus") if reference is None else derived_id("cus", entity_id, reference)


async def make_at_provider(
    to: Connections, customer_id: str, name: str, email: str, clock: TestClock | None
) -> str:
    """Make a customer at the payment provider, and answer its id there. Asked again it is the same one."""
    gateway, provider_clock = to.gateway(), None
    if clock is not None and to.settings.clock_peers:
        # A clock for each customer: Stripe takes few customers on one, and peers find them by name.
        provider_clock = await gateway.create_test_clock(
            name=clock.id,
            now=clock.now,
            idempotency_key=f"clock/{customer_id}/{int(clock.now.timestamp())}",
        )
    return await gateway.create_customer(
        reference=customer_id,
        name=name,
        email=email,
        test_clock=provider_clock,
        idempotency_key=f"customer/{customer_id}/{provider_clock or ''}",
    )


def content_of(order: NewCustomer) -> dict[str, Any]:
    """The columns that follow from what was asked."""
    return {
        "reference": order.reference,
        "kind": order.kind.value,
        "name": order.name,
        "locale": order.locale,
        "timezone": order.timezone,
        "vat_number": order.vat_number,
        "siren": order.siren,
        "address": order.address,
        "evidence": order.evidence,
        "segment": order.segment or None,
        "contacts": [contact.model_dump() for contact in order.contacts],
        "clock_id": order.clock,
        "custom": order.custom,
    }


async def _clock(session: AsyncSession, clock_id: str | None) -> TestClock | None:
    return None if clock_id is None else await get(session, TestClock, clock_id, field="clock")
