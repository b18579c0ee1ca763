"""Commands that come twice, at the wrong moment, or that are no commands: none lost, none applied twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlmodel import col, func, select
from support.diaries import joined, renewed
from support.life import Begins, Life, Person
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue

from billing.commands import Cancel, ChangePlan, When
from billing.payment import AttemptState
from models.tables import OutgoingEvent, PaymentAttempt, SubscriptionRow
from starter.orders import NewSubscription
from starter.problems import AlreadyExists, CommandRefused

SECONDS_AT_THE_BANK = 2.5
PATIENCE_SECONDS = 100


@asynccontextmanager
async def charge_in_flight(world: Life, day: str) -> AsyncIterator[None]:
    """Time has come to `day` and the bank thinks about a charge; it answers while the block goes on."""
    world.fake.post(
        "faults",
        {
            "match": {"method": "POST", "path": "payment_intents"},
            "delay_seconds": SECONDS_AT_THE_BANK,
            "after_work": True,
        },
    )
    moving = asyncio.create_task(world.until(day))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await _begun(world):  # noqa: ASYNC110 - another process begins it
                await asyncio.sleep(0.05)
        yield
    finally:
        await moving


async def _begun(world: Life) -> bool:
    query = select(PaymentAttempt.id).where(PaymentAttempt.state == AttemptState.STARTED)
    async with world.database.read() as session:
        return (await session.exec(query)).first() is not None


async def test_a_plan_change_signalled_while_a_charge_is_under_way(life: Begins) -> None:
    """The invoice was written before it came, so the change is for the next boundary (engine 9)."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        async with charge_in_flight(world, "2041-06-01"):
            await anna.sends(ChangePlan(command_id="change", plan_id="max"))
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *joined("2041-05-01", "58.80"),
            "2041-06-01 invoice 58.80 issued",
            "2041-06-01 charge paid 58.80",
            "2041-06-01 plan change to Max asked",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-07-01 plan changed to Max",
            "2041-07-01 invoice 118.80 issued",
            "2041-07-01 charge paid 118.80",
            "2041-07-01 mail invoice_issued",
            "2041-07-01 mail receipt",
            "2041-07-01 mail plan_changed",
        ]


async def test_a_cancel_now_while_a_charge_is_under_way(life: Begins) -> None:
    """The charge is waited for and its money is booked; then 29 of 30 days go back, and nothing is charged again."""
    async with life("2041-05-01") as world:
        paid = await world.signs_up("paid")
        async with charge_in_flight(world, "2041-06-01"):
            await paid.tells(Cancel(command_id="cancel", when=When.NOW))
        await world.until("2041-07-02")
        assert await paid.diary() == [
            *joined("2041-05-01", "58.80"),
            "2041-06-01 invoice 58.80 issued",
            "2041-06-01 charge paid 58.80",
            # 49.00 x 29 / 30 = 47.37, VAT 9.47
            "2041-06-01 credit note 56.84 issued",
            "2041-06-01 status canceled: canceled now",
            "2041-06-01 access ends",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-06-01 mail subscription_canceled",
        ]
        (note,) = await paid.credit_notes()
        assert (note.closes_minor, note.balance_minor) == (0, 5684)


async def test_a_cancel_now_while_a_charge_is_declined(life: Begins) -> None:
    """I5: the one under way was the last that nobody asked for. What is still due is asked for by mail."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card={"outcomes": ["ok"], "then": "insufficient_funds"})
        async with charge_in_flight(world, "2041-06-01"):
            await anna.tells(Cancel(command_id="cancel", when=When.NOW))
        await world.until("2041-06-09")
        assert await anna.diary() == [
            *joined("2041-05-01", "58.80"),
            "2041-06-01 invoice 58.80 issued",
            "2041-06-01 charge declined: insufficient_funds",
            "2041-06-01 credit note 56.84 issued",
            "2041-06-01 status past_due",
            "2041-06-01 status canceled: canceled now",
            "2041-06-01 access ends",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail payment_failed",
            "2041-06-01 mail subscription_canceled",
            "2041-06-04 mail payment_reminder",
            "2041-06-08 mail payment_reminder",
        ]


async def test_one_start_asked_for_twice(life: Begins) -> None:
    """One after the other, and both at once: one subscription, one invoice, one charge. Another plan is refused."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        again = await world.subscriptions.start(
            NewSubscription(reference="anna", customer=anna.customer_id, plan="pro")
        )
        assert (again.subscription_id, again.is_new) == (anna.subscription_id, False)
        with pytest.raises(AlreadyExists, match="was started with another plan"):
            await world.subscriptions.start(
                NewSubscription(reference="anna", customer=anna.customer_id, plan="max")
            )

        bert = await world.signs_up("bert")
        order = NewSubscription(id="sub_one", customer=bert.customer_id, plan="max")
        both = await asyncio.gather(*(world.subscriptions.start(order) for _ in range(5)))
        assert {started.subscription_id for started in both} == {"sub_one"}
        assert sum(started.is_new for started in both) == 1
        await world.until("2041-05-02")
        one = Person(world, "bert", bert.customer_id, bert.method, subscription_id="sub_one")
        assert await one.diary() == joined("2041-05-01", "118.80")
        assert await anna.diary() == joined("2041-05-01", "58.80")
        assert await bert.diary() == joined("2041-05-01", "58.80")
        assert len(world.fake.get("ledger")["charges"]) == 3
        async with world.database.read() as session:
            assert (await session.exec(select(func.count(col(SubscriptionRow.id))))).one() == 3


async def test_one_command_asked_for_twice(life: Begins) -> None:
    """The same id is the same command, at once or a period later; for another command it is taken."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        change = ChangePlan(command_id="change", plan_id="max")
        await asyncio.gather(*(anna.tells(change) for _ in range(3)))
        await world.until("2041-06-02")
        assert (await anna.tells(change)).command_id == "change"
        await anna.sends(change)
        with pytest.raises(CommandRefused, match="was used for another command"):
            await anna.tells(ChangePlan(command_id="change", plan_id="pro"))
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *joined("2041-05-01", "58.80")[:4],
            "2041-05-01 plan change to Max asked",
            *joined("2041-05-01", "58.80")[4:],
            "2041-06-01 plan changed to Max",
            "2041-06-01 invoice 118.80 issued",
            "2041-06-01 charge paid 118.80",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-06-01 mail plan_changed",
            *renewed("2041-07-01", "118.80"),
        ]


def handle_of(person: Person) -> WorkflowHandle[Any, Any]:
    return person.life.client.get_workflow_handle(f"subscription/{person.subscription_id}")


async def history_of(person: Person) -> list[int]:
    """Types of the events in the history, but for the tasks: one server drops those of a refusal, the other keeps."""
    tasks = (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
    ignored = {*tasks, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED}
    events = (await handle_of(person).fetch_history()).events
    return [event.event_type for event in events if event.event_type not in ignored]


async def test_a_bad_update_leaves_no_trace_in_history(life: Begins) -> None:
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        before = await history_of(anna)
        bad: list[tuple[str, dict[str, Any]]] = [
            ("change_quantity", {"command_id": "a", "quantity": 0}),
            ("change_quantity", {"command_id": "b", "quantity": 3}),
            ("change_plan", {"command_id": "c"}),
            ("cancel", {"command_id": "d", "when": "tomorrow"}),
            ("cancel", {"command_id": "", "when": "now"}),
            ("resume", {"command_id": "e"}),
            ("keep", {"command_id": "f"}),
            ("retry_now", {"command_id": "g"}),
            ("pause", {"command_id": "h", "credit": True}),
        ]
        for name, content in bad:
            with pytest.raises(WorkflowUpdateFailedError):
                await handle_of(anna).execute_update(name, content)
        assert await history_of(anna) == before
        await world.until("2041-06-02")
        assert await anna.diary() == [*joined("2041-05-01", "58.80"), *renewed("2041-06-01", "58.80")]


async def test_bad_signals_are_counted_and_the_subscription_lives_on(life: Begins) -> None:
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        handle = handle_of(anna)
        no_json = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{not json"))
        await handle.signal("change_plan", no_json)
        await world.settle()
        assert (await anna.state()).bad_signals == 1
        await handle.signal("cancel", {"command_id": "a", "when": "tomorrow"})
        await handle.signal("cancel", 7)
        await handle.signal("look", {"now": "never"})
        await handle.signal("payment_settled", [1, 2])
        await handle.signal("change_plan", {"command_id": "b", "plan_id": "plan_nowhere"})
        await handle.signal("no_such_signal", {"x": 1})
        await world.settle()
        state = await anna.state()
        assert state.bad_signals == 5
        assert state.last_bad_signal.startswith("payment_settled: ")
        assert state.last_refusal == "There is no plan plan_nowhere on offer."
        async with world.database.read() as session:
            query = select(OutgoingEvent).where(OutgoingEvent.name == "subscription.command_refused")
            told = [event.data for event in (await session.exec(query)).all()]
        assert told == [{"command": "b", "kind": "change_plan", "reason": state.last_refusal}]
        await world.until("2041-06-02")
        assert await anna.diary() == [*joined("2041-05-01", "58.80"), *renewed("2041-06-01", "58.80")]


async def test_a_signal_behind_a_cancel_changes_nothing(life: Begins) -> None:
    """Both wait while a charge is under way: the second is refused by what the first will have done."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        async with charge_in_flight(world, "2041-06-01"):
            await anna.sends(Cancel(command_id="a", when=When.NOW))
            await anna.sends(ChangePlan(command_id="b", plan_id="max"))
        await world.settle()
        state = await anna.state()
        assert state.bad_signals == 1
        assert state.last_bad_signal.endswith("(canceled now). Start a new subscription instead.")
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *joined("2041-05-01", "58.80"),
            "2041-06-01 invoice 58.80 issued",
            "2041-06-01 charge paid 58.80",
            "2041-06-01 credit note 56.84 issued",
            "2041-06-01 status canceled: canceled now",
            "2041-06-01 access ends",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-06-01 mail subscription_canceled",
        ]
