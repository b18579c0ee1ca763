"""What ops find in the Temporal UI without opening code: filters, details, summaries. On the ordinary server."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from fakes import FakeStripe
from support.life import ClockedLife, Person, clocked, skipping
from support.mailroom import Mailbox
from support.recorded import runs_of
from support.subscriptions import NOW, a_subscription
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHistory

from billing.commands import Cancel
from models.attributes import (
    BILLING_STATUS,
    CLOCK_ID,
    COLLECTION_STEP,
    CUSTOMER_ID,
    DUNNING_ATTEMPT,
    NEXT_BILLING_AT,
    PARKED_REASON,
    PAST_DUE_SINCE,
    PLAN_ID,
)
from models.boundary import PlannedStep
from models.database import Database
from workflows.details import subscription_details

WITHIN_SECONDS = 60
"""Visibility follows a little later."""
TIMER, ACTIVITY = EventType.EVENT_TYPE_TIMER_STARTED, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
FAILS = {"outcomes": ["ok"], "then": "insufficient_funds"}


@pytest.fixture
async def world(
    temporal_server: str, sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with clocked(
        temporal_server, sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31"
    ) as world:
        yield world


async def listed(world: ClockedLife, query: str) -> set[str]:
    """The ids of our executions that a filter shows: of one run each, since an earlier one keeps what it had."""
    mine = f"{query} AND ClockId = '{world.clock}' AND ExecutionStatus != 'ContinuedAsNew'"
    return {execution.id async for execution in world.client.list_workflows(mine)}


async def soon_listed(world: ClockedLife, query: str, expected: set[str]) -> None:
    ends = time.monotonic() + WITHIN_SECONDS
    while (found := await listed(world, query)) != expected:
        assert time.monotonic() < ends, f"{query} shows {found}"
        await asyncio.sleep(0.1)


async def details_of(client: Client, workflow_id: str) -> dict[str, str]:
    """The current details as ops read them: a table of two columns."""
    return table(await metadata_of(client, workflow_id))


async def metadata_of(client: Client, workflow_id: str) -> WorkflowMetadata:
    handle = client.get_workflow_handle(workflow_id)
    answer: WorkflowMetadata = await handle.query(
        "__temporal_workflow_metadata", result_type=WorkflowMetadata
    )
    return answer


def table(metadata: WorkflowMetadata) -> dict[str, str]:
    rows = [line.strip("|").split("|") for line in metadata.current_details.splitlines()]
    return {row[0].strip(): row[1].strip() for row in rows[2:]}


def subscription_of(person: Person) -> str:
    return f"subscription/{person.subscription_id}"


async def invoice_of(person: Person) -> str:
    """The one open invoice."""
    (invoice,) = (await person.state()).subscription.open_invoices
    return invoice


def text_in(payload: Payload) -> str:
    return payload.data.decode().strip('"')


def summaries(history: WorkflowHistory, kind: EventType.ValueType) -> list[str]:
    """What each event of this kind says of itself."""
    return [text_in(event.user_metadata.summary) for event in history.events if event.event_type == kind]


async def test_filters_find_who_is_past_due(world: ClockedLife) -> None:
    anna = await world.signs_up("anna", card=FAILS)
    ben = await world.signs_up("ben")
    await world.until("2041-03-02")
    invoice = await invoice_of(anna)
    late, fine = subscription_of(anna), subscription_of(ben)

    await soon_listed(world, "BillingStatus = 'past_due'", {late})
    await soon_listed(world, "BillingStatus = 'active' AND NextBillingAt < '2041-03-31T00:00:00Z'", {fine})
    await soon_listed(world, "PastDueSince < '2041-03-01T00:00:00Z'", {late})
    await soon_listed(world, "CollectionStep = 'driving'", {f"collection/{invoice}"})

    about = (await world.client.get_workflow_handle(late).describe()).typed_search_attributes
    assert about[BILLING_STATUS] == "past_due"
    assert about[CUSTOMER_ID] == anna.customer_id
    assert about[PLAN_ID] == (await anna.state()).subscription.terms.plan_id
    assert about[CLOCK_ID] == world.clock
    assert about[PAST_DUE_SINCE] == datetime(2041, 2, 27, 23, tzinfo=UTC)  # midnight in Paris
    assert about[NEXT_BILLING_AT] == datetime(2041, 3, 30, 23, tzinfo=UTC)  # summer time begins an hour later
    assert about.get(PARKED_REASON) is None

    chase = (
        await world.client.get_workflow_handle(f"collection/{invoice}").describe()
    ).typed_search_attributes
    assert chase[COLLECTION_STEP] == "driving"
    assert chase[DUNNING_ATTEMPT] == 1  # as it was handed over: each later change would cost an Action
    assert chase[CLOCK_ID] == world.clock


async def test_filters_show_what_ended_and_what_needs_a_person(world: ClockedLife) -> None:
    anna = await world.signs_up("anna", card=FAILS)
    ben = await world.signs_up("ben")
    cleo = await world.signs_up("cleo")
    await world.until("2041-02-10")
    await world.client.get_workflow_handle(subscription_of(ben)).cancel()
    await cleo.tells(Cancel(command_id="bye"))
    await world.until("2041-03-25")
    invoice = await invoice_of(anna)

    await soon_listed(world, "BillingStatus = 'unpaid'", {subscription_of(anna)})
    await soon_listed(world, "CollectionStep = 'ended'", {f"collection/{invoice}"})
    await soon_listed(world, "CollectionStep = 'ended' AND DunningAttempt >= 5", {f"collection/{invoice}"})
    await soon_listed(world, "ParkedReason IS NOT NULL", {subscription_of(ben)})
    await soon_listed(world, "BillingStatus = 'canceled'", {subscription_of(cleo)})

    parked = await details_of(world.client, subscription_of(ben))
    assert parked["Parked"] == (
        "**Cancel was pressed in the Temporal UI.** Resume it, or send it a cancel command."
    )


def test_details_name_the_date_of_a_cancel_and_the_day_on_which_it_ends() -> None:
    renews = PlannedStep(what="boundary", due=None, why="renewal on 2041-07-01")
    details = subscription_details(a_subscription(cancel_on=date(2041, 7, 15)), renews, NOW)
    assert "| Pending\u00a0\u00a0 | cancel for 2041-07-15: it ends on 2041-08-01 |" in details
    in_its_last = subscription_details(a_subscription(cancel_on=date(2041, 6, 15)), renews, NOW)
    assert "| Pending\u00a0\u00a0 | cancel at the period's end |" in in_its_last


async def test_details_of_a_subscription_in_dunning(world: ClockedLife) -> None:
    anna = await world.signs_up("anna", card=FAILS)
    await world.until("2041-03-02")
    invoice = await invoice_of(anna)

    assert await details_of(world.client, subscription_of(anna)) == {
        "Status": "**past_due**, entitled",
        "Plan": "Pro, every month",
        "Period": "2041-02-28 to 2041-03-31",
        "Next": "renewal on 2041-03-31",
        "Amount": "49.00 EUR before tax, on 2041-03-31",
        "On": "2041-03-30 23:00 UTC",
        "Open": f"`{invoice}`",
        "In arrears": f"`collection/{invoice}`: there is what was tried, and what comes next",
    }
    assert await details_of(world.client, f"collection/{invoice}") == {
        "Invoice": f"`{invoice}`",
        "Of": f"`{subscription_of(anna)}`",
        "Owed": "58.80 EUR",
        "Attempts": "2",
        "Declined": "insufficient_funds",
        "Next": "**charge**: insufficient funds; retry 2 of 4 on 3 March 2041 (day 3 of policy monthly v1)",
        "On": "2041-03-03 08:00 UTC",
        "Role": "driving",
    }


async def test_handlers_say_what_to_type(world: ClockedLife) -> None:
    anna = await world.signs_up("anna")
    definition = (await metadata_of(world.client, subscription_of(anna))).definition
    updates = {handler.name: handler.description for handler in definition.update_definitions}
    assert updates["cancel"] == 'The end: {"command_id", "when": "now" or "period_end"}'
    handlers = [
        *definition.update_definitions, *definition.signal_definitions, *definition.query_definitions,
    ]  # fmt: skip
    ours = [handler for handler in handlers if not handler.name.startswith("__")]
    assert len(ours) > 10
    assert [handler.name for handler in ours if not handler.description] == []


async def test_nobody_is_named(world: ClockedLife) -> None:
    anna = await world.signs_up("quitterie", card=FAILS)
    await world.until("2041-03-02")
    for workflow_id in (subscription_of(anna), f"collection/{await invoice_of(anna)}"):
        metadata = await metadata_of(world.client, workflow_id)
        about = await world.client.get_workflow_handle(workflow_id).describe()
        seen = f"{metadata} {about.raw_description} {about.static_summary}".lower()
        assert anna.subscription_id in seen
        assert "quitterie" not in seen
        assert "example.com" not in seen


async def test_timers_and_activities_say_what_they_are_for(
    sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox
) -> None:
    """On Temporal's own time: a test clock starts no timers."""
    async with skipping(sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31") as world:
        anna = await world.signs_up("anna", card=FAILS)
        await world.until("2041-03-05")
        (chase,) = await runs_of(world.client, f"collection/{await invoice_of(anna)}")
        _, february, march = await runs_of(world.client, subscription_of(anna))
        assert summaries(february, TIMER) == ["renewal on 2041-02-28"]
        assert summaries(february, ACTIVITY) == ["first charge"]
        assert summaries(march, TIMER) == ["renewal on 2041-03-31"]
        tries = [
            "insufficient funds; retry 1 of 4 on 1 March 2041 (day 1 of policy monthly v1)",
            "insufficient funds; retry 2 of 4 on 3 March 2041 (day 3 of policy monthly v1)",
            "insufficient funds; retry 3 of 4 on 7 March 2041 (day 7 of policy monthly v1)",
        ]
        assert summaries(chase, TIMER) == tries
        assert summaries(chase, ACTIVITY) == tries[:2]
