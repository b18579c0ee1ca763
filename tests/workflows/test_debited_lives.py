"""Lives paid by SEPA debit: told before each, days under way, repeated once, taken back later (rules 16, 28)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from fakes import FakeStripe
from support.diaries import joined_by_debit
from support.ledgers import assert_books_agree
from support.life import ClockedLife, Life, Person, skipping
from support.mailroom import Mailbox
from support.provider_post import Post, news_reaches

from activities.books.config import BookRules
from activities.books.receipts import receipts_of
from activities.incoming import TemporalSignals
from billing.commands import Cancel, CreditTo, When
from models.database import Database
from models.tables import Invoice, SubscriptionRow
from sandbox.stripe.server import running
from sandbox.stripe.world import Options
from starter.overview import overview_of

BANK_TAKES = 3.5 * 86_400
"""Seconds until the bank's word about a debit: it is seen when the provider is asked on the fourth morning."""


@pytest.fixture(scope="module")
def slow_bank() -> Iterator[FakeStripe]:
    with running(Options(sepa_seconds=BANK_TAKES)) as base:
        yield FakeStripe(base)


@pytest.fixture
def bank(slow_bank: FakeStripe) -> FakeStripe:
    slow_bank.post("reset")
    return slow_bank


async def why(world: Life, invoice: Invoice) -> str:
    """What the chase of an invoice says that it waits for."""
    state = await world.client.get_workflow_handle(f"collection/{invoice.id}").query("state")
    sentence: str = state["next"]["why"]
    return sentence


async def letter_about(person: Person, day: str) -> str:
    """The notice of the debit of a day."""
    (text,) = [letter.text for letter in await person.letters() if letter.subject.endswith(f" le {day}")]
    return " ".join(text.split())


async def is_taken_back(world: Life) -> None:
    """The bank takes the newest debit back, which is decided the moment its payer asks for it."""
    charge = world.fake.get("ledger")["charges"][-1]["id"]
    dispute = world.fake.post(f"charge/{charge}/dispute", {"reason": "customer_initiated"})
    world.fake.post(f"dispute/{dispute['id']}", {"status": "lost"})
    await news_reaches(world)


async def test_announced_debited_repeated_and_taken_back(
    sqlite_database: Database, bank: FakeStripe, mailbox: Mailbox
) -> None:
    async with skipping(sqlite_database, bank, mailbox.address, begins="2041-01-31") as world:
        anna = await world.signs_up("anna", account=["ok", "insufficient_funds", "ok"])
        await world.until("2041-03-01")
        assert "FR72ZZZ123456" in await letter_about(anna, "4 mars 2041")
        _, february = await anna.invoices()
        assert await why(world, february) == (
            "SEPA debit announced for 4 March 2041, the first banking day after the 3 days' notice "
            "(day 0 of policy sepa v1)"
        )
        await world.until("2041-03-05")
        assert "the payment is under way" in await why(world, february)
        assert (await anna.state()).subscription.status == "active"
        await world.until("2041-03-09")
        assert "n’a pas abouti" in await letter_about(anna, "15 mars 2041")
        await world.until("2041-04-01")
        await anna_is_seen(world, anna)
        await is_taken_back(world)
        await world.until("2041-04-02")
        await anna.gives_account(["ok", "ok"], iban="FR1420041010050500013M02606")
        await world.until("2041-04-10")
        assert await anna.diary() == [
            *joined_by_debit("2041-01-31", "58.80"),
            "2041-02-04 charge paid 58.80",
            "2041-02-04 mail receipt",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 mail debit_notice",
            "2041-02-28 mail invoice_issued",
            # Debited on Monday 4 March, after the three days that end on a Sunday.
            "2041-03-08 charge declined: insufficient_funds",
            "2041-03-08 status past_due",
            "2041-03-08 mail debit_notice",
            "2041-03-19 charge paid 58.80",
            "2041-03-19 status active",
            "2041-03-19 mail receipt",
            "2041-03-31 invoice 58.80 issued",
            "2041-03-31 mail debit_notice",
            "2041-03-31 mail invoice_issued",
            "2041-04-01 dispute 58.80 opened",
            "2041-04-01 dispute 58.80 lost",
            "2041-04-01 charge taken back 58.80",
            "2041-04-01 status past_due",
            "2041-04-01 mail invoice_reopened",
            # Another account: both invoices are announced under its mandate, for Friday 5 April.
            "2041-04-02 mail debit_notice",
            "2041-04-02 mail debit_notice",
            "2041-04-09 charge paid 58.80",
            "2041-04-09 charge paid 58.80",
            "2041-04-09 status active",
            "2041-04-09 mail receipt",
            "2041-04-09 mail receipt",
        ]
        await assert_books_agree(world.database, world.fake)


async def anna_is_seen(world: Life, anna: Person) -> None:
    """What support reads of how she pays."""
    async with world.database.read() as session:
        row = await session.get_one(SubscriptionRow, anna.subscription_id)
        seen = await overview_of(session, row, BookRules.of(world.settings), await world.present())
    assert (seen.payment_method or "").startswith("SEPA 3201, mandate ")
    assert (seen.payment_method or "").endswith(" of 2041-01-31, last debit 2041-03-15")


async def test_refused_twice_the_policy_ends_it(
    sqlite_database: Database, bank: FakeStripe, mailbox: Mailbox
) -> None:
    async with skipping(sqlite_database, bank, mailbox.address, begins="2041-01-31") as world:
        no = "insufficient_funds"
        anna = await world.signs_up("anna", plan="quarter", account=["ok", no, no, "ok"])
        await world.until("2041-06-10")
        assert (await anna.diary())[7:] == [
            "2041-04-30 invoice 144.00 issued",
            "2041-04-30 mail debit_notice",
            "2041-04-30 mail invoice_issued",
            # Debited on 3 May, again on 14 May: five banking days after the failure.
            "2041-05-07 charge declined: insufficient_funds",
            "2041-05-07 status past_due",
            "2041-05-07 mail debit_notice",
            "2041-05-18 charge declined: insufficient_funds",
            "2041-05-23 mail last_notice",
            "2041-05-30 dunning ended: suspend",
            "2041-05-30 status unpaid",
            "2041-05-30 access ends",
            "2041-05-30 mail subscription_suspended",
        ]
        assert len(bank.get("attempts")) == 3


async def test_a_first_payment_that_fails_and_a_return_49_days_after_a_cancelled_subscription_was_paid(
    sqlite_database: Database, bank: FakeStripe, mailbox: Mailbox
) -> None:
    async with skipping(sqlite_database, bank, mailbox.address, begins="2041-01-31") as world:
        anna = await world.signs_up("anna", account=["insufficient_funds", "ok", "ok"])
        await world.until("2041-02-20")
        await anna.tells(Cancel(command_id="enough", when=When.NOW, credit_to=CreditTo.NONE))
        await world.until("2041-04-05")
        await is_taken_back(world)
        await world.until("2041-06-10")
        assert await anna.diary() == [
            *joined_by_debit("2041-01-31", "58.80"),
            "2041-02-04 charge declined: insufficient_funds",
            "2041-02-04 status past_due",
            "2041-02-04 mail debit_notice",
            # The repeat of 11 February.
            "2041-02-15 charge paid 58.80",
            "2041-02-15 status active",
            "2041-02-15 mail receipt",
            "2041-02-20 status canceled: canceled now",
            "2041-02-20 access ends",
            "2041-02-20 mail subscription_canceled",
            "2041-04-05 dispute 58.80 opened",
            "2041-04-05 dispute 58.80 lost",
            "2041-04-05 charge taken back 58.80",
            "2041-04-05 mail invoice_reopened",
        ]
        (invoice,) = await anna.invoices()
        assert (invoice.status, invoice.open_minor) == ("open", 5880)
        assert "waits for a payment" in await why(world, invoice)
        async with world.database.read() as session:
            april = await receipts_of(
                session,
                entity_id=invoice.entity_id,
                clock_id=None,
                first=date(2041, 4, 1),
                after=date(2041, 5, 1),
            )
        assert [(row.base_minor, row.vat_minor, row.taken_back_minor) for row in april] == [
            (-4900, -980, -980)
        ]
        await assert_books_agree(world.database, world.fake)


async def test_webhooks_late_twice_and_in_reversed_order_tell_the_same(world: ClockedLife) -> None:
    """On the dev server, with the days of the fake Stripe's own test clock."""
    post = Post(
        world.fake,
        world.database,
        world.gateway,
        rules=BookRules.of(world.settings),
        signals=TemporalSignals(world.client),
    )

    async def all_news_arrives() -> None:
        events = post.letters("payment_intent.", "charge.")
        await post.bring([*reversed(events), *events])
        await world.settle()

    anna = await world.signs_up("anna", account=["ok", "insufficient_funds", "ok"])
    await world.until("2041-02-08")
    await all_news_arrives()
    await world.until("2041-03-11")
    await all_news_arrives()
    await world.until("2041-03-25")
    await all_news_arrives()
    assert await anna.diary() == [
        *joined_by_debit("2041-01-31", "58.80"),
        "2041-02-08 charge paid 58.80",
        "2041-02-08 mail receipt",
        "2041-02-28 invoice 58.80 issued",
        "2041-02-28 mail debit_notice",
        "2041-02-28 mail invoice_issued",
        # The webhook of 7 March came four days late: we had asked on the 8th.
        "2041-03-08 charge declined: insufficient_funds",
        "2041-03-08 status past_due",
        "2041-03-08 mail debit_notice",
        # Debited again on 15 March, settled six working days later.
        "2041-03-25 charge paid 58.80",
        "2041-03-25 status active",
        "2041-03-25 mail receipt",
    ]
    await assert_books_agree(world.database, world.fake)
