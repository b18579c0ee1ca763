from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select
from support import factories
from support.factories import NEW_YEAR
from support.processes import PROCESSES, Crowd

from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.numbering import Issued, next_number, series_name
from activities.books.rows import lock_subscription
from billing.calendar import Interval, Period, Schedule
from models.database import Database
from models.tables import Invoice, LegalEntity, NumberSeries

EACH = 20
"""Invoices that each process issues."""


async def _number(database: Database, entity: LegalEntity, at: datetime, series: str = "F") -> Issued:
    async with database.write() as session:
        return await next_number(session, entity, series, at)


async def _entity(database: Database, **changes: object) -> LegalEntity:
    entity = factories.entity(**changes)
    async with database.write() as session:
        session.add(entity)
    return entity


async def test_a_series_counts_from_one_and_each_has_its_own_counter(database: Database) -> None:
    entity, other = await _entity(database), await _entity(database)
    numbers = [
        (await _number(database, seller, NEW_YEAR, series)).number
        for seller, series in [(entity, "F"), (entity, "F"), (entity, "A"), (other, "F"), (entity, "F")]
    ]
    assert numbers == ["F-000001", "F-000002", "A-000001", "F-000001", "F-000003"]


async def test_a_number_that_was_not_committed_is_given_to_the_next(database: Database) -> None:
    entity = await _entity(database)
    await _number(database, entity, NEW_YEAR)

    async def killed() -> None:
        async with database.write() as session:
            assert (await next_number(session, entity, "F", NEW_YEAR)).number == "F-000002"
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await killed()
    assert (await _number(database, entity, NEW_YEAR)).number == "F-000002"


async def test_a_series_whose_first_number_was_not_committed_begins_with_one(database: Database) -> None:
    entity = await _entity(database)

    async def killed() -> None:
        async with database.write() as session:
            await next_number(session, entity, "F", NEW_YEAR)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await killed()
    assert (await _number(database, entity, NEW_YEAR)).number == "F-000001"


async def test_the_date_is_the_sellers_and_never_goes_back_while_the_number_goes_up(
    sqlite_database: Database,
) -> None:
    entity = await _entity(sqlite_database)
    given = [
        datetime(2027, 1, 31, 22, 59, tzinfo=UTC),  # 23:59 in Paris
        datetime(2027, 1, 31, 23, 0, tzinfo=UTC),  # midnight in Paris
        datetime(2027, 1, 31, 12, 0, tzinfo=UTC),  # a step that comes late
        datetime(2027, 2, 3, 12, 0, tzinfo=UTC),
    ]
    issued = [await _number(sqlite_database, entity, at) for at in given]
    assert [i.on for i in issued] == [
        date(2027, 1, 31),
        date(2027, 2, 1),
        date(2027, 2, 1),
        date(2027, 2, 3),
    ]
    assert [i.number for i in issued] == ["F-000001", "F-000002", "F-000003", "F-000004"]


async def test_the_date_is_local_to_the_legal_entity_not_to_the_customer(sqlite_database: Database) -> None:
    tokyo = await _entity(sqlite_database, timezone="Asia/Tokyo")
    issued = await _number(sqlite_database, tokyo, datetime(2027, 1, 31, 15, 0, tzinfo=UTC))
    assert issued.on == date(2027, 2, 1)


def test_a_test_clock_numbers_in_a_series_of_its_own() -> None:
    assert series_name("F", None) == "F"
    name = series_name("F", "clk_01kb0c5m2q7v9x3z8w4y6t1r")
    assert name == "T-3Z8W4Y6T1R-F"
    assert series_name("F", "clk_01kb0c5m2q7v9x3z8w4y6t1s") != name


async def test_what_happens_on_a_test_clock_leaves_no_gap_in_the_real_series(database: Database) -> None:
    entity = factories.entity()
    async with database.write() as session:
        real = await factories.someone(session, seller=entity)
    async with database.write() as session:
        clocked = await factories.someone(session, seller=entity, clock=factories.clock())
    for someone in (real, clocked):
        for period in (factories.JANUARY, factories.FEBRUARY):
            async with database.write() as session:
                row = await lock_subscription(session, someone.subscription.id)
                await write_invoice(session, row, factories.issue(period), NEW_YEAR, BookRules())

    async with database.read() as session:
        invoices = (await session.exec(select(Invoice).order_by(col(Invoice.period_start)))).all()
    numbers = {
        kind: [i.number for i in invoices if (i.clock_id is None) == (kind == "real")]
        for kind in ("real", "clocked")
    }
    assert clocked.clock is not None
    own = f"T-{clocked.clock.id[-10:].upper()}-F"
    assert numbers == {
        "real": ["F-000001", "F-000002"],
        "clocked": [f"{own}-000001", f"{own}-000002"],
    }
    assert len(numbers["clocked"][0] or "") <= 35


def _period(index: int) -> Period:
    schedule = Schedule(anchor=date(2027, 1, 1), interval=Interval.parse("monthly"), timezone="Europe/Paris")
    return schedule.period(index)


async def _issue(database: Database, subscription_id: str, turn: int, at: datetime, *, lose: bool) -> None:
    async with database.write() as session:
        row = await lock_subscription(session, subscription_id)
        await write_invoice(session, row, factories.issue(_period(turn)), at, BookRules())
        if lose:
            raise InterruptedError


async def _issue_many(number: int, url: str, subscriptions: list[str]) -> int:
    """Issue twenty invoices, one transaction each; every third transaction is lost at its end and made again."""
    database = Database(url, pool_size=1)
    lost = 0
    try:
        for turn in range(EACH):
            at = NEW_YEAR + timedelta(hours=(turn * 7 + number * 11) % 50)  # not in the order of time
            if turn % 3 == 0:
                with pytest.raises(InterruptedError):
                    await _issue(database, subscriptions[number], turn, at, lose=True)
                lost += 1
            await _issue(database, subscriptions[number], turn, at, lose=False)
    finally:
        await database.close()
    return lost


async def test_five_processes_issue_at_once_without_gap_or_repeat(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    entity = factories.entity()
    subscriptions = []
    for _ in range(PROCESSES):
        async with database.write() as session:
            subscriptions.append((await factories.someone(session, seller=entity)).subscription.id)

    assert await crowd.run(_issue_many, database_url, subscriptions) == [7] * PROCESSES

    async with database.read() as session:
        invoices = (await session.exec(select(Invoice).order_by(col(Invoice.number)))).all()
        counter = (await session.exec(select(NumberSeries))).one()
    assert [invoice.number for invoice in invoices] == [f"F-{n:06d}" for n in range(1, 101)]
    assert counter.last_number == 100
    dates = [invoice.issued_on for invoice in invoices if invoice.issued_on]
    assert len(dates) == 100
    assert dates == sorted(dates)


async def test_five_processes_begin_a_series_at_once(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    entity = await _entity(database)
    numbers = await crowd.run(_first_number, database_url, entity.id)
    assert sorted(numbers) == ["F-000001", "F-000002", "F-000003", "F-000004", "F-000005"]


async def _first_number(_: int, url: str, entity_id: str) -> str:
    database = Database(url, pool_size=1)
    try:
        async with database.write() as session:
            entity = await session.get_one(LegalEntity, entity_id)
            return (await next_number(session, entity, "F", NEW_YEAR)).number
    finally:
        await database.close()
