"""Dunning policies as saved data: versions are only added, equal is the same, ties and misfits are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlmodel import col, select

from activities.books.rows import NotFound
from billing.dunning import DunningPolicy
from billing.errors import InvalidInput
from billing.policy_choice import AppliesTo, SavedPolicy
from models.database import Database
from models.parties import Address
from models.tables import DunningPolicyVersion
from settings import Settings
from starter.client import RelanceClient
from starter.orders import NewEntity, NewPlan
from starter.policies import PolicySaved

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[RelanceClient]:
    async def noon() -> datetime:
        return NOON

    client = RelanceClient(database, None, Settings(), now=noon)
    yield client
    await client.close()


def gentle(
    applies_to: dict[str, object] | None = None, *, name: str = "gentle", end_day: int = 20
) -> SavedPolicy:
    policy = DunningPolicy(name=name, retry_days=(3, 7), last_notice_day=10, end_day=end_day)
    to = None if applies_to is None else AppliesTo.model_validate(applies_to)
    return SavedPolicy(policy=policy, applies_to=to)


def told(saved: list[PolicySaved]) -> list[str]:
    return [f"{each.title} {each.change}" for each in saved]


async def rows(database: Database) -> list[tuple[str, int, int, str | None]]:
    """Name, version, end day and who saved it."""
    query = select(DunningPolicyVersion).order_by(
        col(DunningPolicyVersion.name), col(DunningPolicyVersion.version)
    )
    async with database.read() as session:
        found = (await session.exec(query)).all()
    return [(row.name, row.version, row.policy.end_day, row.by) for row in found]


async def test_an_equal_policy_is_the_same_version_and_a_change_makes_the_next(
    client: RelanceClient, database: Database
) -> None:
    policies = client.policies
    assert told(await policies.save([gentle()], by="ada")) == ["gentle v1 new"]
    assert told(await policies.save([gentle()], by="ben")) == ["gentle v1 unchanged"]
    assert told(await policies.save([gentle(end_day=21)], by="ben")) == ["gentle v2 changed"]
    assert told(await policies.save([gentle({"country": "FR"}, end_day=21)])) == ["gentle v3 changed"]
    # Back to an earlier one is a change too.
    assert told(await policies.save([gentle()])) == ["gentle v4 changed"]
    assert await rows(database) == [
        ("gentle", 1, 20, "ada"),
        ("gentle", 2, 21, "ben"),
        ("gentle", 3, 21, "api"),
        ("gentle", 4, 20, "api"),
    ]


async def test_the_same_saved_by_several_at_once_is_one_version(
    client: RelanceClient, database: Database
) -> None:
    saved = await asyncio.gather(*(client.policies.save([gentle()], by="ada") for _ in range(5)))
    assert sorted(told(each)[0] for each in saved) == ["gentle v1 new", *["gentle v1 unchanged"] * 4]
    assert await rows(database) == [("gentle", 1, 20, "ada")]


async def test_a_check_says_what_saving_would_do_and_writes_nothing(
    client: RelanceClient, database: Database
) -> None:
    await client.policies.save([gentle()])
    asked = [gentle(), gentle({"country": "FR"}, name="french")]
    assert told(await client.policies.check(asked)) == ["gentle v1 unchanged", "french v1 new"]
    assert [name for name, *_ in await rows(database)] == ["gentle"]


async def test_a_file_is_saved_whole_or_not_at_all(client: RelanceClient, database: Database) -> None:
    for wrong, field in (
        (gentle(name="monthly"), "name"),
        (gentle({"interval": "1week"}, name="weekly"), "end_day"),
        (gentle({"country": ["FR", "BE"]}, name="other"), "applies_to"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await client.policies.save([gentle({"country": "FR"}), wrong])
        assert refused.value.field == field
    assert await rows(database) == []


@pytest.mark.parametrize(
    "name", ["sepa", "sepa_annual", "sepa_first_payment", "transfer", "gated", "monthly"]
)
async def test_the_name_of_a_default_policy_is_taken(
    client: RelanceClient, database: Database, name: str
) -> None:
    for ask in (client.policies.check, client.policies.save):
        with pytest.raises(InvalidInput) as refused:
            await ask([gentle({"method": "sepa_debit"}, name=name)])
        assert (refused.value.field, refused.value.message) == (
            "name",
            f"{name} is the name of a default policy. Take another, and say in applies_to where it is to be used.",
        )
    assert await rows(database) == []


async def test_a_tie_with_one_that_is_saved_is_refused_until_that_is_retired(client: RelanceClient) -> None:
    policies = client.policies
    await policies.save([gentle({"country": "FR"})])
    other = gentle({"country": "FR"}, name="other")
    with pytest.raises(InvalidInput, match="The policies gentle and other apply to the same invoices"):
        await policies.save([other])
    await policies.retire("gentle")
    assert told(await policies.save([other])) == ["other v1 new"]
    with pytest.raises(InvalidInput, match="The policies other and gentle apply to the same invoices"):
        await policies.save([gentle({"country": "FR"})])


async def test_one_that_decides_between_two_others_cannot_be_retired(client: RelanceClient) -> None:
    french, vip = gentle({"country": "FR"}, name="french"), gentle({"segment": "vip"}, name="vip")
    both = gentle({"country": "FR", "segment": "vip"}, name="both")
    await client.policies.save([french, vip, both])
    with pytest.raises(InvalidInput, match="The policies french and vip apply to the same invoices"):
        await client.policies.retire("both")
    assert (await client.policies.show("both")).retired_at is None


async def test_a_retired_policy_can_come_back_as_it_was_or_changed(client: RelanceClient) -> None:
    policies = client.policies
    await policies.save([gentle()])
    assert (await policies.retire("gentle")).retired_at == NOON
    assert told(await policies.save([gentle()])) == ["gentle v1 back"]
    assert (await policies.show("gentle")).retired_at is None
    await policies.retire("gentle")
    assert told(await policies.save([gentle(end_day=21)])) == ["gentle v2 changed"]
    assert (await policies.show("gentle")).retired_at is None


async def test_what_there_is_is_listed_and_shown(client: RelanceClient) -> None:
    await client.policies.save([gentle({"segment": "vip"}), gentle(name="annual-own", end_day=30)])
    await client.policies.save([gentle({"segment": "vip"}, end_day=25)], by="ada")
    listed = [
        (each.title, each.is_default, each.applies_to_in_words) for each in await client.policies.list()
    ]
    assert listed == [
        ("annual-own v1", False, "where terms name it"),
        ("gentle v2", False, "segment vip"),
        ("monthly v1", True, "where no saved policy fits"),
        ("annual v1", True, "where no saved policy fits"),
        ("short v1", True, "where no saved policy fits"),
        ("first_payment v1", True, "where no saved policy fits"),
        ("sepa v1", True, "where no saved policy fits"),
        ("sepa_annual v1", True, "where no saved policy fits"),
        ("sepa_first_payment v1", True, "where no saved policy fits"),
        ("transfer v1", True, "where no saved policy fits"),
        ("gated v2", True, "where no saved policy fits"),
    ]
    newest = await client.policies.show("gentle")
    assert (newest.version, newest.policy.end_day, newest.by, newest.created_at) == (2, 25, "ada", NOON)
    assert (await client.policies.show("gentle@1")).policy.end_day == 20
    assert (await client.policies.show("monthly@1")).is_default
    for key, says in (
        ("none", "There is no dunning policy none"),
        ("gentle@3", r"has no version 3\. It has 1, 2\."),
        ("gentle@x", "has no version x"),
    ):
        with pytest.raises(NotFound, match=says):
            await client.policies.show(key)


async def test_only_a_saved_policy_that_no_plan_names_can_be_retired(client: RelanceClient) -> None:
    address = Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR")
    await client.create_entity(NewEntity(name="Exemple SAS", address=address, sender="factures@example.com"))
    pro = NewPlan.model_validate(
        {"reference": "pro", "name": "Pro", "currency": "EUR", "every": "monthly", "amount": "29.00"}
    )
    own = pro.model_copy(update={"reference": "own", "dunning_policy": "gentle"})
    with pytest.raises(InvalidInput, match="There is no dunning policy 'gentle'") as refused:
        await client.create_plan(own)
    assert refused.value.field == "dunning_policy"

    await client.policies.save([gentle()])
    assert (await client.create_plan(own)).terms.dunning_policy == "gentle"
    with pytest.raises(
        InvalidInput, match=r"The plan own names this policy\. Take the plan off the offer first"
    ):
        await client.policies.retire("gentle")
    await client.archive_plan("own")
    await client.policies.retire("gentle")
    with pytest.raises(InvalidInput, match="There is no dunning policy 'gentle'"):
        await client.create_plan(own.model_copy(update={"reference": "new"}))
    # What is there already is still the same.
    assert (await client.create_plan(own)).reference == "own"

    with pytest.raises(InvalidInput, match="monthly is a default policy"):
        await client.policies.retire("monthly")
    with pytest.raises(NotFound, match="There is no saved dunning policy none"):
        await client.policies.retire("none")


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"collection_method": "transfer", "dunning_policy": "monthly"}, "monthly charges, and these terms"),
        ({"collection_method": "transfer", "dunning_policy": "gentle"}, "There are: transfer"),
        ({"dunning_policy": "transfer"}, "charges nothing, and these terms are collected by charge"),
        ({"dunning_policy": "gated"}, "for first payments that have no invoice yet"),
    ],
    ids=["default on transfer", "saved on transfer", "transfer on card", "gated"],
)
async def test_a_plan_names_no_policy_that_is_for_another_way_to_pay(
    client: RelanceClient, terms: dict[str, str], says: str
) -> None:
    """Else a card on file would be charged for what is paid by transfer (rules 22, 24)."""
    address = Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR")
    await client.create_entity(NewEntity(name="Exemple SAS", address=address, sender="factures@example.com"))
    await client.policies.save([gentle()])
    pro = {"reference": "pro", "name": "Pro", "currency": "EUR", "every": "monthly", "amount": "29.00"}
    with pytest.raises(InvalidInput, match=says) as refused:
        await client.create_plan(NewPlan.model_validate(pro | terms))
    assert refused.value.field == "dunning_policy"
