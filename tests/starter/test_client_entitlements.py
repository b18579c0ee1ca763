"""What a customer may use, asked of the books: on a test clock with workers, and without any."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from support import factories
from support.life import ClockedLife
from support.metered import BASE, CALLS, used

from activities.books.rows import NotFound
from billing.agreed import Agreed
from billing.commands import When
from billing.entitlements import FeatureUse
from billing.features import Feature, FeatureKind
from billing.subscription import Status
from models.database import Database
from settings import Settings
from starter.client import RelanceClient
from starter.entitlements import Entitlement
from starter.orders import NewPlan, NewSubscription

INCLUDED = Feature(key="calls", kind=FeatureKind.METER, limit=10_000)
PROJECTS = Feature(key="projects", kind=FeatureKind.LIMIT, limit=5)
SSO = Feature(key="sso", on=False)


@pytest.fixture
def begins() -> str:
    return "2027-04-01"


def told(answer: Entitlement) -> dict[str, tuple[object, object, object, object]]:
    """Of each feature whether it is on, its limit, what is used and what is left."""
    return {use.key: (use.on, use.limit, use.used, use.left) for use in answer.features}


async def test_usage_counts_within_its_period_and_terms_come_before_the_plan(
    world: ClockedLife, client: RelanceClient
) -> None:
    plan = NewPlan(reference="metered", name="Metered", currency="EUR", every="1month", prices=(BASE, CALLS))
    await client.create_plan(plan.model_copy(update={"features": (INCLUDED, PROJECTS, SSO)}))
    dearer = plan.model_copy(update={"reference": "dearer", "name": "Dearer", "features": (INCLUDED, SSO)})
    await client.create_plan(dearer)
    more = Agreed(features=(Feature(key="projects", kind=FeatureKind.LIMIT, limit=50), Feature(key="beta")))
    await world.signs_up("anna", plan="metered", agreed=more)
    await world.until("2027-04-10")
    await client.usage.report("anna", [used("a", "9000"), used("b", "2500")])
    (april,) = await client.entitlements.of("anna")
    assert (april.reference, april.plan_name, april.status, april.entitled) == (
        "anna",
        "Metered",
        "active",
        True,
    )
    assert (april.reason, april.period_start, april.period_end) == (
        "active",
        date(2027, 4, 1),
        date(2027, 5, 1),
    )
    # Midnight in Paris and 24 hours.
    assert april.access_until == datetime(2027, 5, 1, 22, tzinfo=UTC)
    assert told(april) == {
        "calls": (True, 10_000, 11_500, 0),
        "projects": (True, 50, None, None),
        "sso": (False, None, None, None),
        "beta": (True, None, None, None),
    }

    await world.until("2027-05-01", hour=10)
    # Late for April, and the first of May.
    late = datetime(2027, 4, 30, 12, tzinfo=UTC)
    await client.usage.report("anna", [used("c", "700", at=late), used("d", "300")])
    (may,) = await client.entitlements.of("anna")
    assert told(may)["calls"] == (True, 10_000, 300, 9_700)

    # A change of plan does not begin a new period.
    await client.change_plan("anna", "dearer", when=When.NOW, command_id="up")
    assert (await client.wait_for("up")).applied
    await client.usage.report("anna", [used("e", "200")])
    async with world.without_workers():
        (dearer_may,) = await client.entitlements.of("anna")
        assert dearer_may.plan_name == "Dearer"
        assert told(dearer_may) == {
            "calls": (True, 10_000, 500, 9_500),
            "sso": (False, None, None, None),
        }
    shown = await client.show("anna")
    assert shown.features == dearer_may.features


async def test_every_subscription_is_answered_and_who_is_not_entitled_is_told_why(
    world: ClockedLife, client: RelanceClient
) -> None:
    await world.offers("first", features=(PROJECTS,))
    await world.signs_up("anna", plan="first")
    await client.start_subscription(
        NewSubscription(reference="second", customer="anna", plan="team", quantity=3)
    )
    await world.settle()
    await client.cancel("anna", when=When.NOW, command_id="bye")
    assert (await client.wait_for("bye")).applied
    ended, second = await client.entitlements.of("anna")
    assert (ended.reference, ended.status, ended.entitled, ended.access_until, ended.reason) == (
        "anna",
        "canceled",
        False,
        None,
        "canceled",
    )
    assert told(ended) == {"projects": (True, 5, None, None)}
    assert (second.reference, second.quantity, second.entitled, second.features) == ("second", 3, True, ())


@pytest.mark.parametrize(
    ("state", "access", "reason"),
    [
        (
            {"status": Status.UNPAID},
            (False, None),
            "service was suspended at the end of the dunning policy",
        ),
        (
            {"status": Status.PAST_DUE, "policy_ends_at": datetime(2027, 1, 22, 8, tzinfo=UTC)},
            (True, datetime(2027, 1, 22, 8, tzinfo=UTC)),
            "a payment is overdue; service goes on until the end of the dunning policy",
        ),
        (
            {"status": Status.PAUSED, "access_ends_at": datetime(2027, 1, 31, 23, tzinfo=UTC)},
            (True, datetime(2027, 1, 31, 23, tzinfo=UTC)),
            "paused",
        ),
        ({"cancel_at_end": True}, (True, datetime(2027, 1, 31, 23, tzinfo=UTC)), "active"),
        # The end of the period, four hours over which renewals are spread, and 24.
        ({}, (True, datetime(2027, 2, 2, 3, tzinfo=UTC)), "active"),
    ],
)
async def test_access_and_its_reason_follow_the_status(
    sqlite_database: Database, state: dict[str, Any], access: tuple[bool, datetime | None], reason: str
) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session, **state)

    async def now() -> datetime:
        return datetime(2027, 1, 10, 9, tzinfo=UTC)

    client = RelanceClient(sqlite_database, None, Settings(), now=now)
    (answer,) = await client.entitlements.of(anna.customer.id)
    assert (answer.entitled, answer.access_until) == access
    assert answer.reason == reason
    with pytest.raises(NotFound, match="There is no customer nobody"):
        await client.entitlements.of("nobody")


def test_a_use_is_written_for_programs_with_exact_numbers() -> None:
    use = FeatureUse(
        key="calls",
        kind=FeatureKind.METER,
        on=True,
        limit=10,
        used=Decimal("0.1"),
        left=Decimal("9.9"),
    )
    assert use.model_dump(mode="json") == {
        "key": "calls",
        "kind": "meter",
        "on": True,
        "limit": 10,
        "used": "0.1",
        "left": "9.9",
    }
