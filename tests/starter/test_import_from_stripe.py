"""Taking over from Stripe Billing: its own export, and what Stripe says of each subscription before it is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import stripe
from fakes import FakeStripe
from support.importing import SELLER, a_card, an_account, example, importer, mended
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from models.database import Database
from models.ids import new_id
from starter.client import RelanceClient
from starter.importing.staging import Source, Staged
from starter.orders import EntityChange

FIRST = datetime(2027, 2, 1, 11, 30, tzinfo=UTC)
"""When Stripe began to bill Anna; its next period begins on 1 March at the same time."""


@dataclass
class AtStripe:
    """Anna's subscription there, and her line in the export."""

    stripe: stripe.StripeClient
    subscription: str
    folder: Path
    client: RelanceClient

    def changes(self, **params: object) -> None:
        self.stripe.v1.subscriptions.update(self.subscription, params)  # type: ignore[arg-type]

    async def staged(self) -> Staged:
        return await self.client.imports.stage(self.folder, source=Source.STRIPE)

    async def refusal(self) -> tuple[str, int, str | None, str]:
        (problem,) = (await self.staged()).problems
        return problem.file, problem.line, problem.field, problem.message


@pytest.fixture
async def anna(sqlite_database: Database, fake_stripe: FakeStripe, tmp_path: Path) -> AsyncIterator[AtStripe]:
    client = importer(sqlite_database, fake_stripe)
    await client.create_entity(SELLER)
    at_stripe = fake_stripe.client()
    clock = at_stripe.v1.test_helpers.test_clocks.create({"frozen_time": int(FIRST.timestamp())})
    customer = at_stripe.v1.customers.create({"name": "Anna", "test_clock": clock.id}).id
    subscription = at_stripe.v1.subscriptions.create(
        {
            "customer": customer,
            "default_payment_method": a_card(at_stripe, customer),
            "items": [
                {
                    "price_data": {
                        "currency": "eur",
                        "product": "prod_pro",
                        "recurring": {"interval": "month"},
                        "unit_amount": 4900,
                    }
                }
            ],
        }
    ).id
    folder = example("import-from-stripe", tmp_path, {"cus_Anna": customer, "sub_Anna": subscription})
    yield AtStripe(at_stripe, subscription, folder, client)
    await client.close()


@pytest.mark.parametrize(
    "stop",
    [{"cancel_at_period_end": True}, {"pause_collection": {"behavior": "void"}}],
    ids=["ends", "paused"],
)
async def test_the_example_of_an_export_is_taken_over_once_it_was_stopped(
    anna: AtStripe, stop: dict[str, object]
) -> None:
    anna.changes(**stop)
    staged = await anna.staged()
    assert (staged.created, staged.problems) == (3, ())
    assert staged.batch_id is not None
    (coming,) = (await anna.client.imports.show(staged.batch_id)).to_come
    assert coming.next_invoice is not None
    assert (coming.next_invoice["on"], coming.next_invoice["until"]) == ("2027-03-01", "2027-04-01")
    assert coming.next_invoice["due_minor"] == 5880  # 49.00 with 20 % VAT


async def test_instants_of_an_export_are_dates_of_the_customer(anna: AtStripe) -> None:
    """Half past eleven in London is after midnight in Auckland."""
    anna.changes(cancel_at_period_end=True)
    mended(anna.folder / "customers.csv", "Europe/Paris", "Pacific/Auckland")
    staged = await anna.staged()
    assert staged.problems == ()
    assert staged.batch_id is not None
    (coming,) = (await anna.client.imports.show(staged.batch_id)).to_come
    assert coming.next_invoice is not None
    assert coming.next_invoice["on"] == "2027-03-02"


async def test_what_stripe_still_renews_is_refused_with_what_to_do(anna: AtStripe) -> None:
    file, line, field, says = await anna.refusal()
    assert (file, line, field) == ("subscriptions.csv", 2, "stripe_subscription")
    assert says == (
        f"Stripe still renews {anna.subscription} on 2027-03-01: the customer would pay twice. Stop it there, let it "
        "end with its period (cancel_at_period_end) or pause its collection without a date to resume, and stage "
        "again."
    )
    anna.changes(pause_collection={"behavior": "void", "resumes_at": int(FIRST.timestamp()) + 86_400})
    assert "still renews" in (await anna.refusal())[3]


async def test_one_that_was_let_go_on_after_it_was_staged_does_not_go_live(
    anna: AtStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna.changes(cancel_at_period_end=True)
    staged = await anna.staged()
    assert staged.batch_id is not None
    anna.changes(cancel_at_period_end=False)

    async def nowhere() -> None:
        """Temporal is not asked for anything here."""

    monkeypatch.setattr(anna.client.connections, "temporal", nowhere)
    with pytest.raises(Exception, match="1 rows of this batch are refused"):
        await anna.client.imports.go_live(staged.batch_id)
    went = await anna.client.imports.go_live(staged.batch_id, without_refused=True)
    assert (went.live, went.refused) == ({"plan": 1, "customer": 1}, 1)
    assert "still renews" in went.problems[0].message


async def test_what_the_files_and_stripe_see_otherwise_is_refused(anna: AtStripe) -> None:
    anna.changes(cancel_at_period_end=True)
    path = anna.folder / "subscriptions.csv"
    mended(path, "2027-03-01 11:30", "2027-04-01 11:30")
    assert (await anna.refusal())[2:] == (
        "renews_on",
        "At Stripe it is paid until 2027-03-01 (2027-03-01 11:30 UTC), the file says 2027-04-01. Export again.",
    )
    mended(path, "2027-04-01 11:30", "2027-03-01 11:30")
    mended(anna.folder / "plans.csv", "49.00", "39.00")
    _, _, field, says = await anna.refusal()
    assert field == "plan"
    assert says == (
        "At Stripe it costs 49.00 EUR, the plan price_Pro 39.00. Take another plan, or say in `amount` what this "
        "customer is to pay."
    )
    mended(anna.folder / "plans.csv", "39.00", "49.00")
    mended(path, ",price_Pro,1,eur,", ",price_Pro,1,usd,")
    assert (await anna.refusal())[2:] == ("currency", "The plan price_Pro bills in EUR, this line says USD.")


async def test_whoever_left_before_the_move_is_not_billed_again(anna: AtStripe) -> None:
    anna.changes(cancel_at_period_end=True)
    mended(anna.folder / "subscriptions.csv", "2027-03-01 11:30,,", "2027-03-01 11:30,,2027-02-05 08:00")
    staged = await anna.staged()
    assert staged.problems == ()
    assert staged.batch_id is not None
    (coming,) = (await anna.client.imports.show(staged.batch_id)).to_come
    assert coming.why_none == "it ends before 2027-03-01: nothing is billed"


@pytest.mark.parametrize("status", ["past_due", "unpaid", "incomplete", "paused"])
async def test_what_is_in_trouble_at_stripe_is_settled_there_first(anna: AtStripe, status: str) -> None:
    anna.changes(cancel_at_period_end=True)
    mended(anna.folder / "subscriptions.csv", ",active,", f",{status},")
    _, _, field, says = await anna.refusal()
    assert field == "Status"
    assert says.startswith(f"At Stripe it is {status}: what is owed there has to be paid or given up first.")


async def test_lines_that_are_over_are_left_out(anna: AtStripe) -> None:
    mended(anna.folder / "subscriptions.csv", ",active,", ",canceled,")
    staged = await anna.staged()
    assert (staged.created, staged.problems) == (2, ())


async def test_a_subscription_that_stripe_does_not_know_is_refused(anna: AtStripe) -> None:
    mended(anna.folder / "subscriptions.csv", anna.subscription, "sub_nowhere")
    assert (await anna.refusal())[3].startswith("Stripe does not know sub_nowhere in this account")


async def test_an_account_that_stripe_debits_comes_with_its_mandate(
    anna: AtStripe, sqlite_database: Database, fake_stripe: FakeStripe, temporal_server: str
) -> None:
    """Its payer accepted the mandate as they paid for the first time: no SetupIntent names it, the charge does."""
    customer = anna.stripe.v1.subscriptions.retrieve(anna.subscription).customer
    assert isinstance(customer, str)
    account = an_account(anna.stripe, customer)
    anna.changes(cancel_at_period_end=True, default_payment_method=account)
    file, line, field, says = await anna.refusal()
    assert (file, line, field) == ("subscriptions.csv", 2, "payment_method")
    assert says.startswith(f"Stripe has no mandate for {account}, and debits nothing without one.")
    paid = anna.stripe.v1.payment_intents.create(
        {
            "amount": 5880,
            "currency": "eur",
            "customer": customer,
            "payment_method": account,
            "allowed_payment_method_types": ["sepa_debit"],
            "confirm": True,
            "mandate_data": {
                "customer_acceptance": {
                    "type": "online",
                    "online": {"ip_address": "203.0.113.7", "user_agent": "Firefox"},
                    "accepted_at": int(datetime(2027, 1, 31, 9, tzinfo=UTC).timestamp()),
                }
            },
            "expand": ["latest_charge"],
        }
    )
    debit = paid.to_dict()["latest_charge"]["payment_method_details"]["sepa_debit"]
    given = anna.stripe.v1.mandates.retrieve(debit["mandate"]).to_dict()
    reference = given["payment_method_details"]["sepa_debit"]["reference"]
    assert (await anna.refusal())[2] == "creditor_id"
    await anna.client.documents.update_entity("ent_1", EntityChange(creditor_id="FR72ZZZ123456"))
    staged = await anna.staged()
    assert staged.problems == ()
    assert staged.batch_id is not None
    temporal = await Client.connect(temporal_server, data_converter=pydantic_data_converter)
    client = importer(sqlite_database, fake_stripe, temporal=temporal, queue=new_id("queue"))
    await client.imports.go_live(staged.batch_id)
    (mandate,) = await client.mandates.of(customer)
    assert (mandate.reference, mandate.ip_address) == (reference, "203.0.113.7")
    assert (await client.show(anna.subscription)).payment_method == (
        f"SEPA 2606, mandate {reference} of 2027-01-31, last debit 2027-02-01"
    )
    await client.close()
