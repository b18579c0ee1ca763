"""Cancels for a date, lived through: what is billed before it, the mails, and the end with the period that holds it."""

from datetime import date

import pytest
from support.diaries import joined, renewed
from support.life import Begins

from billing.commands import Cancel, ChangePlan, KeepSubscription
from starter.problems import CommandRefused


def ends(day: str) -> list[str]:
    """It is over, as was said."""
    return [
        f"{day} status canceled: canceled at the end of the period",
        f"{day} access ends",
        f"{day} mail subscription_canceled",
    ]


def asked(on: str, ends: str) -> list[str]:
    """The cancel, and the mail that confirms it."""
    return [f"{on} cancel asked for {ends}", f"{on} mail cancel_scheduled"]


async def test_it_is_billed_until_the_period_that_holds_the_date_and_then_ends(life: Begins) -> None:
    async with life("2041-01-31") as world:
        monthly = await world.signs_up("mia")
        by_signal = await world.signs_up("sid")
        regrets = await world.signs_up("rosa")
        sooner = await world.signs_up("sue")
        trial = await world.signs_up("tom", plan="trial")
        await world.until("2041-02-10")
        in_april = date(2041, 4, 10)
        await monthly.tells(Cancel(command_id="mia", on=in_april))
        await by_signal.sends(Cancel(command_id="sid", on=in_april))
        await regrets.tells(Cancel(command_id="rosa", on=in_april))
        await sooner.tells(Cancel(command_id="sue", on=in_april))
        await trial.tells(Cancel(command_id="tom", on=date(2041, 2, 20)))
        with pytest.raises(CommandRefused, match="Take it back first"):
            await monthly.tells(ChangePlan(command_id="year", plan_id="year"))
        await world.until("2041-03-05")
        await regrets.tells(KeepSubscription(command_id="no"))
        await sooner.tells(Cancel(command_id="sooner"))
        await world.until("2041-05-05")

        lived = [
            *joined("2041-01-31", "58.80"),
            *asked("2041-02-10", "2041-04-30"),
            *renewed("2041-02-28", "58.80"),
            *renewed("2041-03-31", "58.80"),
            *ends("2041-04-30"),
        ]
        assert await monthly.diary() == lived
        assert await by_signal.diary() == lived
        assert await sooner.diary() == [
            *joined("2041-01-31", "58.80"),
            *asked("2041-02-10", "2041-04-30"),
            *renewed("2041-02-28", "58.80"),
            *asked("2041-03-05", "2041-03-31"),
            *ends("2041-03-31"),
        ]
        regretted = await regrets.diary()
        assert "2041-03-05 cancel or pause taken back" in regretted
        assert regretted[-4:] == renewed("2041-04-30", "58.80")
        assert await trial.diary() == [
            "2041-01-31 status trialing",
            "2041-01-31 access begins",
            *asked("2041-02-10", "2041-03-14"),
            "2041-02-11 mail trial_ending",
            "2041-02-14 invoice 58.80 issued",
            "2041-02-14 charge paid 58.80",
            "2041-02-14 status active",
            "2041-02-14 mail invoice_issued",
            "2041-02-14 mail receipt",
            *ends("2041-03-14"),
        ]


async def test_unpaid_it_ends_on_the_date_itself(life: Begins) -> None:
    """Suspended on 21 March, 21 days after the decline; nothing is billed in April, and it ends on the 10th."""
    async with life("2041-01-31") as world:
        dora = await world.signs_up("dora", card={"outcomes": ["ok"], "then": "insufficient_funds"})
        await world.until("2041-03-05")
        await dora.tells(Cancel(command_id="wish", on=date(2041, 4, 10)))
        await world.until("2041-05-01")
        diary = await dora.diary()
        assert "2041-03-05 cancel asked for 2041-04-30" in diary
        assert diary[-6:] == [
            "2041-03-21 dunning ended: suspend",
            "2041-03-21 status unpaid",
            "2041-03-21 access ends",
            "2041-03-21 mail subscription_suspended",
            "2041-04-10 status canceled: canceled while unpaid",
            "2041-04-10 mail subscription_canceled",
        ]
