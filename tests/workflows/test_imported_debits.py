"""Customers of another system whose accounts are debited: it goes on under the mandate that they gave there."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.importing import Debited, imports_of, person, write
from support.life import ClockedLife

from activities.books.config import BookRules
from models.tables import SubscriptionRow
from starter.overview import overview_of

CUSTOMERS = "reference,name,email,kind,stripe_customer"
MANDATES = "customer,payment_method,mandate_reference,signed_on,last_debit_on,notice_days,stripe_mandate"
SUBSCRIPTIONS = "reference,customer,plan,currency,started_on,anchor,renews_on"


@pytest.fixture
def begins() -> str:
    return "2041-02-10"


async def debited(world: ClockedLife, reference: str) -> Debited:
    """A customer of Stripe's on a clock that moves with ours."""
    at = await world.present()
    clock = world.fake.client().v1.test_helpers.test_clocks.create(
        {"frozen_time": int(at.timestamp()), "name": world.clock}
    )
    return Debited(world.fake, clock=clock.id, reference=reference)


async def test_they_are_debited_under_the_mandate_that_they_gave_elsewhere(
    world: ClockedLife, tmp_path: Path
) -> None:
    lea, max_ = await debited(world, "RUM-2024-0117"), await debited(world, "RUM-2024-0118")
    folder = write(
        tmp_path,
        customers=[
            CUSTOMERS,
            f"lea,Léa Moreau,lea@example.com,consumer,{lea.customer}",
            f"max,Max Roche,max@example.com,consumer,{max_.customer}",
        ],
        sepa_mandates=[
            MANDATES,
            f"lea,{lea.account},RUM-2024-0117,2024-03-15,2041-01-31,5,{lea.mandate}",
            # 36 months after this one are over before the renewal.
            f"max,{max_.account},RUM-2024-0118,2024-03-15,2038-02-20,,{max_.mandate}",
        ],
        subscriptions=[
            SUBSCRIPTIONS,
            "lea,lea,pro,EUR,2040-12-31,2040-12-31,2041-02-28",
            "max,max,pro,EUR,2040-12-31,2040-12-31,2041-02-28",
        ],
    )
    imports = imports_of(world)
    staged = await imports.stage(folder, clock=world.clock_id)
    assert (staged.created, staged.problems) == (6, ())
    assert staged.batch_id is not None
    await imports.go_live(staged.batch_id)
    await world.until("2041-03-20")
    taken_over = await person(world, "lea")
    assert await taken_over.diary() == [
        "2041-02-10 brought in, paid elsewhere until 2041-02-28",
        "2041-02-10 access begins",
        "2041-02-28 invoice 58.80 issued",
        "2041-02-28 mail debit_notice",
        "2041-02-28 mail invoice_issued",
        # Debited on Tuesday 5 March, after the five days that her mandate agrees to. The bank's word of the 13th is
        # seen when Stripe is asked next.
        "2041-03-15 charge paid 58.80",
        "2041-03-15 mail receipt",
    ]
    (notice,) = [letter.text for letter in await taken_over.letters() if "Prélèvement SEPA" in letter.subject]
    said = " ".join(notice.split())
    assert "le 5 mars 2041" in said
    assert "Référence unique du mandat RUM-2024-0117" in said
    assert "Mandat signé le 15 mars 2024" in said
    assert "Identifiant créancier SEPA FR72ZZZ123456" in said
    assert [one["amount"] for one in world.fake.get("ledger")["charges"]] == [5880]
    async with world.database.read() as session:
        row = await session.get_one(SubscriptionRow, taken_over.subscription_id)
        seen = await overview_of(session, row, BookRules.of(world.settings), await world.present())
    assert seen.payment_method == "SEPA 2606, mandate RUM-2024-0117 of 2024-03-15, last debit 2041-03-05"

    unused = await person(world, "max")
    assert (await unused.diary())[2:6] == [
        "2041-02-28 invoice 58.80 issued",
        "2041-02-28 status past_due",
        "2041-02-28 mail invoice_issued",
        "2041-02-28 mail payment_failed",
    ]
    assert [one for one in world.fake.get("attempts") if one["customer"] == max_.customer] == []
