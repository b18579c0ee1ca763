"""Subscriptions from another system live on: billed exactly what staging showed, and never for what was paid there."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, select
from support.importing import a_card, imports_of, person, write
from support.life import ClockedLife, Life, Person

from billing.errors import InvalidInput
from billing.subscription import Status
from models.tables import Customer, Invoice, PaymentAttempt
from starter.accounts import read_accounts

CUSTOMERS = "reference,name,email,kind,stripe_customer"
SUBSCRIPTIONS = (
    "reference,customer,plan,currency,started_on,anchor,renews_on,trial_ends_on,coupon,coupon_periods_left,"
    "cancel_at_end"
)


@pytest.fixture
def begins() -> str:
    return "2041-02-10"


def at_stripe(life: Life, *names: str) -> dict[str, tuple[str, str]]:
    """Customers of Stripe's with a card each."""
    stripe = life.fake.client()
    found = {}
    for name in names:
        customer = stripe.v1.customers.create({"name": name, "email": f"{name}@example.com"}).id
        found[name] = customer, a_card(stripe, customer)
    return found


def people(life: Life, folder: Path) -> Path:
    """Anna owes something and has a balance, Zoe is in trial, Ben has left, Otto waits for his second month."""
    who = at_stripe(life, "anna", "zoe", "ben")
    return write(
        folder,
        coupons=["code,percent,periods", "HALF,50,6"],
        customers=[
            CUSTOMERS,
            *(f"{name},{name.title()},{name}@example.com,consumer,{ids[0]}" for name, ids in who.items()),
            "otto,Otto,otto@example.com,business,",
            "lou,Lou,lou@example.com,consumer,",
        ],
        payment_methods=["customer,payment_method", *(f"{name},{ids[1]}" for name, ids in who.items())],
        subscriptions=[
            SUBSCRIPTIONS,
            "anna,anna,pro,EUR,2040-12-31,2040-12-31,2041-02-28,,HALF,1,",
            "zoe,zoe,pro,EUR,2041-02-01,,,2041-02-15,,,",
            "ben,ben,pro,EUR,2040-06-20,2040-06-20,2041-02-20,,,,yes",
            "otto,otto,max,EUR,2041-02-05,2041-02-05,2041-03-05,,,,",
            "lou,lou,pro,EUR,2041-01-09,2041-01-09,2041-03-09,,,,",
        ],
        balances=["customer,amount,currency", "anna,10.00,EUR"],
        debts=[
            "number,subscription,issued_on,due_on,amount,currency,collect",
            "OLD-17,anna,2041-01-31,2041-01-31,29.40,EUR,yes",
            "OLD-18,otto,2041-02-05,2041-02-05,118.80,EUR,no",
            "OLD-19,lou,2041-01-09,2041-01-09,58.80,EUR,yes",
        ],
    )


async def billed(who: Person) -> list[tuple[str, str, int, int, str]]:
    return [
        (str(i.period_start), str(i.period_end), i.total_minor, i.balance_minor, i.status.value)
        for i in await who.invoices()
        if not i.is_brought_in
    ]


async def test_they_are_billed_what_was_shown_and_never_for_what_was_paid(
    world: ClockedLife, tmp_path: Path
) -> None:
    imports = imports_of(world)
    staged = await imports.stage(people(world, tmp_path), clock=world.clock_id)
    assert (staged.created, staged.problems) == (18, ())
    assert staged.batch_id is not None
    shown = await imports.show(staged.batch_id)
    went = await imports.go_live(staged.batch_id)
    assert went.live == {
        "coupon": 1,
        "customer": 5,
        "payment_method": 3,
        "subscription": 5,
        "balance": 1,
        "debt": 3,
    }
    await world.settle()
    assert await imports.stage(tmp_path, clock=world.clock_id) == staged.model_copy(
        update={"batch_id": None, "created": 0, "same": 18}
    )
    anna, zoe, ben, otto = [await person(world, name) for name in ("anna", "zoe", "ben", "otto")]
    await world.until("2041-03-02")
    # 49.00 with 20 % VAT is 58.80; half of it is 29.40, of which the balance pays 10.00.
    assert await billed(anna) == [("2041-02-28", "2041-03-31", 2940, 1000, "paid")]
    assert await billed(zoe) == [("2041-02-15", "2041-03-15", 5880, 0, "paid")]
    assert await billed(ben) == []
    assert await billed(otto) == []
    assert {
        one.reference: one.next_invoice and (one.next_invoice["on"], one.next_invoice["due_minor"])
        for one in shown.to_come
    } == {
        "anna": ("2041-02-28", 1940),
        "zoe": ("2041-02-15", 5880),
        "ben": None,
        "otto": ("2041-03-05", 11880),
        "lou": ("2041-03-09", 5880),
    }
    assert await anna.diary() == [
        "2041-02-10 debt 29.40 brought in",
        "2041-02-10 brought in, paid elsewhere until 2041-02-28",
        "2041-02-10 access begins",
        "2041-02-11 charge paid 29.40",
        "2041-02-11 mail receipt",
        "2041-02-28 invoice 29.40 issued",
        "2041-02-28 charge paid 19.40",
        "2041-02-28 mail invoice_issued",
        "2041-02-28 mail receipt",
    ]
    lou = await person(world, "lou")
    # No card: the debt is asked for from its new day 0, and not from when it was due.
    assert await lou.diary() == [
        "2041-02-10 debt 58.80 brought in",
        "2041-02-10 brought in, paid elsewhere until 2041-03-09",
        "2041-02-10 access begins",
        "2041-02-11 status past_due",
        "2041-02-11 mail payment_failed",
        "2041-02-14 mail payment_reminder",
        "2041-02-18 mail payment_reminder",
        "2041-02-25 mail last_notice",
    ]
    assert len(await lou.letters()) == 4
    assert (await ben.state()).subscription.status is Status.CANCELED
    async with world.database.read() as session:
        accounts = await read_accounts(session, world.clock_id)
        debts = {
            i.number: (i.status.value, i.paid_minor, i.vat_minor)
            for i in (await session.exec(select(Invoice).where(col(Invoice.number).like("OLD-%")))).all()
        }
        tried = (await session.exec(select(PaymentAttempt.customer_id))).all()
    assert debts == {
        "OLD-17": ("paid", 2940, 0),
        "OLD-18": ("open", 0, 0),
        "OLD-19": ("open", 0, 0),
    }
    assert otto.customer_id not in tried
    assert [account for account in accounts.customers if not account.adds_up] == []
    assert accounts.unbalanced == ()
    assert [series.missing for series in accounts.series] == [()]
    with pytest.raises(InvalidInput, match="2 subscriptions of this batch were billed or charged"):
        await imports.undo(staged.batch_id)
    assert sum(money["net"] for money in world.fake.get("ledger")["totals"].values()) == 2940 + 1940 + 5880


async def test_an_import_is_undone_without_a_word_and_comes_again(world: ClockedLife, tmp_path: Path) -> None:
    imports = imports_of(world)
    staged = await imports.stage(people(world, tmp_path), clock=world.clock_id)
    assert staged.batch_id is not None
    await imports.go_live(staged.batch_id)
    await world.settle()
    first = await person(world, "anna")
    undone = await imports.undo(staged.batch_id)
    assert undone.kept == ()
    assert undone.taken_back["subscription"] == 5
    await world.settle()
    assert (await first.state()).subscription.end_reason == "the import was undone"
    assert await first.letters() == []
    async with world.database.read() as session:
        accounts = await read_accounts(session, world.clock_id)
    assert [(a.open_minor, a.balance_minor, a.adds_up) for a in accounts.customers] == [(0, 0, True)] * 3
    again = await imports.undo(staged.batch_id)
    assert again == undone
    # What was taken back comes again as something new, also with other data.
    customers = tmp_path / "customers.csv"
    customers.write_text(customers.read_text().replace("Anna", "Anna Petit"), encoding="utf-8")
    second = await imports.stage(tmp_path, clock=world.clock_id)
    assert (second.created, second.problems) == (18, ())
    assert second.batch_id is not None
    await imports.go_live(second.batch_id)
    await world.until("2041-03-02")
    anna = await person(world, "anna")
    assert anna.subscription_id != first.subscription_id
    assert await billed(anna) == [("2041-02-28", "2041-03-31", 2940, 1000, "paid")]
    async with world.database.read() as session:
        assert (await session.get_one(Customer, anna.customer_id)).name == "Anna Petit"
