"""Watching transactions: whatever changes for a backend, an event of the same transaction says so (engine 20)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, UOWTransaction

from models.tables import Invoice, InvoiceStatus, OutgoingEvent, SubscriptionRow


@dataclass
class Told:
    """What was committed while somebody watched."""

    untold: list[str] = field(default_factory=list)
    """Changes without an event."""
    changes: int = 0


@dataclass
class _Transaction:
    """What one transaction has written so far."""

    changes: list[tuple[str, Any]] = field(default_factory=list)
    events: list[OutgoingEvent] = field(default_factory=list)

    def untold(self) -> Iterator[str]:
        """Every change that no event says as it is at the end; what was passed through does not count."""
        latest = dict(self.changes)
        for what, value in latest.items():
            kind, _, key = what.partition(" ")
            if not any(_says(each, kind, key, value) for each in self.events):
                names = sorted({each.name for each in self.events})
                yield f"{what} is {value}, and no event says so; there are {names}"


def _says(told: OutgoingEvent, kind: str, key: str, value: Any) -> bool:
    match kind:
        case "invoice":
            return told.data.get("invoice") == key and told.data.get("status") == value
        case "status":
            return told.subscription_id == key and told.status == value
        case _:
            is_about_access = told.name.startswith("access.") and told.subscription_id == key
            return is_about_access and (told.entitled, told.access_until) == value


def _changes_of(row: object) -> Iterator[tuple[str, Any]]:
    if isinstance(row, Invoice) and _has_changed(row, "status") and row.status is not InvoiceStatus.DRAFT:
        yield f"invoice {row.id}", row.status.value
    if isinstance(row, SubscriptionRow) and inspect(row).persistent:
        if _has_changed(row, "status"):
            yield f"status {row.id}", row.status
        if _has_changed(row, "entitled") or _has_changed(row, "access_until"):
            yield f"access {row.id}", (row.entitled, row.access_until)


def _has_changed(row: object, column: str) -> bool:
    history = inspect(row).attrs[column].history
    return bool(history.added) and list(history.added) != list(history.deleted or ())


@contextmanager
def everything_told() -> Iterator[Told]:
    """Watch every transaction of this process; at the end of the block nothing may have been left untold."""
    told = Told()

    def before_flush(session: Session, _: UOWTransaction, __: object) -> None:
        seen: _Transaction = session.info.setdefault("told", _Transaction())
        for row in (*session.new, *session.dirty):
            seen.changes += _changes_of(row)
        seen.events += [row for row in session.new if isinstance(row, OutgoingEvent)]

    def after_commit(session: Session) -> None:
        seen: _Transaction = session.info.pop("told", _Transaction())
        told.changes += len(seen.changes)
        told.untold += seen.untold()

    def after_rollback(session: Session) -> None:
        session.info.pop("told", None)

    listeners: dict[str, Callable[..., None]] = {
        "before_flush": before_flush,
        "after_commit": after_commit,
        "after_rollback": after_rollback,
    }
    for name, listener in listeners.items():
        event.listen(Session, name, listener)
    try:
        yield told
        assert not told.untold, "\n".join(told.untold)
    finally:
        for name, listener in listeners.items():
            event.remove(Session, name, listener)
