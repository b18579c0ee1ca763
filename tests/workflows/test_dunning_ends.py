"""Four retries and what comes after them: every recovery, every end, every class of decline, with its mails."""

import pytest
from support.life import Begins

from billing.dunning import DunningPolicy, EndForInvoice, EndForSubscription
from models.tables import InvoiceStatus
from starter.problems import CommandRefused

SIGNED_UP = [
    "2041-01-31 invoice 58.80 issued",
    "2041-01-31 charge paid 58.80",
    "2041-01-31 status active",
    "2041-01-31 access begins",
    "2041-01-31 mail invoice_issued",
    "2041-01-31 mail receipt",
]
DECLINED = "charge declined: insufficient_funds"
FAILED = [
    "2041-02-28 invoice 58.80 issued",
    f"2041-02-28 {DECLINED}",
    "2041-02-28 status past_due",
    "2041-02-28 mail invoice_issued",
    "2041-02-28 mail payment_failed",
]
EXHAUSTED = [
    *SIGNED_UP,
    *FAILED,
    f"2041-03-01 {DECLINED}",
    f"2041-03-03 {DECLINED}",
    "2041-03-03 mail payment_reminder",
    f"2041-03-07 {DECLINED}",
    "2041-03-07 mail payment_reminder",
    f"2041-03-14 {DECLINED}",
    "2041-03-14 mail last_notice",
]
SUSPENDED = [
    "2041-03-21 dunning ended: suspend",
    "2041-03-21 status unpaid",
    "2041-03-21 access ends",
    "2041-03-21 mail subscription_suspended",
]
CANCELED = [
    "2041-03-21 dunning ended: cancel",
    "2041-03-21 status canceled: the dunning policy ended",
    "2041-03-21 access ends",
    "2041-03-21 mail subscription_canceled",
]
NEVER_AGAIN = {"outcomes": ["ok"], "then": "insufficient_funds"}


async def test_each_retry_can_be_the_one(life: Begins) -> None:
    async with life("2041-01-31") as world:
        no = "insufficient_funds"
        one = await world.signs_up("one", card=["ok", no, "ok"])
        two = await world.signs_up("two", card=["ok", no, no, "ok"])
        three = await world.signs_up("three", card=["ok", no, no, no, "ok"])
        four = await world.signs_up("four", card=["ok", no, no, no, no, "ok"])
        await world.until("2041-03-25")

        assert await one.diary() == [
            *SIGNED_UP,
            *FAILED,
            "2041-03-01 charge paid 58.80",
            "2041-03-01 status active",
            "2041-03-01 mail receipt",
        ]
        assert await two.diary() == [
            *SIGNED_UP,
            *FAILED,
            f"2041-03-01 {DECLINED}",
            "2041-03-03 charge paid 58.80",
            "2041-03-03 status active",
            "2041-03-03 mail receipt",
        ]
        assert await three.diary() == [
            *SIGNED_UP,
            *FAILED,
            f"2041-03-01 {DECLINED}",
            f"2041-03-03 {DECLINED}",
            "2041-03-03 mail payment_reminder",
            "2041-03-07 charge paid 58.80",
            "2041-03-07 status active",
            "2041-03-07 mail receipt",
        ]
        assert await four.diary() == [
            *SIGNED_UP,
            *FAILED,
            f"2041-03-01 {DECLINED}",
            f"2041-03-03 {DECLINED}",
            "2041-03-03 mail payment_reminder",
            f"2041-03-07 {DECLINED}",
            "2041-03-07 mail payment_reminder",
            "2041-03-14 charge paid 58.80",
            "2041-03-14 status active",
            "2041-03-14 mail receipt",
        ]


def ends(name: str, subscription: EndForSubscription, invoice: EndForInvoice) -> DunningPolicy:
    """The default days with another end."""
    return DunningPolicy(
        name=name,
        retry_days=(1, 3, 7, 14),
        last_notice_day=14,
        end_day=21,
        end_for_subscription=subscription,
        end_for_invoice=invoice,
    )


async def test_each_end_of_the_policy(life: Begins) -> None:
    async with life("2041-01-31") as world:
        await world.writes_policy(ends("forgive", EndForSubscription.CANCEL, EndForInvoice.UNCOLLECTIBLE))
        await world.writes_policy(ends("take-back", EndForSubscription.CANCEL, EndForInvoice.CREDIT))
        await world.writes_policy(ends("patient", EndForSubscription.KEEP, EndForInvoice.LEAVE_OPEN))
        await world.writes_policy(ends("close", EndForSubscription.CANCEL, EndForInvoice.LEAVE_OPEN))
        suspend = await world.signs_up("sam", card=NEVER_AGAIN)
        forgive = await world.signs_up("fay", card=NEVER_AGAIN, dunning_policy="forgive")
        credit = await world.signs_up("tess", card=NEVER_AGAIN, dunning_policy="take-back")
        keep = await world.signs_up("kim", card=NEVER_AGAIN, dunning_policy="patient")
        close = await world.signs_up("cleo", card=NEVER_AGAIN, dunning_policy="close")
        await world.until("2041-04-02")

        assert await suspend.diary() == [*EXHAUSTED, *SUSPENDED]
        assert [i.status for i in await suspend.invoices()] == [InvoiceStatus.PAID, InvoiceStatus.OPEN]

        assert await forgive.diary() == [*EXHAUSTED, *CANCELED]
        (_, written_off) = await forgive.invoices()
        assert (written_off.status, written_off.open_minor) == (InvoiceStatus.UNCOLLECTIBLE, 5880)
        assert await forgive.credit_notes() == []
        with pytest.raises(CommandRefused, match="This invoice was written off"):
            await world.subscriptions.pay_now(written_off.id)

        assert await credit.diary() == [*EXHAUSTED, "2041-03-21 credit note 58.80 issued", *CANCELED]
        (_, taken_back) = await credit.invoices()
        assert (taken_back.status, taken_back.open_minor) == (InvoiceStatus.PAID, 0)
        assert [(n.total_minor, n.closes_minor, n.balance_minor) for n in await credit.credit_notes()] == [
            (5880, 5880, 0)
        ]

        assert await keep.diary() == [
            *EXHAUSTED,
            "2041-03-21 dunning ended: keep",
            "2041-03-31 invoice 58.80 issued",
            f"2041-03-31 {DECLINED}",
            "2041-03-31 mail invoice_issued",
            "2041-03-31 mail payment_failed",
            f"2041-04-01 {DECLINED}",
        ]
        assert (await keep.state()).subscription.status == "past_due"
        assert [i.status for i in await keep.invoices()] == [
            InvoiceStatus.PAID,
            InvoiceStatus.OPEN,
            InvoiceStatus.OPEN,
        ]

        assert await close.diary() == [*EXHAUSTED, *CANCELED]
        assert [i.status for i in await close.invoices()] == [InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE]


async def test_the_annual_and_the_short_policy(life: Begins) -> None:
    async with life("2041-01-31") as world:
        annual = await world.signs_up("anna", plan="year", card=NEVER_AGAIN)
        short = await world.signs_up("fanny", plan="fortnight", card=NEVER_AGAIN)
        await world.until("2041-03-10")
        assert await short.diary() == [
            "2041-01-31 invoice 24.00 issued",
            "2041-01-31 charge paid 24.00",
            "2041-01-31 status active",
            "2041-01-31 access begins",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-14 invoice 24.00 issued",
            f"2041-02-14 {DECLINED}",
            "2041-02-14 status past_due",
            "2041-02-14 mail invoice_issued",
            "2041-02-14 mail payment_failed",
            f"2041-02-15 {DECLINED}",
            f"2041-02-16 {DECLINED}",
            "2041-02-16 mail payment_reminder",
            f"2041-02-17 {DECLINED}",
            "2041-02-17 mail last_notice",
            "2041-02-20 dunning ended: suspend",
            "2041-02-20 status unpaid",
            "2041-02-20 access ends",
            "2041-02-20 mail subscription_suspended",
        ]
        await world.until("2042-03-31")
        assert await annual.diary() == [
            "2041-01-31 invoice 588.00 issued",
            "2041-01-31 charge paid 588.00",
            "2041-01-31 status active",
            "2041-01-31 access begins",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-12-16 mail renewal_notice",
            "2042-01-31 invoice 588.00 issued",
            f"2042-01-31 {DECLINED}",
            "2042-01-31 status past_due",
            "2042-01-31 mail invoice_issued",
            "2042-01-31 mail payment_failed",
            f"2042-02-03 {DECLINED}",
            f"2042-02-07 {DECLINED}",
            "2042-02-07 mail payment_reminder",
            f"2042-02-14 {DECLINED}",
            "2042-02-14 mail payment_reminder",
            f"2042-02-28 {DECLINED}",
            "2042-02-28 mail last_notice",
            "2042-03-17 dunning ended: suspend",
            "2042-03-17 status unpaid",
            "2042-03-17 access ends",
            "2042-03-17 mail subscription_suspended",
        ]
        assert (await short.diary())[-2:] == [
            "2041-05-21 status canceled: unpaid for too long",
            "2041-05-21 mail subscription_canceled",
        ]
        assert [i.status for i in await short.invoices()] == [InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE]


async def test_a_technical_decline_is_repeated_the_same_day(life: Begins) -> None:
    """The repeat is one of the four, so the last day falls away; the customer's own try is counted apart."""
    async with life("2041-01-31") as world:
        card = {"outcomes": ["ok", "processing_error", "processing_error"], "then": "insufficient_funds"}
        anna = await world.signs_up(card=card)
        await world.until("2041-02-28", hour=1)
        assert (await anna.diary()).count("2041-02-28 charge declined: processing_error") == 1
        await world.until("2041-03-05")
        (_, invoice) = await anna.invoices()
        await world.subscriptions.pay_now(invoice.id, by="customer")
        await world.until("2041-03-25")
        assert await anna.diary() == [
            *SIGNED_UP,
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge declined: processing_error",
            "2041-02-28 status past_due",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail payment_failed",
            "2041-02-28 charge declined: processing_error",
            f"2041-03-01 {DECLINED}",
            f"2041-03-03 {DECLINED}",
            "2041-03-03 mail payment_reminder",
            f"2041-03-05 {DECLINED}",
            f"2041-03-07 {DECLINED}",
            "2041-03-07 mail payment_reminder",
            "2041-03-14 mail last_notice",
            *SUSPENDED,
        ]


def only_asked(code: str) -> list[str]:
    """One charge, and then mails on the days on which a retry would have been."""
    return [
        *SIGNED_UP,
        "2041-02-28 invoice 58.80 issued",
        f"2041-02-28 charge declined: {code}",
        "2041-02-28 status past_due",
        "2041-02-28 mail invoice_issued",
        "2041-02-28 mail payment_failed",
        "2041-03-03 mail payment_reminder",
        "2041-03-07 mail payment_reminder",
        "2041-03-14 mail last_notice",
        *SUSPENDED,
    ]


async def test_classes_that_allow_no_retry(life: Begins) -> None:
    """No charge is made where it cannot succeed; the customer is asked on the same days, and never told of fraud."""
    async with life("2041-01-31") as world:
        expired = await world.signs_up("eve", card={"outcomes": ["ok"], "then": "expired_card"})
        asked = await world.signs_up("ava", card={"outcomes": ["ok"], "then": "incorrect_cvc"})
        stolen = await world.signs_up("stan", card={"outcomes": ["ok"], "then": "stolen_card"})
        letters = []
        for day in ("2041-02-28", "2041-03-03", "2041-03-07", "2041-03-14", "2041-03-21"):
            await world.until(day)
            letters = await stolen.letters()
        await world.until("2041-03-25")

        assert await expired.diary() == only_asked("expired_card")
        assert await asked.diary() == only_asked("incorrect_cvc")
        assert await stolen.diary() == only_asked("stolen_card")

        said = " ".join(f"{letter.subject} {letter.text}" for letter in letters).lower()
        assert [letter.kind for letter in letters].count("payment_reminder") == 2
        for word in ("fraud", "stolen", "lost", "vol", "perdu", "suspic"):
            assert f" {word}" not in said
