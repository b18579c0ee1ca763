import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import col, func, select
from support import factories
from support.factories import JANUARY
from support.processes import PROCESSES, Crowd

from billing.payment import AttemptState, DeclineClass, Trigger
from billing.terms import WithoutMethod
from models.database import Database
from models.parties import Address
from models.tables import (
    Customer,
    Invoice,
    LegalEntity,
    NumberSeries,
    OutgoingEvent,
    PaymentAttempt,
    Plan,
    SubscriptionRow,
)
from models.tables import TestClock as Clock

HALF_HOUR_ZONE = timezone(timedelta(hours=5, minutes=45))


async def _store_clock(database: Database, now: datetime) -> datetime:
    async with database.write() as session:
        session.add(Clock(id="clk_1", now=now, created_at=now))
    async with database.read() as session:
        return (await session.exec(select(Clock.now))).one()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(2027, 1, 31, 23, 0, tzinfo=UTC), datetime(2027, 1, 31, 23, 0, tzinfo=UTC)),
        # 31 October 2027, 02:30 in Paris happens twice; the second one is meant.
        (
            datetime(2027, 10, 31, 2, 30, tzinfo=ZoneInfo("Europe/Paris"), fold=1),
            datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
        ),
        (
            datetime(2027, 3, 1, 0, 0, 0, 1, tzinfo=HALF_HOUR_ZONE),
            datetime(2027, 2, 28, 18, 15, 0, 1, tzinfo=UTC),
        ),
    ],
)
async def test_an_instant_comes_back_as_itself_in_utc(
    database: Database, given: datetime, kept: datetime
) -> None:
    found = await _store_clock(database, given)
    assert found == kept
    assert found.tzinfo is UTC


async def test_an_instant_without_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="Give it a zone"):
        await _store_clock(database, datetime(2027, 1, 1))  # noqa: DTZ001 - naive on purpose


async def test_instants_sort_and_compare_whatever_zone_they_were_given_in(database: Database) -> None:
    paris, tokyo = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Tokyo")
    instants = {
        "second": datetime(2027, 1, 1, 0, 0, tzinfo=paris),  # 23:00 UTC on the 31st
        "first": datetime(2027, 1, 1, 7, 59, tzinfo=tokyo),  # 22:59 UTC
        "third": datetime(2026, 12, 31, 23, 0, 0, 1, tzinfo=UTC),
    }
    async with database.write() as session:
        session.add_all(Clock(id=name, now=now, created_at=factories.BORN) for name, now in instants.items())
    async with database.read() as session:
        ordered = (await session.exec(select(Clock.id).order_by(col(Clock.now)))).all()
        late = (
            await session.exec(
                select(Clock.id)
                .where(Clock.now >= datetime(2027, 1, 1, 8, 0, tzinfo=tokyo))
                .order_by(col(Clock.now))
            )
        ).all()
    assert ordered == ["first", "second", "third"]
    assert late == ["second", "third"]


async def test_values_come_back_as_the_same_values(database: Database) -> None:
    async with database.write() as session:
        anna = await factories.someone(
            session, pending_terms=factories.terms(quantity=3), open_invoices=("in_1", "in_2")
        )
    async with database.read() as session:
        row = await session.get_one(SubscriptionRow, anna.subscription.id)
        plan = await session.get_one(Plan, anna.plan.id)
        entity = await session.get_one(LegalEntity, anna.entity.id)
        customer = await session.get_one(Customer, anna.customer.id)
    assert row.state == anna.subscription.state
    assert row.state.pending_terms == factories.terms(quantity=3)
    assert plan.terms == factories.terms()
    assert entity.address == Address(
        line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR"
    )
    assert customer.contacts == [{"email": "anna@example.com", "name": "Anna Martin"}]


async def test_what_was_stored_does_not_follow_a_later_default(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
    async with sqlite_database.read() as session:
        kept = (
            await (await session.connection()).execute(
                text("SELECT json_extract(state, '$.terms.without_method_at_trial_end') FROM subscription")
            )
        ).scalar_one()
    assert anna.subscription.state.terms.without_method_at_trial_end is WithoutMethod.CANCEL
    assert kept == "cancel"


async def test_a_state_is_kept_as_its_word_and_read_as_a_member(database: Database) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna)
        session.add(invoice)
        session.add(
            factories.attempt(
                anna,
                invoice,
                state=AttemptState.DECLINED,
                trigger=Trigger.RETRY,
                decline_class=DeclineClass.RETRY_LATER,
            )
        )
    async with database.read() as session:
        connection = await session.connection()
        words = (
            await connection.execute(text("SELECT state, trigger, decline_class FROM payment_attempt"))
        ).one()
        found = (await session.exec(select(PaymentAttempt))).one()
    assert tuple(words) == ("declined", "retry", "retry_later")
    assert found.state is AttemptState.DECLINED
    assert found.trigger is Trigger.RETRY
    assert found.decline_class is DeclineClass.RETRY_LATER


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"number": None}, "numbered"),
        ({"status": "draft"}, "numbered"),
        ({"total_minor": 3481}, "adds_up"),
        ({"paid_minor": 3000, "credited_minor": 481}, "not_more_than_total"),
        ({"paid_minor": -1}, "(amounts|balance)"),
        ({"period_end": JANUARY.start}, "period"),
    ],
)
async def test_the_database_refuses_an_invoice_that_cannot_be(
    database: Database, changes: dict[str, object], constraint: str
) -> None:
    async def write() -> None:
        async with database.write() as session:
            anna = await factories.someone(session)
            session.add(factories.invoice(anna, **changes))

    with pytest.raises(IntegrityError, match=f"ck_invoice_{constraint}"):
        await write()
    async with database.read() as session:
        assert (await session.exec(select(func.count()).select_from(LegalEntity))).one() == 0


async def test_a_row_that_refers_to_nothing_is_refused_when_the_transaction_ends(database: Database) -> None:
    flushed = []

    async def write() -> None:
        async with database.write() as session:
            session.add(factories.customer("ent_nobody"))
            await session.flush()
            flushed.append("the customer")

    with pytest.raises(IntegrityError):
        await write()
    assert flushed == ["the customer"]


async def test_rows_of_one_transaction_may_be_written_in_any_order(database: Database) -> None:
    entity = factories.entity()
    customer = factories.customer(entity.id)
    async with database.write() as session:
        session.add(customer)
        await session.flush()
        session.add(entity)
    async with database.read() as session:
        assert (await session.exec(select(Customer.entity_id))).one() == entity.id


async def _count_up(number: int, url: str, times: int) -> int:
    """Read, then write, as a step does; answers how many transactions went through."""
    database = Database(url, pool_size=1)
    done = 0
    try:
        for turn in range(times):
            async with database.write() as session:
                last = (
                    await session.exec(
                        select(NumberSeries).where(NumberSeries.id == "ser_1").with_for_update()
                    )
                ).one()
                last.last_number += 1
                session.add(Clock(id=f"clk_{number}_{turn}", now=factories.BORN, created_at=factories.BORN))
            done += 1
    finally:
        await database.close()
    return done


async def test_processes_that_read_and_then_write_never_fail_and_lose_nothing(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    async with database.write() as session:
        entity = factories.entity()
        session.add(entity)
        session.add(NumberSeries(id="ser_1", entity_id=entity.id, series="F"))
    assert await crowd.run(_count_up, database_url, 100) == [100] * PROCESSES
    async with database.read() as session:
        assert (await session.exec(select(NumberSeries.last_number))).one() == 500
        assert (await session.exec(select(func.count()).select_from(Clock))).one() == 500


async def test_who_only_reads_keeps_nobody_from_writing_and_sees_one_moment(database: Database) -> None:
    async with database.write() as session:
        session.add(factories.clock())
    async with database.read() as reader:
        assert len((await reader.exec(select(Clock.id))).all()) == 1
        async with asyncio.timeout(5):
            async with database.write() as writer:
                writer.add(factories.clock())
            async with database.read() as other:
                assert len((await other.exec(select(Clock.id))).all()) == 2


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def write() -> None:
        async with database.write() as session:
            anna = await factories.someone(session)
            session.add(factories.invoice(anna))
            await session.flush()
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await write()
    async with database.read() as session:
        for table in (Invoice, Customer, LegalEntity, SubscriptionRow, OutgoingEvent):
            assert (await session.exec(select(func.count()).select_from(table))).one() == 0


async def test_sqlite_writes_ahead_and_checks_references(sqlite_database: Database, tmp_path: Path) -> None:
    async with sqlite_database.read() as session:
        connection = await session.connection()
        answers = {
            pragma: (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one()
            for pragma in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert answers == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}
    assert (tmp_path / "relance.db-wal").exists()


async def test_writers_that_are_cancelled_within_a_statement_keep_nobody_waiting(
    sqlite_database: Database,
) -> None:
    """Their errors are kept here, as a log would, and with them all that was under way."""
    errors: list[BaseException | None] = []

    async def count(number: int) -> None:
        async with sqlite_database.write() as session:
            session.add(
                Clock(id=f"clk_{number}", name="", now=factories.NEW_YEAR, created_at=factories.NEW_YEAR)
            )
            await session.flush()
            await session.exec(text("SELECT count(*) FROM subscription"))  # type: ignore[call-overload]

    for turn in range(60):
        writers = [asyncio.create_task(count(turn * 5 + place)) for place in range(5)]
        await asyncio.sleep(turn / 3_000)
        for writer in writers[::2]:
            writer.cancel()
        errors += await asyncio.gather(*writers, return_exceptions=True)
    assert [error for error in errors if isinstance(error, Exception)] == []
    assert sum(isinstance(error, asyncio.CancelledError) for error in errors) > 60
