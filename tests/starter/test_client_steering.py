"""Steering a chase through the client and, for ops, by a signal from Temporal's UI; on a test clock, workers up."""

from __future__ import annotations

from datetime import date

import pytest
from sqlmodel import col, select
from support.life import ClockedLife, Person

from activities.books.correcting import CommandIdTaken
from activities.books.rows import NotFound
from billing.dunning import DunningPolicy
from billing.refusal import Refused
from billing.steering import Extend, Hold, Promise, Release, Skip
from billing.subscription import Status
from models.boundary import CollectionState
from models.tables import CommandRow
from starter.client import RelanceClient

NO = "insufficient_funds"
FAILS = {"outcomes": ["ok"], "then": NO}


async def open_invoice(person: Person) -> str:
    (invoice,) = [i for i in await person.invoices() if i.status == "open"]
    return invoice.id


async def days_of(person: Person, since: str) -> list[str]:
    return [line for line in await person.diary() if line >= since]


async def test_a_promise_holds_everything_and_is_charged_on_its_day(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up(card=["ok", NO, "ok"])
    await world.until("2041-02-28")
    invoice = await open_invoice(anna)
    promise = Promise(
        command_id="call-17", by="zoe", reason="she called, salary on the 10th", on=date(2041, 3, 10)
    )
    done = await client.steering.steer(invoice, promise)
    assert done.report.step.why.sentence().endswith("on 10 March 2041 (day 7 of policy monthly v1)")
    # The same call again is the same promise; the id for something else is refused.
    await client.steering.steer(invoice, promise)
    with pytest.raises(CommandIdTaken):
        await client.steering.steer(invoice, Skip(command_id="call-17"))
    await world.until("2041-03-20")
    assert await days_of(anna, "2041-02-28") == [
        "2041-02-28 invoice 58.80 issued",
        "2041-02-28 charge declined: insufficient_funds",
        "2041-02-28 status past_due",
        "2041-02-28 mail invoice_issued",
        "2041-02-28 mail payment_failed",
        "2041-02-28 dunning promise by zoe",
        "2041-02-28 mail promise_noted",
        "2041-03-10 charge paid 58.80",
        "2041-03-10 status active",
        "2041-03-10 mail receipt",
    ]
    (letter,) = [mail for mail in await anna.letters() if mail.kind == "promise_noted"]
    assert "10 mars 2041" in letter.subject
    assert "58,80" in letter.text
    async with world.database.read() as session:
        kept = await session.get_one(CommandRow, "call-17")
    assert (kept.kind, kept.by, kept.reason, kept.outcome) == (
        "dunning.promise",
        "zoe",
        "she called, salary on the 10th",
        "applied",
    )


async def test_a_pause_a_release_a_skip_and_more_time(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up(card=FAILS)
    await world.until("2041-02-28")
    invoice = await open_invoice(anna)
    await client.steering.steer(invoice, Hold(command_id="hold", by="zoe", until=date(2041, 3, 10)))
    await world.until("2041-03-05")
    await client.steering.steer(invoice, Release(command_id="release", by="zoe"))
    # Next are the charge and the mail of day 7, on 7 March.
    await client.steering.steer(invoice, Skip(command_id="skip", by="zoe"))
    await client.steering.steer(invoice, Extend(command_id="more", by="zoe", end_on=date(2041, 3, 25)))
    state = (await anna.state()).subscription
    assert str(state.policy_ends_at) == "2041-03-25 08:00:00+00:00"
    await world.until("2041-03-28")
    assert await days_of(anna, "2041-03-01") == [
        "2041-03-05 dunning release by zoe",
        "2041-03-05 dunning skip by zoe",
        "2041-03-05 dunning extend by zoe",
        "2041-03-07 mail payment_reminder",
        "2041-03-14 charge declined: insufficient_funds",
        "2041-03-14 mail last_notice",
        "2041-03-25 dunning ended: suspend",
        "2041-03-25 status unpaid",
        "2041-03-25 access ends",
        "2041-03-25 mail subscription_suspended",
    ]


async def test_from_the_ui_a_signal_steers_and_what_does_not_fit_is_shown(world: ClockedLife) -> None:
    anna = await world.signs_up(card=FAILS)
    await world.until("2041-02-28")
    handle = world.client.get_workflow_handle(f"collection/{await open_invoice(anna)}")
    await handle.signal(
        "steer",
        {"kind": "hold", "until": "2041-03-10", "command_id": "ui-1", "by": "ops", "reason": "outage"},
    )
    await handle.signal(
        "steer", {"kind": "extend", "end_on": "2041-03-01", "command_id": "ui-2", "by": "ops"}
    )
    await handle.signal("steer", {"kind": "teleport", "command_id": "ui-3"})
    await world.settle()
    state: CollectionState = await handle.query("state", result_type=CollectionState)
    assert state.bad_signals == 2
    assert "The chase ends on 2041-03-21. Give a later date" in state.last_bad_signal
    await world.until("2041-03-13")
    assert await days_of(anna, "2041-03-01") == []
    assert (await anna.state()).subscription.status is Status.PAST_DUE
    async with world.database.read() as session:
        query = select(CommandRow.id).where(col(CommandRow.kind).startswith("dunning."))
        assert (await session.exec(query)).all() == ["ui-1"]


async def test_one_given_for_an_invoice_that_rests_goes_to_the_one_that_drives(
    world: ClockedLife, client: RelanceClient
) -> None:
    """U18."""
    await world.writes_policy(DunningPolicy(name="slow", retry_days=(3, 35), last_notice_day=35, end_day=45))
    anna = await world.signs_up(card=FAILS, dunning_policy="slow")
    await world.until("2041-04-01")
    older, younger = [i for i in await anna.invoices() if i.status == "open"]
    assert younger.number
    done = await client.steering.steer(younger.number, Hold(command_id="hold", until=date(2041, 4, 20)))
    assert done.invoice_id == older.id
    await world.until("2041-04-10")
    assert await days_of(anna, "2041-04-02") == []


async def test_all_of_a_customer(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up(card=FAILS)
    await world.until("2041-02-28")
    done = await client.steering.steer_customer("anna", Hold(command_id="h", until=date(2041, 3, 10)))
    assert [one.invoice_id for one in done] == [await open_invoice(anna)]
    again = await client.steering.steer_customer("anna", Hold(command_id="h", until=date(2041, 3, 10)))
    assert [one.command_id for one in again] == [one.command_id for one in done]


async def test_what_is_not_chased(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up()
    (paid,) = await anna.invoices()
    with pytest.raises(Refused, match="is not chased") as refused:
        await client.steering.steer(paid.id, Skip(command_id="s"))
    assert refused.value.field == "invoice"
    with pytest.raises(Refused, match="Nothing of the customer anna is chased"):
        await client.steering.steer_customer("anna", Skip(command_id="s"))
    with pytest.raises(NotFound):
        await client.steering.steer("in_nowhere", Skip(command_id="s"))


async def test_it_holds_while_no_worker_is_up(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up(card=FAILS)
    await world.until("2041-02-28")
    async with world.without_workers():
        await client.steering.steer(
            await open_invoice(anna), Hold(command_id="hold", until=date(2041, 3, 10))
        )
    await world.until("2041-03-09")
    assert await days_of(anna, "2041-03-01") == []
