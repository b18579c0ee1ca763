"""What is asked of a subscription whose payment failed: cards, tries, cancels, pauses and changes in the middle.

Pro is 49.00, 58.80 with VAT. The card works at the sign-up on 1 May and fails from the renewal on 1 June on. The
policy: tries on days 1, 3, 7 and 14, last notice on day 14, the end on day 21, which is the 22nd.
"""

import pytest
from support.diaries import fell_behind, joined, renewed
from support.life import Begins, Life, Person

from billing.commands import Cancel, ChangePlan, Pause, Resume, RetryNow, When
from billing.dunning import MONTHLY, EndForInvoice
from billing.refusal import AlreadyEnded
from models.tables import InvoiceStatus
from starter.problems import CommandRefused

FAILS = {"outcomes": ["ok"], "then": "insufficient_funds"}
DAY_0 = [*joined("2041-05-01", "58.80"), *fell_behind("2041-06-01", "58.80")]
DAY_1 = ["2041-06-02 charge declined: insufficient_funds"]
DAY_3 = ["2041-06-04 charge declined: insufficient_funds", "2041-06-04 mail payment_reminder"]
DAY_7 = ["2041-06-08 charge declined: insufficient_funds", "2041-06-08 mail payment_reminder"]
DAY_14 = ["2041-06-15 charge declined: insufficient_funds", "2041-06-15 mail last_notice"]
TO_THE_5TH = [*DAY_0, *DAY_1, *DAY_3]


def numbered(world: Life) -> str:
    return f"command-{world.next_number()}"


async def pays_now(person: Person) -> None:
    """The customer follows the pay link of the newest invoice."""
    invoice = (await person.invoices())[-1]
    await person.life.subscriptions.pay_now(invoice.id, command_id=numbered(person.life))
    await person.life.settle()


async def support_retries(person: Person) -> None:
    await person.tells(RetryNow(command_id=numbered(person.life)))
    await person.life.settle()


async def test_a_charge_that_a_person_asks_for(life: Begins) -> None:
    """Another card or a try by support charges at once; when it works the waiting is over."""
    async with life("2041-05-01") as world:
        card = await world.signs_up("card", card=FAILS)
        support = await world.signs_up("support", card=["ok", *["insufficient_funds"] * 3, "ok"])
        link = await world.signs_up("link", card=["ok", *["insufficient_funds"] * 3, "do_not_honor", "ok"])
        await world.until("2041-06-05")
        await card.replaces_card()
        await support_retries(support)
        await pays_now(link)
        await world.until("2041-07-02")
        recovered = [
            *TO_THE_5TH,
            "2041-06-05 charge paid 58.80",
            "2041-06-05 status active",
            "2041-06-05 mail receipt",
            *renewed("2041-07-01", "58.80"),
        ]
        assert await card.diary() == recovered
        assert await support.diary() == recovered
        # A decline there does not advance the schedule, and writes no mail of its own: day 7 comes as planned.
        assert await link.diary() == [
            *TO_THE_5TH,
            "2041-06-05 charge declined: do_not_honor",
            "2041-06-08 charge paid 58.80",
            "2041-06-08 status active",
            "2041-06-08 mail receipt",
            *renewed("2041-07-01", "58.80"),
        ]


async def test_five_tries_in_24_hours_and_not_one_more(life: Begins) -> None:
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card=FAILS)
        await world.until("2041-06-05")
        for _ in range(5):
            await pays_now(anna)
        with pytest.raises(CommandRefused, match="There were 5 tries within 24 hours"):
            await pays_now(anna)
        await support_retries(anna)
        await world.until("2041-06-06", hour=13)
        await pays_now(anna)
        await world.until("2041-06-09")
        assert await anna.diary() == [
            *TO_THE_5TH,
            *["2041-06-05 charge declined: insufficient_funds"] * 5,
            "2041-06-06 charge declined: insufficient_funds",
            *DAY_7,
        ]


async def test_paying_what_a_cancel_left(life: Begins) -> None:
    """27 of 30 days of 58.80 are credited, 52.92; the rest is asked for, never charged by itself, and then paid."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
        bert = await world.signs_up("bert", card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
        await world.until("2041-06-03")
        await anna.tells(Cancel(command_id="cancel", when=When.NOW))
        await bert.tells(Cancel(command_id="cancel-too", when=When.NOW))
        await world.until("2041-06-10")
        await pays_now(anna)
        await support_retries(bert)
        await world.until("2041-07-02")
        with pytest.raises(AlreadyEnded):
            await support_retries(bert)
        assert await bert.diary() == await anna.diary()
        assert await anna.diary() == [
            *DAY_0,
            *DAY_1,
            "2041-06-03 credit note 52.92 issued",
            "2041-06-03 status canceled: canceled now",
            "2041-06-03 access ends",
            "2041-06-03 mail subscription_canceled",
            "2041-06-04 mail payment_reminder",
            "2041-06-08 mail payment_reminder",
            "2041-06-10 charge paid 5.88",
            "2041-06-10 mail receipt",
        ]


async def test_u7_a_cancel_at_the_end_while_past_due(life: Begins) -> None:
    """It ends with its period. The chase goes on as it was; its end takes nothing away before."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card=FAILS)
        await world.until("2041-06-05")
        await anna.tells(Cancel(command_id="cancel"))
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *TO_THE_5TH,
            "2041-06-05 cancel asked for 2041-07-01",
            "2041-06-05 mail cancel_scheduled",
            *DAY_7,
            *DAY_14,
            "2041-06-22 dunning ended: suspend",
            "2041-07-01 status canceled: canceled at the end of the period",
            "2041-07-01 access ends",
            "2041-07-01 mail subscription_canceled",
        ]
        assert (await anna.invoices())[-1].status is InvoiceStatus.UNCOLLECTIBLE


async def test_u8_a_pause_while_past_due(life: Begins) -> None:
    """The chase goes on; its end leaves the pause, which is not resumed before the debt is paid."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card=FAILS)
        await world.until("2041-06-05")
        await anna.tells(Pause(command_id="pause", when=When.NOW))
        await world.until("2041-06-25")
        with pytest.raises(CommandRefused, match="Something is in arrears"):
            await anna.tells(Resume(command_id="too-early"))
        await anna.replaces_card()
        await anna.tells(Resume(command_id="resume"))
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *TO_THE_5TH,
            "2041-06-05 status paused",
            "2041-06-05 mail paused",
            *DAY_7,
            *DAY_14,
            "2041-06-22 dunning ended: suspend",
            "2041-06-25 charge paid 58.80",
            "2041-06-25 status active",
            "2041-06-25 mail receipt",
            "2041-06-25 mail resumed",
            *renewed("2041-07-01", "58.80"),
        ]


async def test_a_plan_change_signalled_during_dunning(life: Begins) -> None:
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card=["ok", *["insufficient_funds"] * 3, "ok"])
        await world.until("2041-06-05")
        await anna.sends(ChangePlan(command_id="change", plan_id="max"))
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *TO_THE_5TH,
            "2041-06-05 plan change to Max asked",
            "2041-06-08 charge paid 58.80",
            "2041-06-08 status active",
            "2041-06-08 mail receipt",
            "2041-07-01 plan changed to Max",
            "2041-07-01 invoice 118.80 issued",
            "2041-07-01 charge paid 118.80",
            "2041-07-01 mail invoice_issued",
            "2041-07-01 mail receipt",
            "2041-07-01 mail plan_changed",
        ]


async def test_unpaid_is_not_resumed_by_asking_and_ends_after_90_days(life: Begins) -> None:
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", card=FAILS)
        bert = await world.signs_up("bert", card=FAILS)
        await world.until("2041-06-25")
        for person in (anna, bert):
            with pytest.raises(CommandRefused, match="Something is still owed"):
                await person.tells(Resume(command_id=numbered(world)))
        await world.until("2041-07-10")
        await bert.replaces_card()
        await world.until("2041-09-21")
        unpaid = [
            *TO_THE_5TH,
            *DAY_7,
            *DAY_14,
            "2041-06-22 dunning ended: suspend",
            "2041-06-22 status unpaid",
            "2041-06-22 access ends",
            "2041-06-22 mail subscription_suspended",
        ]
        assert await anna.diary() == [
            *unpaid,
            "2041-09-20 status canceled: unpaid for too long",
            "2041-09-20 mail subscription_canceled",
        ]
        assert (await anna.invoices())[-1].status is InvoiceStatus.UNCOLLECTIBLE
        assert await bert.diary() == [
            *unpaid,
            # June is paid; July from the 10th on: 49.00 x 22 / 31 = 34.77, VAT 6.95
            "2041-07-10 invoice 41.72 issued",
            "2041-07-10 charge paid 58.80",
            "2041-07-10 charge paid 41.72",
            "2041-07-10 status active",
            "2041-07-10 access begins",
            "2041-07-10 mail receipt",
            "2041-07-10 mail invoice_issued",
            "2041-07-10 mail receipt",
            *renewed("2041-08-01", "58.80"),
            *renewed("2041-09-01", "58.80"),
        ]


async def test_u11_what_the_end_credited_comes_back_by_a_new_card_or_by_asking(life: Begins) -> None:
    """Suspended, and nothing is owed any more: it waits to be wanted again, and then bills from that day on."""
    async with life("2041-05-01") as world:
        generous = MONTHLY.model_copy(update={"name": "generous", "end_for_invoice": EndForInvoice.CREDIT})
        await world.writes_policy(generous)
        card = await world.signs_up("card", card=FAILS, dunning_policy="generous")
        asks = await world.signs_up(
            "asks", card=["ok", *["insufficient_funds"] * 5, "ok"], dunning_policy="generous"
        )
        await world.until("2041-07-10")
        await card.replaces_card()
        await asks.tells(Resume(command_id="resume"))
        await world.until("2041-08-02")
        ended = [
            *TO_THE_5TH,
            *DAY_7,
            *DAY_14,
            "2041-06-22 credit note 58.80 issued",
            "2041-06-22 dunning ended: suspend",
            "2041-06-22 status unpaid",
            "2041-06-22 access ends",
            "2041-06-22 mail subscription_suspended",
        ]
        returned = [
            "2041-07-10 invoice 41.72 issued",
            "2041-07-10 charge paid 41.72",
            "2041-07-10 status active",
            "2041-07-10 access begins",
            "2041-07-10 mail invoice_issued",
            "2041-07-10 mail receipt",
        ]
        assert await card.diary() == [*ended, *returned, *renewed("2041-08-01", "58.80")]
        assert await asks.diary() == [
            *ended,
            *returned,
            "2041-07-10 mail resumed",
            *renewed("2041-08-01", "58.80"),
        ]
