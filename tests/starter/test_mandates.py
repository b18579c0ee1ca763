"""SEPA mandates through the client and the command line: given, read, revoked; what is wrong leaves no trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fakes import TEST_KEY, FakeStripe
from pydantic import SecretStr, ValidationError
from sqlmodel import select
from support import factories

from billing.errors import InvalidInput
from billing.mandates import Consent
from billing.payment import AttemptState
from models.database import Database
from models.parties import Address, Contact
from models.tables import Customer, MandateRow, PaymentMethod
from settings import Settings
from starter.client import RelanceClient
from starter.mandates import MandateGiven
from starter.orders import EntityChange, NewCustomer, NewEntity
from starter.symptoms import other_symptoms

ACCEPTED = datetime(2027, 1, 15, 23, 30, tzinfo=UTC)
"""Past midnight in Paris."""
CONSENT = Consent(accepted_at=ACCEPTED, ip_address="203.0.113.7", user_agent="Firefox")
NOW = datetime(2027, 1, 16, 9, 0, tzinfo=UTC)
SELLER = NewEntity(
    id="ent_1",
    name="Exemple SAS",
    address=Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR"),
    sender="factures@example.com",
    creditor_id="FR72ZZZ123456",
)


@pytest.fixture
async def client(sqlite_database: Database, fake_stripe: FakeStripe) -> AsyncIterator[RelanceClient]:
    async def now() -> datetime:
        return NOW

    settings = Settings(stripe_api_key=SecretStr(TEST_KEY), stripe_api_base=fake_stripe.base)
    client = RelanceClient(sqlite_database, None, settings, now=now)
    await client.create_entity(SELLER)
    await client.create_customer(
        NewCustomer(reference="anna", name="Anna", contacts=(Contact(email="anna@example.com"),))
    )
    yield client
    await client.close()


async def rows(database: Database, table: type[Any]) -> list[Any]:
    async with database.read() as session:
        return list((await session.exec(select(table))).all())


async def test_an_account_is_saved_with_what_its_payer_agreed_to(
    client: RelanceClient, sqlite_database: Database
) -> None:
    given = MandateGiven(consent=CONSENT, notice_days=5, text="J’autorise ...", text_version="2027-01")
    saved = await client.set_payment_method("anna", "pm_sepaDebit_success_at", mandate=given, command_id="c1")
    assert (saved.label, saved.announced) == ("SEPA 3201", True)
    (mandate,) = await client.mandates.of("anna")
    assert (mandate.account, mandate.creditor_id, mandate.notice_days) == ("SEPA 3201", "FR72ZZZ123456", 5)
    assert (mandate.text, mandate.text_version) == ("J’autorise ...", "2027-01")
    assert (mandate.accepted_at, mandate.accepted_on) == (ACCEPTED, date(2027, 1, 16))
    assert (mandate.ip_address, mandate.user_agent) == ("203.0.113.7", "Firefox")
    assert (mandate.last_debit_on, mandate.expires_on, mandate.in_force) == (None, date(2030, 1, 16), True)
    # Asked again, it is the same account and the same mandate.
    await client.set_payment_method("anna", "pm_sepaDebit_success_at", mandate=given, command_id="c1")
    assert len(await rows(sqlite_database, MandateRow)) == 1


async def test_a_mandate_that_the_payer_accepted_at_stripe_is_read_there(
    client: RelanceClient, fake_stripe: FakeStripe
) -> None:
    stripe = fake_stripe.client()
    (customer,) = stripe.v1.customers.list({}).data
    setup = stripe.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": "pm_sepaDebit_success_at",
            "confirm": True,
            "mandate_data": {
                "customer_acceptance": {
                    "type": "online",
                    "online": {"ip_address": "203.0.113.9", "user_agent": "Safari"},
                    "accepted_at": int(ACCEPTED.timestamp()),
                }
            },
        }
    )
    await client.set_payment_method("anna", str(setup.payment_method))
    (mandate,) = await client.mandates.of("anna")
    assert (mandate.ip_address, mandate.accepted_at, mandate.notice_days) == ("203.0.113.9", ACCEPTED, 3)


async def test_an_account_without_a_mandate_or_a_card_with_one_is_refused(
    client: RelanceClient, sqlite_database: Database
) -> None:
    with pytest.raises(InvalidInput, match="Nobody has agreed to debits") as refusal:
        await client.set_payment_method("anna", "pm_sepaDebit_success_at")
    assert refusal.value.field == "mandate"
    with pytest.raises(InvalidInput, match="A card needs no mandate") as refusal:
        await client.set_payment_method("anna", "pm_card_visa", mandate=MandateGiven())
    assert refusal.value.field == "mandate"
    assert await rows(sqlite_database, PaymentMethod) == []
    (customer,) = await rows(sqlite_database, Customer)
    assert customer.default_method_id is None


async def test_a_seller_without_an_identifier_debits_nobody(
    client: RelanceClient, sqlite_database: Database
) -> None:
    await client.documents.update_entity("ent_1", EntityChange(creditor_id=""))
    with pytest.raises(InvalidInput, match="no SEPA creditor identifier") as refusal:
        await client.set_payment_method(
            "anna", "pm_sepaDebit_success_at", mandate=MandateGiven(consent=CONSENT)
        )
    assert refusal.value.field == "creditor_id"
    assert await rows(sqlite_database, PaymentMethod) == []
    assert await rows(sqlite_database, MandateRow) == []


@pytest.mark.parametrize("wrong", ["FR73ZZZ123456", "FR72", "123456"])
def test_a_wrong_identifier_is_refused(wrong: str) -> None:
    with pytest.raises((InvalidInput, ValidationError), match="is no SEPA creditor identifier"):
        EntityChange(creditor_id=wrong)
    assert EntityChange(creditor_id="fr72 zzz 123456").creditor_id == "FR72ZZZ123456"


@pytest.mark.parametrize("days", [0, 15])
def test_no_notice_is_shorter_than_a_day_or_longer_than_the_schemes(days: int) -> None:
    with pytest.raises(ValidationError, match="notice_days"):
        MandateGiven(notice_days=days)


async def test_a_mandate_that_was_taken_back_is_over(client: RelanceClient) -> None:
    await client.set_payment_method("anna", "pm_sepaDebit_success_at", mandate=MandateGiven(consent=CONSENT))
    (mandate,) = await client.mandates.of("anna")
    with pytest.raises(InvalidInput) as refusal:
        await client.mandates.revoke(mandate.id, reason=" ")
    assert refusal.value.field == "reason"
    ended = await client.mandates.revoke(mandate.id, reason="by letter of 15 January")
    assert (ended.in_force, ended.ended_at) == (False, NOW)
    again = await client.mandates.revoke(mandate.id, reason="by phone")
    assert again.ended_because == "revoked: by letter of 15 January"


async def test_the_doctor_names_a_debit_that_no_bank_answers(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session, by_debit=True)
        invoice = factories.invoice(anna)
        begun_at = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
        attempt = factories.attempt(
            anna, invoice, state=AttemptState.PROCESSING, begun_at=begun_at, payment_intent="pi_1"
        )
        session.add_all([invoice, attempt])

    async def found(at: datetime) -> list[str]:
        async with sqlite_database.read() as session:
            return [finding.says async for finding in other_symptoms(session, at)]

    # Fifteen banking days after 1 March are over with the 22nd.
    assert await found(datetime(2027, 3, 22, 20, 0, tzinfo=UTC)) == []
    assert await found(datetime(2027, 3, 23, 8, 0, tzinfo=UTC)) == [
        "attempt 1 is under way since 2027-03-01, longer than 15 banking days"
    ]
