from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text
from sqlmodel import SQLModel

import models.tables  # noqa: F401 - fills the metadata
from models.database import Database
from models.schema import DatabaseAhead, DatabaseBehind, DatabaseUnreachable, check_schema, migrate, standing

T = TypeVar("T")


def _look(url: str, question: Callable[[Connection], T]) -> T:
    engine = create_engine(url.replace("+aiosqlite", ""))
    try:
        with engine.begin() as connection:
            return question(connection)
    finally:
        engine.dispose()


def _facts(connection: Connection) -> dict[str, Any]:
    """What Alembic's comparison does not see: checks, conditions of indexes, when keys are looked at."""
    inspector = inspect(connection)
    tables = sorted(set(inspector.get_table_names()) - {"alembic_version"})
    facts: dict[str, Any] = {
        table: (
            sorted((c["name"], c["sqltext"]) for c in inspector.get_check_constraints(table)),
            sorted((k["name"], sorted(k["options"].items())) for k in inspector.get_foreign_keys(table)),
            inspector.get_pk_constraint(table)["name"],
        )
        for table in tables
    }
    indexes = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' "
        "AND tablename <> 'alembic_version' ORDER BY indexname",
    }[connection.dialect.name]
    facts["indexes"] = [tuple(row) for row in connection.execute(text(indexes))]
    return facts


def test_the_versions_make_what_the_models_say(database_url: str, bare_url: str) -> None:
    difference = _look(
        database_url, lambda c: compare_metadata(MigrationContext.configure(c), SQLModel.metadata)
    )
    assert difference == []

    _look(bare_url, SQLModel.metadata.create_all)
    assert _look(database_url, _facts) == _look(bare_url, _facts)


def test_the_keys_on_which_money_depends_are_there(database_url: str) -> None:
    facts = dict(_look(database_url, _facts)["indexes"])
    for name in ("one_invoice_per_period", "one_live_attempt", "one_succeeded_attempt"):
        assert "UNIQUE" in facts[name]
        assert "WHERE" in facts[name]


def test_an_empty_database_is_brought_up_to_date_and_a_second_time_changes_nothing(bare_url: str) -> None:
    assert standing(bare_url).revision is None
    assert migrate(bare_url).revision is None
    after = standing(bare_url)
    assert after.is_current
    assert migrate(bare_url) == after


def test_five_processes_migrate_one_database_at_once(bare_url: str) -> None:
    with get_context("spawn").Pool(5) as pool:
        stood = pool.map(migrate, [bare_url] * 5, chunksize=1)
    assert sorted(str(before.revision) for before in stood) == [standing(bare_url).head] * 4 + ["None"]
    assert standing(bare_url).is_current


async def test_a_process_refuses_to_start_on_an_empty_database(bare_url: str) -> None:
    database = Database(bare_url)
    try:
        with pytest.raises(DatabaseBehind, match=r"at version empty.*Run: relance db migrate"):
            await check_schema(database)
    finally:
        await database.close()


async def test_a_process_starts_on_a_migrated_database_and_on_one_of_a_later_release(
    database: Database,
) -> None:
    await check_schema(database)
    async with database.write() as session:
        await (await session.connection()).execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await check_schema(database)


def test_a_database_of_a_later_release_is_not_migrated(database_url: str) -> None:
    _look(database_url, lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(DatabaseAhead, match="9999"):
        migrate(database_url)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DatabaseUnreachable, match=r"nowhere/relance.db cannot be used: unable to open"
    ) as error:
        migrate(f"sqlite+aiosqlite:///{tmp_path}/nowhere/relance.db")
    assert error.value.field == "DATABASE_URL"


async def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    url = "postgresql+psycopg://billing:hunter2@127.0.0.1:1/books"
    database = Database(url)
    try:
        for command in (migrate, standing):
            with pytest.raises(DatabaseUnreachable, match=r"billing:\*\*\*@127.0.0.1:1/books") as error:
                command(url)
            assert "hunter2" not in error.value.message
        with pytest.raises(DatabaseUnreachable, match="Connection refused"):
            await check_schema(database)
    finally:
        await database.close()
