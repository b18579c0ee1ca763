"""Several payment methods of one customer: added, chosen, agreed to as the backup, taken away; here and at Stripe."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes import TEST_KEY, FakeStripe
from pydantic import SecretStr
from support import factories
from support.factories import NEW_YEAR

from activities.books.rows import NotFound
from billing.errors import InvalidInput
from billing.payment import AttemptState
from models.database import Database
from models.parties import Address, Contact
from models.tables import PaymentMethod
from settings import Settings
from starter.cli import main
from starter.client import RelanceClient
from starter.orders import NewCustomer, NewEntity

ADDRESS = ("--line1", "12 rue de la Paix", "--postal-code", "75002", "--city", "Paris")
PARIS = Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR")


@pytest.fixture
async def client(sqlite_database: Database, fake_stripe: FakeStripe) -> AsyncIterator[RelanceClient]:
    settings = Settings(stripe_api_key=SecretStr(TEST_KEY), stripe_api_base=fake_stripe.base)
    client = RelanceClient(sqlite_database, None, settings)
    await client.create_entity(NewEntity(name="Exemple SAS", address=PARIS, sender="factures@example.com"))
    await client.create_customer(
        NewCustomer(reference="anna", name="Anna", contacts=(Contact(email="anna@example.com"),))
    )
    yield client
    await client.close()


async def roles(client: RelanceClient) -> tuple[str | None, str | None]:
    anna = await client.customer("anna")
    return anna.default_method_id, anna.backup_method_id


async def two(client: RelanceClient) -> tuple[str, str]:
    """The default, and another card."""
    first = await client.methods.add("anna", "pm_card_visa", as_default=False)
    other = await client.methods.add("anna", "pm_card_mastercard", as_default=False)
    return first.method_id, other.method_id


async def refused(client: RelanceClient, method: str) -> str:
    with pytest.raises(InvalidInput) as refusal:
        await client.methods.remove("anna", method)
    assert refusal.value.field == "payment_method"
    return refusal.value.message


async def test_the_first_is_the_default_and_others_are_only_kept(client: RelanceClient) -> None:
    first = await client.methods.add("anna", "pm_card_visa", as_default=False)
    other = await client.methods.add("anna", "pm_card_mastercard", as_default=False)
    assert (first.role, other.role) == ("default", "")
    assert await roles(client) == (first.method_id, None)
    assert {method.last4 for method in await client.methods.list("anna")} == {"4242", "4444"}


async def test_another_one_is_made_the_default(client: RelanceClient, sqlite_database: Database) -> None:
    _, other = await two(client)
    async with sqlite_database.read() as session:
        theirs = (await session.get_one(PaymentMethod, other)).provider_id
    assert (await client.methods.make_default("anna", theirs)).role == "default"
    assert (await client.methods.make_default("anna", other)).role == "default"
    assert (await roles(client))[0] == other


async def test_a_backup_is_agreed_to(client: RelanceClient) -> None:
    _, other = await two(client)
    with pytest.raises(InvalidInput, match="Ask the customer first") as refusal:
        await client.methods.make_backup("anna", other, agreed=False, by="portal")
    assert refusal.value.field == "agreed"
    chosen = await client.methods.make_backup("anna", other, agreed=True, by="portal")
    anna = await client.customer("anna")
    assert (chosen.role, anna.backup_method_id, anna.backup_agreed_by) == ("backup", other, "portal")
    assert anna.backup_agreed_at is not None
    await client.methods.drop_backup("anna")
    anna = await client.customer("anna")
    assert (anna.backup_method_id, anna.backup_agreed_at, anna.backup_agreed_by) == (None, None, None)


async def test_what_cannot_be_the_backup(client: RelanceClient, sqlite_database: Database) -> None:
    default, other = await two(client)
    with pytest.raises(InvalidInput, match="Make another one the default first"):
        await client.methods.make_backup("anna", default, agreed=True, by="cli")
    async with sqlite_database.write() as session:
        (await session.get_one(PaymentMethod, other)).kind = "sepa_debit"
    with pytest.raises(InvalidInput, match="Only a card can be the backup"):
        await client.methods.make_backup("anna", other, agreed=True, by="cli")


async def test_a_backup_that_becomes_the_default_is_a_backup_no_more(client: RelanceClient) -> None:
    _, other = await two(client)
    await client.methods.make_backup("anna", other, agreed=True, by="cli")
    await client.methods.make_default("anna", other)
    assert await roles(client) == (other, None)


async def test_what_is_removed_is_gone_at_stripe_too_and_the_backup_takes_over(
    client: RelanceClient, sqlite_database: Database, fake_stripe: FakeStripe
) -> None:
    default, other = await two(client)
    await client.methods.make_backup("anna", other, agreed=True, by="cli")
    removed = await client.methods.remove("anna", default)
    assert removed.takes_over == other
    assert await roles(client) == (other, None)
    async with sqlite_database.read() as session:
        gone = await session.get_one(PaymentMethod, default)
    assert gone.detached_at is not None
    assert fake_stripe.client().v1.payment_methods.retrieve(gone.provider_id).customer is None
    assert (await client.methods.remove("anna", default)).takes_over is None
    with pytest.raises(InvalidInput, match="was taken away"):
        await client.methods.make_default("anna", default)


async def test_what_stripe_has_let_go_of_already_is_removed_here(
    client: RelanceClient, sqlite_database: Database, fake_stripe: FakeStripe
) -> None:
    _, other = await two(client)
    async with sqlite_database.read() as session:
        theirs = (await session.get_one(PaymentMethod, other)).provider_id
    fake_stripe.client().v1.payment_methods.detach(theirs)
    await client.methods.remove("anna", other)
    async with sqlite_database.read() as session:
        assert (await session.get_one(PaymentMethod, other)).detached_at is not None


async def test_which_one_is_charged_next_has_to_be_said(client: RelanceClient) -> None:
    default, other = await two(client)
    assert "Make another one the default first" in await refused(client, default)
    await client.methods.remove("anna", other)
    await client.methods.remove("anna", default)
    assert await roles(client) == (None, None)


async def test_the_only_one_stays_while_an_invoice_is_open(
    client: RelanceClient, sqlite_database: Database
) -> None:
    async with sqlite_database.write() as session:
        ben = await factories.someone(session)
        invoice = factories.invoice(ben)
        session.add(invoice)
        assert ben.method is not None
    with pytest.raises(InvalidInput, match=f"It is the only payment method, and invoice {invoice.number}"):
        await client.methods.remove(ben.customer.id, ben.method.id)


async def test_a_method_with_a_payment_under_way_stays(
    client: RelanceClient, sqlite_database: Database
) -> None:
    async with sqlite_database.write() as session:
        ben = await factories.someone(session)
        invoice = factories.invoice(ben)
        session.add_all(
            [invoice, factories.attempt(ben, invoice, state=AttemptState.PROCESSING, begun_at=NEW_YEAR)]
        )
        assert ben.method is not None
    with pytest.raises(InvalidInput, match="A payment with it is under way"):
        await client.methods.remove(ben.customer.id, ben.method.id)


async def test_somebody_elses_is_not_found(client: RelanceClient, sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        ben = await factories.someone(session)
        assert ben.method is not None
    with pytest.raises(NotFound, match=f"The customer has no payment method {ben.method.id}"):
        await client.methods.make_default("anna", ben.method.id)


def test_the_same_by_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_stripe: FakeStripe,
    sqlite_template: Path,
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'relance.db'}"
    shutil.copy(sqlite_template, tmp_path / "relance.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url.replace("+aiosqlite", ""))
    monkeypatch.setenv("STRIPE_API_KEY", TEST_KEY)
    monkeypatch.setenv("STRIPE_API_BASE", fake_stripe.base)

    def run(*words: str) -> str:
        status = main(words)
        printed = capsys.readouterr()
        return printed.out if status == 0 else printed.err

    run("entity", "create", "--name", "Exemple SAS", "--sender", "a@example.com", *ADDRESS)
    run("customer", "create", "--name", "Anna", "--email", "anna@example.com", "--reference", "anna")
    assert run("customer", "card", "set", "anna", "pm_card_visa").startswith("Saved: visa 4242, valid to ")
    other = json.loads(run("customer", "card", "add", "anna", "pm_card_mastercard", "--json"))["method_id"]
    assert "Ask the customer first" in run("customer", "card", "backup", "anna", other)
    assert "(backup)" in run("customer", "card", "backup", "anna", other, "--agreed")
    listed = run("customer", "card", "list", "anna")
    assert [word in listed for word in ("default", "backup", "usable")] == [True, True, True]
    assert "Backup" in run("customer", "show", "anna")
    assert run("customer", "card", "no-backup", "anna") == "There is no backup.\n"
    assert "(default)" in run("customer", "card", "default", "anna", other)
    assert "Make another one the default first" in run("customer", "card", "remove", "anna", other)
