"""Trials and scheduled starts: what the customer hears, when the first charge falls, and how each can end."""

from typing import Any

import pytest
from support.life import Begins

from billing.commands import Cancel, ChangePlan, KeepSubscription, Pause, Resume, When
from starter.problems import CommandRefused

TRIAL = ["2041-01-17 status trialing", "2041-01-17 access begins"]


async def test_a_trial_with_a_card_becomes_a_subscription(life: Begins) -> None:
    """The sign-up day is its first day: 14 days from the 17th end on the 31st, which is the anchor."""
    async with life("2041-01-17") as world:
        anna = await world.signs_up(plan="trial")
        await world.until("2041-01-28", hour=8)
        assert await anna.diary() == TRIAL
        await world.until("2041-01-28", hour=10)
        assert await anna.diary() == [*TRIAL, "2041-01-28 mail trial_ending"]
        await world.until("2041-04-30")
        assert await anna.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge paid 58.80",
            "2041-01-31 status active",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge paid 58.80",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
            "2041-03-31 invoice 58.80 issued",
            "2041-03-31 charge paid 58.80",
            "2041-03-31 mail invoice_issued",
            "2041-03-31 mail receipt",
            "2041-04-30 invoice 58.80 issued",
            "2041-04-30 charge paid 58.80",
            "2041-04-30 mail invoice_issued",
            "2041-04-30 mail receipt",
        ]


async def test_a_trial_without_a_card(life: Begins) -> None:
    """At its end the terms decide: cancel, pause, or an invoice with a pay link."""
    async with life("2041-01-17") as world:
        await world.offers("trial-pause", trial_days=14, without_method_at_trial_end="pause")
        await world.offers("trial-invoice", trial_days=14, without_method_at_trial_end="invoice")
        cleo = await world.signs_up("cleo", plan="trial", card=None)
        paul = await world.signs_up("paul", plan="trial-pause", card=None)
        ines = await world.signs_up("ines", plan="trial-invoice", card=None)
        ivan = await world.signs_up("ivan", plan="trial-invoice", card=None)
        await world.until("2041-02-02")
        await ivan.replaces_card()
        await world.until("2041-02-10")
        await paul.replaces_card()
        await paul.tells(Resume(command_id="cmd_resume"))
        await world.until("2041-03-10")

        assert await cleo.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 status canceled: no payment method at the end of the trial",
            "2041-01-31 access ends",
            "2041-01-31 mail subscription_canceled",
        ]
        assert await paul.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 status paused",
            "2041-01-31 access ends",
            "2041-01-31 mail paused",
            "2041-02-10 invoice 58.80 issued",
            "2041-02-10 charge paid 58.80",
            "2041-02-10 status active",
            "2041-02-10 access begins",
            "2041-02-10 mail invoice_issued",
            "2041-02-10 mail receipt",
            "2041-02-10 mail resumed",
            "2041-03-10 invoice 58.80 issued",
            "2041-03-10 charge paid 58.80",
            "2041-03-10 mail invoice_issued",
            "2041-03-10 mail receipt",
        ]
        assert await ines.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 status active",
            "2041-01-31 status past_due",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail payment_failed",
            "2041-02-03 mail last_notice",
            "2041-02-07 credit note 58.80 issued",
            "2041-02-07 dunning ended: cancel",
            "2041-02-07 status canceled: the dunning policy ended",
            "2041-02-07 access ends",
            "2041-02-07 mail subscription_canceled",
        ]
        assert await ivan.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 status active",
            "2041-01-31 status past_due",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail payment_failed",
            "2041-02-02 charge paid 58.80",
            "2041-02-02 status active",
            "2041-02-02 mail receipt",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge paid 58.80",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
        ]


async def test_the_first_charge_after_a_trial_fails(life: Begins) -> None:
    """Its policy is short, and its end takes back the invoice for a service that was hardly used."""
    async with life("2041-01-17") as world:
        anna = await world.signs_up("anna", plan="trial", card={"then": "insufficient_funds"})
        rosa = await world.signs_up("rosa", plan="trial", card=["insufficient_funds", "ok"])
        await world.until("2041-02-20")
        assert await anna.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge declined: insufficient_funds",
            "2041-01-31 status active",
            "2041-01-31 status past_due",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail payment_failed",
            "2041-02-01 charge declined: insufficient_funds",
            "2041-02-03 charge declined: insufficient_funds",
            "2041-02-03 mail last_notice",
            "2041-02-07 credit note 58.80 issued",
            "2041-02-07 dunning ended: cancel",
            "2041-02-07 status canceled: the dunning policy ended",
            "2041-02-07 access ends",
            "2041-02-07 mail subscription_canceled",
        ]
        (invoice,) = await anna.invoices()
        assert (invoice.net_minor, invoice.vat_minor) == (4900, 980)
        assert (invoice.status, invoice.open_minor, invoice.paid_minor) == ("paid", 0, 0)
        (note,) = await anna.credit_notes()
        assert (note.net_minor, note.vat_minor, note.total_minor) == (4900, 980, 5880)
        assert (note.closes_minor, note.balance_minor) == (5880, 0)
        assert await rosa.diary() == [
            *TRIAL,
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge declined: insufficient_funds",
            "2041-01-31 status active",
            "2041-01-31 status past_due",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail payment_failed",
            "2041-02-01 charge paid 58.80",
            "2041-02-01 status active",
            "2041-02-01 mail receipt",
        ]


async def test_commands_during_a_trial(life: Begins) -> None:
    """A cancel, a pause or another plan: none of them bills anything, none moves the trial's end (U2)."""
    async with life("2041-01-17") as world:
        now = await world.signs_up("nora", plan="trial")
        at_end = await world.signs_up("emma", plan="trial")
        pauses = await world.signs_up("paul", plan="trial")
        regrets = await world.signs_up("rosa", plan="trial")
        changes = await world.signs_up("chloe", plan="trial")
        await world.until("2041-01-20")
        await now.tells(Cancel(command_id="cmd_now", when=When.NOW))
        await at_end.tells(Cancel(command_id="cmd_end"))
        await pauses.tells(Pause(command_id="cmd_pause", when=When.NOW))
        await regrets.tells(Cancel(command_id="cmd_regretted"))
        await regrets.tells(KeepSubscription(command_id="cmd_back"))
        await changes.tells(ChangePlan(command_id="cmd_max", plan_id="max"))
        await world.until("2041-02-28")

        assert await now.diary() == [
            *TRIAL,
            "2041-01-20 status canceled: canceled now",
            "2041-01-20 access ends",
            "2041-01-20 mail subscription_canceled",
        ]
        assert await at_end.diary() == [
            *TRIAL,
            "2041-01-20 cancel asked for 2041-01-31",
            "2041-01-20 mail cancel_scheduled",
            "2041-01-31 status canceled: canceled at the end of the trial",
            "2041-01-31 access ends",
            "2041-01-31 mail subscription_canceled",
        ]
        assert await pauses.diary() == [
            *TRIAL,
            "2041-01-20 pause asked for the period's end",
            "2041-01-31 status paused",
            "2041-01-31 access ends",
            "2041-01-31 mail paused",
        ]
        assert await changes.diary() == [
            *TRIAL,
            "2041-01-20 plan changed to Max",
            "2041-01-20 mail plan_changed",
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 118.80 issued",
            "2041-01-31 charge paid 118.80",
            "2041-01-31 status active",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-28 invoice 118.80 issued",
            "2041-02-28 charge paid 118.80",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
        ]
        assert await regrets.diary() == [
            *TRIAL,
            "2041-01-20 cancel asked for 2041-01-31",
            "2041-01-20 cancel or pause taken back",
            "2041-01-20 mail cancel_scheduled",
            "2041-01-28 mail trial_ending",
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge paid 58.80",
            "2041-01-31 status active",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge paid 58.80",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
        ]


async def test_a_scheduled_start(life: Begins) -> None:
    """It starts by itself on its date; before it nothing is billed, whatever is asked (U1)."""
    async with life("2041-01-31") as world:
        starts: dict[str, Any] = {"starts_on": "2041-02-15"}
        anna = await world.signs_up("anna", **starts)
        emma = await world.signs_up("emma", **starts)
        nora = await world.signs_up("nora", **starts)
        chloe = await world.signs_up("chloe", **starts)
        dora = await world.signs_up("dora", card={"then": "insufficient_funds"}, **starts)
        tom = await world.signs_up("tom", plan="trial", **starts)
        await world.until("2041-02-03")
        await emma.tells(Cancel(command_id="cmd_end"))
        await nora.tells(Cancel(command_id="cmd_now", when=When.NOW))
        await chloe.tells(ChangePlan(command_id="cmd_max", plan_id="max"))
        with pytest.raises(CommandRefused, match="cannot be paused"):
            await anna.tells(Pause(command_id="cmd_pause"))
        await world.until("2041-03-14")

        began = [
            "2041-02-15 status active",
            "2041-02-15 access begins",
            "2041-02-15 mail invoice_issued",
            "2041-02-15 mail receipt",
        ]
        assert await anna.diary() == [
            "2041-02-15 invoice 58.80 issued",
            "2041-02-15 charge paid 58.80",
            *began,
        ]
        for who in (emma, nora):
            assert await who.diary() == [
                "2041-02-03 status canceled: canceled now",
                "2041-02-03 mail subscription_canceled",
            ]
        assert await chloe.diary() == [
            "2041-02-03 plan changed to Max",
            "2041-02-03 mail plan_changed",
            "2041-02-15 invoice 118.80 issued",
            "2041-02-15 charge paid 118.80",
            *began,
        ]
        assert await dora.diary() == [
            "2041-02-15 invoice 58.80 issued",
            "2041-02-15 charge declined: insufficient_funds",
            "2041-02-15 status active",
            "2041-02-15 status past_due",
            "2041-02-15 access begins",
            "2041-02-15 mail invoice_issued",
            "2041-02-15 mail payment_failed",
            "2041-02-16 charge declined: insufficient_funds",
            "2041-02-18 charge declined: insufficient_funds",
            "2041-02-18 mail last_notice",
            "2041-02-22 credit note 58.80 issued",
            "2041-02-22 dunning ended: cancel",
            "2041-02-22 status canceled: the dunning policy ended",
            "2041-02-22 access ends",
            "2041-02-22 mail subscription_canceled",
        ]
        assert await tom.diary() == [
            "2041-02-15 status trialing",
            "2041-02-15 access begins",
            "2041-02-26 mail trial_ending",
            "2041-03-01 invoice 58.80 issued",
            "2041-03-01 charge paid 58.80",
            "2041-03-01 status active",
            "2041-03-01 mail invoice_issued",
            "2041-03-01 mail receipt",
        ]
