"""A document that would lack a mention is not issued: no number is used, and nothing is lost (rules 18, engine 11)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.bookkeeping import RULES, Bookkeeping, Preparing, signs_up
from support.priced import plan, price

from activities.books.steps import park, take_step
from billing.commands import COMMAND, Cancel, Resume, When
from billing.prices import Charging, PricingModel
from billing.steps import StepKind, next_step
from documents.mentions import MentionsMissing
from models.boundary import ParkOrder, StepOrder
from models.database import Database
from models.parties import Address
from models.tables import SubscriptionRow

FEBRUARY_1 = datetime(2027, 2, 1, 11, tzinfo=UTC)
BOSTON = Address(line1="1 Beacon Street", postal_code="02108", city="Boston MA", country="US")
CALLS = price(
    "0.01", PricingModel.PER_UNIT, id="calls", charging=Charging.METERED, meter="calls"
)  # 1,000 calls are 10.00


async def refusal(books: Bookkeeping) -> MentionsMissing:
    """Why the step that is due cannot be taken."""
    async with books.database.read() as session:
        row = await session.get_one(SubscriptionRow, books.subscription_id)
        step = next_step(row.state, books.at)
    order = StepOrder(subscription_id=books.subscription_id, kind=step.kind, key=step.key, as_of=books.at)
    with pytest.raises(MentionsMissing) as refused:
        async with books.database.write() as session:
            await take_step(session, Preparing(), RULES, order)
    return refused.value


async def issued(books: Bookkeeping) -> list[tuple[str, int]]:
    """Last figures of the numbers, and the nets."""
    return sorted(((i.number or "")[-6:], i.net_minor) for i in (await books.look()).issued.values())


@pytest.mark.parametrize(
    ("facts", "field", "mends"),
    [
        ({"kind": "business"}, "buyer.siren", {"siren": "552100554"}),
        ({"kind": "business", "address": None}, "buyer.address", {"address": BOSTON}),
        ({"kind": "public_body", "address": None}, "buyer.address", {"address": BOSTON}),
        ({"kind": "non_professional", "address": None}, "buyer.address", {"address": BOSTON}),
    ],
    ids=["business without SIREN", "business without address", "public body", "association"],
)
async def test_a_renewal_waits_for_the_mention_and_is_issued_with_it(
    sqlite_database: Database, *, facts: dict[str, Any], field: str, mends: dict[str, Any]
) -> None:
    books = await signs_up(sqlite_database, plan(price("29.00")))
    await books.is_paid()
    books.at = FEBRUARY_1
    await books.knows(**facts)
    refused = await refusal(books)
    assert refused.field == field
    assert f"Run: relance tax set --customer {books.customer_id} --" in refused.message
    assert await issued(books) == [("000001", 2900)]
    await books.knows(**mends)
    assert await books.takes_step() is StepKind.BOUNDARY
    assert await issued(books) == [("000001", 2900), ("000002", 2900)]


@pytest.mark.parametrize(
    "facts",
    [{"kind": "consumer", "address": None}, {"kind": "business", "address": BOSTON}],
    ids=["consumer without address", "business abroad without numbers"],
)
async def test_nobody_is_asked_for_what_the_law_does_not_ask(
    sqlite_database: Database, facts: dict[str, Any]
) -> None:
    books = await signs_up(sqlite_database, plan(price("29.00")))
    await books.is_paid()
    books.at = FEBRUARY_1
    await books.knows(**facts)
    assert await books.takes_step() is StepKind.BOUNDARY
    assert await issued(books) == [("000001", 2900), ("000002", 2900)]


async def test_the_last_usage_of_an_ended_subscription_waits_parked_and_is_billed_after_the_resume(
    sqlite_database: Database,
) -> None:
    books = await signs_up(sqlite_database, plan(price("29.00"), CALLS))
    await books.is_paid()
    await books.uses("1000", event_id="a")
    assert await books.tells(Cancel(command_id="enough", when=When.NOW))
    await books.knows(kind="business")
    await books.passes(3)
    refused = await refusal(books)
    order = ParkOrder(
        subscription_id=books.subscription_id, reason=refused.message, remedy="Resume.", as_of=books.at
    )
    async with sqlite_database.write() as session:
        waiting = (await park(session, Preparing(), RULES, order)).subscription
    assert waiting.parked is not None
    assert next_step(waiting, books.at).kind is StepKind.WAIT
    await books.knows(siren="552100554")
    assert await books.tells(Resume(command_id="mended"))
    assert await books.takes_step() is StepKind.CLOSE_USAGE
    assert await issued(books) == [("000001", 2900), ("000002", 1000)]


async def test_a_draft_that_was_paid_names_the_buyer_as_it_was_complete(sqlite_database: Database) -> None:
    """Money has moved: nothing may stop its issue any more (rules 13)."""
    books = await signs_up(sqlite_database, plan(price("29.00")))
    await books.is_paid()
    await books.knows(kind="business", siren="552100554")
    dearer = plan(price("79.00"), plan_id="plan_big", plan_name="Big")
    await books.passes(15)
    change = {"kind": "change_plan", "command_id": "up", "plan_id": "plan_big", "when": "now"}
    assert await books.tells(COMMAND.validate_python({**change, "terms": dearer, "if_paid": True}))
    await books.knows(siren="")
    await books.is_paid()
    bought = next(i for i in (await books.look()).issued.values() if i.reason == "change")
    assert (bought.status.value, bought.buyer.siren) == ("paid", "552100554")
