"""Signing up on our page: the form, the payment method, the order, and what is made of it. Each step may be repeated.

Ids of customer and subscription follow from the session's, so that a double click, a second tab, or somebody who comes
back after a crash half-way all make the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.books.issuing import seller_of
from activities.books.rows import get, lock
from activities.books.signing_up import complete_signup
from activities.gateway import ProviderRefused
from activities.links import LinkExpired
from activities.vat_checks import RegisterReply
from billing.errors import InvalidInput
from billing.payment import Declined
from billing.subscription import CustomerKind
from billing.values import Value
from documents.mentions import missing_of_buyer
from models.parties import Address, Buyer, Contact
from models.signup import SignupConsent
from models.tables import LegalEntity, SignupSession, SubscriptionRow, TestClock
from models.tax_identity import check_buyer, check_country
from starter.connections import Connections
from starter.customers import Customers, make_at_provider
from starter.mandates import MandateGiven
from starter.orders import NewCustomer, NewSubscription
from starter.payment_methods import PaymentMethods
from starter.problems import AlreadyExists, MethodRefused
from starter.resources.common import built
from starter.signup_quotes import (
    SignupQuote,
    as_ordered,
    customer_id_of,
    fingerprint,
    quote,
    subscription_id_of,
)
from starter.signup_sessions import SignupState, state_of
from starter.subscriptions import Subscriptions
from starter.taxes import ask_register

OTHERS_TURN: Final = timedelta(seconds=10)
"""Real time for which an order is left to whoever took it down."""
LOOK_EVERY_SECONDS: Final = 0.2


class Ordered(Value):
    """What became of an order."""

    is_as_shown: bool = True
    """False: what it costs has changed since the page was shown. Nothing was ordered; show it again."""


class Signups:
    """What the sign-up page asks."""

    def __init__(
        self, to: Connections, customers: Customers, methods: PaymentMethods, subscriptions: Subscriptions
    ) -> None:
        self._to = to
        self._customers = customers
        self._methods = methods
        self._subscriptions = subscriptions

    async def quote(self, row: SignupSession) -> SignupQuote:
        """What it costs whoever is in the form; see `signup_quotes.quote`."""
        async with self._to.database.read() as session:
            return await quote(session, self._to, row)

    async def preview(self, row: SignupSession, fields: dict[str, str]) -> SignupQuote:
        """What it costs whoever fills in the form like this; nothing is kept.

        Raises:
            InvalidInput: what decides the tax contradicts itself; `field` names it.
        """
        number = _tax_facts(row, fields).vat_number
        reply = await self._asked(row, number)
        seen = SignupSession(**row.model_dump(exclude={"fields", "vat_reply", "consent"}))
        seen.fields, seen.vat_reply = {**fields, "vat_number": number}, _kept(reply)
        return await self.quote(seen)

    async def fill_in(self, row: SignupSession, fields: dict[str, str], *, language: str) -> SignupSession:
        """Keep what was filled in; a VAT number is asked after first.

        Raises:
            InvalidInput: something is missing or wrong; `field` names it.
            LinkExpired: the time for it is over, or it was ordered meanwhile.
        """
        order = _customer(row, fields, language)
        order.check()
        await self._check_mentions(row, order)
        reply = await self._asked(row, order.vat_number)
        fields = {**fields, "vat_number": order.vat_number, "siren": order.siren}

        def keep(written: SignupSession) -> None:
            written.fields, written.vat_reply, written.is_filled_in = fields, _kept(reply), True
            written.language = language

        return await self._write(row.id, keep)

    async def _check_mentions(self, row: SignupSession, order: NewCustomer) -> None:
        """Ask now for what the law wants on the buyer's invoices (rules 18): the order would be refused for it."""
        async with self._to.database.read() as session:
            seller = await get(session, LegalEntity, row.entity_id, field="entity")
        buyer = Buyer(
            name=order.name,
            kind=order.kind,
            vat_number=order.vat_number,
            siren=order.siren,
            address=order.address,
        )
        for missing in missing_of_buyer(seller_of(seller), buyer):
            raise InvalidInput(f"{missing.what}.", field=missing.field.rpartition(".")[2])

    async def speak(self, row: SignupSession, language: str) -> SignupSession:
        """Go on in another language."""
        async with self._to.database.write() as session:
            written = await lock(session, SignupSession, row.id, field="signup_session")
            written.language = language
            return written

    async def begin_setup(
        self, row: SignupSession, *, back_to: str, given_up: str, language: str, command_id: str
    ) -> str:
        """The address of the provider's page on which the buyer saves a payment method.

        Args:
            row: filled in.
            back_to: where they come back to when it is done.
            given_up: where they come back to otherwise.
            language: of the page.
            command_id: makes asking again the same as asking once.

        Raises:
            InvalidInput: the form is not filled in; or this page of the provider's is over.
            LinkExpired: the time for it is over, or it was ordered.
            ProviderUnavailable, ProviderMisconfigured, ProviderRefused: the provider did not take it.
        """
        if not row.is_filled_in:
            raise InvalidInput("Fill in the form first.", field="name")
        _check_open(row)
        provider_id = row.provider_id or await self._make_at_provider(row)
        async with self._to.database.read() as session:
            seller = await get(session, LegalEntity, row.entity_id, field="entity")
        page = await self._to.gateway().create_hosted_setup(
            customer=provider_id,
            back_to=back_to,
            given_up=given_up,
            language=language,
            debits=bool(seller.creditor_id),
            idempotency_key=f"page/{row.id}/{command_id}",
        )
        if page.url is None:
            raise InvalidInput("This page is over. Begin anew.", field="command_id")

        def keep(written: SignupSession) -> None:
            written.setup_page = page.id

        await self._write(row.id, keep)
        return page.url

    async def take_method(self, row: SignupSession) -> SignupSession:
        """Keep what came of the provider's page, if anything did: also when its payer never came back from there.

        Raises:
            MethodRefused: the bank does not let it be saved.
            ProviderUnavailable, ProviderMisconfigured: the provider cannot be asked now.
        """
        if row.setup_page is None or row.provider_id is None or row.ordered_at is not None:
            return row
        gateway = self._to.gateway()
        try:
            done = await gateway.look_at_hosted_setup(row.setup_page)
        except ProviderRefused:
            return row
        if done.payment_method is None or done.customer != row.provider_id:
            return row
        facts = await gateway.attach(
            done.payment_method, customer=row.provider_id, idempotency_key=f"attach/{row.id}/{done.id}"
        )

        def keep(written: SignupSession) -> None:
            written.setup_page = None
            if not isinstance(facts, Declined):
                shown = facts.model_dump(mode="json", include={"kind", "brand", "last4"})
                written.method = {**shown, "id": facts.id}

        kept = await self._write(row.id, keep)
        if isinstance(facts, Declined):
            raise MethodRefused("The payment method was not saved.", decline_code=facts.code)
        return kept

    async def order(self, row: SignupSession, consent: SignupConsent) -> Ordered:
        """Take an order down and carry it out. Given twice, in two tabs or again after a crash, it is one.

        Args:
            row: filled in.
            consent: what was agreed to, and what was shown.

        Raises:
            InvalidInput: the form is not filled in, or a payment method is missing; `field` names it.
            OfferGone: it is not to be had any more.
            LinkExpired: the time for it is over.
            AlreadyExists: somebody signed up under its reference meanwhile.
            MethodRefused: the bank does not let the payment method be saved; nothing was ordered.
            TemporalUnreachable, ProviderUnavailable: it is carried out when it is asked again.
        """
        if row.ordered_at is None:
            _check_open(row)
            if not row.is_filled_in:
                raise InvalidInput("Fill in the form first.", field="name")
            offer = await self.quote(row)
            if offer.needs_method and not row.method:
                raise InvalidInput("Give a payment method first.", field="payment_method")
            if fingerprint(row, offer) != consent.shown:
                return Ordered(is_as_shown=False)
            consent = consent.model_copy(update={"offer": as_ordered(offer)})
        is_ours = False

        def take_down(written: SignupSession) -> None:
            nonlocal is_ours
            # What was filled in or saved in another tab meanwhile was not on the page that is ordered from.
            if written.ordered_at is None and (written.fields, written.method) == (row.fields, row.method):
                written.consent, written.ordered_at, is_ours = consent, datetime.now(UTC), True

        async with self._to.database.write() as session:
            current = await lock(session, SignupSession, row.id, field="signup_session")
            take_down(current)
        if current.ordered_at is None:
            return Ordered(is_as_shown=False)
        return await (self._carry_out(current) if is_ours else self.finish(current))

    async def finish(self, row: SignupSession) -> Ordered:
        """Carry out what was ordered, if nobody else does it just now. Raises as `order` does."""
        while row.completed_at is None and row.ordered_at is not None:
            if datetime.now(UTC) - row.ordered_at >= OTHERS_TURN:
                return await self._carry_out(row)
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            row = await self._fresh(row.id)
        return Ordered(is_as_shown=row.completed_at is not None)

    async def finish_alone(self, row: SignupSession) -> Ordered:
        """Carry out an order whose buyer does not wait for it any more. What cannot be carried out stays an order.

        Raises:
            RelanceError: as `order`; it may be tried again.
        """
        return await self._carry_out(row, is_watched=False)

    async def _carry_out(self, row: SignupSession, *, is_watched: bool = True) -> Ordered:
        consent = row.consent
        if consent is None or row.ordered_at is None:
            return Ordered(is_as_shown=False)
        if not await self._is_started(row):
            # Somebody who comes back on another day finds other periods: they are asked again.
            if fingerprint(row, await self.quote(row)) != consent.shown:
                if is_watched:
                    await self._take_back(row.id)
                return Ordered(is_as_shown=False)
            await self._make_customer(row, consent, is_watched=is_watched)
        await self._subscriptions.start(_subscription(row, consent))

        async with self._to.database.write() as session:
            at = await self._to.now(session, row.clock_id)
            access = self._to.rules.access
            await complete_signup(session, row.id, subscription_id_of(row), at, access)
        return Ordered()

    async def _make_customer(self, row: SignupSession, consent: SignupConsent, *, is_watched: bool) -> None:
        order = _customer(row, row.fields, consent.language)
        reply = RegisterReply(**row.vat_reply) if row.vat_reply else None
        made = await self._customers.create(order, provider_id=row.provider_id, vat_reply=reply)
        if made.id != customer_id_of(row):
            if is_watched:
                await self._take_back(row.id)
            raise AlreadyExists(
                f"{row.customer_reference} has signed up already.", field="customer_reference"
            )
        if not row.method:
            return
        is_debit = row.method["kind"] == "sepa_debit"
        given = (
            MandateGiven(text=consent.debit_text, text_version=consent.debit_version) if is_debit else None
        )
        token: str = row.method["id"]
        try:
            await self._methods.add(made.id, token, mandate=given, command_id=f"signup/{row.id}/{token}")
        except (MethodRefused, InvalidInput):
            if is_watched:
                await self._take_back(row.id, drop_method=True)
            raise

    async def _take_back(self, key: str, *, drop_method: bool = False) -> None:
        """The order could not be carried out as it was shown: it was none."""
        async with self._to.database.write() as session:
            row = await lock(session, SignupSession, key, field="signup_session")
            row.consent, row.ordered_at = None, None
            if drop_method:
                row.method, row.setup_page = {}, None

    async def _is_started(self, row: SignupSession) -> bool:
        async with self._to.database.read() as session:
            return await session.get(SubscriptionRow, subscription_id_of(row)) is not None

    async def _make_at_provider(self, row: SignupSession) -> str:
        async with self._to.database.read() as session:
            clock = None
            if row.clock_id is not None:
                clock = await get(session, TestClock, row.clock_id, field="clock")
        known_as = await make_at_provider(
            self._to, customer_id_of(row), row.fields["name"], row.fields["email"], clock
        )

        def keep(written: SignupSession) -> None:
            written.provider_id = written.provider_id or known_as

        return (await self._write(row.id, keep)).provider_id or known_as

    async def _asked(self, row: SignupSession, number: str) -> RegisterReply | None:
        """What the register says of a VAT number; None where there is none of a member state."""
        if row.vat_reply and row.fields.get("vat_number") == number:
            return RegisterReply(**row.vat_reply)
        async with self._to.database.read() as session:
            seller = await get(session, LegalEntity, row.entity_id, field="entity")
        return await ask_register(self._to.register, number, entity=seller, clock_id=row.clock_id)

    async def _fresh(self, key: str) -> SignupSession:
        async with self._to.database.read() as session:
            return await get(session, SignupSession, key, field="signup_session")

    async def _write(self, key: str, change: Callable[[SignupSession], None]) -> SignupSession:
        """Change a session that nobody has ordered from.

        Raises:
            LinkExpired: the time for it is over, or it was ordered.
        """
        async with self._to.database.write() as session:
            row = await lock(session, SignupSession, key, field="signup_session")
            _check_open(row)
            change(row)
            return row


def _check_open(row: SignupSession) -> None:
    if row.ordered_at is not None or state_of(row, datetime.now(UTC)) is not SignupState.OPEN:
        raise LinkExpired("This session is over. Ask for a new link.", field="token")


def _kept(reply: RegisterReply | None) -> dict[str, object]:
    return {} if reply is None else reply.model_dump(mode="json")


def _customer(row: SignupSession, fields: dict[str, str], language: str) -> NewCustomer:
    """The customer that a filled-in form makes.

    Raises:
        InvalidInput: something is missing or wrong; `field` names it.
    """
    if not fields.get("email"):
        raise InvalidInput("Give a mail address.", field="email")
    if not fields.get("country"):
        raise InvalidInput("Choose a country.", field="country")
    check_country(fields["country"])
    address = {name: fields.get(name, "") for name in ("line1", "line2", "postal_code", "city", "country")}
    return built(
        NewCustomer,
        id=customer_id_of(row),
        reference=row.customer_reference,
        entity=row.entity_id,
        kind=fields.get("kind") or CustomerKind.CONSUMER,
        name=fields.get("name", ""),
        contacts=(built(Contact, email=fields["email"]),),
        locale=language,
        timezone=row.timezone,
        vat_number=fields.get("vat_number", ""),
        siren=fields.get("siren", ""),
        address=built(Address, **address),
        clock=row.clock_id,
    )


def _tax_facts(row: SignupSession, fields: dict[str, str]) -> NewCustomer:
    """What of a form decides the tax, whoever it is.

    Raises:
        InvalidInput: it contradicts itself; `field` names it.
    """
    stand_in = {"name": "?", "email": "nobody@example.com", "line1": "?", "city": "?"}
    filled = {**stand_in, **{name: value for name, value in fields.items() if value}}
    order = _customer(row, filled, "fr")
    check_buyer(order.kind, vat_number=order.vat_number, siren=order.siren, address=order.address)
    return order


def _subscription(row: SignupSession, consent: SignupConsent) -> NewSubscription:
    return NewSubscription(
        id=subscription_id_of(row),
        reference=row.reference,
        customer=customer_id_of(row),
        plan=row.plan_id,
        quantity=row.quantity,
        coupons=tuple(row.coupons),
        early_start_requested=consent.early_start,
        custom=row.custom,
    )
