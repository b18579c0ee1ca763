"""Cut at the end of the policy, and back: what is billed for the time in between (K13, U10, U11)."""

from decimal import Decimal
from typing import Any

from support.life import Begins

from billing.commands import Resume
from billing.dunning import DunningPolicy, EndForInvoice
from models.tables import InvoiceStatus

DECLINED = "charge declined: insufficient_funds"
NEVER_AGAIN = {"outcomes": ["ok"], "then": "insufficient_funds"}
CUT = [
    "2041-02-01 invoice 48.00 issued",
    "2041-02-01 charge paid 48.00",
    "2041-02-01 status active",
    "2041-02-01 access begins",
    "2041-02-01 mail invoice_issued",
    "2041-02-01 mail receipt",
    "2041-03-01 invoice 48.00 issued",
    f"2041-03-01 {DECLINED}",
    "2041-03-01 status past_due",
    "2041-03-01 mail invoice_issued",
    "2041-03-01 mail payment_failed",
    f"2041-03-02 {DECLINED}",
    f"2041-03-04 {DECLINED}",
    "2041-03-04 mail payment_reminder",
    f"2041-03-08 {DECLINED}",
    "2041-03-08 mail payment_reminder",
    f"2041-03-15 {DECLINED}",
    "2041-03-15 mail last_notice",
]
SUSPENDED = [
    "2041-03-22 dunning ended: suspend",
    "2041-03-22 status unpaid",
    "2041-03-22 access ends",
    "2041-03-22 mail subscription_suspended",
]
APRIL = [
    "2041-04-01 invoice 48.00 issued",
    "2041-04-01 charge paid 48.00",
    "2041-04-01 mail invoice_issued",
    "2041-04-01 mail receipt",
]


async def test_paid_in_the_same_period(life: Begins) -> None:
    """Active at once; the days without service are not billed twice, and not given back."""
    async with life("2041-02-01") as world:
        anna = await world.signs_up(card=NEVER_AGAIN, amount=Decimal("40.00"))
        await world.until("2041-03-25")
        await anna.replaces_card()
        await world.until("2041-04-01")
        assert await anna.diary() == [
            *CUT,
            *SUSPENDED,
            "2041-03-25 charge paid 48.00",
            "2041-03-25 status active",
            "2041-03-25 access begins",
            "2041-03-25 mail receipt",
            *APRIL,
        ]
        nets = [(str(i.period_start), i.net_minor, i.status) for i in await anna.invoices()]
        assert nets == [
            ("2041-02-01", 4000, InvoiceStatus.PAID),
            ("2041-03-01", 4000, InvoiceStatus.PAID),
            ("2041-04-01", 4000, InvoiceStatus.PAID),
        ]


async def test_paid_much_later(life: Begins) -> None:
    """No debt for a service that was cut: 22 of the 31 days of May from the payment to the next anchor date."""
    async with life("2041-02-01") as world:
        anna = await world.signs_up(card=NEVER_AGAIN, amount=Decimal("40.00"))
        await world.until("2041-05-10")
        assert await anna.diary() == [*CUT, *SUSPENDED]
        await anna.replaces_card()
        await world.until("2041-06-01")
        assert await anna.diary() == [
            *CUT,
            *SUSPENDED,
            "2041-05-10 invoice 34.07 issued",
            "2041-05-10 charge paid 48.00",
            "2041-05-10 charge paid 34.07",
            "2041-05-10 status active",
            "2041-05-10 access begins",
            "2041-05-10 mail receipt",
            "2041-05-10 mail invoice_issued",
            "2041-05-10 mail receipt",
            "2041-06-01 invoice 48.00 issued",
            "2041-06-01 charge paid 48.00",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
        ]
        part = (await anna.invoices())[2]
        assert (str(part.period_start), str(part.period_end)) == ("2041-05-10", "2041-06-01")
        assert (part.net_minor, part.vat_minor) == (2839, 568)


async def test_the_debt_was_credited(life: Begins) -> None:
    """Nothing is owed, so nothing is paid: another card or a resume brings it back, from that day on (U11)."""
    policy = DunningPolicy(
        name="forget",
        retry_days=(1, 3, 7, 14),
        last_notice_day=14,
        end_day=21,
        end_for_invoice=EndForInvoice.CREDIT,
    )
    credited = [
        "2041-03-22 credit note 48.00 issued",
        "2041-03-22 dunning ended: suspend",
        "2041-03-22 status unpaid",
        "2041-03-22 access ends",
        "2041-03-22 mail subscription_suspended",
    ]
    back = [
        "2041-03-25 invoice 10.84 issued",
        "2041-03-25 charge paid 10.84",
        "2041-03-25 status active",
        "2041-03-25 access begins",
        "2041-03-25 mail invoice_issued",
        "2041-03-25 mail receipt",
    ]
    async with life("2041-02-01") as world:
        await world.writes_policy(policy)
        terms: dict[str, Any] = {"amount": Decimal("40.00"), "dunning_policy": "forget"}
        anna = await world.signs_up("anna", card=NEVER_AGAIN, **terms)
        rosa = await world.signs_up(
            "rosa", card={"outcomes": ["ok", *["insufficient_funds"] * 5], "then": "ok"}, **terms
        )
        await world.until("2041-03-25")
        assert await anna.diary() == [*CUT, *credited]
        await anna.replaces_card()
        await rosa.tells(Resume(command_id="cmd_back"))
        await world.until("2041-04-01")
        assert await anna.diary() == [*CUT, *credited, *back, *APRIL]
        assert await rosa.diary() == [*CUT, *credited, *back, "2041-03-25 mail resumed", *APRIL]


async def test_never_paid(life: Begins) -> None:
    """After 90 days without service it ends, and we stop asking."""
    async with life("2041-02-01") as world:
        anna = await world.signs_up(card=NEVER_AGAIN, amount=Decimal("40.00"))
        await world.until("2041-06-20", hour=8)
        assert await anna.diary() == [*CUT, *SUSPENDED]
        await world.until("2041-06-25")
        assert await anna.diary() == [
            *CUT,
            *SUSPENDED,
            "2041-06-20 status canceled: unpaid for too long",
            "2041-06-20 mail subscription_canceled",
        ]
        assert [i.status for i in await anna.invoices()] == [InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE]
