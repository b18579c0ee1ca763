"""A database with rows from the first release is brought to the newest version, and no row is lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import Connection, MetaData, create_engine, select
from support import factories

from activities.books.config import BookRules
from activities.books.notices import emit
from migrations import versions
from models.database import Database
from models.schema import alembic_config, migrate

VERSIONS = sorted(Path(versions.__file__).parent.glob("v*.py"))


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("+aiosqlite", ""))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows by table, as the database itself has them."""
    tables = MetaData()
    tables.reflect(connection)
    return {
        name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for name, table in tables.tables.items()
        if name != "alembic_version"
    }


def write(connection: Connection, rows: dict[str, list[dict[str, Any]]], **also: dict[str, Any]) -> None:
    """Rows of today, as far as the tables of that version have their columns."""
    tables = MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        for row in rows.get(table.name, ()):
            known = {**row, **also.get(table.name, {})}
            connection.execute(table.insert().values({k: v for k, v in known.items() if k in table.c}))


async def test_rows_of_the_first_release_are_brought_up(
    database: Database, database_url: str, bare_url: str
) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna)
        session.add_all([invoice, factories.invoice_line(invoice), factories.attempt(anna, invoice)])
        emit(session, anna.subscription, "invoice.issued", {}, factories.NEW_YEAR, BookRules().access)
    with connected(database_url) as connection:
        today = contents(connection)
    rate = today["invoice_line"][0]["rate"]
    with connected(bare_url) as connection:
        command.upgrade(alembic_config(connection), "0001")
        write(connection, today, invoice={"rate": rate})
        before = {name: len(rows) for name, rows in contents(connection).items()}
    assert {"customer", "invoice", "invoice_line", "legal_entity", "payment_attempt"} <= {
        name for name, count in before.items() if count
    }
    migrate(bare_url)
    with connected(bare_url) as connection:
        upgraded = contents(connection)
    assert {name: len(upgraded[name]) for name in before} == before
    (line,) = upgraded["invoice_line"]
    assert (line["invoice_id"], line["rate"]) == (invoice.id, rate)
    assert upgraded["invoice"] == today["invoice"]
    assert upgraded["customer"] == today["customer"]
    (event,) = upgraded["outgoing_event"]
    assert (event["name"], event["sequence"], event["cursor"]) == ("invoice.issued", 1, None)
    assert (event["status"], event["plan_id"], event["reason"]) == ("", "", "")


def test_a_column_that_may_not_be_empty_is_filled() -> None:
    """What Alembic writes by itself would fail on any table with rows: `add_filled` says what they get."""
    bare = [
        f"{path.name}: {ast.unparse(call)}"
        for path in VERSIONS
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_column"
        and "nullable=False" in ast.unparse(call)
    ]
    assert bare == []
