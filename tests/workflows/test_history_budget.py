"""What a renewal costs in history events and in Actions (engine 28), and what a subscription carries along.

Counted on the time-skipping server: a test clock has an Update for each of its ticks, which real time has not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from fakes import FakeStripe
from support.life import Person, SkippingLife, skipping
from support.mailroom import Mailbox
from support.subscriptions import PRO, TEAM, a_subscription, books
from temporalio.api.history.v1 import HistoryEvent
from temporalio.contrib.pydantic import pydantic_data_converter

from billing.commands import ChangePlan, ChangeQuantity
from billing.decide import accept
from billing.lifecycle import cross_boundary
from billing.standing import settle
from models.boundary import SubscriptionRun
from models.database import Database

ONE_ACTION_EACH = (
    "workflow_execution_started",
    "timer_started",
    "activity_task_scheduled",
    "workflow_execution_signaled",
    "workflow_execution_update_accepted",
)
"""What Temporal Cloud bills by the piece. Beside it: local activities by the workflow task, repeats of activities, and
changes of our own search attributes; that of a patch marker is free."""


@pytest.fixture
async def world(
    sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[SkippingLife]:
    async with skipping(sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31") as life:
        yield life


def kind_of(event: HistoryEvent) -> str:
    return (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")


@dataclass(frozen=True)
class Cost:
    events: int
    actions: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.events + other.events, self.actions + other.actions)


def cost_of(events: Sequence[HistoryEvent]) -> Cost:
    kinds = Counter(kind_of(event) for event in events)
    local_activities = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in events
        if event.marker_recorded_event_attributes.marker_name == "core_local_activity"
    }
    upserts = sum(
        "TemporalChangeVersion"
        not in event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        for event in events
        if kind_of(event) == "upsert_workflow_search_attributes"
    )
    repeats = sum(
        event.activity_task_started_event_attributes.attempt - 1
        for event in events
        if kind_of(event) == "activity_task_started"
    )
    actions = sum(kinds[kind] for kind in ONE_ACTION_EACH) + len(local_activities) + upserts + repeats
    return Cost(len(events), actions)


async def runs_of(world: SkippingLife, workflow_id: str) -> list[list[HistoryEvent]]:
    """The histories of all runs of one workflow id, oldest first."""
    runs: list[list[HistoryEvent]] = []
    run_id: str | None = None
    while run_id != "":
        handle = world.client.get_workflow_handle(workflow_id, run_id=run_id)
        events = list((await handle.fetch_history()).events)
        runs.insert(0, events)
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return runs


async def subscription_runs(person: Person, world: SkippingLife) -> list[list[HistoryEvent]]:
    return await runs_of(world, f"subscription/{person.subscription_id}")


def said(runs: Iterable[Sequence[HistoryEvent]]) -> str:
    """For whoever has to find out what grew."""
    return "\n".join(", ".join(kind_of(event) for event in run) for run in runs)


async def test_a_happy_renewal(world: SkippingLife) -> None:
    anna = await world.signs_up("anna")
    await world.until("2041-04-01")
    _, *renewals, _ = await subscription_runs(anna, world)
    assert len(renewals) == 2
    for run in renewals:
        cost = cost_of(run)
        assert cost.events <= 20, said([run])
        assert cost.actions <= 5, said([run])


async def test_a_month_of_four_failed_retries(world: SkippingLife) -> None:
    """The renewal that failed, its collection, and what the subscription's next run had to hear of it."""
    anna = await world.signs_up("anna", card={"outcomes": ["ok"], "then": "insufficient_funds"})
    await world.until("2041-03-01")
    (invoice_id,) = (await anna.state()).subscription.open_invoices
    await world.until("2041-03-20")  # the day before the end
    assert (await anna.diary())[6:] == [
        "2041-02-28 invoice 58.80 issued",
        "2041-02-28 charge declined: insufficient_funds",
        "2041-02-28 status past_due",
        "2041-02-28 mail invoice_issued",
        "2041-02-28 mail payment_failed",
        "2041-03-01 charge declined: insufficient_funds",
        "2041-03-03 charge declined: insufficient_funds",
        "2041-03-03 mail payment_reminder",
        "2041-03-07 charge declined: insufficient_funds",
        "2041-03-07 mail payment_reminder",
        "2041-03-14 charge declined: insufficient_funds",
        "2041-03-14 mail last_notice",
    ]
    _, renewal, next_run = await subscription_runs(anna, world)
    month = [renewal, next_run, *await runs_of(world, f"collection/{invoice_id}")]
    cost = sum((cost_of(run) for run in month), Cost(0, 0))
    assert cost.events <= 100, said(month)
    assert cost.actions <= 19, said(month)


def test_the_state_stays_small() -> None:
    """Under 8 KB after 120 periods with changes (engine 14): nothing in it grows with age."""
    sub = a_subscription(
        id="sub_01m81c4sap0d3gnhxh380qag",
        customer_id="cus_01m81bhm1d8yzv56kghx1qcb",
        method_expires_on=date(2060, 12, 31),
    )
    for number in range(120):
        at = sub.boundary_at
        assert at is not None
        terms = PRO if number % 2 else TEAM.model_copy(update={"quantity": 10 + number})
        change = ChangePlan(command_id=f"change-{number}", plan_id=terms.plan_id, terms=terms)
        sub = accept(sub, change, at - timedelta(days=3)).after
        sub = cross_boundary(sub, at, catch_up_limit=2).after
        open_invoice = f"in_{number:024}"
        sub = settle(sub, books(open_invoice, arrears=(open_invoice,)), at).after
        sub = settle(sub, books(covered_until=sub.boundary_on), at).after
    assert sub.period is not None
    assert sub.period.start == date(2051, 6, 1)
    waiting = tuple(ChangeQuantity(command_id=f"{number:032}", quantity=number) for number in range(1, 11))
    run = SubscriptionRun(subscription=sub, inbox=waiting, last_bad_signal="x" * 300)
    (payload,) = pydantic_data_converter.payload_converter.to_payloads([run])
    assert len(payload.data) < 8 * 1024
