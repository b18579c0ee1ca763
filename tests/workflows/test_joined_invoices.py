"""A renewal falls due while an older invoice is still chased: one of them drives, the other rests beside it."""

from support.life import Begins

from billing.dunning import DunningPolicy
from models.tables import InvoiceStatus

SIGNED_UP = [
    "2041-01-31 invoice 58.80 issued",
    "2041-01-31 charge paid 58.80",
    "2041-01-31 status active",
    "2041-01-31 access begins",
    "2041-01-31 mail invoice_issued",
    "2041-01-31 mail receipt",
]
DECLINED = "charge declined: insufficient_funds"
FIRST_FAILS = [
    *SIGNED_UP,
    "2041-02-28 invoice 58.80 issued",
    f"2041-02-28 {DECLINED}",
    "2041-02-28 status past_due",
    "2041-02-28 mail invoice_issued",
    "2041-02-28 mail payment_failed",
    f"2041-03-03 {DECLINED}",
]
SECOND_FAILS = [
    "2041-03-31 invoice 58.80 issued",
    f"2041-03-31 {DECLINED}",
    "2041-03-31 mail invoice_issued",
]
SLOW = DunningPolicy(name="slow", retry_days=(3, 35), last_notice_day=35, end_day=45)


async def test_the_end_of_the_driver_ends_both(life: Begins) -> None:
    """No retries and no mails of its own for the second: the first one's mails list it."""
    async with life("2041-01-31") as world:
        await world.writes_policy(SLOW)
        anna = await world.signs_up(
            card={"outcomes": ["ok"], "then": "insufficient_funds"}, dunning_policy="slow"
        )
        await world.until("2041-04-05")
        (notice,) = [letter for letter in await anna.letters() if letter.kind == "last_notice"]
        first, second = [i.number for i in await anna.invoices() if i.status is InvoiceStatus.OPEN]
        assert first
        assert second
        assert first in notice.text
        assert second in notice.text
        await world.until("2041-05-20")
        assert await anna.diary() == [
            *FIRST_FAILS,
            *SECOND_FAILS,
            f"2041-04-04 {DECLINED}",
            "2041-04-04 mail last_notice",
            "2041-04-14 dunning ended: suspend",
            "2041-04-14 status unpaid",
            "2041-04-14 access ends",
            "2041-04-14 mail subscription_suspended",
        ]
        await anna.replaces_card()
        # Both, and 11 of the 31 days of the period that the return falls in.
        assert [line for line in await anna.diary() if line.startswith("2041-05-20")] == [
            "2041-05-20 invoice 20.87 issued",
            "2041-05-20 charge paid 58.80",
            "2041-05-20 charge paid 58.80",
            "2041-05-20 charge paid 20.87",
            "2041-05-20 status active",
            "2041-05-20 access begins",
            "2041-05-20 mail receipt",
            "2041-05-20 mail receipt",
            "2041-05-20 mail invoice_issued",
            "2041-05-20 mail receipt",
        ]


async def test_the_success_of_the_driver_charges_what_is_open(life: Begins) -> None:
    async with life("2041-01-31") as world:
        await world.writes_policy(SLOW)
        no = "insufficient_funds"
        anna = await world.signs_up("anna", card=["ok", no, no, no, "ok", "ok"], dunning_policy="slow")
        rosa = await world.signs_up("rosa", card=["ok", no, no, no, "ok", no, "ok"], dunning_policy="slow")
        await world.until("2041-04-10")
        assert await anna.diary() == [
            *FIRST_FAILS,
            *SECOND_FAILS,
            "2041-04-04 charge paid 58.80",
            "2041-04-04 charge paid 58.80",
            "2041-04-04 status active",
            "2041-04-04 mail receipt",
            "2041-04-04 mail receipt",
        ]
        recovers_one = [
            *FIRST_FAILS,
            *SECOND_FAILS,
            "2041-04-04 charge paid 58.80",
            f"2041-04-04 {DECLINED}",
            "2041-04-04 mail receipt",
        ]
        assert await rosa.diary() == recovers_one
        # The younger drives now, from its own day 0: day 3 is past, day 35 is still ahead.
        await world.until("2041-05-06")
        assert await rosa.diary() == [
            *recovers_one,
            "2041-04-30 invoice 58.80 issued",
            "2041-04-30 charge paid 58.80",
            "2041-04-30 charge paid 58.80",
            "2041-04-30 status active",
            "2041-04-30 mail receipt",
            "2041-04-30 mail invoice_issued",
            "2041-04-30 mail receipt",
        ]


async def test_the_success_of_a_younger_one_charges_what_is_open(life: Begins) -> None:
    async with life("2041-01-31") as world:
        await world.writes_policy(SLOW)
        no = "insufficient_funds"
        anna = await world.signs_up("anna", card=["ok", no, no, "ok", "ok"], dunning_policy="slow")
        await world.until("2041-04-10")
        assert await anna.diary() == [
            *FIRST_FAILS,
            "2041-03-31 invoice 58.80 issued",
            "2041-03-31 charge paid 58.80",
            "2041-03-31 charge paid 58.80",
            "2041-03-31 status active",
            "2041-03-31 mail receipt",
            "2041-03-31 mail invoice_issued",
            "2041-03-31 mail receipt",
        ]
