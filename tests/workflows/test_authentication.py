"""A bank that asks the customer to confirm a renewal: one mail with the link, mails as after a decline, no retry."""

from __future__ import annotations

from support.life import Begins

from billing.commands import RetryNow


async def test_the_bank_s_question_is_left_open_and_another_card_pays(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", plan="pro", card=["ok", "authentication_required"])
        await world.until("2041-03-04")
        await anna.replaces_card()
        await world.until("2041-03-20")
        assert await anna.diary() == [
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge paid 58.80",
            "2041-01-31 status active",
            "2041-01-31 access begins",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 status past_due",
            "2041-02-28 mail authentication_required",
            "2041-02-28 mail invoice_issued",
            "2041-03-03 mail payment_reminder",
            "2041-03-04 charge abandoned",
            "2041-03-04 charge paid 58.80",
            "2041-03-04 status active",
            "2041-03-04 mail receipt",
        ]


async def test_support_tries_again_although_the_bank_asks_again(life: Begins) -> None:
    """The second wish comes while the first one's charge waits for the payer: it is closed, and tried again."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", plan="pro", card=["ok", *["authentication_required"] * 2, "ok"])
        await world.until("2041-03-04")
        for command_id in ("ticket-1", "ticket-2"):
            await anna.tells(RetryNow(command_id=command_id))
            await world.settle()
        assert (await anna.diary())[10:] == [
            "2041-03-03 mail payment_reminder",
            "2041-03-04 charge abandoned",
            "2041-03-04 charge abandoned",
            "2041-03-04 charge paid 58.80",
            "2041-03-04 status active",
            "2041-03-04 mail authentication_required",
            "2041-03-04 mail receipt",
        ]
