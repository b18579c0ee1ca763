"""The payment methods that customers gave us: which is charged, which stands in, and which is taken away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chase_steps import open_collections_of
from activities.books.mandates import is_direct_debit
from activities.books.method_saving import charge_from_now_on, charged_for, known_method, save_method
from activities.books.methods import (
    drop_as_backup,
    is_kept,
    lock_owner,
    method_of,
    subscriptions_of,
    take_as_backup,
    take_away,
)
from activities.gateway import SetupFacts
from activities.hosted_setups import attach_key
from billing.declines import support_words
from billing.errors import InvalidInput
from billing.payment import LIVE_STATES, Declined
from billing.policy_choice import MethodKind
from billing.values import Value
from models.ids import new_id
from models.tables import Customer, Invoice, InvoiceStatus, PaymentAttempt, PaymentMethod
from starter.connections import Connections
from starter.finding import find
from starter.hints import COLLECTION, SUBSCRIPTION, hint
from starter.mandates import MandateGiven, keep, take_mandate
from starter.problems import MethodRefused


class MethodSet(Value):
    """A payment method of a customer, as a command left it."""

    customer_id: str
    method_id: str
    label: str
    """`visa 4242`."""
    role: str = ""
    """`default` is charged, `backup` stands in for it; empty for one that is only kept."""
    charging: tuple[str, ...] = ()
    """Open invoices that are charged with it now, oldest first."""
    announced: bool = False
    """Whether the customer is told of those charges first, since they are SEPA debits."""


class MethodRemoved(Value):
    """A payment method was taken away, here and at the provider."""

    customer_id: str
    method_id: str
    label: str
    takes_over: str | None = None
    """The backup, which is the default from now on."""


class PaymentMethods:
    """Several for a customer: one is the default, and one may be the backup that the customer agreed to."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def list(self, customer: str) -> Sequence[PaymentMethod]:
        """The payment methods of a customer, newest first, with those that were taken away.

        Raises:
            NotFound: there is no such customer.
        """
        async with self._to.database.read() as session:
            owner = await find(session, Customer, customer, field="customer")
            query = (
                select(PaymentMethod)
                .where(PaymentMethod.customer_id == owner.id)
                .order_by(col(PaymentMethod.created_at).desc(), col(PaymentMethod.id))
            )
            return (await session.exec(query)).all()

    async def add(
        self,
        customer: str,
        token: str,
        *,
        as_default: bool = True,
        mandate: MandateGiven | None = None,
        command_id: str | None = None,
        only_if_new: bool = False,
    ) -> MethodSet:
        """Save a payment method. As the default it charges whatever is open, oldest first; a first one is the default.

        A SEPA account needs a mandate, which its payer accepted on the provider's page or is passed on here; its
        debits are announced first.

        Args:
            customer: by id or reference.
            token: the provider's payment method, `pm_...`.
            as_default: whether it is charged from now on.
            mandate: of a SEPA account: what its payer accepted.
            command_id: makes asking again the same as asking once.
            only_if_new: leave one that the books have as it is: whatever was chosen since then stays.

        Raises:
            MethodRefused: the bank does not let it be saved.
            InvalidInput: this is no payment method, nobody accepted a mandate, or the seller may debit no accounts.
            TemporalUnreachable: there are subscriptions to tell, and no Temporal.
        """
        if not token.strip():
            raise InvalidInput("Give the provider's payment method, as pm_...", field="payment_method")
        command = command_id or new_id("cmd")
        owner = await self._owner(customer)
        if only_if_new and (known := await self._known(owner, token, command)) is not None:
            return known
        provider_id, key = provider_id_of(owner), attach_key(owner.id, command)
        facts = await self._to.gateway().attach(token, customer=provider_id, idempotency_key=key)
        if isinstance(facts, Declined):
            raise MethodRefused(
                f"The payment method was not saved: {support_words(facts.code)}. Ask for another one.",
                decline_code=facts.code,
            )
        consent = await take_mandate(
            self._to.gateway(), facts, mandate, customer=provider_id, idempotency_key=key
        )
        charging: tuple[str, ...] = ()
        async with self._to.database.write() as session:
            now = await self._to.now(session, owner.clock_id)
            locked = await lock_owner(session, owner.id)
            is_new = await known_method(session, facts.id) is None
            method = await save_method(session, locked, facts, now)
            if consent is not None:
                await keep(session, self._to, method, consent, mandate, now)
            if only_if_new and not is_new:
                charging = await charged_for(session, owner.id, command)
            elif as_default or locked.default_method_id is None:
                charging = await self._charge_from_now_on(session, locked, method, command, now)
        await self._tell(owner.id, charging, now)
        return _as_set(locked, method, charging)

    async def begin_setup(self, customer: str, *, command_id: str | None = None) -> SetupFacts:
        """Begin saving a payment method in the customer's browser; what comes of it is then given to `add`.

        Raises:
            NotFound: there is no such customer.
            InvalidInput: the provider does not know them.
            ProviderUnavailable, ProviderMisconfigured, ProviderRefused: the provider did not take it.
        """
        command = command_id or new_id("cmd")
        owner = await self._found(customer)
        return await self._to.gateway().create_setup_intent(
            customer=provider_id_of(owner),
            payment_method=None,
            idempotency_key=f"setup/{owner.id}/{command}",
        )

    async def make_default(self, customer: str, method: str, *, command_id: str | None = None) -> MethodSet:
        """Charge this method from now on, and with it whatever is open, oldest first. Done already, nothing happens.

        Args:
            customer: by id or reference.
            method: one of theirs, by our id or the provider's.
            command_id: makes asking again the same as asking once.

        Raises:
            NotFound: there is no such customer or method.
            InvalidInput: it was taken away or stopped; field `payment_method`.
            TemporalUnreachable: there are subscriptions to tell, and no Temporal.
        """
        command = command_id or new_id("cmd")
        owner = await self._owner(customer)
        charging: tuple[str, ...] = ()
        async with self._to.database.write() as session:
            now = await self._to.now(session, owner.clock_id)
            locked = await lock_owner(session, owner.id)
            row = await method_of(session, locked, method)
            _check_kept(row)
            if locked.default_method_id != row.id:
                charging = await self._charge_from_now_on(session, locked, row, command, now)
        await self._tell(owner.id, charging, now)
        return _as_set(locked, row, charging)

    async def make_backup(self, customer: str, method: str, *, agreed: bool, by: str) -> MethodSet:
        """Let a card stand in where the default method is dead or needs the customer.

        Args:
            customer: by id or reference.
            method: one of theirs, by our id or the provider's.
            agreed: whether the customer agreed that it is charged without being asked.
            by: who took that down.

        Raises:
            NotFound: there is no such customer or method.
            InvalidInput: it is not agreed to, the default, no card, taken away or stopped; `field` says which.
        """
        if not agreed:
            raise InvalidInput(
                "A backup is charged without asking. Ask the customer first, then say that they agreed.",
                field="agreed",
            )
        owner = await self._owner(customer)
        async with self._to.database.write() as session:
            now = await self._to.now(session, owner.clock_id)
            locked = await lock_owner(session, owner.id)
            row = await method_of(session, locked, method)
            _check_kept(row)
            if row.kind != MethodKind.CARD.value:
                raise InvalidInput(
                    "Only a card can be the backup: a direct debit is announced days before.",
                    field="payment_method",
                )
            if locked.default_method_id == row.id:
                raise InvalidInput(
                    "This is the default method. Make another one the default first.", field="payment_method"
                )
            await take_as_backup(session, locked, row, now, by=by)
            chases = await open_collections_of(session, owner.id)
        await self._tell(owner.id, tuple(chase.invoice_id for chase in chases), now)
        return _as_set(locked, row, ())

    async def drop_backup(self, customer: str, method: str | None = None) -> None:
        """Nothing stands in for the default method any more. What was agreed to is forgotten with it.

        Args:
            customer: by id or reference.
            method: which it is; where another one is the backup by now, nothing happens.

        Raises:
            NotFound: there is no such customer or method.
        """
        owner = await self._owner(customer)
        async with self._to.database.write() as session:
            locked = await lock_owner(session, owner.id)
            key = method or locked.backup_method_id
            if key is not None:
                row = await method_of(session, locked, key)
                await drop_as_backup(session, locked, row, await self._to.now(session, owner.clock_id))

    async def remove(self, customer: str, method: str) -> MethodRemoved:
        """Take a payment method away, here and at the provider. Removed already, nothing happens.

        A customer may leave us without any: later invoices are then issued and ask for one. Not while one is open, nor
        while a payment with it is under way.

        Raises:
            NotFound: there is no such customer or method.
            InvalidInput: it is needed now; field `payment_method`.
            TemporalUnreachable: there are subscriptions to tell, and no Temporal.
            ProviderUnavailable: the provider cannot be asked now.
        """
        owner = await self._found(customer)
        async with self._to.database.read() as session:
            row = await method_of(session, owner, method)
            if row.detached_at is not None:
                return MethodRemoved(customer_id=owner.id, method_id=row.id, label=method_label(row))
            await _check_not_needed(session, owner, row)
        await self._reach_whom_to_tell(owner)
        await self._to.gateway().detach(row.provider_id, idempotency_key=f"detach/{row.id}")
        async with self._to.database.write() as session:
            now = await self._to.now(session, owner.clock_id)
            row = await method_of(session, owner, row.id)
            taken = await take_away(session, row, now)
            chases = await open_collections_of(session, owner.id)
        await self._tell(owner.id, tuple(chase.invoice_id for chase in chases), now)
        return MethodRemoved(
            customer_id=owner.id, method_id=row.id, label=method_label(row), takes_over=taken.takes_over
        )

    async def _owner(self, customer: str) -> Customer:
        """The customer; whoever is to be told is within reach before anything is done."""
        owner = await self._found(customer)
        await self._reach_whom_to_tell(owner)
        return owner

    async def _found(self, customer: str) -> Customer:
        async with self._to.database.read() as session:
            return await find(session, Customer, customer, field="customer")

    async def _reach_whom_to_tell(self, owner: Customer) -> None:
        async with self._to.database.read() as session:
            has_subscriptions = bool(await subscriptions_of(session, owner.id))
        if has_subscriptions:
            await self._to.temporal()

    async def _known(self, owner: Customer, token: str, command: str) -> MethodSet | None:
        """What an earlier `add` under this command left; None where the books do not have the method."""
        async with self._to.database.read() as session:
            method = await known_method(session, token)
            if method is None:
                return None
            return _as_set(owner, method, await charged_for(session, owner.id, command))

    async def _charge_from_now_on(
        self, session: AsyncSession, customer: Customer, method: PaymentMethod, command: str, now: datetime
    ) -> tuple[str, ...]:
        return await charge_from_now_on(
            session, self._to.gateway(), self._to.rules, customer, method, command_id=command, at=now
        )

    async def _tell(self, customer_id: str, invoices: Sequence[str], now: datetime) -> None:
        async with self._to.database.read() as session:
            subscriptions = await subscriptions_of(session, customer_id)
        if not subscriptions:
            return
        temporal = await self._to.temporal()
        await hint(temporal, (f"{COLLECTION}{invoice_id}" for invoice_id in invoices), now)
        await hint(temporal, (f"{SUBSCRIPTION}{id_}" for id_ in subscriptions), now)


def method_label(method: PaymentMethod) -> str:
    """A payment method for people: `visa 4242, valid to 12/2030`."""
    valid = (
        f", valid to {method.exp_month:02}/{method.exp_year}" if method.exp_month and method.exp_year else ""
    )
    kind = "SEPA" if is_direct_debit(method) else method.brand or method.kind
    return f"{kind} {method.last4}{valid}"


def role_of(customer: Customer, method: PaymentMethod) -> str:
    """`default`, `backup`, or empty."""
    roles = {customer.backup_method_id: "backup", customer.default_method_id: "default"}
    return roles.get(method.id, "")


def provider_id_of(customer: Customer) -> str:
    """The customer at the provider.

    Raises:
        InvalidInput: the provider does not know them.
    """
    if customer.provider_id is None:
        raise InvalidInput(f"Customer {customer.id} is not known to the payment provider.", field="customer")
    return customer.provider_id


def _as_set(customer: Customer, method: PaymentMethod, charging: tuple[str, ...]) -> MethodSet:
    return MethodSet(
        customer_id=customer.id,
        method_id=method.id,
        label=method_label(method),
        role=role_of(customer, method),
        charging=charging,
        announced=is_direct_debit(method),
    )


def _check_kept(method: PaymentMethod) -> None:
    """Refuse what can't be charged any more.

    Raises:
        InvalidInput: it was taken away, or stopped for good.
    """
    if not is_kept(method):
        what = "was taken away" if method.detached_at is not None else "was stopped for good"
        raise InvalidInput(f"The payment method {method.id} {what}. Add another one.", field="payment_method")


async def _check_not_needed(session: AsyncSession, customer: Customer, method: PaymentMethod) -> None:
    """Refuse to take away what is needed now.

    Raises:
        InvalidInput: a payment with it is under way; or it is the default, and what is charged then is not said, or
            something is open.
    """
    live = select(PaymentAttempt).where(
        PaymentAttempt.method_id == method.id, col(PaymentAttempt.state).in_(LIVE_STATES)
    )
    attempt = (await session.exec(live)).first()
    if attempt is not None:
        raise InvalidInput(
            f"A payment with it is under way, for invoice {attempt.invoice_id}. Wait for its outcome.",
            field="payment_method",
        )
    if customer.default_method_id != method.id or customer.backup_method_id is not None:
        return
    if await _others(session, customer, method):
        raise InvalidInput(
            "It is the default, and which one is charged then is not said. Make another one the default first.",
            field="payment_method",
        )
    owed = select(Invoice).where(Invoice.customer_id == customer.id, Invoice.status == InvoiceStatus.OPEN)
    invoice = (await session.exec(owed)).first()
    if invoice is not None:
        raise InvalidInput(
            f"It is the only payment method, and invoice {invoice.number} is open. Let it be paid, or add another "
            "method first.",
            field="payment_method",
        )


async def _others(session: AsyncSession, customer: Customer, method: PaymentMethod) -> bool:
    query = select(PaymentMethod).where(
        PaymentMethod.customer_id == customer.id, PaymentMethod.id != method.id
    )
    return any(is_kept(other) for other in (await session.exec(query)).all())
