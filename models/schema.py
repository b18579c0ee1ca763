"""The version of the database: bringing it up to date, and refusing to work on one that is behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from billing.errors import RelanceError
from models.database import Database, prepare_sqlite

VERSIONS: Final = Path(__file__).parent.parent / "migrations"
_ONE_AT_A_TIME: Final = 0x52454C414E434531
"""Key of the advisory lock on PostgreSQL."""
_SQLITE_WAIT_MS: Final = 60_000
_CONNECT_SECONDS: Final = 10


class DatabaseUnreachable(RelanceError):
    """No connection to the database, or it refused what was asked of it."""


class DatabaseBehind(RelanceError):
    """The tables are those of an earlier release."""


class DatabaseAhead(RelanceError):
    """The tables are those of a later release."""


class Standing(NamedTuple):
    """Where a database stands."""

    revision: str | None
    """The last version applied; None for an empty database."""
    head: str
    """The last version that this release knows."""

    @property
    def is_current(self) -> bool:
        """Whether nothing is left to apply."""
        return self.revision == self.head


def migrate(url: str) -> Standing:
    """Apply the versions that are missing, all or none; waits while another process does the same.

    Args:
        url: `postgresql+psycopg://...` or `sqlite+aiosqlite:///...`, as in the settings.

    Returns:
        Where the database stood before.

    Raises:
        DatabaseUnreachable: there is no connection, or the user may not create tables.
        DatabaseAhead: a later release has migrated it.
    """
    with _connection(url) as connection:
        before = _standing(connection)
        if not before.is_current:
            config = alembic_config(connection)
            try:
                command.upgrade(config, "head")
            except CommandError:
                raise _ahead(before) from None
        return before


def standing(url: str) -> Standing:
    """Where the database stands. Waits for no one.

    Raises:
        DatabaseUnreachable: there is no connection.
    """
    with _connection(url, reading=True) as connection:
        return _standing(connection)


async def check_schema(database: Database) -> None:
    """Refuse to work on a database that is behind this release. Call it when a process starts.

    One that is ahead is let through: versions only add, so that the processes of the last release can go on
    while the next one is rolled out.

    Raises:
        DatabaseBehind: versions are missing; says which command applies them.
        DatabaseUnreachable: there is no connection.
    """
    try:
        async with database.read() as session:
            found = await (await session.connection()).run_sync(_standing)
    except (DBAPIError, OSError) as problem:
        raise _unreachable(str(database.engine.url), problem) from None
    if found.revision is None or (not found.is_current and _knows(found.revision)):
        had = found.revision or "empty"
        raise DatabaseBehind(
            f"The database is at version {had}, this release needs {found.head}. Run: relance db migrate",
            field="DATABASE_URL",
        )


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration, in code: where the versions are, and the connection to use."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(VERSIONS))


def _knows(revision: str) -> bool:
    return any(script.revision == revision for script in _scripts().walk_revisions())


def _standing(connection: Connection) -> Standing:
    head = _scripts().get_current_head()
    if head is None:
        raise RuntimeError(f"No versions in {VERSIONS}: the installation is incomplete.")
    return Standing(MigrationContext.configure(connection).get_current_revision(), head)


def _ahead(found: Standing) -> DatabaseAhead:
    return DatabaseAhead(
        f"The database is at version {found.revision}, which this release does not know: a later one has "
        f"migrated it. Use that release, or a database of its own for this one.",
        field="DATABASE_URL",
    )


@contextmanager
def _connection(url: str, *, reading: bool = False) -> Iterator[Connection]:
    """A connection in a transaction that no other migration shares, unless it is for reading only."""
    engine = _engine(url).execution_options(reading=reading)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql" and not reading:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
            yield connection
    except DBAPIError as problem:
        raise _unreachable(url, problem) from problem
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    synchronous = make_url(url.replace("sqlite+aiosqlite", "sqlite", 1))
    is_sqlite = synchronous.get_backend_name() == "sqlite"
    # Without a limit an address that swallows packets would hold the command for minutes.
    arguments = {} if is_sqlite else {"connect_timeout": _CONNECT_SECONDS}
    engine = create_engine(synchronous, poolclass=NullPool, connect_args=arguments)
    if is_sqlite:
        prepare_sqlite(engine, foreign_keys=False, busy_timeout_ms=_SQLITE_WAIT_MS)
    return engine


def _unreachable(url: str, problem: Exception) -> DatabaseUnreachable:
    said = " ".join(str(getattr(problem, "orig", problem)).split()).rstrip(".?")
    where = make_url(url).render_as_string(hide_password=True)
    return DatabaseUnreachable(
        f"The database {where} cannot be used: {said}. Check DATABASE_URL, and that the server runs.",
        field="DATABASE_URL",
    )
