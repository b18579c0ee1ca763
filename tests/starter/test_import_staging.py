"""Staging an import: the documentation's own example, what comes next for whom, and every slip by its line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeStripe
from sqlmodel import select
from support.importing import SELLER, a_customer_with_card, example, importer, mended

from billing.errors import InvalidInput
from models.database import Database
from models.tables import Customer, Invoice, Message, Plan, SubscriptionRow
from starter.client import RelanceClient
from starter.importing.staging import Staged
from starter.orders import NewPlan


@pytest.fixture
async def client(sqlite_database: Database, fake_stripe: FakeStripe) -> AsyncIterator[RelanceClient]:
    client = importer(sqlite_database, fake_stripe)
    await client.create_entity(SELLER)
    yield client
    await client.close()


@pytest.fixture
def folder(tmp_path: Path, fake_stripe: FakeStripe) -> Path:
    customer, card = a_customer_with_card(fake_stripe)
    return example("import", tmp_path, {"cus_Anna": customer, "pm_Anna": card})


def counted(staged: Staged) -> tuple[int, int, int, int, int]:
    return staged.created, staged.changed, staged.same, staged.removed, staged.refused


def said(staged: Staged) -> list[tuple[str, int, str | None]]:
    return [(problem.file, problem.line, problem.field) for problem in staged.problems]


async def count(database: Database, table: type[Any]) -> int:
    async with database.read() as session:
        return len((await session.exec(select(table))).all())


def as_a_spreadsheet_writes_them(folder: Path) -> None:
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8").replace(",", ";").replace("\n", "\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())


async def test_the_example_shows_what_will_be_billed_and_writes_nothing(
    client: RelanceClient, folder: Path, sqlite_database: Database
) -> None:
    staged = await client.imports.stage(folder)
    assert staged.problems == ()
    assert counted(staged) == (15, 0, 0, 0, 0)
    assert staged.batch_id is not None
    shown = await client.imports.show(staged.batch_id)
    invoices = {one.reference: one.next_invoice for one in shown.to_come}
    anna, acme = invoices["anna-pro"], invoices["acme-team"]
    assert anna is not None
    assert acme is not None
    # Half of 49.00 with 20 % VAT, of which the balance pays 10.00.
    assert (anna["on"], anna["until"]) == ("2027-02-28", "2027-03-31")
    assert [(line["amount_minor"], line["vat_percent"]) for line in anna["lines"]] == [(2450, "20")]
    assert (anna["total_minor"], anna["from_balance_minor"], anna["due_minor"]) == (2940, 1000, 1940)
    # Twelve seats at 9.50 to a German business with a VAT number: the charge is reversed.
    assert (acme["on"], acme["total_minor"], acme["vat_minor"]) == ("2027-02-15", 11400, 0)
    # Without a payment method the trial leads nowhere.
    (trial,) = [one for one in shown.to_come if one.reference == "zoe-pro"]
    assert trial.why_none == ("the trial ends on 2027-02-15 without a payment method: nothing is billed")
    for table in (Plan, Customer, SubscriptionRow, Invoice, Message):
        assert await count(sqlite_database, table) == 0


async def test_staged_again_it_is_the_same_and_only_what_differs_is_changed(
    client: RelanceClient, folder: Path
) -> None:
    first = await client.imports.stage(folder)
    again = await client.imports.stage(folder)
    assert (counted(again), again.batch_id) == ((0, 0, 15, 0, 0), first.batch_id)
    mended(folder / "subscriptions.csv", "team,12,9.50", "team,13,9.50")
    mended(folder / "balances.csv", "anna,10.00,EUR\n", "")
    assert counted(await client.imports.stage(folder)) == (0, 1, 13, 1, 0)


async def test_every_slip_is_named_by_its_file_and_line(client: RelanceClient, folder: Path) -> None:
    mended(folder / "customers.csv", "zoe@example.com,consumer", "zoe@example.com,private")
    mended(folder / "subscriptions.csv", "acme,team", "acme,gold")
    mended(folder / "subscriptions.csv", "pro,,,EUR,2025-12-31", "pro,,,USD,2025-12-31")
    mended(folder / "balances.csv", "10.00", "1000")
    mended(folder / "debts.csv", "114.00", "114,00")
    with (folder / "coupons.csv").open("a", encoding="utf-8") as file:
        file.write("HALF,Half again,50,,,6\n")
    staged = await client.imports.stage(folder)
    assert said(staged) == [
        ("balances.csv", 2, "amount"),
        ("coupons.csv", 4, None),
        ("customers.csv", 4, "kind"),
        ("debts.csv", 2, "subscription"),
        ("debts.csv", 3, None),
        ("subscriptions.csv", 2, "currency"),
        ("subscriptions.csv", 3, "plan"),
        ("subscriptions.csv", 4, "customer"),
    ]
    words = {(problem.file, problem.line): problem.message for problem in staged.problems}
    assert words["balances.csv", 2] == (
        "'1000' is no amount in EUR. Write it in major units with a point and 2 decimals, as 49.00, without "
        "separators of thousands."
    )
    assert words["coupons.csv", 4] == "HALF is on line 2 already: one of the two is enough."
    assert words["debts.csv", 3].startswith("This line has 8 cells, the header 7.")
    assert words["subscriptions.csv", 2] == "The plan pro bills in EUR, this line says USD."
    assert "There is no plan gold, neither here nor in plans.csv." in words["subscriptions.csv", 3]
    assert words["subscriptions.csv", 4] == "Its customer zoe is refused: mend that first."
    assert staged.batch_id is not None
    shown = await client.imports.show(staged.batch_id)
    assert shown.problems == staged.problems


async def test_files_of_spreadsheets_are_read(client: RelanceClient, folder: Path) -> None:
    """A byte-order mark, lines that end as on Windows, and semicolons."""
    as_a_spreadsheet_writes_them(folder)
    staged = await client.imports.stage(folder)
    assert (counted(staged), staged.problems) == ((15, 0, 0, 0, 0), ())


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"reference;name\nzo\xe9;Zo\xe9\n", 2, "not in UTF-8"),
        (b"customer,amount\nanna,10.00\n", 1, "The header lacks currency."),
        (b"customer,amount,currency,note\nanna,10.00,EUR,x\n", 1, "There is no column 'note'."),
        (b"customer,amount,currency,amount\nanna,10.00,EUR,9.00\n", 1, "The column amount is there twice."),
        (b'customer,amount,currency\nanna,10.00,EUR\n"zoe,5.00,EUR\n', 3, "this is no CSV"),
        (b"customer,amount,currency\nanna,,EUR\n", 2, "This cell is empty"),
    ],
)
async def test_a_file_that_can_not_be_read_says_why(
    client: RelanceClient, tmp_path: Path, content: bytes, line: int, says: str
) -> None:
    (tmp_path / "balances.csv").write_bytes(content)
    (problem,) = (await client.imports.stage(tmp_path)).problems
    assert (problem.file, problem.line) == ("balances.csv", line)
    assert says in problem.message or problem.message.startswith(says)


async def test_a_folder_with_nothing_in_it_is_refused(client: RelanceClient, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is nothing to import in") as refused:
        await client.imports.stage(tmp_path)
    assert refused.value.field == "folder"


async def test_a_payment_method_of_somebody_else_is_refused(
    client: RelanceClient, folder: Path, fake_stripe: FakeStripe
) -> None:
    _, other = a_customer_with_card(fake_stripe)
    path = folder / "payment_methods.csv"
    path.write_text(f"customer,payment_method\nanna,{other}\nacme,pm_nowhere\n", encoding="utf-8")
    staged = await client.imports.stage(folder)
    assert said(staged) == [
        ("payment_methods.csv", 2, "payment_method"),
        ("payment_methods.csv", 3, "payment_method"),
    ]
    assert "belongs to cus_" in staged.problems[0].message
    assert "Stripe does not know pm_nowhere in this account" in staged.problems[1].message


async def test_two_customers_are_not_one_at_stripe(client: RelanceClient, folder: Path) -> None:
    path = folder / "customers.csv"
    anna = path.read_text(encoding="utf-8").splitlines()[1].rpartition(",")[2]
    mended(path, "Lyon,FR,,\n", f"Lyon,FR,,{anna}\n")
    staged = await client.imports.stage(folder)
    assert said(staged) == [("customers.csv", 4, "stripe_customer"), ("subscriptions.csv", 4, "customer")]
    assert staged.problems[0].message.startswith(f"{anna} is another customer already: cus_")


async def test_a_plan_or_customer_that_differs_from_the_books_is_refused(
    client: RelanceClient, folder: Path
) -> None:
    assert (await client.imports.stage(folder)).problems == ()
    await client.create_plan(
        NewPlan.model_validate(
            {"reference": "pro", "name": "Pro", "currency": "EUR", "every": "1month", "amount": "59.00"}
        )
    )
    staged = await client.imports.stage(folder)
    assert ("plans.csv", 2, "reference") in said(staged)
    assert ("subscriptions.csv", 2, "plan") in said(staged)
