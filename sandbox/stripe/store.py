"""Where the fake keeps its objects: dictionaries in memory, written through to SQLite when asked for.

One event loop owns it and every operation runs without a pause, so each request is atomic. With a database
file each change is on disk before its request is answered.
"""

import json
import secrets
import sqlite3
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from sandbox.stripe.errors import Document

Kind = Literal[
    "attempt",
    "balance_transaction",
    "card",
    "charge",
    "checkout_session",
    "customer",
    "delivery",
    "dispute",
    "event",
    "fraud_warning",
    "idempotency",
    "ledger",
    "mandate",
    "payment_intent",
    "payment_method",
    "refund",
    "script",
    "settlement",
    "setup_intent",
    "subscription",
    "test_clock",
    "webhook_endpoint",
]
"""Stripe's resources and, beside them, what only the fake knows (cards, scripts, attempts, ledger ...)."""

_LETTERS = string.ascii_letters + string.digits
_SCHEMA = """
create table if not exists documents (
    account text not null, kind text not null, id text not null, position integer not null, body text not null,
    primary key (account, kind, id)
)
"""


def new_id(prefix: str, length: int = 24) -> str:
    """An identifier as Stripe makes them: `pi_` and random letters and digits."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(length))}"


class Books:
    """All objects of one account."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.kinds: dict[Kind, dict[str, Document]] = {}
        self.changed: dict[tuple[Kind, str], None] = {}

    def get(self, kind: Kind, identifier: str) -> Document | None:
        """The object itself, not a copy: change it, then `put` it."""
        return self.kinds.get(kind, {}).get(identifier)

    def put(self, kind: Kind, document: Document) -> Document:
        """Keep `document` under its `id`; a new one goes to the end of its kind."""
        self.kinds.setdefault(kind, {})[document["id"]] = document
        self.changed[kind, document["id"]] = None
        return document

    def remove(self, kind: Kind, identifier: str) -> None:
        """Forget an object."""
        self.kinds.get(kind, {}).pop(identifier, None)
        self.changed[kind, identifier] = None

    def all(self, kind: Kind) -> list[Document]:
        """Every object of a kind, oldest first."""
        return list(self.kinds.get(kind, {}).values())


class Store:
    """The books of every account, found by secret key.

    Args:
        path: a SQLite file, or None to keep everything in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._accounts: dict[str, Books] = {}
        self._database: sqlite3.Connection | None = None
        self._position = 0
        if path is not None:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute(_SCHEMA)
            self._load(self._database)

    def books(self, account: str) -> Books:
        """The books of `account`, empty ones when it is new."""
        return self._accounts.setdefault(account, Books(account))

    def __iter__(self) -> Iterator[Books]:
        return iter(list(self._accounts.values()))

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._accounts.clear()
        if self._database is not None:
            self._database.execute("delete from documents")

    def flush(self) -> None:
        """Write what has changed since the last flush, in one transaction."""
        for books in self:
            if self._database is not None and books.changed:
                self._write(self._database, books)
            books.changed.clear()

    def close(self) -> None:
        """Flush and release the file."""
        self.flush()
        if self._database is not None:
            self._database.close()

    def _write(self, database: sqlite3.Connection, books: Books) -> None:
        database.execute("begin immediate")
        for kind, identifier in books.changed:
            document = books.get(kind, identifier)
            if document is None:
                where = (books.account, kind, identifier)
                database.execute("delete from documents where account = ? and kind = ? and id = ?", where)
                continue
            self._position += 1
            database.execute(
                "insert into documents values (?, ?, ?, ?, ?)"
                " on conflict (account, kind, id) do update set body = excluded.body",
                (books.account, kind, identifier, self._position, json.dumps(document)),
            )
        database.execute("commit")

    def _load(self, database: sqlite3.Connection) -> None:
        rows = database.execute("select account, kind, body, position from documents order by position")
        for account, kind, body, position in rows:
            self.books(account).put(kind, json.loads(body))
            self._position = position
        for books in self:
            books.changed.clear()
