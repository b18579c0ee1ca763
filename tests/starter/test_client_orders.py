"""Orders that touch the books and the provider only: each asked twice is done once, and bad ones leave no trace."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fakes import TEST_KEY, FakeStripe
from pydantic import SecretStr, ValidationError
from sqlmodel import select

from billing.errors import InvalidInput, RelanceError
from models.database import Database
from models.parties import Address, Contact
from models.tables import Customer, LegalEntity, PaymentMethod, Plan
from settings import Settings, SettingsProblem
from starter.client import RelanceClient
from starter.orders import NewCoupon, NewCustomer, NewEntity, NewPlan
from starter.problems import AlreadyExists, MethodRefused

PARIS = Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR")
SELLER = NewEntity(id="ent_1", name="Exemple SAS", address=PARIS, sender="factures@example.com")


def plan(**changes: object) -> NewPlan:
    given = {"reference": "pro", "name": "Pro", "currency": "EUR", "every": "monthly", "amount": "29.00"}
    return NewPlan.model_validate(given | changes)


def anna(**changes: object) -> NewCustomer:
    given = {"reference": "anna", "name": "Anna", "contacts": [Contact(email="anna@example.com")]}
    return NewCustomer.model_validate(given | changes)


async def count(database: Database, table: type[Any]) -> int:
    async with database.read() as session:
        return len((await session.exec(select(table))).all())


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """SQLite: these statements hold no lock and are the same on both; `test_client_reading` runs on both."""
    return sqlite_database


@pytest.fixture
async def client(database: Database, fake_stripe: FakeStripe) -> AsyncIterator[RelanceClient]:
    settings = Settings(
        stripe_api_key=SecretStr(TEST_KEY),
        stripe_api_base=fake_stripe.base,
        clock_peers=(f"{fake_stripe.base}/_fake/clock",),
    )
    client = RelanceClient(database, None, settings)
    await client.create_entity(SELLER)
    yield client
    await client.close()


async def test_a_seller_is_made_once(client: RelanceClient, database: Database) -> None:
    again = await client.create_entity(SELLER)
    assert again.id == "ent_1"
    assert await count(database, LegalEntity) == 1
    with pytest.raises(AlreadyExists, match="There is another legal entity ent_1"):
        await client.create_entity(SELLER.model_copy(update={"vat_percent": Decimal("5.5")}))


async def test_one_series_for_invoices_and_credits_is_refused(client: RelanceClient) -> None:
    both = NewEntity(name="B", address=PARIS, sender="b@example.com", invoice_series="X", credit_series="X")
    with pytest.raises(InvalidInput, match="a series each") as refusal:
        await client.create_entity(both)
    assert refusal.value.field == "credit_series"


async def test_a_plan_is_made_once_and_never_changed(client: RelanceClient, database: Database) -> None:
    first = await client.create_plan(plan())
    assert first.terms.prices[0].unit_amount == Decimal("29.00")
    assert first.terms.plan_id == first.id
    assert (await client.create_plan(plan())).id == first.id
    assert await count(database, Plan) == 1
    with pytest.raises(AlreadyExists, match="There is another plan pro") as refusal:
        await client.create_plan(plan(amount="30.00"))
    assert refusal.value.field == "amount"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": "-1"}, "unit_amount"),
        ({"currency": "EURO"}, "currency"),
        ({"every": "fortnightly"}, "every"),
        ({"every": "5month", "alignment": "calendar"}, "every"),
        ({"amount": None}, "amount"),
        ({"dunning_policy": "gentle"}, "dunning_policy"),
        ({"entity": "ent_2"}, "entity"),
        ({"quantity": 0}, "quantity"),
    ],
)
async def test_a_plan_that_cannot_be_billed_is_refused(
    client: RelanceClient, database: Database, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(RelanceError) as refusal:
        await client.create_plans([plan(reference="good"), plan(**change)])
    assert refusal.value.field == field
    assert await count(database, Plan) == 0


async def test_an_archived_plan_is_off_the_offer(client: RelanceClient) -> None:
    await client.create_plan(plan())
    await client.archive_plan("pro")
    assert list(await client.list_plans()) == []
    assert [row.reference for row in await client.list_plans(archived=True)] == ["pro"]


async def test_a_customer_is_made_once_here_and_at_the_provider(
    client: RelanceClient, database: Database, fake_stripe: FakeStripe
) -> None:
    first = await client.create_customer(anna())
    again = await client.create_customer(anna())
    assert again.id == first.id
    assert await count(database, Customer) == 1
    at_provider = fake_stripe.client().v1.customers.list().data
    assert [customer.id for customer in at_provider] == [first.provider_id]
    with pytest.raises(AlreadyExists, match="There is another customer anna"):
        await client.create_customer(anna(name="Anne"))


async def test_a_customer_on_a_clock_is_dated_by_it_at_the_provider(
    client: RelanceClient, fake_stripe: FakeStripe
) -> None:
    clock = await client.create_clock("year", datetime(2031, 5, 1, 8, 0, tzinfo=UTC))
    made = await client.create_customer(anna(clock=clock.id))
    assert made.created_at == datetime(2031, 5, 1, 8, 0, tzinfo=UTC)
    customer = fake_stripe.client().v1.customers.retrieve(made.provider_id or "")
    assert customer.created == int(datetime(2031, 5, 1, 8, 0, tzinfo=UTC).timestamp())


async def test_a_customer_is_not_half_made_without_a_key(database: Database) -> None:
    client = RelanceClient(database, None, Settings())
    await client.create_entity(SELLER)
    with pytest.raises(SettingsProblem, match="Set STRIPE_API_KEY"):
        await client.create_customer(anna())
    assert await count(database, Customer) == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Europe/Pari"}, "timezone"),
        ({"clock": "clk_none"}, "clock"),
        ({"entity": "ent_9"}, "entity"),
    ],
)
async def test_a_customer_with_a_wrong_value_is_refused(
    client: RelanceClient, database: Database, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(RelanceError) as refusal:
        await client.create_customer(anna(**change))
    assert refusal.value.field == field
    assert await count(database, Customer) == 0


def test_a_customer_without_an_address_for_mails_is_refused() -> None:
    with pytest.raises(ValidationError, match="contacts"):
        anna(contacts=[])


async def test_a_card_becomes_the_default(client: RelanceClient, database: Database) -> None:
    customer = await client.create_customer(anna())
    saved = await client.set_payment_method("anna", "pm_card_visa", command_id="c1")
    assert saved.label.startswith("visa 4242, valid to ")
    assert saved.charging == ()
    again = await client.set_payment_method("anna", "pm_card_visa", command_id="c1")
    assert again.method_id == saved.method_id
    assert await count(database, PaymentMethod) == 1
    assert (await client.customer(customer.id)).default_method_id == saved.method_id


async def test_a_card_that_the_bank_refuses_leaves_the_one_before(
    client: RelanceClient, database: Database
) -> None:
    await client.create_customer(anna())
    saved = await client.set_payment_method("anna", "pm_card_visa")
    with pytest.raises(MethodRefused, match="the bank declined: insufficient funds") as refusal:
        await client.set_payment_method("anna", "pm_card_visa_chargeDeclinedInsufficientFunds")
    assert refusal.value.decline_code == "insufficient_funds"
    assert (await client.customer("anna")).default_method_id == saved.method_id
    assert await count(database, PaymentMethod) == 1


async def test_what_is_not_named_well_is_not_found(client: RelanceClient) -> None:
    with pytest.raises(RelanceError, match="There is no customer nobody") as refusal:
        await client.customer("nobody")
    assert refusal.value.code == "not_found"
    with pytest.raises(RelanceError, match="There is no subscription nothing"):
        await client.show("nothing")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": "0.001", "currency": "EUR"}, "amount"),
        ({"amount": "5.5", "currency": "JPY"}, "amount"),
        ({"percent": "33.3333333"}, "percent"),
        ({"percent": "20", "expires_on": "2020-01-01"}, "expires_on"),
    ],
    ids=["part of a cent", "part of a yen", "seven decimals", "past"],
)
async def test_a_coupon_that_takes_nothing_off_anybody_is_refused(
    client: RelanceClient, given: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await client.coupons.create(NewCoupon.model_validate({"code": "SPRING", **given}))
    assert refused.value.field == field
    assert await client.coupons.list() == []


async def test_a_coupon_with_cents_and_a_day_to_come_is_put_on_offer(client: RelanceClient) -> None:
    for code, given in (
        ("CENT", {"amount": "0.01", "currency": "EUR", "expires_on": "9999-12-31"}),
        ("THIRD", {"percent": "33.333333"}),
    ):
        await client.coupons.create(NewCoupon.model_validate({"code": code, **given}))
    assert {coupon.reference for coupon in await client.coupons.list()} == {"CENT", "THIRD"}
