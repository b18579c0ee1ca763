"""Folders to import, and somebody who imports them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import stripe
from fakes import TEST_KEY, FakeStripe
from pydantic import SecretStr
from sqlmodel import col, select
from stripe.params import CustomerCreateParams
from temporalio.client import Client

from models.database import Database
from models.parties import Address
from models.tables import SubscriptionRow
from settings import Settings
from starter.client import RelanceClient
from starter.connections import Connections
from starter.imports import Imports
from starter.orders import NewEntity
from support.life import Life, Person

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
SELLER = NewEntity(
    id="ent_1",
    name="Exemple SAS",
    address=Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR"),
    sender="factures@example.com",
)
TODAY = datetime(2027, 2, 10, 11, tzinfo=UTC)
"""Noon in Paris."""


def importer(
    database: Database,
    fake: FakeStripe,
    *,
    at: datetime = TODAY,
    temporal: Client | None = None,
    queue: str = "relance",
) -> RelanceClient:
    """A client that believes it is `at`."""

    async def now() -> datetime:
        return at

    settings = Settings(
        stripe_api_key=SecretStr(TEST_KEY),
        stripe_api_base=fake.base,
        task_queue=queue,
        payments_task_queue=f"{queue}-p",
    )
    return RelanceClient(database, temporal, settings, now=now)


def example(name: str, into: Path, instead: Mapping[str, str] = {}) -> Path:
    """A copy of an example of the documentation, with ids that exist at the fake Stripe."""
    folder = Path(shutil.copytree(EXAMPLES / name, into / name))
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        for old, new in instead.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return folder


def mended(path: Path, old: str, new: str) -> None:
    """Another word in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def a_customer_with_card(fake: FakeStripe) -> tuple[str, str]:
    """A customer of the fake Stripe and their card."""
    stripe_ = fake.client()
    customer = stripe_.v1.customers.create({"name": "Anna Petit", "email": "anna@example.com"})
    return customer.id, a_card(stripe_, customer.id)


def a_card(stripe_: stripe.StripeClient, customer: str) -> str:
    """A card that works, saved with a customer of Stripe's."""
    card = stripe_.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2060, "cvc": "123"},
        }
    )
    stripe_.v1.payment_methods.attach(card.id, {"customer": customer})
    return card.id


class Debited:
    """A customer of the fake Stripe whose account is debited under a mandate that Stripe imported.

    Attributes:
        customer: Stripe's id, as of the account and its mandate.
        account: likewise.
        mandate: likewise.
    """

    def __init__(
        self, fake: FakeStripe, *, clock: str | None = None, reference: str = "RUM-2024-0117"
    ) -> None:
        stripe_ = fake.client()
        whose: CustomerCreateParams = {"name": "Léa Moreau", "email": "lea@example.com"}
        if clock is not None:
            whose["test_clock"] = clock
        self.customer = stripe_.v1.customers.create(whose).id
        self.account = an_account(stripe_, self.customer)
        body = {"payment_method": self.account, "reference": reference, "accepted_on": "2024-03-15"}
        self.mandate: str = fake.post("mandate", body)["id"]

    @property
    def instead(self) -> Mapping[str, str]:
        """The ids in place of those of the documentation's example."""
        return {"cus_Lea": self.customer, "pm_Lea": self.account, "mandate_Lea": self.mandate}


def an_account(stripe_: stripe.StripeClient, customer: str) -> str:
    """A bank account, saved with a customer of Stripe's, without a mandate."""
    account = stripe_.v1.payment_methods.create(
        {
            "type": "sepa_debit",
            "sepa_debit": {"iban": "FR1420041010050500013M02606"},
            "billing_details": {"name": "Léa Moreau", "email": "lea@example.com"},
        }
    )
    stripe_.v1.payment_methods.attach(account.id, {"customer": customer})
    return account.id


def write(folder: Path, **files: Sequence[str]) -> Path:
    """Files to import, by their names without the ending, line by line."""
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def imports_of(life: Life) -> Imports:
    """Imports into the books of a world, at its own time."""
    return Imports(
        Connections(
            life.database,
            life.settings,
            temporal=life.client,
            gateway=life.gateway,
            now=life.server_time,
        )
    )


async def person(life: Life, name: str) -> Person:
    """Whoever has the subscription of this reference."""
    async with life.database.read() as session:
        row = (
            await session.exec(select(SubscriptionRow).where(col(SubscriptionRow.reference) == name))
        ).one()
    return Person(life, name, row.customer_id, None, row.id)
