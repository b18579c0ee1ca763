"""What happens while the invoice of a period that has begun waits for late usage of the period before.

Until it is issued it is a draft: it asks less where days of it are given back, and is never lost nor billed twice.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from fakes import FakeStripe
from support.life import ClockedLife, Person, clocked
from support.mailroom import Mailbox
from support.metered import BASE, CALLS, nets, signs_up, used

from billing.commands import Cancel, ChangePlan, Command, CreditTo, Pause, Resume, When
from billing.dunning import MONTHLY, EndForInvoice, EndForSubscription
from billing.prices import Price
from models.database import Database
from starter.client import RelanceClient
from starter.orders import NewPlan

UNPAID = {"outcomes": ["ok"], "then": "insufficient_funds"}
DEARER = Price(id="base", unit_amount=Decimal("79.00"))


@pytest.fixture
def begins() -> str:
    return "2027-04-01"


async def in_the_morning_of_1_may(world: ClockedLife, client: RelanceClient) -> Person:
    """10,000 calls in April are 15.00, 1,000 in the first hours of May are 1.50."""
    anna = await signs_up(world, client, BASE, CALLS)
    await world.until("2027-04-10")
    await client.usage.report(anna.subscription_id, [used("april", "10000")])
    await world.until("2027-05-01", hour=10)
    await client.usage.report(anna.subscription_id, [used("may", "1000")])
    return anna


async def carried_out(client: RelanceClient, person: Person, command: Command) -> None:
    await person.tells(command)
    assert (await client.wait_for(command.command_id)).applied


async def money(person: Person) -> list[str]:
    """Documents and charges since the sign-up."""
    words = ("issued", "charge")
    return [
        line
        for line in (await person.diary())[1:]
        if any(word in line for word in words) and "mail" not in line
    ][1:]


async def test_a_cancel_now_bills_the_day_that_was_begun_with_all_usage_on_one_last_invoice(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    await carried_out(client, anna, Cancel(command_id="bye", when=When.NOW))
    await world.until("2027-05-03")
    # 30 of 31 days of 29.00 are 28.06: 29.00 - 28.06 + 15.00 + 1.50 = 17.44, VAT 3.49
    assert await nets(anna) == [2900, 1744]
    last = (await anna.invoices())[-1]
    assert (last.vat_minor, last.total_minor, last.paid_minor) == (349, 2093, 2093)
    assert await money(anna) == ["2027-05-02 invoice 20.93 issued", "2027-05-02 charge paid 20.93"]
    assert await anna.credit_notes() == []


async def test_the_same_once_it_was_issued_costs_the_same(
    temporal_server: str, sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox, begins: str
) -> None:
    async with clocked(
        temporal_server, sqlite_database, fake_stripe, mailbox.address, begins=begins, usage_wait_hours=0
    ) as world:
        client = RelanceClient(world.database, world.client, world.settings, world.gateway)
        anna = await in_the_morning_of_1_may(world, client)
        await carried_out(client, anna, Cancel(command_id="bye", when=When.NOW))
        await world.until("2027-05-03")
        # 52.80 - 33.67 + 1.80 = 20.93
        assert await money(anna) == [
            "2027-05-01 invoice 52.80 issued",
            "2027-05-01 charge paid 52.80",
            "2027-05-01 invoice 1.80 issued",
            "2027-05-01 credit note 33.67 issued",
        ]


async def test_the_preview_of_the_cancel_shows_what_is_taken_off(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    seen = await client.preview(anna.subscription_id, Cancel(command_id="look", when=When.NOW))
    (document,) = seen.documents
    assert (document.kind, document.corrects, document.net_minor) == ("draft", None, -2806)
    assert (seen.due_minor, seen.credited_minor, seen.credit_to) == (0, 0, None)
    assert await nets(anna) == [2900, 2900]


async def test_days_that_are_kept_are_billed_in_full(world: ClockedLife, client: RelanceClient) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    await carried_out(client, anna, Cancel(command_id="bye", when=When.NOW, credit_to=CreditTo.NONE))
    await world.until("2027-05-03")
    # 29.00 + 15.00 + 1.50 = 45.50, VAT 9.10
    assert await nets(anna) == [2900, 4550]
    assert await money(anna) == ["2027-05-02 invoice 54.60 issued", "2027-05-02 charge paid 54.60"]


async def test_a_cancel_is_told_with_the_day_of_the_last_invoice(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    await carried_out(client, anna, Cancel(command_id="bye", when=When.NOW))
    (letter,) = [letter for letter in await anna.letters() if letter.kind == "subscription_canceled"]
    assert "une dernière facture, le 2 mai 2027, encaissée comme les précédentes." in letter.text
    await world.until("2027-05-03")
    (letter,) = [letter for letter in await anna.letters() if letter.kind == "invoice_issued"][1:]
    assert "Déduction, Metered (30 jours sur 31)" in letter.text


async def test_a_change_now_gives_back_what_the_draft_asks(world: ClockedLife, client: RelanceClient) -> None:
    await client.create_plan(
        NewPlan(reference="dearer", name="Dearer", currency="EUR", every="1month", prices=(DEARER, CALLS))
    )
    anna = await in_the_morning_of_1_may(world, client)
    change = ChangePlan(command_id="up", plan_id="dearer", when=When.NOW)
    seen = await client.preview(anna.subscription_id, change)
    assert [(document.kind, document.net_minor) for document in seen.documents] == [
        ("draft", -2900),
        ("invoice", 7900),
    ]
    await client.change_plan(anna.subscription_id, "dearer", when=When.NOW, command_id="up")
    assert (await client.wait_for("up")).applied
    await world.until("2027-05-03")
    # 79.00 for May at once; of the draft 29.00 - 29.00 + 15.00 + 1.50 are left, VAT 3.30
    assert await money(anna) == [
        "2027-05-01 invoice 94.80 issued",
        "2027-05-01 charge paid 94.80",
        "2027-05-02 invoice 19.80 issued",
        "2027-05-02 charge paid 19.80",
    ]


async def test_a_pause_with_credit_gives_back_what_the_draft_asks(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    await carried_out(client, anna, Pause(command_id="rest", when=When.NOW, credit=True))
    await world.until("2027-05-03")
    assert await nets(anna) == [2900, 1744]
    await carried_out(client, anna, Resume(command_id="back"))
    # 29 of 31 days of 29.00 are 27.13
    assert await nets(anna) == [2900, 1744, 2713]


async def test_a_pause_and_a_resume_meanwhile_do_not_bill_the_period_twice(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    await carried_out(client, anna, Pause(command_id="rest", when=When.NOW))
    await carried_out(client, anna, Resume(command_id="back"))
    await world.until("2027-05-20")
    assert await nets(anna) == [2900, 4550]
    assert [status for *_, status in await anna.periods()] == ["paid", "paid"]


async def test_parked_meanwhile_it_is_still_issued_with_its_usage(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await in_the_morning_of_1_may(world, client)
    await world.client.get_workflow_handle(f"subscription/{anna.subscription_id}").cancel()
    await world.until("2027-05-04")
    assert [status for *_, status in await anna.periods()] == ["paid", "draft"]
    await carried_out(client, anna, Resume(command_id="go-on"))
    await world.settle()
    assert await nets(anna) == [2900, 4400]
    assert [status for *_, status in await anna.periods()] == ["paid", "paid"]


async def test_who_loses_the_service_for_a_debt_is_billed_the_usage_and_not_the_period_that_had_begun(
    world: ClockedLife, client: RelanceClient
) -> None:
    policy = MONTHLY.model_copy(
        update={
            "name": "long",
            "end_day": 30,
            "end_for_subscription": EndForSubscription.CANCEL,
            "end_for_invoice": EndForInvoice.LEAVE_OPEN,
        }
    )
    await world.writes_policy(policy)
    anna = await signs_up(world, client, BASE, CALLS, dunning_policy="long", card=UNPAID)
    # May's invoice is issued on the 2nd; day 30 of its chase is 1 June, on which June's has just begun to wait.
    await world.until("2027-05-20")
    await client.usage.report(anna.subscription_id, [used("may", "10000")])
    await world.until("2027-06-03")
    assert (await client.show(anna.subscription_id)).status == "canceled"
    assert [
        (invoice.reason, invoice.net_minor, invoice.status.value, invoice.closed_by)
        for invoice in await anna.invoices()
    ] == [
        ("signup", 2900, "paid", ""),
        ("period", 2900, "uncollectible", "the dunning policy and the subscription have ended"),
        ("usage", 1500, "open", ""),
        ("period", 2900, "void", "the service was cut"),
    ]
