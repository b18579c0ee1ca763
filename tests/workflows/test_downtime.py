"""Nobody works for weeks: what was missed is caught up in order, without a burst (rules 4).

Lives on the time-skipping server only. On a test clock a stopped worker cannot be told from a long advance: the clock
moves only with a worker, and visits every due instant on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date

import pytest
from fakes import FakeStripe
from support.ledgers import assert_books_agree
from support.life import SkippingLife, skipping
from support.mailroom import Mailbox

from billing.commands import Resume
from models.database import Database

SIGN_UP = [
    "2041-01-31 invoice 58.80 issued",
    "2041-01-31 charge paid 58.80",
    "2041-01-31 status active",
    "2041-01-31 access begins",
    "2041-01-31 mail invoice_issued",
    "2041-01-31 mail receipt",
]
Opens = Callable[[str], AbstractAsyncContextManager[SkippingLife]]


@pytest.fixture
def life(sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox) -> Opens:
    return lambda day: skipping(sqlite_database, fake_stripe, mailbox.address, begins=day, forgetful=True)


async def test_forty_days_are_caught_up_in_order(life: Opens, fake_stripe: FakeStripe) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna")
        await world.until("2041-02-20")
        async with world.without_workers():
            await world.passes_unattended("2041-04-01")  # missed: 28 February and 31 March
        await world.until("2041-05-02")
        assert await anna.diary() == [
            *SIGN_UP,
            "2041-04-01 invoice 58.80 issued",
            "2041-04-01 invoice 58.80 issued",
            "2041-04-01 charge paid 58.80",
            "2041-04-01 mail invoice_issued",
            "2041-04-01 mail receipt",
            "2041-04-01 mail invoice_issued",
            "2041-04-02 charge paid 58.80",
            "2041-04-02 mail receipt",
            "2041-04-30 invoice 58.80 issued",
            "2041-04-30 charge paid 58.80",
            "2041-04-30 mail invoice_issued",
            "2041-04-30 mail receipt",
        ]
        assert await anna.periods() == [
            ("2041-01-31", "2041-02-28", "paid"),
            ("2041-02-28", "2041-03-31", "paid"),
            ("2041-03-31", "2041-04-30", "paid"),
            ("2041-04-30", "2041-05-31", "paid"),
        ]
        await assert_books_agree(world.database, fake_stripe)


async def test_a_hundred_days_wait_for_a_person(life: Opens, fake_stripe: FakeStripe) -> None:
    async with life("2041-01-31") as world:
        anna, bert = await world.signs_up("anna"), await world.signs_up("bert")
        await world.until("2041-02-20")
        async with world.without_workers():
            await world.passes_unattended("2041-05-31")  # four periods have begun
        await world.until("2041-06-02")
        for person in (anna, bert):
            assert await person.diary() == [*SIGN_UP, "2041-05-31 parked"]
            assert await person.periods() == [
                ("2041-01-31", "2041-02-28", "paid"),
                ("2041-02-28", "2041-03-31", "draft"),
                ("2041-03-31", "2041-04-30", "draft"),
                ("2041-04-30", "2041-05-31", "draft"),
                ("2041-05-31", "2041-06-30", "draft"),
            ]
            parked = (await person.state()).subscription.parked
            assert parked is not None
            assert parked.reason == "4 periods fell due at once."
        await anna.tells(Resume(command_id="two", issue=(date(2041, 4, 30), date(2041, 5, 31))))
        await bert.tells(Resume(command_id="none", issue=()))
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *SIGN_UP,
            "2041-05-31 parked",
            "2041-06-02 invoice 58.80 issued",
            "2041-06-02 invoice 58.80 issued",
            "2041-06-02 charge paid 58.80",
            "2041-06-02 resumed from parked",
            "2041-06-02 mail invoice_issued",
            "2041-06-02 mail receipt",
            "2041-06-02 mail invoice_issued",
            "2041-06-03 charge paid 58.80",
            "2041-06-03 mail receipt",
            "2041-06-30 invoice 58.80 issued",
            "2041-06-30 charge paid 58.80",
            "2041-06-30 mail invoice_issued",
            "2041-06-30 mail receipt",
        ]
        assert await bert.diary() == [
            *SIGN_UP,
            "2041-05-31 parked",
            "2041-06-02 resumed from parked",
            "2041-06-30 invoice 58.80 issued",
            "2041-06-30 charge paid 58.80",
            "2041-06-30 mail invoice_issued",
            "2041-06-30 mail receipt",
        ]
        assert await bert.periods() == [
            ("2041-01-31", "2041-02-28", "paid"),
            ("2041-02-28", "2041-03-31", "void"),
            ("2041-03-31", "2041-04-30", "void"),
            ("2041-04-30", "2041-05-31", "void"),
            ("2041-05-31", "2041-06-30", "void"),
            ("2041-06-30", "2041-07-31", "paid"),
        ]
        await assert_books_agree(world.database, fake_stripe)


async def test_missed_dunning_steps_are_not_made_up_one_by_one(life: Opens) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", card={"outcomes": ["ok"], "then": "insufficient_funds"})
        await world.until("2041-03-02")
        async with world.without_workers():
            await world.passes_unattended(
                "2041-03-20"
            )  # missed: retries on 3, 7, 14 March and the last notice
        await world.until("2041-03-30")
        assert await anna.diary() == [
            *SIGN_UP,
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge declined: insufficient_funds",
            "2041-02-28 status past_due",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail payment_failed",
            "2041-03-01 charge declined: insufficient_funds",
            "2041-03-20 charge declined: insufficient_funds",
            "2041-03-20 mail last_notice",
            "2041-03-27 dunning ended: suspend",
            "2041-03-27 status unpaid",
            "2041-03-27 access ends",
            "2041-03-27 mail subscription_suspended",
        ]
