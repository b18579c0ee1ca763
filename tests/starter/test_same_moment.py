"""Five processes at the same moment, on both databases: a payment goes back once, usage counts once, a limit holds."""

from __future__ import annotations

from decimal import Decimal

from pydantic import SecretStr
from sqlmodel import col, select
from support import factories
from support.bookkeeping import signs_up
from support.priced import plan, price
from support.processes import PROCESSES, Crowd

from activities.books.metering import UsageReport
from billing.corrections import Credit, PayBackAs
from billing.credit import CreditExceedsInvoice
from billing.errors import InvalidInput
from billing.prices import Charging, PricingModel
from models.database import Database
from models.ids import new_id
from models.tables import CouponRedemption, CreditNote, Refund, UsageEvent
from settings import Settings
from starter.client import RelanceClient
from starter.orders import NewCoupon, NewSubscription


def settings_of(url: str, temporal: str) -> Settings:
    return Settings(
        database_url=url,
        temporal_address=temporal,
        task_queue="nobody-works-here",
        stripe_api_key=SecretStr("sk_test_none"),
    )


# Refunds


async def _ask_for_sixty(number: int, url: str, temporal: str, invoice_id: str) -> str:
    async with RelanceClient.open(settings_of(url, temporal)) as client:
        asked = Credit(
            command_id=f"ticket {number}",
            invoice_id=invoice_id,
            reason="asked from five sides",
            amount_minor=6000,
            then=PayBackAs.REFUND,
        )
        try:
            done = await client.corrections.carry_out(asked)
        except CreditExceedsInvoice as refusal:
            return f"{refusal.left_minor} left"
        return f"{done.refund_minor} go back"


async def test_sixty_of_a_payment_go_back_once(
    database: Database, database_url: str, crowd: Crowd, temporal_server: str
) -> None:
    """118.80 were paid: 60.00 fit once."""
    books = await signs_up(database, plan(price("99.00")))
    await books.is_paid()
    (invoice_id,) = (await books.look()).issued
    answers = await crowd.run(_ask_for_sixty, database_url, temporal_server, invoice_id)
    assert sorted(answers) == ["5880 left"] * (PROCESSES - 1) + ["6000 go back"]
    async with database.read() as session:
        notes = (await session.exec(select(CreditNote))).all()
        refunds = (await session.exec(select(Refund))).all()
    assert [note.total_minor for note in notes] == [6000]
    assert [refund.amount_minor for refund in refunds] == [6000]


# Usage

_METERED = plan(
    *(
        price("0.10", PricingModel.PER_UNIT, id=meter, charging=Charging.METERED, meter=meter)
        for meter in ("calls", "users")
    )
)


async def _report(number: int, url: str, temporal: str, subscription_id: str) -> int:
    """Twenty events, fifteen of them another's too; every second process goes through them backwards."""
    events = [
        UsageReport(event_id=f"event {k}", meter="users" if k % 2 else "calls", quantity=Decimal(1))
        for k in range(5 * number, 5 * number + 20)
    ]
    async with RelanceClient.open(settings_of(url, temporal)) as client:
        return await client.usage.report(subscription_id, events[:: -1 if number % 2 else 1])


async def test_an_event_that_five_report_counts_once(
    database: Database, database_url: str, crowd: Crowd, temporal_server: str
) -> None:
    """Forty different events, twenty of each meter, out of a hundred reports."""
    books = await signs_up(database, _METERED)
    new = await crowd.run(_report, database_url, temporal_server, books.subscription_id)
    assert sum(new) == 40
    async with RelanceClient.open(settings_of(database_url, temporal_server)) as client:
        counted = await client.usage.show(books.subscription_id)
    assert {(one.meter, one.quantity) for one in counted} == {
        ("calls", Decimal(20)),
        ("users", Decimal(20)),
    }
    async with database.read() as session:
        assert len((await session.exec(select(UsageEvent))).all()) == 40


# Coupons


async def _start_with_coupon(number: int, url: str, temporal: str, plan_id: str, customers: list[str]) -> str:
    order = NewSubscription(
        reference=f"sub {number}", customer=customers[number], plan=plan_id, coupons=("LAUNCH",)
    )
    async with RelanceClient.open(settings_of(url, temporal)) as client:
        try:
            started = await client.start_subscription(order)
        except InvalidInput as refusal:
            return refusal.message
        return started.subscription_id


async def test_a_coupon_for_two_is_given_twice(
    database: Database, database_url: str, crowd: Crowd, temporal_server: str
) -> None:
    async with database.write() as session:
        seller = factories.entity()
        session.add(seller)
        await session.flush()
        offer = factories.plan(seller.id)
        customers = [
            factories.customer(seller.id, reference=f"customer {n}", provider_id=new_id("cus"))
            for n in range(PROCESSES)
        ]
        session.add_all([offer, *customers])
    async with RelanceClient.open(settings_of(database_url, temporal_server)) as client:
        await client.coupons.create(NewCoupon(code="LAUNCH", percent=Decimal(20), max_redemptions=2))
        ids = [customer.id for customer in customers]
        answers = await crowd.run(_start_with_coupon, database_url, temporal_server, offer.id, ids)
        started = {answer for answer in answers if answer.startswith("sub_")}
        refused = [answer for answer in answers if answer not in started]
        assert refused == ["The coupon LAUNCH was given 2 times, which is its limit."] * (PROCESSES - 2)
        (coupon,) = await client.coupons.list()
        listed = await client.list_subscriptions()
    async with database.read() as session:
        query = select(CouponRedemption.subscription_id).order_by(col(CouponRedemption.subscription_id))
        redeemed = (await session.exec(query)).all()
    assert coupon.redemptions == 2
    assert set(redeemed) == started
    assert len(list(listed)) == 2
