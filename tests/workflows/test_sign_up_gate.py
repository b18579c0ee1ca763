"""A sign-up that is charged at once: no number, no service and no debt before the first payment (rules 13)."""

import pytest
from support.life import Begins, Life, Person

from billing.commands import Cancel, ChangePlan, Pause
from models.boundary import CollectionState
from models.tables import InvoiceStatus
from starter.problems import CommandRefused

STARTED = ["status active", "access begins", "mail invoice_issued", "mail receipt"]


def on(day: str, *what: str) -> list[str]:
    """Several facts of one day."""
    return [f"{day} {fact}" for fact in what]


def intents(world: Life) -> list[tuple[int, str]]:
    """Amount and state of every PaymentIntent at the provider, oldest first."""
    found = world.fake.client().v1.payment_intents.list({"limit": 100}).data
    return [(intent.amount, intent.status) for intent in reversed(found)]


async def numbers(*people: Person) -> list[str]:
    """The numbers that were used, without the name of their series."""
    rows = [invoice for person in people for invoice in await person.invoices()]
    return [row.number[-6:] for row in rows if row.number is not None]


async def test_paid_at_once(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        assert await anna.diary() == on("2041-01-31", "invoice 58.80 issued", "charge paid 58.80", *STARTED)
        assert await numbers(anna) == ["000001"]
        assert intents(world) == [(5880, "succeeded")]


async def test_another_card_within_the_day(life: Begins) -> None:
    """The link goes out, and nothing is numbered until the payment; the period is that of the sign-up."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up(card={"then": "insufficient_funds"})
        declined = on("2041-01-31", "charge declined: insufficient_funds", "mail complete_payment")
        assert await anna.diary() == declined
        (draft,) = await anna.invoices()
        assert (draft.status, draft.number, draft.issued_at) == (InvoiceStatus.DRAFT, None, None)
        (letter,) = await anna.letters()
        assert letter.kind == "complete_payment"
        assert f"{world.settings.public_url}/pay/" in letter.text

        for command in (ChangePlan(command_id="cmd_max", plan_id="max"), Pause(command_id="cmd_pause")):
            with pytest.raises(CommandRefused):
                await anna.tells(command)

        await world.until("2041-02-01", hour=8)
        await anna.replaces_card()
        paid = on("2041-02-01", "invoice 58.80 issued", "charge paid 58.80", *STARTED)
        assert await anna.diary() == [*declined, *paid]
        (invoice,) = await anna.invoices()
        assert (str(invoice.period_start), str(invoice.period_end)) == ("2041-01-31", "2041-02-28")
        assert str(invoice.issued_on) == "2041-02-01"

        await world.until("2041-02-28")
        renewed = ["invoice 58.80 issued", "charge paid 58.80", "mail invoice_issued", "mail receipt"]
        assert await anna.diary() == [*declined, *paid, *on("2041-02-28", *renewed)]
        assert await numbers(anna) == ["000001", "000002"]


async def test_never_paid(life: Begins) -> None:
    """After 23 hours the draft is dropped, its PaymentIntent cancelled, and the next number is the next one."""
    async with life("2041-01-31") as world:
        first = await world.signs_up("felix")
        anna = await world.signs_up("anna", card={"then": "insufficient_funds"}, dunning_policy="annual")
        nobody = await world.signs_up("nora", card=None)
        await world.until("2041-02-01", hour=8)
        assert (await anna.state()).subscription.status == "incomplete"
        (draft,) = await anna.invoices()
        chase = await world.client.get_workflow_handle(f"collection/{draft.id}").query(
            "state", result_type=CollectionState
        )
        assert chase.case is not None
        assert chase.case.step.why.policy == "gated v2"
        await world.until("2041-02-01", hour=10)
        after = await world.signs_up("zoe")

        assert await anna.diary() == [
            *on("2041-01-31", "charge declined: insufficient_funds", "mail complete_payment"),
            "2041-02-01 status incomplete_expired",
        ]
        assert await nobody.diary() == [
            "2041-01-31 mail complete_payment",
            "2041-02-01 status incomplete_expired",
        ]
        for person in (anna, nobody):
            assert [(row.status, row.number) for row in await person.invoices()] == [
                (InvoiceStatus.VOID, None)
            ]
        assert intents(world) == [(5880, "succeeded"), (5880, "canceled"), (5880, "succeeded")]
        assert await numbers(first, anna, nobody, after) == ["000001", "000002"]

        await anna.replaces_card()
        await nobody.replaces_card()
        await world.until("2041-02-03")
        assert (await anna.diary())[-1] == "2041-02-01 status incomplete_expired"
        assert (await nobody.diary())[-1] == "2041-02-01 status incomplete_expired"
        assert len(intents(world)) == 3


async def test_a_card_comes_later(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up(card=None)
        await world.until("2041-01-31", hour=15)
        await anna.replaces_card(["insufficient_funds", "ok"])
        await anna.replaces_card()
        assert await anna.diary() == [
            "2041-01-31 mail complete_payment",
            *on("2041-01-31", "invoice 58.80 issued"),
            *on("2041-01-31", "charge declined: insufficient_funds", "charge paid 58.80", *STARTED),
        ]


async def test_canceled_before_the_first_payment(life: Begins) -> None:
    """A cancel of either kind ends it at once and drops the draft."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up(card={"then": "insufficient_funds"})
        await anna.tells(Cancel(command_id="cmd_1"))
        await world.until("2041-02-05")
        assert await anna.diary() == on(
            "2041-01-31",
            "charge declined: insufficient_funds",
            "status canceled: canceled now",
            "mail complete_payment",
            "mail subscription_canceled",
        )
        (draft,) = await anna.invoices()
        assert (draft.status, draft.number) == (InvoiceStatus.VOID, None)
        assert intents(world) == [(5880, "canceled")]


async def test_what_costs_nothing_needs_no_payment(life: Begins) -> None:
    """A price of zero is issued, numbered and paid at once; below the minimum it stays open and is not chased."""
    async with life("2041-01-31") as world:
        free = await world.signs_up("felix", card=None, amount="0")
        cheap = await world.signs_up("cheap", amount="0.20")
        await world.until("2041-02-28")
        assert await free.diary() == [
            *on("2041-01-31", "invoice 0.00 issued", "status active", "access begins", "mail invoice_issued"),
            *on("2041-02-28", "invoice 0.00 issued", "mail invoice_issued"),
        ]
        assert await cheap.diary() == [
            *on("2041-01-31", "invoice 0.24 issued", "status active", "access begins", "mail invoice_issued"),
            *on("2041-02-28", "invoice 0.24 issued", "mail invoice_issued"),
        ]
        assert intents(world) == []
