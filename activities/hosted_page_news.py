"""The provider's own page was filled in: the method is saved and charges what is open, also where nobody came back.

The customer's browser leads back to the portal, which does the same. Whoever comes first does it, under the same
keys at the provider; for the other there is nothing left to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books import mandates
from activities.books.config import BookRules
from activities.books.inbox import Taken
from activities.books.method_saving import charge_from_now_on, charged_for, known_method, save_method
from activities.books.methods import lock_owner, subscriptions_of
from activities.books.rows import get
from activities.gateway import MandateFacts, MethodFacts, PaymentGateway
from activities.hosted_setups import attach_key, command_of
from billing.errors import InvalidInput
from billing.payment import Declined
from models.database import Database
from models.tables import Customer, LegalEntity, TestClock


@dataclass(frozen=True)
class HostedPageNews:
    """Looks at a page of the provider's and keeps what came of it."""

    database: Database
    gateway: PaymentGateway
    rules: BookRules

    async def take(self, page_id: str, *, now: datetime) -> Taken:
        """Save what came of a page of ours as the default, and have it charge what is open; once.

        Args:
            page_id: the provider's.
            now: real time, for whoever is on no test clock.

        Raises:
            ProviderRefused: the provider does not know the page.
            ProviderUnavailable, ProviderMisconfigured: ask again later.
        """
        page = await self.gateway.look_at_hosted_setup(page_id)
        if not page.is_ours or page.payment_method is None:
            return Taken(f"noted: nothing for us came of page {page.id}")
        async with self.database.read() as session:
            query = select(Customer).where(Customer.provider_id == page.customer)
            owner = (await session.exec(query)).first()
            known = await known_method(session, page.payment_method)
        if owner is None:
            return Taken(f"unmatched: customer {page.customer} is none of ours")
        command, at = command_of(page.id), now
        if known is None:
            facts = await self.gateway.attach(
                page.payment_method, customer=page.customer, idempotency_key=attach_key(owner.id, command)
            )
            if isinstance(facts, Declined):
                return Taken(f"noted: the bank does not let {page.payment_method} be saved: {facts.code}")
            consent = await self._mandate_of(facts)
            if isinstance(consent, str):
                return Taken(consent)
            await self._keep(owner.id, facts, consent, command, now)
        async with self.database.read() as session:
            charging = await charged_for(session, owner.id, command)
            subscriptions = await subscriptions_of(session, owner.id)
            if owner.clock_id is not None:
                at = (await get(session, TestClock, owner.clock_id, field="clock")).now
        what = f"{page.payment_method} of page {page.id}"
        note = f"saved {what}" if known is None else f"known: the books have {what}"
        wakes = (
            *(f"collection/{each}" for each in charging),
            *(f"subscription/{each}" for each in subscriptions),
        )
        return Taken(note, wakes, at)

    async def _mandate_of(self, facts: MethodFacts) -> MandateFacts | str | None:
        """The mandate that the payer accepted there; None for a card, words where an account has none."""
        if facts.kind != "sepa_debit":
            return None
        found = await self.gateway.find_mandate(facts.id)
        if found is None or not found.is_active:
            return f"noted: nobody has agreed to debits of {facts.id}"
        return found

    async def _keep(
        self, customer_id: str, facts: MethodFacts, consent: MandateFacts | None, command: str, now: datetime
    ) -> None:
        async with self.database.write() as session:
            customer = await lock_owner(session, customer_id)
            if await known_method(session, facts.id) is not None:
                return  # the customer came back meanwhile
            at = now
            if customer.clock_id is not None:
                at = (await get(session, TestClock, customer.clock_id, field="clock")).now
            method = await save_method(session, customer, facts, at)
            if consent is not None:
                agreed = mandates.Agreed(notice_days=self.rules.notice_days)
                creditor_id = await _creditor_id(session, customer)
                await mandates.keep_mandate(session, method, consent, agreed, creditor_id=creditor_id, at=at)
            await charge_from_now_on(
                session, self.gateway, self.rules, customer, method, command_id=command, at=at
            )


async def _creditor_id(session: AsyncSession, customer: Customer) -> str:
    """Empty where the seller took it away since the page was shown: the notice of the debit then asks for it."""
    try:
        return mandates.creditor_id_of(await get(session, LegalEntity, customer.entity_id, field="entity"))
    except InvalidInput:
        return ""
