"""Currencies with no and with three decimals, from the price to the PDF, with workers up, on a test clock."""

from __future__ import annotations

import io
from dataclasses import dataclass
from decimal import Decimal

import pytest
from fakes import FakeStripe
from pypdf import PdfReader
from sqlmodel import col, select
from support.ledgers import assert_books_agree, charged
from support.life import ClockedLife, Person

from activities.books.config import BookRules
from activities.refunds import Refunds
from billing.commands import When
from billing.corrections import Credit, PayBackAs
from billing.refund import RefundState
from models.tables import InvoiceStatus, Refund
from starter.client import RelanceClient
from starter.orders import NewPlan

RATES = "Date,JPY,KWD,TND,\n2027-03-31,163.01,0.3321,3.3875,\n"


@pytest.fixture
def begins() -> str:
    return "2027-04-01"


@dataclass(frozen=True)
class Told:
    """What a currency makes of two plans, a change in the middle of April, and the renewal in May."""

    currency: str
    small: str
    big: str
    invoices: tuple[tuple[int, int, int], ...]
    """Net, VAT at 20 % and total."""
    charges: tuple[int, ...]
    vat_in_eur: tuple[int, ...]
    printed: str
    """The total of the first invoice."""


# A change on 16 April: 15 of 30 days of each side, each line half up, then VAT once.
YEN = Told(
    currency="JPY",
    small="1500",
    big="2999",
    # -750 + 1499.5 = 750, VAT 150; 2999, VAT 599.8
    invoices=((1500, 300, 1800), (750, 150, 900), (2999, 600, 3599)),
    charges=(1800, 900, 3599),
    vat_in_eur=(184, 92, 368),
    printed="1\u202f800\u00a0JPY",
)
# Stripe takes dinars in steps of ten fils: 2, 4 and 1 fils are too fine, and close as small differences.
DINAR = Told(
    currency="KWD",
    small="9.127",
    big="20.001",
    # 9127, VAT 1825.4; -4563.5 + 10000.5 = -4564 + 10001 = 5437, VAT 1087.4; 20001, VAT 4000.2
    invoices=((9127, 1825, 10952), (5437, 1087, 6524), (20001, 4000, 24001)),
    charges=(10950, 6520, 24000),
    vat_in_eur=(550, 327, 1204),
    printed="10,952\u00a0KWD",
)


async def lives_until_may(world: ClockedLife, client: RelanceClient, told: Told) -> Person:
    await client.taxes.load_exchange_rates(RATES, source="typed in")
    for name, amount in (("low", told.small), ("high", told.big)):
        plan = NewPlan(
            reference=name,
            name=name.title(),
            currency=told.currency,
            every="1month",
            amount=Decimal(amount),
        )
        await client.create_plan(plan)
    anna = await world.signs_up(plan="low")
    await world.until("2027-04-16")
    await client.change_plan(anna.subscription_id, "high", when=When.NOW, command_id="up")
    assert (await client.wait_for("up")).applied
    await world.until("2027-05-02")
    return anna


@pytest.mark.parametrize("told", [YEN, DINAR], ids=lambda told: told.currency)
async def test_an_invoice_goes_all_its_way_in_its_own_decimals(
    world: ClockedLife, client: RelanceClient, fake_stripe: FakeStripe, told: Told
) -> None:
    anna = await lives_until_may(world, client, told)
    invoices = await anna.invoices()
    assert [(i.net_minor, i.vat_minor, i.total_minor) for i in invoices] == list(told.invoices)
    assert [(i.status, i.open_minor) for i in invoices] == [(InvoiceStatus.PAID, 0)] * 3
    assert [i.vat_eur_minor for i in invoices] == list(told.vat_in_eur)
    assert charged(fake_stripe) == list(told.charges)
    await assert_books_agree(world.database, fake_stripe)
    assert (await client.show(anna.subscription_id)).status == "active"
    file = await client.documents.file(invoices[0].id)
    page = PdfReader(io.BytesIO(file.content)).pages[0].extract_text()
    assert told.printed.replace("\u202f", " ").replace("\u00a0", " ") in " ".join(page.split())


async def test_a_refund_goes_back_in_steps_that_stripe_takes_and_else_to_the_balance(
    world: ClockedLife, client: RelanceClient, fake_stripe: FakeStripe
) -> None:
    """1.230 of 10.952 dinars go back; 1.234 cannot, and stay as balance."""
    anna = await lives_until_may(world, client, DINAR)
    first = (await anna.invoices())[0]
    for amount in (1230, 1234):
        await client.corrections.carry_out(
            Credit(
                command_id=f"ticket {amount}",
                invoice_id=first.id,
                reason="asked",
                amount_minor=amount,
                then=PayBackAs.REFUND,
            )
        )
    await Refunds(world.database, world.gateway, BookRules.of(world.settings)).send_waiting()
    async with world.database.read() as session:
        found = (await session.exec(select(Refund).order_by(col(Refund.amount_minor)))).all()
    assert [(refund.amount_minor, refund.state, refund.failure) for refund in found] == [
        (1230, RefundState.SUCCEEDED, ""),
        (1234, RefundState.FAILED, "not_chargeable"),
    ]
    await assert_books_agree(world.database, fake_stripe)
