"""Relance for a backend: start subscriptions, tell them what is asked, ask how they stand.

    async with RelanceClient.open(settings) as relance:
        await relance.start_subscription(NewSubscription(reference="acme", customer="cus_1", plan="pro-monthly"))
        await relance.cancel("acme", when=When.PERIOD_END, command_id=request_id)

Every call that changes something may be repeated: the same id, reference or command id is done once. One client
serves any number of tasks of one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from activities.gateway import PaymentGateway
from models.database import Database
from models.schema import check_schema
from models.tables import (
    Customer,
    Invoice,
    LegalEntity,
    MailAddress,
    PaymentMethod,
    Plan,
    SubscriptionRow,
    TestClock,
)
from settings import Settings
from starter.accounts import Accounts
from starter.api_keys import ApiKeys
from starter.books_export import BooksExport
from starter.catalogue import Catalogue
from starter.changes import Previews
from starter.clocks import Clocks, Progress
from starter.commands import Commands
from starter.connections import Connections, Now, real_now
from starter.corrections import Corrections
from starter.coupons import Coupons
from starter.customers import Customers
from starter.diary import Fact
from starter.documents import Documents
from starter.entitlements import Entitlements
from starter.events import Events
from starter.hosted_pages import HostedPages
from starter.imports import Imports
from starter.late_payments import LatePayments
from starter.listing import Listing
from starter.mandates import MandateGiven, Mandates
from starter.orders import (
    Custom,
    CustomerChange,
    NewCustomer,
    NewEntity,
    NewPlan,
    NewSubscription,
    PlanChange,
)
from starter.outcomes import Outcomes
from starter.overview import Overview
from starter.payment_methods import MethodSet, PaymentMethods
from starter.payments import Payments
from starter.plan_migrations import PlanMigrations
from starter.policies import Policies
from starter.portal_sessions import PortalSessions
from starter.reading import (
    WAIT_SECONDS,
    CommandOutcome,
    FirstPayment,
    InvoiceDocument,
    Reading,
    StateAnswer,
)
from starter.reports import Reports
from starter.settling import Settled, Settling
from starter.signup_sessions import SignupSessions
from starter.signups import Signups
from starter.steering import Steering
from starter.subscriptions import Started, Subscriptions
from starter.taxes import Taxes
from starter.terminations import Terminations
from starter.transfers import Transfers
from starter.troubles import Troubles
from starter.usage import UsageDoor
from starter.webhook_endpoints import WebhookEndpoints

if TYPE_CHECKING:
    from temporalio.client import Client


class RelanceClient(Commands):
    """Everything that a backend, the command line, the API and the portal ask of Relance.

    Things are named by our id or by the caller's reference. A command without `command_id` gets a new one: give your
    own to be able to repeat it after a lost answer. What concerns one thing alone is an attribute: VAT in `taxes`,
    files of documents and what the law wants on them in `documents`, credits and other corrections of issued invoices
    in `corrections`, the books as files in `books`, discounts on offer in `coupons`, what was used in `usage`, what
    became of a command in `outcomes`, what a customer may use in `entitlements`, other prices for those who have a
    plan in `plan_migrations`, what a person decides about a chase in `steering`, dunning policies in `policies`,
    figures in `reports`, keys to the HTTP API in `api_keys`, lists by the page in `listing`, which payment method is
    charged and which stands in for it in `methods`, SEPA mandates in `mandates`, money that is held, goes back or is
    disputed in `payments`, bank transfers in `transfers`, what late payment costs in `late_payments`, what comes from
    another billing system in `imports`, what happened in `events`, and where that is sent in `webhook_endpoints`, the
    provider's own page on which a customer saves a payment method in `hosted_pages`, ways into the portal in
    `portal_sessions`, ways to sign up in `signup_sessions` and what is done on their page in `signups`, what a
    customer has to hear about payments that failed in `troubles`, ending a contract without signing in in
    `terminations`.
    """

    def __init__(
        self,
        database: Database,
        temporal: Client | None,
        settings: Settings,
        gateway: PaymentGateway | None = None,
        *,
        now: Now = real_now,
    ) -> None:
        """Use what is open already.

        Args:
            database: the books.
            temporal: connected with our data converter; None connects when first needed.
            settings: the seller's choices, and where Temporal and Stripe are.
            gateway: the payment provider; None is Stripe as the settings say, when first needed.
            now: real time, where it is not the machine's.
        """
        self.connections = Connections(database, settings, temporal=temporal, gateway=gateway, now=now)
        self._catalogue = Catalogue(self.connections)
        self._customers = Customers(self.connections)
        super().__init__(Subscriptions(self.connections), Previews(self.connections))
        self._reading = Reading(self.connections)
        self._clocks = Clocks(self.connections)
        self.outcomes = Outcomes(self.connections)
        self.taxes = Taxes(self.connections)
        self.documents = Documents(self.connections)
        self.corrections = Corrections(self.connections)
        self.methods = PaymentMethods(self.connections)
        self.hosted_pages = HostedPages(self.connections, self.methods)
        self.payments = Payments(self.connections)
        self.late_payments = LatePayments(self.connections)
        self.mandates = Mandates(self.connections)
        self.books = BooksExport(self.connections)
        self.coupons = Coupons(self.connections)
        self.usage = UsageDoor(self.connections)
        self._settling = Settling(self.connections)
        self.steering = Steering(self.connections)
        self.plan_migrations = PlanMigrations(self.connections)
        self.policies = Policies(self.connections)
        self.reports = Reports(self.connections)
        self.entitlements = Entitlements(self.connections)
        self.transfers = Transfers(self.connections)
        self.events = Events(self.connections)
        self.webhook_endpoints = WebhookEndpoints(self.connections)
        self.imports = Imports(self.connections)
        self.api_keys = ApiKeys(self.connections)
        self.listing = Listing(self.connections)
        self.terminations = Terminations(self.connections, self._subscriptions)
        self.troubles = Troubles(self.connections)
        self.portal_sessions = PortalSessions(self.connections)
        self.signup_sessions = SignupSessions(self.connections)
        self.signups = Signups(self.connections, self._customers, self.methods, self._subscriptions)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[RelanceClient]:
        """A client with a database of its own, closed at the end. Temporal and Stripe are met when first needed.

        Raises:
            DatabaseBehind, DatabaseUnreachable: the database cannot be used; says what to do.
        """
        database = Database(settings.database_url)
        client = cls(database, None, settings)
        try:
            await check_schema(database)
            yield client
        finally:
            await client.close()
            await database.close()

    async def close(self) -> None:
        """Give back what this client opened by itself; not the database that it was given."""
        await self.connections.close()

    # Who sells what to whom

    async def create_entity(self, order: NewEntity) -> LegalEntity:
        """Make a seller; see `Catalogue.create_entity`."""
        return await self._catalogue.create_entity(order)

    async def list_entities(self) -> Sequence[LegalEntity]:
        """Every seller."""
        return await self._catalogue.list_entities()

    async def create_plan(self, order: NewPlan) -> Plan:
        """Put a plan on offer; see `Catalogue.create_plans`."""
        return (await self._catalogue.create_plans([order]))[0]

    async def create_plans(self, orders: Sequence[NewPlan]) -> list[Plan]:
        """Put several plans on offer, all or none; see `Catalogue.create_plans`."""
        return await self._catalogue.create_plans(orders)

    async def list_plans(self, *, archived: bool = False) -> Sequence[Plan]:
        """The plans on offer, with `archived` all."""
        return await self._catalogue.list_plans(archived=archived)

    async def plan(self, plan: str) -> Plan:
        """A plan; see `Catalogue.find_plan`."""
        return await self._catalogue.find_plan(plan)

    async def update_plan(self, plan: str, change: PlanChange) -> Plan:
        """Change what a plan has beside its terms; see `Catalogue.update_plan`."""
        return await self._catalogue.update_plan(plan, change)

    async def archive_plan(self, plan: str) -> Plan:
        """Take a plan off the offer; see `Catalogue.archive_plan`."""
        return await self._catalogue.archive_plan(plan)

    async def create_customer(self, order: NewCustomer) -> Customer:
        """Make a customer, here and at the provider; see `Customers.create`."""
        return await self._customers.create(order)

    async def customer(self, customer: str) -> Customer:
        """A customer.

        Raises:
            NotFound: there is none.
        """
        return await self._customers.find(customer)

    async def change_customer(self, customer: str, change: CustomerChange) -> Customer:
        """Change what is known of a customer; see `Customers.change`."""
        return await self._customers.change(customer, change)

    async def list_customers(self, *, limit: int = 100) -> Sequence[Customer]:
        """The newest customers."""
        return await self._customers.list(limit=limit)

    async def list_methods(self, customer: str) -> Sequence[PaymentMethod]:
        """The payment methods of a customer, newest first.

        Raises:
            NotFound: there is no such customer.
        """
        return await self.methods.list(customer)

    async def mail_problems(self, customer: str) -> Sequence[MailAddress]:
        """The addresses of a customer at which mails do not arrive, as the mail provider said.

        Raises:
            NotFound: there is no such customer.
        """
        return await self._customers.mail_problems(customer)

    async def set_payment_method(
        self,
        customer: str,
        token: str,
        *,
        mandate: MandateGiven | None = None,
        command_id: str | None = None,
    ) -> MethodSet:
        """Save a payment method and charge with it what is open; see `PaymentMethods.add`."""
        return await self.methods.add(customer, token, mandate=mandate, command_id=command_id)

    # Subscriptions; what is asked of a running one is in `Commands`

    async def start_subscription(self, order: NewSubscription, *, or_describe: bool = False) -> Started:
        """Start a subscription; the same id or reference twice is one; see `Subscriptions.start`."""
        return await self._subscriptions.start(order, or_describe=or_describe)

    async def describe_subscription(self, subscription: str, custom: Custom) -> SubscriptionRow:
        """Other metadata; see `Subscriptions.describe`."""
        return await self._subscriptions.describe(subscription, custom)

    async def settle_payment(
        self,
        invoice: str,
        *,
        payment_intent: str | None = None,
        command_id: str | None = None,
        by: str = "api",
        reason: str = "",
    ) -> Settled:
        """Settle by hand a payment that has had no answer; see `Settling.settle`."""
        return await self._settling.settle(
            invoice, payment_intent=payment_intent, command_id=command_id, by=by, reason=reason
        )

    # Questions

    async def state(self, subscription: str) -> StateAnswer:
        """How a subscription stands, from its workflow, else from the books; see `Reading.state`."""
        return await self._reading.state(subscription)

    async def subscription(self, subscription: str) -> SubscriptionRow:
        """The row of a subscription; see `Reading.subscription`."""
        return await self._reading.subscription(subscription)

    async def show(self, subscription: str) -> Overview:
        """A subscription as support reads it; see `Reading.show`."""
        return await self._reading.show(subscription)

    async def diary(self, subscription_or_customer: str) -> list[Fact]:
        """What happened, in order; see `Reading.diary`."""
        return await self._reading.diary(subscription_or_customer)

    async def accounts(self, clock_id: str | None = None) -> Accounts:
        """The books for an auditor; see `Reading.accounts`."""
        return await self._reading.accounts(clock_id)

    async def list_subscriptions(
        self, *, status: str | None = None, customer: str | None = None, limit: int = 100
    ) -> Sequence[SubscriptionRow]:
        """The newest subscriptions; see `Reading.list_subscriptions`."""
        return await self._reading.list_subscriptions(status=status, customer=customer, limit=limit)

    async def customers_of(self, rows: Sequence[SubscriptionRow]) -> Mapping[str, Customer]:
        """The customers of these subscriptions, by their ids."""
        return await self._reading.customers_of(rows)

    async def list_invoices(
        self, *, status: str | None = None, subscription: str | None = None, limit: int = 100
    ) -> Sequence[Invoice]:
        """The newest invoices; see `Reading.list_invoices`."""
        return await self._reading.list_invoices(status=status, subscription=subscription, limit=limit)

    async def invoice(self, invoice: str) -> InvoiceDocument:
        """An invoice by id or number; see `Reading.invoice`."""
        return await self._reading.invoice(invoice)

    async def wait_for(self, command_id: str, *, seconds: float = WAIT_SECONDS) -> CommandOutcome:
        """Wait until a command was carried out; see `Reading.wait_for`."""
        return await self._reading.wait_for(command_id, seconds=seconds)

    async def wait_for_first_payment(
        self, subscription: str, *, seconds: float = WAIT_SECONDS
    ) -> FirstPayment:
        """Wait for the outcome of the first payment; see `Reading.wait_for_first_payment`."""
        return await self._reading.wait_for_first_payment(subscription, seconds=seconds)

    # Test clocks

    async def create_clock(self, name: str, now: datetime, *, clock_id: str | None = None) -> TestClock:
        """Make a test clock that stands at `now`; see `Clocks.create`."""
        return await self._clocks.create(name, now, clock_id=clock_id)

    async def clock(self, clock_id: str) -> TestClock:
        """A test clock.

        Raises:
            NotFound: there is none.
        """
        return await self._clocks.find(clock_id)

    async def list_clocks(self) -> Sequence[TestClock]:
        """Every test clock."""
        return await self._clocks.list()

    async def set_clock_off(self, clock_id: str, to: datetime) -> None:
        """Let a clock move on, and wait for nothing; see `Clocks.set_off`."""
        await self._clocks.set_off(clock_id, to)

    async def advance_clock(
        self, clock_id: str, to: datetime, *, progress: Progress | None = None
    ) -> datetime:
        """Move a clock on and wait until all that is due is done; see `Clocks.advance`."""
        return await self._clocks.advance(clock_id, to, progress=progress)
