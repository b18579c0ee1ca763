"""Starting subscriptions with no worker up: the row, the execution, and what is refused before either."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fakes import TEST_KEY, FakeStripe
from pydantic import SecretStr
from sqlmodel import select

from billing.commands import Cancel
from billing.errors import InvalidInput, RelanceError
from billing.refusal import SeatsNotPriced
from models.database import Database
from models.ids import new_id
from models.parties import Address, Contact
from models.tables import SubscriptionRow
from settings import Settings
from starter.client import RelanceClient
from starter.connect import TemporalUnreachable
from starter.orders import NewCustomer, NewEntity, NewPlan, NewSubscription
from starter.problems import AlreadyExists, NoWorker
from starter.subscriptions import Subscriptions, offset_seconds

PARIS = Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR")
NOON = datetime(2041, 1, 31, 11, 0, tzinfo=UTC)


async def noon() -> datetime:
    return NOON


async def open_shop(client: RelanceClient) -> None:
    await client.create_entity(NewEntity(name="Exemple SAS", address=PARIS, sender="factures@example.com"))
    await client.create_plans(
        [
            NewPlan(reference="pro", name="Pro", currency="EUR", every="1month", amount=Decimal("49.00")),
            NewPlan(
                reference="team",
                name="Team",
                currency="EUR",
                every="1year",
                amount=Decimal(12),
                per_seat=True,
            ),
        ]
    )
    await client.create_customer(
        NewCustomer(reference="anna", name="Anna", contacts=(Contact(email="anna@example.com"),))
    )


@pytest.fixture
async def client(
    sqlite_database: Database, fake_stripe: FakeStripe, temporal_server: str
) -> AsyncIterator[RelanceClient]:
    settings = Settings(
        temporal_address=temporal_server,
        task_queue=new_id("queue"),
        stripe_api_key=SecretStr(TEST_KEY),
        stripe_api_base=fake_stripe.base,
        boundary_window_minutes=60,
    )
    client = RelanceClient(sqlite_database, None, settings, now=noon)
    await open_shop(client)
    yield client
    await client.close()


def order(**changes: object) -> NewSubscription:
    return NewSubscription.model_validate({"reference": "a", "customer": "anna", "plan": "pro"} | changes)


async def rows(database: Database) -> list[SubscriptionRow]:
    async with database.read() as session:
        return list((await session.exec(select(SubscriptionRow))).all())


async def test_a_start_asked_twice_is_one_subscription(
    client: RelanceClient, sqlite_database: Database
) -> None:
    # A reference is unique per database only; the server of the session is shared.
    mine = order(id=new_id("sub"), reference="a")
    first = await client.start_subscription(mine)
    again = await client.start_subscription(order(reference="a"))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.subscription_id == first.subscription_id
    [row] = await rows(sqlite_database)
    assert row.status == "scheduled"
    assert row.state.signed_up_at == NOON
    assert row.state.starts_on == date(2041, 1, 31)
    assert not row.state.has_method

    temporal = await client.connections.temporal()
    execution = await temporal.get_workflow_handle(f"subscription/{row.id}").describe()
    assert execution.task_queue == client.connections.settings.task_queue
    assert (
        execution.raw_description.execution_config.default_workflow_task_timeout.ToTimedelta()
        == timedelta(seconds=3)
    )
    attributes = {pair.key.name: pair.value for pair in execution.typed_search_attributes}
    assert attributes["BillingStatus"] == "scheduled"
    assert attributes["CustomerId"] == row.customer_id
    assert await execution.static_summary() == "plan Pro, every month"


async def test_the_same_reference_with_other_content_is_refused(
    client: RelanceClient, sqlite_database: Database
) -> None:
    await client.start_subscription(order(id=new_id("sub")))
    with pytest.raises(AlreadyExists, match="was started with another plan") as refusal:
        await client.start_subscription(order(plan="team"))
    assert refusal.value.field == "plan"
    assert len(await rows(sqlite_database)) == 1


async def test_terms_are_the_plans_with_what_was_agreed(
    client: RelanceClient, sqlite_database: Database
) -> None:
    await client.start_subscription(
        order(id=new_id("sub"), plan="team", quantity=3, amount="9.50", trial_days=14, starts_on="2041-03-01")
    )
    [row] = await rows(sqlite_database)
    terms = row.state.terms
    assert (terms.quantity, terms.trial_days, terms.prices[0].unit_amount) == (3, 14, Decimal("9.50"))
    assert row.state.starts_on == date(2041, 3, 1)


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"starts_on": "2041-01-30"}, InvalidInput, "starts_on"),
        ({"quantity": 2}, SeatsNotPriced, "quantity"),
        ({"plan": "none"}, RelanceError, "plan"),
        ({"customer": "nobody"}, RelanceError, "customer"),
        ({"dunning_policy": "gentle"}, InvalidInput, "dunning_policy"),
        ({"id": "anna"}, InvalidInput, "id"),
    ],
)
async def test_a_wrong_order_leaves_no_row(
    client: RelanceClient,
    sqlite_database: Database,
    change: dict[str, Any],
    error: type[RelanceError],
    field: str,
) -> None:
    with pytest.raises(error) as refusal:
        await client.start_subscription(order(**change))
    assert refusal.value.field == field
    assert await rows(sqlite_database) == []


async def test_a_plan_off_the_offer_cannot_be_started(
    client: RelanceClient, sqlite_database: Database
) -> None:
    await client.archive_plan("pro")
    with pytest.raises(InvalidInput, match="no longer on offer"):
        await client.start_subscription(order())
    assert await rows(sqlite_database) == []


async def test_without_temporal_nothing_is_written(
    sqlite_database: Database, fake_stripe: FakeStripe
) -> None:
    settings = Settings(
        temporal_address="127.0.0.1:1",
        stripe_api_key=SecretStr(TEST_KEY),
        stripe_api_base=fake_stripe.base,
    )
    client = RelanceClient(sqlite_database, None, settings)
    await open_shop(client)
    with pytest.raises(
        TemporalUnreachable, match=r"cannot be reached at 127\.0\.0\.1:1: start it or set TEMPORAL_ADDRESS"
    ):
        await client.start_subscription(order())
    assert await rows(sqlite_database) == []
    await client.close()


async def test_without_a_worker_a_command_is_not_accepted_and_the_state_comes_from_the_books(
    client: RelanceClient,
) -> None:
    started = await client.start_subscription(order(id=new_id("sub")))
    doors = Subscriptions(client.connections)
    with pytest.raises(NoWorker, match="ask again with the same command id c1"):
        await doors.tell(started.subscription_id, Cancel(command_id="c1"), patience=0.5)
    answer = await client.state("a")
    assert answer.source == "books"
    assert answer.as_of == NOON
    assert answer.state.next.what == "start"


def test_the_offset_is_a_subscriptions_own_and_within_the_window() -> None:
    assert offset_seconds("sub_1", window_minutes=0) == 0
    places = [offset_seconds(f"sub_{number}", window_minutes=60) for number in range(200)]
    assert min(places) >= 0
    assert max(places) < 3600
    assert len(set(places)) > 150
    # The first eight bytes of sha256("sub_1") as a number, modulo 3600: fixed for ever.
    assert offset_seconds("sub_1", window_minutes=60) == 2641
