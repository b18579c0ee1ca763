"""The policy that a chase begins with is the one that fits then, and the chase keeps it (rules 24)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlmodel import col, select
from support import factories
from support.disputed import Preparing
from support.factories import NEW_YEAR, Someone

from activities.books.chasing import load_case, lock_collection, open_collection
from activities.books.config import BookRules
from activities.books.gate import GateRefused, Refusal, begin_attempt
from activities.books.policies import policy_for
from billing.case import Case
from billing.chase import Mail, StepKind
from billing.dunning import DunningPolicy
from billing.payment import Trigger
from billing.policy_choice import AppliesTo, SavedPolicy
from billing.progress import timeline
from billing.terms import CollectionMethod
from models.database import Database
from models.tables import Collection, DunningPolicyVersion, Invoice, InvoiceStatus, SubscriptionRow
from settings import Settings
from starter.connections import Connections
from starter.policies import Policies


def ends_on_day(day: int, name: str, applies_to: dict[str, object] | None) -> SavedPolicy:
    """One retry on day 3, the last notice on day 7."""
    policy = DunningPolicy(name=name, retry_days=(3,), last_notice_day=7, end_day=day)
    to = None if applies_to is None else AppliesTo.model_validate(applies_to)
    return SavedPolicy(policy=policy, applies_to=to)


async def save(database: Database, *policies: SavedPolicy) -> None:
    await Policies(Connections(database, Settings())).save(policies)


async def owing(database: Database, **terms: object) -> tuple[Someone, Invoice]:
    async with database.write() as session:
        anna = await factories.someone(session, terms=factories.terms(**terms))
        invoice = factories.invoice(anna)
        session.add(invoice)
    return anna, invoice


async def policy_of(database: Database, anna: Someone, invoice: Invoice, **columns: object) -> str:
    """The title of what the invoice would be chased with, if it had these values."""
    async with database.write() as session:
        row = await session.get_one(SubscriptionRow, anna.subscription.id)
        found = await session.get_one(Invoice, invoice.id)
        for name, value in columns.items():
            setattr(found, name, value)
        version = await policy_for(session, row, found)
        assert version.policy.title == f"{version.name} v{version.version}"
        return version.policy.title


async def chase(database: Database, anna: Someone, invoice: Invoice) -> Case:
    """Begin the chase of the invoice, or look at the one that there is."""
    async with database.write() as session:
        row = await session.get_one(SubscriptionRow, anna.subscription.id)
        found = await session.get_one(Invoice, invoice.id)
        await open_collection(session, row, found, NEW_YEAR)
        collection = await lock_collection(session, found)
        return await load_case(session, row, found, collection, BookRules())


async def test_without_saved_policies_the_defaults_are_used(database: Database) -> None:
    anna, invoice = await owing(database)
    assert await policy_of(database, anna, invoice) == "monthly v1"
    assert await policy_of(database, anna, invoice, first_payment=True) == "first_payment v1"
    draft = {"gated": True, "status": InvoiceStatus.DRAFT, "number": None}
    assert await policy_of(database, anna, invoice, **draft) == "gated v2"


@pytest.mark.parametrize(
    ("applies_to", "customer", "terms", "expected"),
    [
        ({"country": "FR"}, {}, {}, "mine v1"),
        ({"country": "BE"}, {}, {}, "monthly v1"),
        ({"country": "FR"}, {"address": None}, {}, "monthly v1"),
        ({"segment": "vip"}, {"segment": "vip"}, {}, "mine v1"),
        ({"segment": "vip"}, {}, {}, "monthly v1"),
        ({"method": "card"}, {}, {}, "mine v1"),
        ({"method": "sepa_debit"}, {}, {}, "monthly v1"),
        ({"method": "card"}, {"default_method_id": None}, {}, "monthly v1"),
        ({"interval": "1month"}, {}, {}, "mine v1"),
        ({"interval": "2month"}, {}, {}, "monthly v1"),
        ({}, {}, {"collection_method": CollectionMethod.TRANSFER}, "transfer v1"),
        ({}, {}, {"dunning_policy": "annual"}, "annual v1"),
        (None, {}, {"dunning_policy": "mine"}, "mine v1"),
        (None, {}, {}, "monthly v1"),
    ],
)
async def test_a_saved_policy_is_chosen_by_what_the_rows_say(
    sqlite_database: Database,
    applies_to: dict[str, object] | None,
    customer: dict[str, Any],
    terms: dict[str, Any],
    expected: str,
) -> None:
    await save(sqlite_database, ends_on_day(14, "mine", applies_to))
    anna, invoice = await owing(sqlite_database, **terms)
    async with sqlite_database.write() as session:
        row = await session.get_one(type(anna.customer), anna.customer.id)
        for name, value in customer.items():
            setattr(row, name, value)
    assert await policy_of(sqlite_database, anna, invoice) == expected


async def test_a_new_version_leaves_chases_alone_and_an_invoice_opened_again_begins_with_it(
    database: Database,
) -> None:
    await save(database, ends_on_day(14, "mine", {"country": "FR"}))
    anna, invoice = await owing(database)
    assert (await chase(database, anna, invoice)).policy.end_day == 14

    await save(database, ends_on_day(20, "mine", {"country": "FR"}))
    again = await chase(database, anna, invoice)
    assert (again.policy.title, again.policy.end_day) == ("mine v1", 14)

    # Its money was taken back: a chase of its own, which begins after the change.
    async with database.write() as session:
        (await session.get_one(Invoice, invoice.id)).chase = 2
    second = await chase(database, anna, invoice)
    assert (second.policy.title, second.policy.end_day) == ("mine v2", 20)

    await save(database, ends_on_day(25, "mine", {"country": "FR"}))
    second = await chase(database, anna, invoice)
    assert (second.policy.title, second.policy.end_day) == ("mine v2", 20)
    assert await versions_of(database, invoice) == [(1, "mine v1"), (2, "mine v2")]


async def versions_of(database: Database, invoice: Invoice) -> Sequence[tuple[int, str]]:
    """Each chase of the invoice, and the policy in its row."""
    query = select(Collection).where(Collection.invoice_id == invoice.id).order_by(col(Collection.chase))
    async with database.read() as session:
        rows = (await session.exec(query)).all()
        return [
            (row.chase, (await session.get_one(DunningPolicyVersion, row.policy_version_id)).policy.title)
            for row in rows
        ]


async def test_terms_that_name_a_policy_take_its_newest_version_as_a_chase_begins(database: Database) -> None:
    await save(database, ends_on_day(14, "mine", None))
    anna, invoice = await owing(database, dunning_policy="mine")
    await save(database, ends_on_day(20, "mine", None))
    assert (await chase(database, anna, invoice)).policy.end_day == 20


async def test_a_retired_policy_is_not_chosen_but_stays_with_those_who_have_it(database: Database) -> None:
    await save(database, ends_on_day(14, "mine", {"country": "FR"}))
    anna, invoice = await owing(database)
    ben, his = await owing(database, dunning_policy="mine")
    assert (await chase(database, anna, invoice)).policy.title == "mine v1"
    await Policies(Connections(database, Settings())).retire("mine")
    assert (await chase(database, anna, invoice)).policy.title == "mine v1"
    assert await policy_of(database, anna, invoice) == "monthly v1"
    assert (await chase(database, ben, his)).policy.title == "mine v1"


async def test_a_version_that_no_longer_says_what_it_applies_to_is_not_chosen(database: Database) -> None:
    await save(database, ends_on_day(14, "mine", {"country": "FR"}))
    await save(database, ends_on_day(14, "mine", None))
    anna, invoice = await owing(database)
    assert await policy_of(database, anna, invoice) == "monthly v1"


async def test_a_case_knows_whether_its_method_is_a_direct_debit(sqlite_database: Database) -> None:
    anna, invoice = await owing(sqlite_database)
    assert not (await chase(sqlite_database, anna, invoice)).by_direct_debit
    assert anna.method is not None
    async with sqlite_database.write() as session:
        (await session.get_one(type(anna.method), anna.method.id)).kind = "sepa_debit"
        session.add(factories.mandate(anna.method, notice_days=5))
    case = await chase(sqlite_database, anna, invoice)
    assert (case.by_direct_debit, case.notice_days) == (True, 5)


async def test_what_is_paid_by_transfer_is_chased_with_nothing_that_charges_whatever_the_terms_name(
    sqlite_database: Database,
) -> None:
    """Terms of an earlier release may name one: then the invoice is chased as every transfer is (rules 22)."""
    by_transfer = CollectionMethod.TRANSFER
    anna, invoice = await owing(sqlite_database, collection_method=by_transfer, dunning_policy="monthly")
    assert await policy_of(sqlite_database, anna, invoice) == "transfer v1"
    ben, his = await owing(sqlite_database, dunning_policy="transfer")
    assert await policy_of(sqlite_database, ben, his) == "monthly v1"


async def test_no_card_is_charged_automatically_once_the_terms_are_transfer_terms(
    sqlite_database: Database,
) -> None:
    """The chase began on a card: its charges stop, its mails and its end do not, and its payer may still pay."""
    anna, invoice = await owing(sqlite_database)
    assert (await chase(sqlite_database, anna, invoice)).policy.title == "monthly v1"
    async with sqlite_database.write() as session:
        row = await session.get_one(SubscriptionRow, anna.subscription.id)
        terms = row.state.terms.model_copy(update={"collection_method": CollectionMethod.TRANSFER})
        row.state = row.state.model_copy(update={"terms": terms})
    case = await chase(sqlite_database, anna, invoice)
    first = next(step for step in timeline(case, NEW_YEAR) if step.kind is not StepKind.LATE)
    assert (first.kind, first.mail) == (StepKind.NOTICE, Mail.PAYMENT_FAILED)
    assert StepKind.CHARGE not in [step.kind for step in timeline(case, NEW_YEAR)]
    for trigger, answer in ((Trigger.RETRY, Refusal.STOPPED), (Trigger.CUSTOMER, None)):
        async with sqlite_database.write() as session:
            begun = await begin_attempt(
                session,
                Preparing(),
                BookRules(),
                invoice_id=invoice.id,
                number=1,
                trigger=trigger,
                at=NEW_YEAR,
            )
        assert (begun.reason if isinstance(begun, GateRefused) else None) == answer
