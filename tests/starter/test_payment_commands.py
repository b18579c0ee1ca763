"""`relance payment` as a person and a program meet it, and the same through the client."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fakes import TEST_KEY, FakeStripe
from sqlmodel import select
from support.disputed import OPENED, Preparing, hear, paid
from support.factories import NEW_YEAR, Someone
from support.life import ClockedLife, Person
from support.provider_post import news_reaches

from activities.books.config import BookRules
from activities.books.correcting import begin_correction
from billing.corrections import Credit
from billing.errors import InvalidInput
from models.database import Database
from models.tables import Invoice, PaymentAttempt
from starter.cli import main
from starter.client import RelanceClient

Answer = TypeVar("Answer")


class Desk:
    """A till with one customer, and the command line beside it."""

    def __init__(self, url: str, captured: pytest.CaptureFixture[str]) -> None:
        self._url = url
        self._captured = captured

    def books(self, work: Callable[[Database], Awaitable[Answer]]) -> Answer:
        """Something happens in the books."""

        async def whole() -> Answer:
            database = Database(self._url)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(whole())

    def __call__(self, *words: str) -> tuple[int, str]:
        status = main(("payment", *words))
        printed = self._captured.readouterr()
        return status, printed.out or printed.err

    def json(self, *words: str) -> Any:  # noqa: ANN401 - JSON
        status, said = self(*words, "--json")
        found = json.loads(said)
        return found if status == 0 else found["error"]


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_stripe: FakeStripe,
    sqlite_template: Path,
) -> Desk:
    url = f"sqlite+aiosqlite:///{tmp_path / 'relance.db'}"
    shutil.copy(sqlite_template, tmp_path / "relance.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url.replace("+aiosqlite", ""))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("STRIPE_API_KEY", TEST_KEY)
    monkeypatch.setenv("STRIPE_API_BASE", fake_stripe.base)
    return Desk(url, capsys)


async def overpaid(database: Database) -> Someone:
    """50.00 were paid where 34.80 were owed."""
    return (await paid(database, amount_minor=5000))[0]


def test_what_is_held_goes_back_and_more_than_that_is_refused(desk: Desk) -> None:
    anna = desk.books(overpaid).customer.id
    assert "15.20 EUR" in desk("held", anna)[1]
    assert desk.json("held", anna) == [
        {"currency": "EUR", "balance_minor": 0, "set_aside_minor": 0, "unapplied_minor": 1520}
    ]
    refused = desk.json("refund", anna, "--amount", "15.21", "--reason", "paid too much")
    assert (refused["field"], refused["code"]) == ("amount", "not_held")
    assert "Ask for 1520 at most" in refused["message"]
    words = (
        "refund",
        anna,
        "--amount",
        "10",
        "--reason",
        "paid too much",
        "--by",
        "lea",
        "--command-id",
        "t1",
    )
    assert desk(*words) == (0, "Goes back: 10.00 EUR.\nStill held there: 5.20 EUR.\n")
    assert desk(*words) == (0, "Goes back: 10.00 EUR.\nStill held there: 5.20 EUR.\n")
    (refund,) = desk.json("refunds", "--customer", anna)
    assert (refund["amount_minor"], refund["state"], refund["by"], refund["reason"]) == (
        1000,
        "queued",
        "lea",
        "paid too much",
    )
    assert "paid too much" in desk("refunds")[1]
    assert desk.json("refund", anna, "--amount", "0", "--reason", "x")["field"] == "amount"


def test_a_payout_by_hand_is_noted_with_who_and_why(desk: Desk) -> None:
    async def credited(database: Database) -> Someone:
        anna, invoice, _ = await paid(database)
        gift = Credit(command_id="c", invoice_id=invoice.id, reason="a gift", amount_minor=1200)
        async with database.write() as session:
            await begin_correction(session, Preparing(), BookRules(), gift, at=NEW_YEAR)
        return anna

    anna = desk.books(credited).customer.id
    assert desk("pay-out", anna, "--reason", "by transfer", "--by", "lea") == (
        0,
        "Noted as paid out: 12.00 EUR.\nStill held there: 0.00 EUR.\n",
    )
    status, said = desk("pay-out", anna, "--reason", "again")
    assert status == 1
    assert "0 minor units of balance in EUR are held for this customer." in said


def test_an_amount_needs_a_currency_where_nothing_tells_it(desk: Desk) -> None:
    async def exactly(database: Database) -> Someone:
        return (await paid(database))[0]

    anna = desk.books(exactly).customer.id
    refused = desk.json("refund", anna, "--amount", "1", "--reason", "x")
    assert (refused["field"], refused["message"]) == (
        "currency",
        "Give --currency beside --amount: money is held in no currency.",
    )
    assert desk("held", anna) == (0, "Nothing is held.\n")


def test_a_refund_that_is_still_tried_is_neither_sent_nor_dropped(desk: Desk) -> None:
    anna = desk.books(overpaid).customer.id
    desk("refund", anna, "--reason", "paid too much")
    (refund,) = desk.json("refunds")
    assert desk.json("send", refund["id"])["code"] == "not_stuck"
    assert desk.json("drop", refund["id"], "--reason", "no")["code"] == "not_stuck"
    assert desk.json("drop", refund["id"], "--reason", " ")["field"] == "reason"
    assert desk.json("send", "rf_none")["code"] == "not_found"


def test_disputes_are_listed(desk: Desk) -> None:
    async def disputed(database: Database) -> None:
        _, _, attempt = await paid(database)
        await hear(database, attempt, OPENED)

    assert desk("disputes") == (0, "No dispute.\n")
    desk.books(disputed)
    assert "34.80 EUR" in desk("disputes")[1]
    (dispute,) = desk.json("disputes", "--open")
    assert (dispute["state"], dispute["reason"]) == ("open", "fraudulent")


def test_vat_on_receipts_is_shown_by_month(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.books(paid)
    assert main(("tax", "receipts", "2027-01", "--json")) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["percent"], row["base_minor"], row["vat_minor"]) == ("20", 2900, 580)
    assert main(("tax", "receipts", "2027-02")) == 0
    assert capsys.readouterr().out == "Nothing was received.\n"
    assert main(("tax", "receipts", "January")) == 1


# What fits nowhere, with a world around it


async def lost_sight_of(world: ClockedLife, person: Person) -> Invoice:
    """Their payment is not found any more by what the provider calls it; answers its invoice."""
    (invoice,) = await person.invoices()
    async with world.database.write() as session:
        attempt = (await session.exec(select(PaymentAttempt))).one()
        attempt.charge, attempt.payment_intent = None, None
    return invoice


def charge_at(world: ClockedLife) -> str:
    charge: str = world.fake.get("ledger")["charges"][0]["id"]
    return charge


async def test_a_refund_that_fitted_nowhere_is_linked_to_its_invoice(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up()
    invoice = await lost_sight_of(world, anna)
    made = world.fake.post(f"charge/{charge_at(world)}/refund", {"amount": 1000})
    await news_reaches(world)
    (matter,) = await client.payments.matters()
    assert (matter.provider_id, matter.amount_minor) == (made["id"], 1000)
    taken = await client.payments.link(matter.id, invoice.number or "")
    assert "which nobody here asked for" in taken.note
    assert await client.payments.matters() == []
    (refund,) = await client.payments.refunds(customer="anna")
    assert (refund.provider_id, refund.state, refund.invoice_id) == (made["id"], "succeeded", invoice.id)
    with pytest.raises(InvalidInput, match="resolved already: booked as"):
        await client.payments.link(matter.id, invoice.id)


async def test_a_dispute_that_fitted_nowhere_is_linked_and_its_chase_begins(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up()
    invoice = await lost_sight_of(world, anna)
    made = world.fake.post(f"charge/{charge_at(world)}/dispute")
    world.fake.post(f"dispute/{made['id']}", {"status": "lost"})
    await news_reaches(world)
    (matter,) = await client.payments.matters()
    await client.payments.link(matter.id, invoice.id)
    await world.settle()
    assert (await client.show("anna")).status == "past_due"
    await world.until("2041-02-04")
    assert [line for line in await anna.diary() if "mail" in line] == [
        "2041-01-31 mail invoice_issued",
        "2041-01-31 mail invoice_reopened",
        "2041-01-31 mail receipt",
        "2041-02-03 mail payment_reminder",
    ]


async def test_what_is_nobodys_is_resolved_with_a_word(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up()
    world.fake.post(f"charge/{charge_at(world)}/fraud_warning")
    await news_reaches(world)
    (matter,) = await client.payments.matters()
    (invoice,) = await anna.invoices()
    with pytest.raises(InvalidInput, match="Only a refund or a dispute"):
        await client.payments.link(matter.id, invoice.id)
    with pytest.raises(InvalidInput) as refused:
        await client.payments.resolve(matter.id, by="lea", reason=" ")
    assert refused.value.field == "reason"
    done = await client.payments.resolve(matter.id, by="lea", reason="called them: it was them")
    again = await client.payments.resolve(matter.id, by="leo", reason="another word")
    assert (done.resolved_by, done.resolution) == (again.resolved_by, again.resolution)
    assert await client.payments.matters() == []
