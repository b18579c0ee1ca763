"""Commands through the client, with workers up, on a test clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import pytest
from fakes import FakeStripe
from support.life import ClockedLife, clocked
from support.mailroom import Mailbox

from billing.commands import When
from billing.refusal import AlreadyEnded
from models.database import Database
from models.ids import new_id
from starter.client import RelanceClient
from starter.doctor import Doctor
from starter.problems import CommandRefused, TookTooLong
from starter.symptoms import Trouble


@pytest.fixture
async def world(
    temporal_server: str, sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox
) -> AsyncIterator[ClockedLife]:
    async with clocked(
        temporal_server, sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31"
    ) as life:
        yield life


@asynccontextmanager
async def client_of(world: ClockedLife) -> AsyncIterator[RelanceClient]:
    client = RelanceClient(world.database, world.client, world.settings, world.gateway)
    yield client
    await client.close()


async def test_a_command_asked_twice_is_carried_out_once(world: ClockedLife) -> None:
    anna = await world.signs_up()
    async with client_of(world) as client:
        command = new_id("cmd")
        first = await client.change_plan(anna.subscription_id, "max", command_id=command)
        assert first.subscription.pending_terms is not None
        done = await client.wait_for(command)
        assert (done.applied, done.kind) == (True, "change_plan")
        await world.until("2041-03-01")
        # The run that took it is gone; the books answer.
        again = await client.change_plan(anna.subscription_id, "max", command_id=command)
        assert again.subscription.terms.plan_name == "Max"
        assert again.subscription.pending_terms is None
        with pytest.raises(CommandRefused, match="was used for another command") as refusal:
            await client.cancel(anna.subscription_id, command_id=command)
        assert refusal.value.code == "command_id_taken"
        assert await anna.diary() == [
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge paid 58.80",
            "2041-01-31 status active",
            "2041-01-31 access begins",
            "2041-01-31 plan change to Max asked",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-28 plan changed to Max",
            "2041-02-28 invoice 118.80 issued",
            "2041-02-28 charge paid 118.80",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
            "2041-02-28 mail plan_changed",
        ]


async def test_a_refusal_comes_back_as_it_was_decided(world: ClockedLife) -> None:
    anna = await world.signs_up()
    async with client_of(world) as client:
        with pytest.raises(CommandRefused, match="bills in USD, this subscription in EUR") as refusal:
            await client.change_plan(anna.subscription_id, "dollar")
        assert (refusal.value.code, refusal.value.field) == ("plan_currency_mismatch", "plan")
        with pytest.raises(CommandRefused, match="no price per unit") as refusal:
            await client.change_quantity(anna.subscription_id, 3)
        assert refusal.value.field == "quantity"
        with pytest.raises(CommandRefused, match="nothing to retry"):
            await client.retry_now(anna.subscription_id)
        assert (await client.state(anna.subscription_id)).state.subscription.pending_terms is None


async def test_a_cancel_of_what_is_canceled_is_refused_without_asking_anybody(world: ClockedLife) -> None:
    anna = await world.signs_up()
    async with client_of(world) as client:
        accepted = await client.cancel(anna.subscription_id, when=When.NOW)
        assert (await client.wait_for(accepted.command_id)).applied
        with pytest.raises(AlreadyEnded, match=r"ended on 2041-01-31 \(canceled now\)"):
            await client.cancel(anna.subscription_id)
        with pytest.raises(AlreadyEnded):
            await client.send_cancel(anna.subscription_id)


async def test_a_signal_does_what_the_update_does(world: ClockedLife) -> None:
    anna = await world.signs_up()
    async with client_of(world) as client:
        command = await client.send_cancel(anna.subscription_id)
        await client.wait_for(command)
        assert (await client.show(anna.subscription_id)).pending == ("cancel on 2041-02-28",)
        answer = await client.state(anna.subscription_id)
        assert answer.source == "workflow"
        assert answer.state.subscription.cancel_at_end
        await client.keep(anna.subscription_id)
        later = await client.send_cancel(anna.subscription_id, on=date(2041, 4, 10))
        assert (await client.wait_for(later)).applied
        assert (await client.show(anna.subscription_id)).pending == (
            "cancel on 2041-04-30, asked for 2041-04-10",
        )


async def test_the_first_payment_is_waited_for(world: ClockedLife) -> None:
    async with client_of(world) as client:
        anna = await world.signs_up("anna")
        assert (await client.wait_for_first_payment(anna.subscription_id)).outcome == "paid"
        ben = await world.signs_up("ben", card=["insufficient_funds"])
        declined = await client.wait_for_first_payment(ben.subscription_id)
        assert declined.outcome == "declined"
        assert declined.decline_words == "the bank declined: insufficient funds"
        cleo = await world.signs_up("cleo", plan="trial")
        assert (await client.wait_for_first_payment(cleo.subscription_id)).outcome == "not_due"
        dan = await world.signs_up("dan", card=None)
        assert (await client.wait_for_first_payment(dan.subscription_id)).outcome == "no_method"
        with pytest.raises(TookTooLong, match="Command nothing was not carried out"):
            await client.wait_for("nothing", seconds=0.1)


async def test_support_reads_a_subscription_in_dunning(world: ClockedLife) -> None:
    ben = await world.signs_up("ben", card=["ok", "insufficient_funds", "insufficient_funds", "expired_card"])
    await world.until("2041-03-02")
    async with client_of(world) as client:
        view = await client.show(ben.subscription_id)
        assert (view.status, view.entitled, view.owed_minor) == ("past_due", True, 5880)
        assert view.reason == "a payment is overdue; service goes on until the end of the dunning policy"
        newest = view.invoices[0]
        assert newest.in_arrears
        assert [(a.number, str(a.on), a.decline_words) for a in newest.attempts] == [
            (1, "2041-02-28", "the bank declined: insufficient funds"),
            (2, "2041-03-01", "the bank declined: insufficient funds"),
        ]
        assert [(str(step.on), step.what) for step in view.ahead] == [
            ("2041-03-03", "charge"),
            ("2041-03-03", "reminder"),
            ("2041-03-07", "charge"),
            ("2041-03-07", "reminder"),
            ("2041-03-14", "charge"),
            ("2041-03-14", "last_notice"),
            ("2041-03-21", "end"),
            ("2041-03-31", "boundary"),
        ]
        # The customer gives another card: what is open is charged at once.
        saved = await client.set_payment_method("ben", await world.new_card("ben-2", ["ok"]))
        assert saved.charging == (newest.id,)
        await world.settle()
        after = await client.show(ben.subscription_id)
        assert (after.status, after.owed_minor) == ("active", 0)
        with pytest.raises(CommandRefused, match="Nothing is owed on this invoice any more"):
            await client.pay_now(newest.id)


async def test_the_customer_pays_now(world: ClockedLife) -> None:
    ben = await world.signs_up("ben", card=["ok", "insufficient_funds", "ok"])
    await world.until("2041-02-28")
    async with client_of(world) as client:
        [owed] = await client.list_invoices(status="open")
        await client.pay_now(owed.id, command_id="p1")
        await world.settle()
        document = await client.invoice(owed.number or "")
        assert document.invoice.status == "paid"
        assert [(a.trigger, a.state) for a in document.invoice.attempts] == [
            ("first", "declined"),
            ("customer", "succeeded"),
        ]
        assert [line.net_minor for line in document.lines] == [4900]
    assert (await ben.state()).subscription.status == "active"


async def test_a_hundred_commands_across_ten_boundaries_are_each_carried_out_once(world: ClockedLife) -> None:
    anna = await world.signs_up(plan="team", quantity=2)
    async with client_of(world) as client:

        async def ask(number: int) -> None:
            await asyncio.sleep(number * 0.05)  # spread over the year that passes meanwhile
            seats, command = 2 + number % 5, f"{anna.subscription_id}/{number}"
            if number % 3 == 0:
                await client.send_change_plan(
                    anna.subscription_id, "team", quantity=seats, command_id=command
                )
            else:
                await client.change_quantity(anna.subscription_id, seats, command_id=command)

        await asyncio.gather(world.until("2041-12-05"), *(ask(number) for number in range(100)))
        for number in range(100):
            outcome = await client.wait_for(f"{anna.subscription_id}/{number}")
            assert outcome.applied, outcome
        invoices = await client.list_invoices(subscription=anna.subscription_id)
        assert sorted(str(invoice.period_start) for invoice in invoices) == [
            "2041-01-31",
            "2041-02-28",
            "2041-03-31",
            "2041-04-30",
            "2041-05-31",
            "2041-06-30",
            "2041-07-31",
            "2041-08-31",
            "2041-09-30",
            "2041-10-31",
            "2041-11-30",
        ]
        assert {invoice.status for invoice in invoices} == {"paid"}
        assert (await anna.state()).bad_signals == 0


async def test_the_doctor_starts_again_what_was_terminated(world: ClockedLife) -> None:
    anna = await world.signs_up()
    async with client_of(world) as client:
        doctor = Doctor(client.connections)
        about = f"subscription/{anna.subscription_id}"
        await world.client.get_workflow_handle(about).terminate("a slip of the hand")
        found = [finding for finding in await doctor.examine() if finding.about == about]
        assert [finding.trouble for finding in found] == [Trouble.NOT_RUNNING]
        assert await doctor.mend(found) == [f"started {about}"]
        await world.until("2041-03-01")
        assert [f for f in await doctor.examine() if f.about == about] == []
        assert (await client.show(anna.subscription_id)).period_start is not None
        assert len(await client.list_invoices(subscription=anna.subscription_id)) == 2
