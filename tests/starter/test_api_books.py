"""What the API keeps, on both databases: equal calls are begun once, limits hold at one moment, lists have an order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select
from support import factories

from billing.errors import InvalidInput
from billing.subscription import Status
from models.database import Database
from models.tables import ApiCall, Customer, InvoiceStatus
from settings import Settings
from starter.api_calls import Answered, ApiCalls, Asked, Begun, KeyReused, LimitExceeded, StillRunning
from starter.api_keys import ApiKeys, Caller, Scope
from starter.connections import Connections
from starter.listing import Cursor, Listing

AT_ONCE = 8


async def caller(database: Database, **limits: int) -> Caller:
    keys = ApiKeys(Connections(database, Settings()))
    made = await keys.create("desk", [Scope.SUPPORT], limits=limits)
    return await keys.identify(made.key)


def asked(who: Caller, **changes: Any) -> Asked:  # noqa: ANN401 - of the call
    given = {
        "key_id": who.key_id,
        "by": who.name,
        "action": "refund_invoice",
        "method": "POST",
        "path": "/v1/invoices/in_1/refund",
        "idempotency_key": "once",
        "fingerprint": "f",
    }
    return Asked.model_validate(given | changes)


async def test_of_many_equal_calls_one_is_begun_and_all_get_its_answer(database: Database) -> None:
    who, calls = await caller(database), ApiCalls(database)

    async def call() -> Begun | Answered:
        found = await calls.begin(asked(who))
        if isinstance(found, Begun):
            await asyncio.sleep(0.3)  # the others come meanwhile
            await calls.finish(found.call_id, status=201, answer='{"done": true}')
        return found

    found = await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    assert sum(isinstance(each, Begun) for each in found) == 1
    assert [each for each in found if isinstance(each, Answered)] == [
        Answered(status=201, answer='{"done": true}')
    ] * (AT_ONCE - 1)
    with pytest.raises(KeyReused):
        await calls.begin(asked(who, fingerprint="g"))


async def test_who_falls_silent_is_taken_over_and_who_works_is_not(database: Database) -> None:
    who, calls = await caller(database), ApiCalls(database)
    begun = await calls.begin(asked(who))
    assert isinstance(begun, Begun)
    with pytest.raises(StillRunning):
        await calls.begin(asked(who), wait_seconds=0)
    async with database.write() as session:
        (await session.get_one(ApiCall, begun.call_id)).leased_until = datetime.now(UTC) - timedelta(
            seconds=1
        )
    found = await asyncio.gather(
        *(calls.begin(asked(who), wait_seconds=0) for _ in range(AT_ONCE)), return_exceptions=True
    )
    assert found.count(begun) == 1
    assert sum(isinstance(each, StillRunning) for each in found) == AT_ONCE - 1
    await calls.finish(begun.call_id, status=503)  # no answer to keep: the next one tries again
    assert await calls.begin(asked(who), wait_seconds=0) == begun
    await calls.finish(begun.call_id, status=422, free_key=True)
    other = await calls.begin(asked(who, fingerprint="g"), wait_seconds=0)
    assert isinstance(other, Begun)
    assert other != begun


async def test_a_limit_holds_for_calls_of_the_same_moment(database: Database) -> None:
    who, calls = await caller(database, EUR=3000), ApiCalls(database)
    begun = [await calls.begin(asked(who, idempotency_key=None)) for _ in range(AT_ONCE)]
    found = await asyncio.gather(
        *(calls.spend(each.call_id, who, 1000, "EUR") for each in begun if isinstance(each, Begun)),
        return_exceptions=True,
    )
    assert found.count(None) == 3
    assert sum(isinstance(each, LimitExceeded) for each in found) == AT_ONCE - 3
    async with database.read() as session:
        spent = (await session.exec(select(ApiCall).where(ApiCall.currency == "EUR"))).all()
    await calls.finish(spent[0].id, status=409, code="not_now")  # refused: it gave nothing back
    await calls.finish(spent[1].id, status=503)  # failed on our side: it may have
    last = await calls.begin(asked(who, idempotency_key=None))
    assert isinstance(last, Begun)
    with pytest.raises(LimitExceeded, match="1000 of 3000 are left"):
        await calls.spend(last.call_id, who, 1001, "EUR")
    await calls.spend(last.call_id, who, 1000, "EUR")
    with pytest.raises(LimitExceeded, match="0 of 0 are left"):
        await calls.spend(last.call_id, who, 1, "USD")
    assert await calls.forget(datetime.now(UTC) + timedelta(days=2)) == 0


async def test_a_list_is_paged_in_one_order(database: Database) -> None:
    listing = Listing(Connections(database, Settings()))
    async with database.write() as session:
        anna = await factories.someone(session)
        for number in range(5):  # two at one instant
            session.add(
                Customer(
                    id=f"cus_{number}",
                    entity_id=anna.customer.entity_id,
                    name="x",
                    created_at=datetime(2041, 1, 1 + number // 2, tzinfo=UTC),
                )
            )
    seen: list[str] = []
    after = None
    for more in (True, True, False):
        page = await listing.customers(Cursor(2, after))
        assert page.has_more is more
        seen += [row.id for row in page.rows]
        after = seen[-1]
    assert [key for key in seen if key != anna.customer.id] == ["cus_4", "cus_3", "cus_2", "cus_1", "cus_0"]
    for empty in (
        await listing.refunds(Cursor(), customer=anna.customer.id),
        await listing.coupons(Cursor()),
        await listing.subscriptions(Cursor(), status=Status.PAUSED),
    ):
        assert (list(empty.rows), empty.has_more) == ([], False)


async def test_drafts_come_before_what_was_issued(database: Database) -> None:
    listing = Listing(Connections(database, Settings()))
    async with database.write() as session:
        anna = await factories.someone(session)
        issued = factories.invoice(anna)
        draft = factories.invoice(
            anna, command_id="x", status=InvoiceStatus.DRAFT, number=None, issued_at=None, issued_on=None
        )
        session.add_all([issued, draft])
    first = await listing.invoices(Cursor(1), customer=anna.customer.id)
    assert ([row.id for row in first.rows], first.has_more) == ([draft.id], True)
    second = await listing.invoices(Cursor(1, draft.id), subscription=anna.subscription.id)
    assert ([row.id for row in second.rows], second.has_more) == ([issued.id], False)
    assert (await listing.invoices(Cursor(1, issued.id))).rows == []
    drafts = await listing.invoices(Cursor(), status=InvoiceStatus.DRAFT)
    assert [row.id for row in drafts.rows] == [draft.id]
    with pytest.raises(InvalidInput) as unknown:
        await listing.invoices(Cursor(1, "in_nobody"))
    assert unknown.value.field == "starting_after"
